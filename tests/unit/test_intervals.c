/* SPDX-License-Identifier: MIT
 * Units of fleet/intervals.h, against a plain map of bytes. */
#include <string.h>

#include "fleet/intervals.h"
#include "otad/err.h"
#include "support/unit.h"

static const struct row {
    const char *what, *before;
    int64_t first, last;
    const char *after;
    int64_t bytes;
} rows[] = {
    {"first piece",         "",            5,  9,  "5-9",         5 },
    {"one byte",            "",            0,  0,  "0-0",         1 },
    {"before",              "5-9",         0,  3,  "0-3,5-9",     9 },
    {"behind",              "5-9",         11, 12, "5-9,11-12",   7 },
    {"between",             "0-1,8-9",     4,  5,  "0-1,4-5,8-9", 6 },
    {"touching its end",    "5-9",         10, 12, "5-12",        8 },
    {"touching its start",  "5-9",         3,  4,  "3-9",         7 },
    {"filling a gap",       "0-4,6-9",     5,  5,  "0-9",         10},
    {"inside",              "0-9",         3,  4,  "0-9",         10},
    {"the same",            "3-4",         3,  4,  "3-4",         2 },
    {"around all",          "2-3,5-6,8-9", 0,  20, "0-20",        21},
    {"over two of three",   "0-1,4-5,8-9", 5,  8,  "0-1,4-9",     8 },
    {"overlapping its end", "0-5",         4,  9,  "0-9",         10},
};

START_TEST(interval_added_joins_what_touches)
{
    const struct row *r = &rows[_i];
    struct intervals set;
    char text[INTERVALS_TEXT];
    ck_assert(intervals_parse(r->before, &set));
    ck_assert(intervals_add(&set, r->first, r->last));
    intervals_text(&set, text);
    ck_assert_msg(strcmp(text, r->after) == 0, "%s: got %s", r->what, text);
    ck_assert_int_eq(intervals_bytes(&set), r->bytes);
}
END_TEST

static const char *const malformed[] = {
    "x",
    "1",
    "1-",
    "-1",
    "5-4",
    "1-2,",
    ",1-2",
    "1-2 3-4",
    "1-2x",
    "1-2;",
    " 1-2",
    "0x1-2",
    "1-99999999999999999999",
    "0-9223372036854775807",
};

START_TEST(interval_text_malformed_is_refused)
{
    struct intervals set = {.n = 7};
    ck_assert_msg(!intervals_parse(malformed[_i], &set), "%s", malformed[_i]);
    ck_assert_uint_eq(set.n, 0);
}
END_TEST

START_TEST(interval_too_many_pieces_are_refused_but_joins_still_work)
{
    struct intervals set = {.n = 0};
    char text[INTERVALS_TEXT];
    for (int64_t i = 0; i < INTERVALS_MAX; i++)
        ck_assert(intervals_add(&set, i * 40000000000000000, i * 40000000000000000));
    ck_assert(!intervals_add(&set, 999999999999999999, 999999999999999999));
    intervals_text(&set, text);
    ck_assert_uint_lt(strlen(text), INTERVALS_TEXT - 1);
    ck_assert(intervals_add(&set, 1, 1));
    ck_assert_int_eq(intervals_bytes(&set), INTERVALS_MAX + 1);
}
END_TEST

/* Random pieces in a small space, compared with a map of its bytes. */
START_TEST(interval_sets_equal_a_map_of_bytes)
{
    enum { SPACE = 40 };
    struct intervals set = {.n = 0};
    bool map[SPACE] = {false};
    uint32_t seed = (uint32_t)_i * 2654435761u + 1;
    for (int step = 0; step < 30; step++) {
        seed = seed * 1664525u + 1013904223u;
        int64_t first = (seed >> 8) % SPACE, last = first + (seed >> 20) % 6;
        last = last < SPACE ? last : SPACE - 1;
        ck_assert(intervals_add(&set, first, last));
        for (int64_t i = first; i <= last; i++)
            map[i] = true;
        int64_t bytes = 0;
        for (size_t i = 0; i < SPACE; i++)
            bytes += map[i];
        ck_assert_int_eq(intervals_bytes(&set), bytes);
        struct intervals again;
        char text[INTERVALS_TEXT];
        intervals_text(&set, text);
        ck_assert(intervals_parse(text, &again));
        ck_assert_uint_eq(again.n, set.n);
        for (size_t i = 0; i < set.n; i++)
            ck_assert(map[set.items[i].first] && map[set.items[i].last]);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("intervals");
    TCase *tc = tcase_create("sets");
    tcase_add_loop_test(tc, interval_added_joins_what_touches, 0, (int)OTAD_COUNT(rows));
    tcase_add_loop_test(tc, interval_text_malformed_is_refused, 0, (int)OTAD_COUNT(malformed));
    tcase_add_test(tc, interval_too_many_pieces_are_refused_but_joins_still_work);
    tcase_add_loop_test(tc, interval_sets_equal_a_map_of_bytes, 0, 50);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
