/* SPDX-License-Identifier: MIT
 * Version texts: validity, equality, numbers, and what follows one. */
#include <string.h>

#include "base/version.h"
#include "otad/err.h"
#include "otad/limits.h"
#include "support/unit.h"

#define DIGITS_64 "1234567890123456789012345678901234567890123456789012345678901234"

static const struct {
    const char *what;
    const char *text;
    bool want;
} valid_rows[] = {
    {"plain",            "1.2.3",       true },
    {"one character",    "7",           true },
    {"words and blanks", "v1.0 (beta)", true },
    {"tilde, the last",  "1~",          true },
    {"64 bytes",         DIGITS_64,     true },
    {"65 bytes",         DIGITS_64 "5", false},
    {"empty",            "",            false},
    {"blank before",     " 1.0",        false},
    {"blank behind",     "1.0 ",        false},
    {"only a blank",     " ",           false},
    {"newline",          "1.0\n",       false},
    {"tab inside",       "1\t0",        false},
    {"delete",           "1\x7f",       false},
    {"above ASCII",      "1.0\xc3\xa4", false},
    {"double quote",     "1\"0",        false},
    {"single quote",     "1'0",         false},
    {"backslash",        "1\\0",        false},
};

START_TEST(valid_row)
{
    ck_assert_msg(version_is_valid(valid_rows[_i].text) == valid_rows[_i].want, "%s",
                  valid_rows[_i].what);
}
END_TEST

static const struct {
    const char *what;
    const char *reported, *build;
    bool want;
} match_rows[] = {
    {"equal",                     "1.0",              "1.0",             true },
    {"different",                 "1.0",              "1.1",             false},
    {"case counts",               "1.0a",             "1.0A",            false},
    {"Tasmota's word",            "12.1.1(tasmota)",  "12.1.1",          true },
    {"the whole, too",            "12.1.1(tasmota)",  "12.1.1(tasmota)", true },
    {"another word",              "12.1.1(lite)",     "12.1.1(tasmota)", false},
    {"a stopgap isn't the image", "12.1.1(minimal)",  "12.1.1",          false},
    {"nor is the safe boot",      "12.1.1(safeboot)", "12.1.1",          false},
    {"as a whole it is",          "12.1.1(minimal)",  "12.1.1(minimal)", true },
    {"V is longer",               "12.1.12(x)",       "12.1.1",          false},
    {"V is shorter",              "12.1(x)",          "12.1.1",          false},
    {"V differs",                 "12.1.2(x)",        "12.1.1",          false},
    {"word not closed",           "12.1.1(tasmota",   "12.1.1",          false},
    {"text behind the word",      "12.1.1(x)y",       "12.1.1",          false},
    {"only a word",               "(tasmota)",        "",                false},
    {"the word is the build's",   "12.1.1",           "12.1.1(tasmota)", false},
    {"empty reported",            "",                 "1.0",             false},
    {"numbers are texts",         "1.0",              "1.00",            false},
};

START_TEST(match_row)
{
    ck_assert_msg(version_matches(match_rows[_i].reported, match_rows[_i].build) ==
                      match_rows[_i].want,
                  "%s", match_rows[_i].what);
}
END_TEST

static const struct {
    const char *what;
    const char *text;
    int64_t want; /* 0: none */
} number_rows[] = {
    {"one",            "1",           1              },
    {"several digits", "20261121",    20261121       },
    {"the largest",    "2147483647",  OTAD_NUMBER_MAX},
    {"one too large",  "2147483648",  0              },
    {"ten nines",      "9999999999",  0              },
    {"eleven digits",  "10000000000", 0              },
    {"far too many",   DIGITS_64,     0              },
    {"zero",           "0",           0              },
    {"leading zero",   "07",          0              },
    {"sign",           "+7",          0              },
    {"minus",          "-7",          0              },
    {"blank before",   " 7",          0              },
    {"blank behind",   "7 ",          0              },
    {"a point",        "1.0",         0              },
    {"empty",          "",            0              },
    {"a word",         "seven",       0              },
};

START_TEST(number_row)
{
    int64_t out = -5;
    ck_assert_msg(version_number(number_rows[_i].text, &out) == (number_rows[_i].want != 0), "%s",
                  number_rows[_i].what);
    ck_assert_msg(out == (number_rows[_i].want != 0 ? number_rows[_i].want : -5), "%s",
                  number_rows[_i].what);
}
END_TEST

static const struct {
    const char *what;
    const char *text, *want;
} next_rows[] = {
    {"last run of digits",        "1.2.3",       "1.2.4"       },
    {"carry",                     "1.9",         "1.10"        },
    {"leading zeros stay",        "1.09",        "1.10"        },
    {"width stays",               "2026.001",    "2026.002"    },
    {"width grows",               "99",          "100"         },
    {"a word behind",             "1.2-beta",    "1.3-beta"    },
    {"a number in the word",      "1.2-beta1",   "1.2-beta2"   },
    {"no digit",                  "beta",        "beta.1"      },
    {"empty",                     "",            ".1"          },
    {"ten digits",                "9999999999",  "10000000000" },
    {"only ten of eleven digits", "19999999999", "110000000000"},
};

START_TEST(next_row)
{
    char out[OTAD_VERSION_MAX + 3];
    memset(out, 'x', sizeof out);
    version_next(next_rows[_i].text, out, sizeof out);
    ck_assert_msg(strcmp(out, next_rows[_i].want) == 0, "%s: %s", next_rows[_i].what, out);
}
END_TEST

START_TEST(next_of_the_longest_fits)
{
    char longest[OTAD_VERSION_MAX + 1], out[OTAD_VERSION_MAX + 3];
    memset(longest, 'v', OTAD_VERSION_MAX);
    longest[OTAD_VERSION_MAX] = '\0';
    version_next(longest, out, sizeof out);
    ck_assert_uint_eq(strlen(out), OTAD_VERSION_MAX + 2);
    memset(longest, '9', OTAD_VERSION_MAX);
    version_next(longest, out, sizeof out);
    ck_assert_uint_lt(strlen(out), sizeof out);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("version");
    TCase *t = tcase_create("version");
    tcase_add_loop_test(t, valid_row, 0, (int)OTAD_COUNT(valid_rows));
    tcase_add_loop_test(t, match_row, 0, (int)OTAD_COUNT(match_rows));
    tcase_add_loop_test(t, number_row, 0, (int)OTAD_COUNT(number_rows));
    tcase_add_loop_test(t, next_row, 0, (int)OTAD_COUNT(next_rows));
    tcase_add_test(t, next_of_the_longest_fits);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
