/* SPDX-License-Identifier: MIT
 * Which bytes are UTF-8: every code point, and what looks like one. */
#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"
#include "otad/err.h"
#include "support/unit.h"

static size_t encode(unsigned c, char out[5])
{
    memset(out, 0, 5);
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(lead[n] | c);
    return n;
}

START_TEST(every_code_point_but_surrogates)
{
    char text[5];
    for (unsigned c = 1; c < 0x140000; c++) {
        size_t n = encode(c, text);
        bool is_none = (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff;
        size_t whole = utf8_length(text);
        text[n - 1] = '\0';
        if (whole != (is_none ? 0 : n) || utf8_length(text) != 0)
            ck_abort_msg("U+%04X", c);
    }
}
END_TEST

static const struct {
    const char *what;
    const char *text;
} rows[] = {
    {"end of the text",                ""                    },
    {"second byte first",              "\x80"                },
    {"last byte first",                "\xbf\xbf"            },
    {"overlong slash, two",            "\xc0\xaf"            },
    {"overlong, the largest of two",   "\xc1\xbf"            },
    {"overlong slash, three",          "\xe0\x80\xaf"        },
    {"overlong, the largest of three", "\xe0\x9f\xbf"        },
    {"overlong slash, four",           "\xf0\x80\x80\xaf"    },
    {"five bytes",                     "\xf8\x88\x80\x80\x80"},
    {"byte order of UTF-16",           "\xff\xfe"            },
    {"second byte is ASCII",           "\xc3("               },
    {"third byte is ASCII",            "\xe2\x82("           },
    {"fourth byte is ASCII",           "\xf0\x9f\x98("       },
};

START_TEST(none_row)
{
    ck_assert_msg(utf8_length(rows[_i].text) == 0, "%s", rows[_i].what);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("utf8");
    TCase *t = tcase_create("utf8");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, every_code_point_but_surrogates);
    tcase_add_loop_test(t, none_row, 0, (int)OTAD_COUNT(rows));
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
