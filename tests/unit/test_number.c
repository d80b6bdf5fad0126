/* SPDX-License-Identifier: MIT
 * Numbers as people read them. */
#include "base/number.h"
#include "otad/err.h"
#include "support/unit.h"

static const struct {
    int64_t n;
    const char *text;
} rows[] = {
    {0,         "0"                         },
    {999,       "999"                       },
    {1000,      "1,000"                     },
    {1310720,   "1,310,720"                 },
    {-100,      "-100"                      },
    {-1000,     "-1,000"                    },
    {INT64_MIN, "-9,223,372,036,854,775,808"},
};

START_TEST(number_row)
{
    char text[NUMBER_TEXT];
    ck_assert_str_eq(number_text(rows[_i].n, text), rows[_i].text);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("number");
    TCase *t = tcase_create("commas");
    tcase_add_loop_test(t, number_row, 0, (int)OTAD_COUNT(rows));
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(suite)
