/* SPDX-License-Identifier: MIT
 * CSV: quoting, and fields that a spreadsheet would run. */
#include <string.h>

#include "base/csv.h"
#include "otad/err.h"
#include "support/unit.h"

static const struct {
    const char *text, *want;
} fields[] = {
    {"",                    ""                            },
    {"plain",               "plain"                       },
    {" two  words ",        " two  words "                },
    {"a,b",                 "\"a,b\""                     },
    {"say \"x\"",           "\"say \"\"x\"\"\""           },
    {"\"",                  "\"\"\"\""                    },
    {"two\nlines",          "\"two\nlines\""              },
    {"two\r\nlines",        "\"two\r\nlines\""            },
    {"=1+1",                "'=1+1"                       },
    {"=HYPERLINK(\"a,b\")", "\"'=HYPERLINK(\"\"a,b\"\")\""},
    {"+49",                 "'+49"                        },
    {"-100",                "'-100"                       },
    {"@SUM(A1)",            "'@SUM(A1)"                   },
    {"\t=1",                "'\t=1"                       },
    {"\r=1",                "\"'\r=1\""                   },
    {"1=1",                 "1=1"                         },
    {"'=1",                 "'=1"                         },
    {"\xc3\xa4",            "\xc3\xa4"                    },
};

START_TEST(field_is_quoted_and_disarmed)
{
    struct csv csv = {.n = 0};
    csv_field(&csv, fields[_i].text);
    ck_assert_msg(csv.n == strlen(fields[_i].want) &&
                      (csv.n == 0 || memcmp(csv.text, fields[_i].want, csv.n) == 0),
                  "'%s' became '%.*s'", fields[_i].text, (int)csv.n, csv.text);
    csv_free(&csv);
}
END_TEST

START_TEST(rows_are_separated)
{
    static const char want[] = "a,,-7\r\nb\r\n";
    struct csv csv = {.n = 0};
    csv_field(&csv, "a");
    csv_field(&csv, "");
    csv_number(&csv, -7); /* a number of ours is no formula */
    csv_end_row(&csv);
    csv_field(&csv, "b");
    csv_end_row(&csv);
    ck_assert_uint_eq(csv.n, sizeof want - 1);
    ck_assert(memcmp(csv.text, want, csv.n) == 0);
    csv_field(&csv, "c");
    csv_clear(&csv);
    csv_field(&csv, "d");
    ck_assert(csv.n == 1 && csv.text[0] == 'd');
    csv_free(&csv);
    ck_assert_ptr_null(csv.text);
}
END_TEST

START_TEST(long_texts_fit)
{
    static char text[100001];
    struct csv csv = {.n = 0};
    memset(text, '"', sizeof text - 1);
    csv_field(&csv, text);
    ck_assert(!csv.failed);
    ck_assert_uint_eq(csv.n, 2 * (sizeof text - 1) + 2);
    csv_free(&csv);
}
END_TEST

START_TEST(failure_sticks)
{
    struct csv csv = {.failed = true};
    csv_field(&csv, "a");
    csv_end_row(&csv);
    csv_clear(&csv);
    ck_assert(csv.failed && csv.n == 0 && csv.text == NULL);
    csv_free(&csv);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("csv");
    TCase *t = tcase_create("csv");
    tcase_add_loop_test(t, field_is_quoted_and_disarmed, 0, (int)OTAD_COUNT(fields));
    tcase_add_test(t, rows_are_separated);
    tcase_add_test(t, long_texts_fit);
    tcase_add_test(t, failure_sticks);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
