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

static void give(const struct lease_key *key, int64_t build, int64_t first, int64_t last,
                 int64_t now)
{
    const struct lease_gift gift = {
        .build = build, .first = first, .last = last, .now_ms = now, .life_ms = LIFE};
    leases_give(leases, key, &gift);
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
    give(&known, Y, 0, 999, 0);
    ck_assert_int_eq(leases_resume(leases, &known, 410, 10), Y);
    ck_assert_int_eq(leases_resume(leases, &known, -1, 10), Y);
    ck_assert_int_eq(leases_resume(leases, &shared, 410, 10), 0);
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

START_TEST(start_of_another_build_ends_the_first_for_a_known_device)
{
    give(&known, Y, 0, 499, 0);
    give(&known, Z, 0, 99, 1);
    ck_assert_int_eq(leases_resume(leases, &known, 100, 2), Z);
    ck_assert_int_eq(leases_resume(leases, &known, 500, 2), 0);
}
END_TEST

START_TEST(shared_lease_keeps_both_builds_apart)
{
    give(&shared, Y, 0, 499, 0);
    give(&shared, Z, 0, 99, 1);
    ck_assert_int_eq(leases_resume(leases, &shared, 500, 2), Y); /* can only be the first client */
    ck_assert_int_eq(leases_resume(leases, &shared, 100, 2), 0); /* may be either */
    give(&shared, Y, 500, 999, 3);
    ck_assert_int_eq(leases_resume(leases, &shared, 1000, 4), Y);
}
END_TEST

START_TEST(finished_download_leaves_no_doubt)
{
    give(&shared, Y, 0, 999, 0);
    leases_finish(leases, &shared, Y);
    give(&shared, Z, 0, 99, 1);
    ck_assert_int_eq(leases_resume(leases, &shared, 100, 2), Z);
}
END_TEST

START_TEST(finish_of_the_older_build_ends_the_doubt)
{
    give(&shared, Y, 0, 999, 0);
    give(&shared, Z, 0, 99, 1);
    ck_assert_int_eq(leases_resume(leases, &shared, 100, 2), 0);
    leases_finish(leases, &shared, Y);
    ck_assert_int_eq(leases_resume(leases, &shared, 100, 2), Z);
}
END_TEST

START_TEST(doubt_ends_with_the_older_lease)
{
    give(&shared, Y, 0, 999, 0);
    give(&shared, Z, 0, 99, 500);
    ck_assert_int_eq(leases_resume(leases, &shared, 100, 600), 0);
    ck_assert_int_eq(leases_resume(leases, &shared, 100, LIFE + 1), Z);
}
END_TEST

START_TEST(head_starts_a_lease_but_not_over_an_unfinished_one)
{
    head(&known, Y, 0);
    ck_assert_int_eq(leases_resume(leases, &known, 500, 1), Y);
    give(&known, Y, 0, 999, 2);
    head(&known, Z, 3);
    ck_assert_int_eq(leases_resume(leases, &known, 500, 4), 0);
    give(&known, Z, 0, 999, 5);
    ck_assert_int_eq(leases_resume(leases, &known, 500, 6), Z);
}
END_TEST

START_TEST(head_of_a_finished_one_starts_anew)
{
    give(&known, Y, 0, 999, 0);
    leases_finish(leases, &known, Y);
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

/* Whatever two clients behind one address do, each gets bytes of one image or is told to start
 * over. They finish nothing, so that no doubt ever ends early. */
START_TEST(random_clients_of_one_address_never_get_two_images_mixed)
{
    unsigned seed = (unsigned)_i + 1;
    struct {
        int64_t build, have;
    } client[2] = {
        {0, 0},
        {0, 0}
    };
    int64_t channel = Y;
    for (int64_t now = 0; now < 400; now++) {
        int who = rand_r(&seed) % 2;
        if (rand_r(&seed) % 40 == 0 && channel == Y)
            channel = Z; /* moves once in the life of a lease */
        if (client[who].build == 0 || rand_r(&seed) % 10 == 0) {
            client[who].build = channel;
            client[who].have = 10 + rand_r(&seed) % 100;
            give(&shared, channel, 0, client[who].have - 1, now);
            continue;
        }
        int64_t build = leases_resume(leases, &shared, client[who].have, now);
        ck_assert_msg(build == 0 || build == client[who].build, "step %d: %d instead of %d",
                      (int)now, (int)build, (int)client[who].build);
        if (build == 0) {
            client[who].build = 0;
            continue;
        }
        int64_t more = 1 + rand_r(&seed) % 100;
        give(&shared, build, client[who].have, client[who].have + more - 1, now);
        client[who].have += more;
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
    tcase_add_test(tc, lease_ends_after_its_life_and_parts_renew_it);
    tcase_add_test(tc, bytes_behind_a_hole_were_never_given);
    tcase_add_test(tc, start_of_another_build_ends_the_first_for_a_known_device);
    tcase_add_test(tc, shared_lease_keeps_both_builds_apart);
    tcase_add_test(tc, finished_download_leaves_no_doubt);
    tcase_add_test(tc, finish_of_the_older_build_ends_the_doubt);
    tcase_add_test(tc, doubt_ends_with_the_older_lease);
    tcase_add_test(tc, head_starts_a_lease_but_not_over_an_unfinished_one);
    tcase_add_test(tc, head_of_a_finished_one_starts_anew);
    tcase_add_test(tc, keys_differ_by_all_they_are_made_of);
    tcase_add_test(tc, full_table_forgets_but_never_confuses);
    tcase_add_loop_test(tc, random_clients_of_one_address_never_get_two_images_mixed, 0, 300);
    suite_add_tcase(s, tc);
    return s;
}

OTAD_TEST_MAIN(make_suite)
