/* SPDX-License-Identifier: MIT
 * Power cuts: the daemon runs on powercut.so, which drops everything not synced. What was answered
 * 2xx is there when the machine is back; the daemon that looks runs without the preload. */
#include <stdio.h>

#include "support/crashkit.h"
#include "support/http.h"
#include "support/unit.h"

#define SIDES 2
#define FOLDERS 3
#define CUTS 16 /* of each folder: 2 × 3 × 16 = 96 */

static const char *const flags[] = {"--devices-new-devices-per-hour", "100000",
                                    "--devices-max-devices", "100000", NULL};

/* At a random time, right behind an answer, or in the middle of a sync. */
static struct cut random_cut(struct crash *c, struct powercut *control)
{
    struct cut cut = {.after_ms = 3 + crash_random(c, 180)};
    switch (crash_random(c, 3)) {
    case 0:
        cut.after_acks = 1 + crash_random(c, 12);
        cut.after_ms = 3000;
        break;
    case 1:
        atomic_store(&control->cut_at, 1 + crash_random(c, 40));
        cut.after_ms = 1000;
        break;
    default:
        break;
    }
    return cut;
}

static void one_folder(uint64_t seed, struct crash_tally *tally)
{
    struct crash c = {.seed = 0};
    struct crash_power power = {.control = NULL};
    crash_setup(&c, seed, flags);
    unsigned cuts = crash_rounds(CUTS);
    for (unsigned i = 0; i < cuts; i++) {
        if (crash_random(&c, 2) == 0)
            daemon_stop(&c.d); /* the WAL is gone then: its birth is part of the next cut */
        else
            daemon_kill(&c.d);
        crash_power_on(&power, &c.d);
        daemon_restart(&c.d);
        ck_assert_uint_eq(atomic_load(&power.control->loaded), 1);
        crash_round(&c, random_cut(&c, power.control));
        crash_power_off(&power, &c.d);
        daemon_restart(&c.d);
        crash_verify(&c, i + 1 == cuts);
    }
    crash_tally(&c, tally);
    crash_free(&c);
    crash_power_free(&power);
}

static void one_side(unsigned number, struct crash_tally *tally)
{
    for (unsigned i = 0; i < FOLDERS; i++)
        one_folder(5000 * number + i + 77, tally);
}

START_TEST(power_cut_loses_nothing_acknowledged)
{
    struct crash_tally sum;
    if (!crash_can_preload())
        return;
    crash_side_by_side(SIDES, one_side, &sum);
    fprintf(stderr,
            "%u power cuts; checked after them: %u builds, %u reports, %u products, %u keys; "
            "%u transfers closed as server_shutdown\n",
            sum.kills, sum.builds, sum.reports, sum.products, sum.keys, sum.aborted_transfers);
    ck_assert_uint_ge(sum.kills, SIDES * FOLDERS * crash_rounds(CUTS));
    ck_assert_uint_gt(sum.builds, 0);
    ck_assert_uint_gt(sum.reports, 0);
}
END_TEST

/* What nobody waits for is durable too, a little later. */
START_TEST(evidence_is_durable_within_its_interval)
{
    struct crash c = {.seed = 0};
    struct crash_power power = {.control = NULL};
    if (!crash_can_preload())
        return;
    crash_setup(&c, 3, flags);
    publish(&c.d, c.key, "p0", "1", NULL, 1, NULL);
    crash_power_on(&power, &c.d);
    daemon_kill(&c.d);
    daemon_restart(&c.d);
    struct reply r = get(&c.d, NULL, "/fw/p0/30AEA4000001.bin");
    CK_STATUS("download", r, 200);
    reply_free(&r);
    test_sleep_ms(500); /* a transfer's end is written at once, not at the interval */
    daemon_kill(&c.d);
    ck_assert_int_eq(daemon_sql(&c.d, "SELECT count(*) FROM transfer WHERE state = 'sent'"), 1);
    daemon_restart(&c.d);
    r = get(&c.d, NULL, "/fw/p0/30AEA4000002.version?version=0.7");
    CK_STATUS("check-in", r, 200);
    reply_free(&r);
    test_sleep_ms(2000); /* flush_interval_ms is 1000 */
    daemon_kill(&c.d);
    ck_assert_int_eq(daemon_sql(&c.d, "SELECT count(*) FROM device WHERE version = '0.7'"), 1);
    crash_free(&c);
    crash_power_free(&power);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("powercut");
    TCase *t = tcase_create("cut");
    tcase_set_timeout(t, 600);
    tcase_add_test(t, evidence_is_durable_within_its_interval);
    tcase_add_test(t, power_cut_loses_nothing_acknowledged);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(suite)
