/* SPDX-License-Identifier: MIT
 * Leases: what a resume is answered from, and what it must never be answered from. */
#include <stdlib.h>

#include "fleet/lease.h"
#include "otad/err.h"
#include "support/unit.h"

#define LIFE 1000
#define Y 7
#define Z 8

static struct leases *leases;
static struct lease_key known, shared;

static void set_up(void)
{
    leases = leases_new(64);
    ck_assert_ptr_nonnull(leases);
    known = lease_key(1, 0x30AEA48436F0ULL, false, "192.0.2.1", "agent");
    shared = lease_key(1, 0, false, "192.0.2.1", "agent");
}

static void tear_down(void)
{
    leases_free(&leases);
    ck_assert_ptr_null(leases);
}

#define END 1000 /* bytes of every image */

static void begin(const struct lease_key *key, int64_t build, int64_t first, int64_t last,
                  int64_t now)
{
    const struct lease_gift gift = {
        .build = build, .first = first, .last = last, .now_ms = now, .life_ms = LIFE};
    leases_give(leases, key, &gift);
}

/* Given, and all of it arrived. */
static void give(const struct lease_key *key, int64_t build, int64_t first, int64_t last,
                 int64_t now)
{
    begin(key, build, first, last, now);
    leases_taken(leases, key, build, first, last - first + 1, last == END - 1);
}

/* Given as a whole from byte 0, and broken off. */
static void broken(const struct lease_key *key, int64_t build, int64_t bytes, int64_t now)
{
    begin(key, build, 0, END - 1, now);
    leases_taken(leases, key, build, 0, bytes, false);
}

static void head(const struct lease_key *key, int64_t build, int64_t now)
{
    const struct lease_gift gift = {
        .build = build, .last = 999, .head = true, .now_ms = now, .life_ms = LIFE};
    leases_give(leases, key, &gift);
}

START_TEST(nothing_given_is_nothing_to_resume)
{
    ck_assert_int_eq(leases_resume(leases, &known, 1, 0), 0);
    ck_assert_int_eq(leases_resume(leases, &known, -1, 0), 0);
}
END_TEST

START_TEST(resume_goes_on_with_what_was_given)
{
    broken(&known, Y, 500, 0);
    ck_assert_int_eq(leases_resume(leases, &known, 410, 10), Y);
    ck_assert_int_eq(leases_resume(leases, &known, 500, 10), Y);
    ck_assert_int_eq(leases_resume(leases, &known, -1, 10), Y);
    ck_assert_int_eq(leases_resume(leases, &shared, 410, 10), 0);
}
END_TEST

START_TEST(what_did_not_arrive_is_not_resumed)
{
    broken(&known, Y, 500, 0);
    ck_assert_int_eq(leases_resume(leases, &known, 501, 10), 0);
    begin(&known, Y, 0, END - 1, 20); /* while it is on its way, it may */
    ck_assert_int_eq(leases_resume(leases, &known, 501, 30), Y);
}
END_TEST

START_TEST(lease_ends_after_its_life_and_parts_renew_it)
{
    give(&known, Y, 0, 99, 0);
    ck_assert_int_eq(leases_resume(leases, &known, 100, LIFE - 1), Y);
    ck_assert_int_eq(leases_resume(leases, &known, 100, LIFE), 0);
    give(&known, Y, 0, 99, 5000);
    give(&known, Y, 100, 199, 5000 + LIFE - 1);
    ck_assert_int_eq(leases_resume(leases, &known, 200, 5000 + LIFE), Y);
}
END_TEST

START_TEST(bytes_behind_a_hole_were_never_given)
{
    give(&known, Y, 0, 99, 0);
    ck_assert_int_eq(leases_resume(leases, &known, 101, 1), 0);
    ck_assert_int_eq(leases_resume(leases, &known, 100, 1), Y);
}
END_TEST

/* Which of two builds it began it goes on with shows only where just one of them can be. */
START_TEST(two_unfinished_builds_are_kept_apart)
{
    const struct lease_key *const keys[] = {&known, &shared};
    const struct lease_key *key = keys[_i];
    give(key, Y, 0, 499, 0);
    give(key, Z, 0, 99, 1);
    ck_assert_int_eq(leases_resume(leases, key, 500, 2), Y);
    ck_assert_int_eq(leases_resume(leases, key, 100, 2), 0);
    give(key, Y, 500, END - 1, 3); /* finished: no doubt any more, once another one starts */
    give(key, 9, 0, 49, 4);
    ck_assert_int_eq(leases_resume(leases, key, 100, 5), Z);
    ck_assert_int_eq(leases_resume(leases, key, 50, 5), 0);
}
END_TEST

START_TEST(finished_download_leaves_no_doubt)
{
    const struct lease_key *const keys[] = {&known, &shared};
    give(keys[_i], Y, 0, END - 1, 0);
    give(keys[_i], Z, 0, 99, 1);
    ck_assert_int_eq(leases_resume(leases, keys[_i], 100, 2), Z);
}
END_TEST

START_TEST(one_of_two_that_finished_leaves_the_other)
{
    broken(&shared, Y, 300, 0);      /* one device */
    give(&shared, Y, 0, END - 1, 1); /* another */
    give(&shared, Z, 0, 99, 2);
    ck_assert_int_eq(leases_resume(leases, &shared, 100, 3), 0);
    broken(&known, Y, 300, 0); /* the same device, from the start */
    give(&known, Y, 0, END - 1, 1);
    give(&known, Z, 0, 99, 2);
    ck_assert_int_eq(leases_resume(leases, &known, 100, 3), Z);
}
END_TEST

START_TEST(restart_forgets_nothing_of_what_arrived_before)
{
    broken(&shared, Y, 600, 0);
    broken(&shared, Z, 50, 1);
    give(&shared, Y, 0, 9, 2);
    ck_assert_int_eq(leases_resume(leases, &shared, 600, 3), Y);
    ck_assert_int_eq(leases_resume(leases, &shared, 50, 3), 0);
}
END_TEST

START_TEST(look_at_a_new_build_continues_nothing)
{
    give(&known, Y, 0, 599, 0);
    broken(&known, Z, 145, 1);
    ck_assert_int_eq(leases_resume(leases, &known, 600, 2), Y);
    ck_assert_int_eq(leases_resume(leases, &known, 145, 2), 0);
}
END_TEST

START_TEST(too_many_to_tell_apart_are_not_resumed)
{
    for (int64_t build = 1; build <= 5; build++)
        give(&shared, build, 0, 99 * build, build);
    ck_assert_int_eq(leases_resume(leases, &shared, 99 * 5 + 1, 10), 0);
    ck_assert_int_eq(leases_resume(leases, &shared, 99 * 5 + 1, LIFE + 3), 5);
}
END_TEST

START_TEST(doubt_ends_with_the_older_lease)
{
    broken(&shared, Y, 900, 0);
    give(&shared, Z, 0, 99, 500);
    ck_assert_int_eq(leases_resume(leases, &shared, 100, 600), 0);
    ck_assert_int_eq(leases_resume(leases, &shared, 100, LIFE + 1), Z);
}
END_TEST

START_TEST(head_starts_a_lease_but_settles_nothing)
{
    head(&known, Y, 0);
    ck_assert_int_eq(leases_resume(leases, &known, 500, 1), Y);
    broken(&known, Y, 600, 2);
    head(&known, Z, 3);
    ck_assert_int_eq(leases_resume(leases, &known, 500, 4), 0);
}
END_TEST

START_TEST(head_after_a_finished_download_starts_anew)
{
    give(&known, Y, 0, END - 1, 0);
    head(&known, Z, 1);
    ck_assert_int_eq(leases_resume(leases, &known, 500, 2), Z);
}
END_TEST

START_TEST(keys_differ_by_all_they_are_made_of)
{
    const struct lease_key keys[] = {
        lease_key(1, 5, false, "a", "x"), lease_key(2, 5, false, "a", "x"),
        lease_key(1, 6, false, "a", "x"), lease_key(1, 5, true, "a", "x"),
        lease_key(1, 0, false, "a", "x"), lease_key(1, 0, false, "b", "x"),
        lease_key(1, 0, false, "a", "y"),
    };
    for (size_t i = 0; i < OTAD_COUNT(keys); i++)
        give(&keys[i], (int64_t)i + 1, 0, 99, 0);
    for (size_t i = 0; i < OTAD_COUNT(keys); i++)
        ck_assert_int_eq(leases_resume(leases, &keys[i], 50, 1), (int64_t)i + 1);
    const struct lease_key same = lease_key(1, 5, false, "elsewhere", "other");
    ck_assert_int_eq(leases_resume(leases, &same, 50, 1), 1);
}
END_TEST

START_TEST(full_table_forgets_but_never_confuses)
{
    for (int64_t i = 1; i <= 1000; i++) {
        const struct lease_key key = lease_key(1, (uint64_t)i, false, "", "");
        give(&key, i, 0, 99, i);
    }
    int kept = 0;
    for (int64_t i = 1; i <= 1000; i++) {
        const struct lease_key key = lease_key(1, (uint64_t)i, false, "", "");
        int64_t build = leases_resume(leases, &key, 50, 1001);
        ck_assert(build == 0 || build == i);
        kept += build != 0;
    }
    ck_assert_int_ge(kept, 32);
}
END_TEST

/* Whatever three clients behind one address do, each gets bytes of one image, or is told to start
 * over: with parts, with downloads that break off after any number of bytes, with the channel
 * moving to and fro. Of what is acknowledged a client may have kept less, but for the last byte. */
struct client {
    int64_t build, have;
};

static void fetch(struct client *c, int64_t build, int64_t first, unsigned *seed, int64_t now)
{
    int64_t last = rand_r(seed) % 2 ? END - 1 : first + rand_r(seed) % 200;
    if (last >= END)
        last = END - 1;
    int64_t acked = rand_r(seed) % 3 ? last - first + 1 : rand_r(seed) % (last - first + 2);
    int64_t kept = rand_r(seed) % 3 ? acked : rand_r(seed) % (acked + 1);
    if (first + acked == END)
        kept = acked; /* a download whose last byte arrived counts as finished */
    begin(&shared, build, first, last, now);
    if (rand_r(seed) % 4) /* else its end isn't known yet */
        leases_taken(leases, &shared, build, first, acked, first + acked == END);
    c->build = build;
    c->have = first + kept;
    if (c->have == END || c->have == 0)
        c->build = 0;
}

START_TEST(random_clients_of_one_address_never_get_two_images_mixed)
{
    unsigned seed = (unsigned)_i + 1;
    struct client clients[3] = {
        {0, 0}
    };
    int64_t channel = Y;
    for (int64_t now = 0; now < 900; now++) {
        struct client *c = &clients[rand_r(&seed) % 3];
        if (rand_r(&seed) % 30 == 0)
            channel = Y + rand_r(&seed) % 3;
        if (rand_r(&seed) % 20 == 0)
            head(&shared, channel, now);
        if (c->build == 0 || rand_r(&seed) % 15 == 0) {
            fetch(c, channel, 0, &seed, now);
            continue;
        }
        int64_t build = leases_resume(leases, &shared, c->have, now);
        ck_assert_msg(build == 0 || build == c->build, "step %d: %d instead of %d", (int)now,
                      (int)build, (int)c->build);
        if (build != 0)
            fetch(c, build, c->have, &seed, now);
        else
            c->build = 0;
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("lease");
    TCase *tc = tcase_create("lease");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, nothing_given_is_nothing_to_resume);
    tcase_add_test(tc, resume_goes_on_with_what_was_given);
    tcase_add_test(tc, what_did_not_arrive_is_not_resumed);
    tcase_add_test(tc, lease_ends_after_its_life_and_parts_renew_it);
    tcase_add_test(tc, bytes_behind_a_hole_were_never_given);
    tcase_add_loop_test(tc, two_unfinished_builds_are_kept_apart, 0, 2);
    tcase_add_loop_test(tc, finished_download_leaves_no_doubt, 0, 2);
    tcase_add_test(tc, one_of_two_that_finished_leaves_the_other);
    tcase_add_test(tc, restart_forgets_nothing_of_what_arrived_before);
    tcase_add_test(tc, look_at_a_new_build_continues_nothing);
    tcase_add_test(tc, too_many_to_tell_apart_are_not_resumed);
    tcase_add_test(tc, doubt_ends_with_the_older_lease);
    tcase_add_test(tc, head_starts_a_lease_but_settles_nothing);
    tcase_add_test(tc, head_after_a_finished_download_starts_anew);
    tcase_add_test(tc, keys_differ_by_all_they_are_made_of);
    tcase_add_test(tc, full_table_forgets_but_never_confuses);
    tcase_add_loop_test(tc, random_clients_of_one_address_never_get_two_images_mixed, 0, 600);
    suite_add_tcase(s, tc);
    return s;
}

OTAD_TEST_MAIN(make_suite)
