/* SPDX-License-Identifier: MIT
 * Hexadecimal text. */
#include <string.h>

#include "base/hex.h"
#include "otad/err.h"
#include "support/unit.h"

static const struct {
    const char *what;
    const char *text;
    size_t n;
    bool want;
    uint8_t bytes[4];
} rows[] = {
    {"lower case",         "00ff7a",    3, true,  {0x00, 0xff, 0x7a}      },
    {"upper case",         "00FF7A",    3, true,  {0x00, 0xff, 0x7a}      },
    {"mixed case",         "aBcDeF09",  4, true,  {0xab, 0xcd, 0xef, 0x09}},
    {"nothing at all",     "",          0, true,  {0}                     },
    {"one digit short",    "00ff7",     3, false, {0}                     },
    {"one digit too many", "00ff7a0",   3, false, {0}                     },
    {"one byte too many",  "00ff7a00",  3, false, {0}                     },
    {"empty for three",    "",          3, false, {0}                     },
    {"g is no digit",      "00fg7a",    3, false, {0}                     },
    {"bad last digit",     "00ff7:",    3, false, {0}                     },
    {"blank",              "00 f7a",    3, false, {0}                     },
    {"sign",               "+0ff7a",    3, false, {0}                     },
    {"0x",                 "0x00ff",    3, false, {0}                     },
    {"byte above ASCII",   "00ff7\xe4", 3, false, {0}                     },
};

START_TEST(decode_row)
{
    uint8_t out[4] = {0xee, 0xee, 0xee, 0xee};
    static const uint8_t poison[4] = {0xee, 0xee, 0xee, 0xee};
    ck_assert_msg(hex_decode(rows[_i].text, rows[_i].n, out) == rows[_i].want, "%s", rows[_i].what);
    size_t n = rows[_i].want ? rows[_i].n : 0;
    ck_assert_msg(memcmp(out, rows[_i].bytes, n) == 0, "%s", rows[_i].what);
    ck_assert_msg(memcmp(out + n, poison, sizeof out - n) == 0, "%s: touched", rows[_i].what);
}
END_TEST

START_TEST(every_byte_goes_there_and_back)
{
    uint8_t all[256], back[256];
    char text[513];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)i;
    hex_encode(all, sizeof all, text);
    ck_assert_uint_eq(strlen(text), 512);
    ck_assert_uint_eq(strspn(text, "0123456789abcdef"), 512);
    ck_assert(hex_decode(text, sizeof all, back));
    ck_assert_mem_eq(all, back, sizeof all);
}
END_TEST

START_TEST(encode_of_nothing_is_the_empty_text)
{
    char text[2] = "x";
    hex_encode(NULL, 0, text);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(digit_of_every_character)
{
    static const char digits[] = "0123456789abcdef";
    for (int c = -128; c < 128; c++) {
        int want = -1;
        for (int i = 0; i < 16; i++)
            if (c == digits[i] || (i > 9 && c == digits[i] - 32))
                want = i;
        ck_assert_msg(hex_digit((char)c) == want, "character %d", c);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("hex");
    TCase *t = tcase_create("hex");
    tcase_add_loop_test(t, decode_row, 0, (int)OTAD_COUNT(rows));
    tcase_add_test(t, every_byte_goes_there_and_back);
    tcase_add_test(t, encode_of_nothing_is_the_empty_text);
    tcase_add_test(t, digit_of_every_character);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
