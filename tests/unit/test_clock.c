/* SPDX-License-Identifier: MIT
 * Clocks, fixed and real, and RFC 3339 text. */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "otad/err.h"
#include "support/unit.h"

#define POISON 424242

static const struct {
    const char *what;
    const char *text;
    bool want;
    int64_t wall_s;
} parse_rows[] = {
    {"the start",                 "1970-01-01T00:00:00Z",      true,  0         },
    {"a time",                    "2026-11-21T02:41:00Z",      true,  1795228860},
    {"beyond 32 bit",             "2100-01-01T00:00:00Z",      true,  4102444800},
    {"leap day",                  "2024-02-29T23:59:59Z",      true,  1709251199},
    {"a bare date",               "2026-11-21",                true,  1795219200},
    {"empty",                     "",                          false, 0         },
    {"a word",                    "yesterday",                 false, 0         },
    {"no zone",                   "2026-11-21T02:41:00",       false, 0         },
    {"another zone",              "2026-11-21T02:41:00+01:00", false, 0         },
    {"lower case z",              "2026-11-21T02:41:00z",      false, 0         },
    {"a blank for T",             "2026-11-21 02:41:00Z",      false, 0         },
    {"text behind",               "2026-11-21T02:41:00Z!",     false, 0         },
    {"text behind a date",        "2026-11-21T",               false, 0         },
    {"blanks before",             "  2026-11-21",              false, 0         },
    {"one digit",                 "2026-1-2",                  false, 0         },
    {"month 13",                  "2026-13-01",                false, 0         },
    {"31 February",               "2026-02-31",                false, 0         },
    {"29 February, no leap year", "2026-02-29T00:00:00Z",      false, 0         },
    {"hour 24",                   "2026-11-21T24:00:00Z",      false, 0         },
    {"minute 60",                 "2026-11-21T00:60:00Z",      false, 0         },
};

START_TEST(parse_row)
{
    int64_t out = POISON;
    ck_assert_msg(clock_parse(parse_rows[_i].text, &out) == parse_rows[_i].want, "%s",
                  parse_rows[_i].what);
    ck_assert_msg(out == (parse_rows[_i].want ? parse_rows[_i].wall_s : POISON), "%s: %lld",
                  parse_rows[_i].what, (long long)out);
}
END_TEST

START_TEST(text_reads_back)
{
    static const int64_t times[] = {0, 1, 951782400, 1795228860, 4102444800, 253402300799};
    char text[CLOCK_TEXT];
    int64_t back = POISON;
    clock_text(times[_i], text);
    ck_assert_uint_eq(strlen(text), CLOCK_TEXT - 1);
    ck_assert(clock_parse(text, &back));
    ck_assert_int_eq(back, times[_i]);
}
END_TEST

START_TEST(text_of_an_impossible_time_is_still_text)
{
    char text[CLOCK_TEXT];
    clock_text(INT64_MAX, text);
    ck_assert_str_eq(text, "1970-01-01T00:00:00Z");
    clock_text(253402300800, text); /* year 10000 doesn't fit */
    ck_assert_str_eq(text, "1970-01-01T00:00:00Z");
}
END_TEST

START_TEST(fixed_clocks_stand_still)
{
    struct clock c = {.fixed_wall_s = 1000, .fixed_mono_ms = 5};
    ck_assert_int_eq(clock_wall_s(&c), 1000);
    ck_assert_int_eq(clock_wall_ms(&c), 1000000);
    ck_assert_int_eq(clock_mono_ms(&c), 5);
}
END_TEST

START_TEST(system_clocks_are_the_systems)
{
    struct clock c = {0};
    time_t now = time(NULL);
    ck_assert_int_ge(clock_wall_s(&c), now - 1);
    ck_assert_int_le(clock_wall_s(&c), now + 5);
    ck_assert_int_ge(clock_wall_ms(&c), ((int64_t)now - 1) * 1000);
    int64_t before = clock_mono_ms(&c);
    ck_assert_int_gt(before, 0);
    ck_assert_int_ge(clock_mono_ms(&c), before);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("clock");
    TCase *t = tcase_create("text");
    tcase_add_loop_test(t, parse_row, 0, (int)OTAD_COUNT(parse_rows));
    tcase_add_loop_test(t, text_reads_back, 0, 6);
    tcase_add_test(t, text_of_an_impossible_time_is_still_text);
    suite_add_tcase(s, t);
    t = tcase_create("time");
    tcase_add_test(t, fixed_clocks_stand_still);
    tcase_add_test(t, system_clocks_are_the_systems);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
