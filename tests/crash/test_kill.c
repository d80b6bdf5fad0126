/* SPDX-License-Identifier: MIT
 * SIGKILL at random moments of a mixed load: what was answered 2xx is there after the restart,
 * and nothing half-written is. The page cache survives here; test_powercut.c takes it away. */
#include <stdio.h>

#include "support/crashkit.h"
#include "support/unit.h"

#define SIDES 2
#define FOLDERS 5
#define KILLS 21 /* of each folder: 2 × 5 × 21 = 210 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LONGEST_MS 1500 /* in which a slowed daemon is asked as much */
#else
#define LONGEST_MS 180
#endif

static const char *const flags[] = {"--devices-new-devices-per-hour", "100000",
                                    "--devices-max-devices", "100000", NULL};

static struct cut random_cut(struct crash *c)
{
    struct cut cut = {.after_ms = 3 + crash_random(c, LONGEST_MS)};
    if (crash_random(c, 3) == 0) { /* right behind an answer */
        cut.after_acks = 1 + crash_random(c, 12);
        cut.after_ms = 3000;
    }
    return cut;
}

static void one_folder(uint64_t seed, struct crash_tally *tally)
{
    struct crash c = {.with_cli = true};
    crash_setup(&c, seed, flags);
    unsigned kills = crash_rounds(KILLS);
    for (unsigned i = 0; i < kills; i++) {
        crash_round(&c, random_cut(&c));
        daemon_restart(&c.d);
        crash_verify(&c, i + 1 == kills);
    }
    crash_tally(&c, tally);
    crash_free(&c);
}

static void one_side(unsigned number, struct crash_tally *tally)
{
    for (unsigned i = 0; i < FOLDERS; i++)
        one_folder(1000 * number + i + 1, tally);
}

START_TEST(kill_at_random_moments_loses_nothing_acknowledged)
{
    struct crash_tally sum;
    crash_side_by_side(SIDES, one_side, &sum);
    fprintf(stderr,
            "%u kills; checked after them: %u builds, %u reports, %u products, %u keys; "
            "%u transfers closed as server_shutdown\n",
            sum.kills, sum.builds, sum.reports, sum.products, sum.keys, sum.aborted_transfers);
    ck_assert_uint_ge(sum.kills, SIDES * FOLDERS * crash_rounds(KILLS));
    ck_assert_uint_gt(sum.builds, 0);
    ck_assert_uint_gt(sum.reports, 0);
    ck_assert_uint_gt(sum.aborted_transfers, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("kill");
    TCase *t = tcase_create("sigkill");
    tcase_set_timeout(t, 600);
    tcase_add_test(t, kill_at_random_moments_loses_nothing_acknowledged);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(suite)
