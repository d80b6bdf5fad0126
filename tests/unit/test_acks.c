/* SPDX-License-Identifier: MIT
 * Counts that nothing separates: in pieces, glued, repeated, with the last word behind them. */
#include <string.h>

#include "push/acks.h"
#include "support/unit.h"

static void add(struct acks *a, const char *text)
{
    acks_add(a, text, strlen(text));
}

static const struct {
    const char *said;
    size_t outstanding;
    bool exact, enough;
} rows[] = {
    {"1460",      1460, true,  true },
    {"",          1460, false, false},
    {"5369",      1460, false, false}, /* 536 and the beginning of 924 */
    {"536924",    1460, true,  true }, /* both */
    {"111",       3,    true,  true }, /* three single bytes, not eleven and one */
    {"14601460",  1460, false, true }, /* one of them is a repeated one: too much to be exact */
    {"500500524", 1024, false, true }, /* the first was repeated while the device waited */
    {"48",        48,   true,  true },
    {"102448",    48,   false, true }, /* a repeated count of the chunk before */
    {"0",         1460, false, false}, /* no count begins with zero */
    {"01460",     1460, false, false},
    {"9999",      1460, false, false},
    {"4096",      4096, true,  true },
};

START_TEST(count_row)
{
    struct acks a = {.n = 0};
    add(&a, rows[_i].said);
    size_t count = acks_count(&a, rows[_i].outstanding);
    ck_assert_uint_le(count, rows[_i].outstanding);
    ck_assert((count == rows[_i].outstanding) == rows[_i].exact);
    ck_assert(acks_enough(&a, rows[_i].outstanding) == rows[_i].enough);
}
END_TEST

START_TEST(count_may_arrive_in_pieces)
{
    struct acks a = {.n = 0};
    add(&a, "14");
    ck_assert_uint_lt(acks_count(&a, 1460), 1460);
    ck_assert(!acks_enough(&a, 1460));
    add(&a, "60");
    ck_assert_uint_eq(acks_count(&a, 1460), 1460);
    acks_begin(&a);
    ck_assert_uint_eq(acks_count(&a, 1460), 0);
}
END_TEST

START_TEST(ok_may_be_glued_to_a_count)
{
    struct acks a = {.n = 0};
    add(&a, "1024O");
    ck_assert(!a.ok && !a.error);
    add(&a, "K");
    ck_assert(a.ok && !a.error);
    ck_assert_uint_eq(acks_count(&a, 1024), 1024);
}
END_TEST

START_TEST(error_is_its_text_with_its_digits)
{
    struct acks a = {.n = 0};
    add(&a, "1460ERROR[3]: Receive ");
    add(&a, "Failed\r\n\xff");
    ck_assert(a.error && !a.ok);
    ck_assert_str_eq(a.text, "ERROR[3]: Receive Failed  ?");
    ck_assert_uint_eq(acks_count(&a, 1460), 1460);
}
END_TEST

START_TEST(words_that_only_begin_like_ok_are_an_error)
{
    struct acks a = {.n = 0};
    add(&a, "Out of memory");
    ck_assert(a.error && !a.ok);
}
END_TEST

START_TEST(endless_talk_is_bounded)
{
    struct acks a = {.n = 0};
    for (int i = 0; i < 1000; i++)
        add(&a, "9");
    ck_assert_uint_eq(a.n, ACKS_DIGITS_MAX);
    for (int i = 0; i < 1000; i++)
        add(&a, "x");
    ck_assert_uint_eq(strlen(a.text), ESPOTA_TEXT_MAX - 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("acks");
    TCase *t = tcase_create("counts");
    tcase_add_loop_test(t, count_row, 0, (int)OTAD_COUNT(rows));
    tcase_add_test(t, count_may_arrive_in_pieces);
    tcase_add_test(t, ok_may_be_glued_to_a_count);
    tcase_add_test(t, error_is_its_text_with_its_digits);
    tcase_add_test(t, words_that_only_begin_like_ok_are_an_error);
    tcase_add_test(t, endless_talk_is_bounded);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(suite)
