/* SPDX-License-Identifier: MIT
 * Base64 text; vectors of RFC 4648 section 10. */
#include <string.h>

#include "base/base64.h"
#include "otad/err.h"
#include "support/unit.h"

static const struct {
    const char *what;
    const char *text;
    bool want;
    const char *bytes;
} rows[] = {
    {"nothing",              "",             true,  ""            },
    {"f",                    "Zg==",         true,  "f"           },
    {"fo",                   "Zm8=",         true,  "fo"          },
    {"foo",                  "Zm9v",         true,  "foo"         },
    {"foob",                 "Zm9vYg==",     true,  "foob"        },
    {"fooba",                "Zm9vYmE=",     true,  "fooba"       },
    {"foobar",               "Zm9vYmFy",     true,  "foobar"      },
    {"f unpadded",           "Zg",           true,  "f"           },
    {"fo unpadded",          "Zm8",          true,  "fo"          },
    {"plus and slash",       "++//",         true,  "\xfb\xef\xff"},
    {"one character",        "Z",            false, ""            },
    {"five characters",      "Zm9vY",        false, ""            },
    {"three pads",           "Z===",         false, ""            },
    {"only pads",            "===",          false, ""            },
    {"pad in the middle",    "Zg==Zg==",     false, ""            },
    {"URL alphabet",         "--__",         false, ""            },
    {"blank",                "Zm 9v",        false, ""            },
    {"newline",              "Zm9v\n",       false, ""            },
    {"above ASCII",          "Zm9\xf6",      false, ""            },
    {"longer than the room", "Zm9vYmFyZm9v", false, ""            },
};

START_TEST(decode_row)
{
    uint8_t out[8];
    size_t n = 77, want_n = strlen(rows[_i].bytes);
    memset(out, 0xee, sizeof out);
    ck_assert_msg(base64_decode(rows[_i].text, out, sizeof out, &n) == rows[_i].want, "%s",
                  rows[_i].what);
    if (!rows[_i].want)
        ck_assert_msg(n == 77, "%s: length touched", rows[_i].what);
    else
        ck_assert_msg(n == want_n && memcmp(out, rows[_i].bytes, n) == 0, "%s", rows[_i].what);
}
END_TEST

START_TEST(encode_is_the_padded_text_of_the_rfc)
{
    if (!rows[_i].want || strstr(rows[_i].what, "unpadded") != NULL)
        return;
    char text[32];
    size_t n = strlen(rows[_i].bytes);
    base64_encode((const uint8_t *)rows[_i].bytes, n, text);
    ck_assert_msg(strcmp(text, rows[_i].text) == 0, "%s: %s", rows[_i].what, text);
    ck_assert_uint_eq(strlen(text), BASE64_LEN(n));
}
END_TEST

START_TEST(every_length_goes_there_and_back)
{
    uint8_t data[100], back[100];
    char text[BASE64_LEN(100) + 1];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 37 + 200);
    for (size_t n = 0; n <= sizeof data; n++) {
        size_t got = 0;
        base64_encode(data, n, text);
        ck_assert(base64_decode(text, back, n, &got)); /* exactly the room it needs */
        ck_assert_uint_eq(got, n);
        ck_assert_int_eq(memcmp(data, back, n), 0);
        ck_assert(n == 0 || !base64_decode(text, back, n - 1, &got));
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("base64");
    TCase *t = tcase_create("base64");
    tcase_add_loop_test(t, decode_row, 0, (int)OTAD_COUNT(rows));
    tcase_add_loop_test(t, encode_is_the_padded_text_of_the_rfc, 0, (int)OTAD_COUNT(rows));
    tcase_add_test(t, every_length_goes_there_and_back);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
