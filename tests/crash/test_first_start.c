/* SPDX-License-Identifier: MIT
 * A first start that is killed at any moment leaves a folder on which the next start works: the
 * lock, the database's birth and the migrations, with and without the page cache. */
#include <stdio.h>
#include <time.h>

#include "support/crashkit.h"
#include "support/http.h"
#include "support/unit.h"

#define KILLS 60

static void sleep_us(uint32_t us)
{
    const struct timespec pause = {.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000};
    (void)nanosleep(&pause, NULL);
}

/* How long a whole first start takes here. */
static uint32_t first_start_us(struct crash_power *power)
{
    struct daemon d = {.pid = 0};
    if (power != NULL)
        crash_power_on(power, &d);
    int64_t start = test_now_ms();
    daemon_start(&d, NULL);
    int64_t took = test_now_ms() - start;
    daemon_free(&d);
    return (uint32_t)(took + 2) * 1000;
}

static void must_start(struct daemon *d)
{
    struct crash c = {.d = *d};
    daemon_start(&c.d, NULL);
    daemon_key(&c.d, "k", "admin", NULL, c.key);
    make_product(&c.d, c.key, "lamp");
    publish(&c.d, c.key, "lamp", "1", NULL, 1, NULL);
    crash_check_database(&c);
    *d = c.d;
}

/* Kills one or several first starts on one folder, then starts for good. */
static void kill_first_start(struct crash *dice, struct crash_power *power, uint32_t window_us)
{
    struct daemon d = {.pid = 0};
    unsigned tries = 1 + crash_random(dice, 3);
    for (unsigned i = 0; i < tries; i++) {
        if (power != NULL)
            crash_power_on(power, &d);
        if (power != NULL && crash_random(dice, 2) == 0)
            atomic_store(&power->control->cut_at, 1 + crash_random(dice, 8));
        daemon_spawn(&d, NULL);
        sleep_us(crash_random(dice, window_us));
        daemon_kill(&d);
        dice->kills++;
    }
    d.env = NULL;
    must_start(&d);
    daemon_free(&d);
}

START_TEST(killed_first_start_leaves_a_folder_that_starts)
{
    struct crash dice = {.seed = 4};
    uint32_t window_us = first_start_us(NULL);
    unsigned folders = crash_rounds(KILLS);
    for (unsigned i = 0; i < folders; i++)
        kill_first_start(&dice, NULL, window_us);
    fprintf(stderr, "%u kills within the first %u ms, %u folders, all start\n", dice.kills,
            window_us / 1000, folders);
}
END_TEST

START_TEST(power_cut_in_first_start_leaves_a_folder_that_starts)
{
    struct crash dice = {.seed = 5};
    struct crash_power power = {.control = NULL};
    if (!crash_can_preload())
        return;
    uint32_t window_us = first_start_us(&power);
    unsigned folders = crash_rounds(KILLS);
    for (unsigned i = 0; i < folders; i++) {
        crash_power_free(&power);
        kill_first_start(&dice, &power, window_us);
    }
    crash_power_free(&power);
    fprintf(stderr, "%u power cuts within the first %u ms, %u folders, all start\n", dice.kills,
            window_us / 1000, folders);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("first_start");
    TCase *t = tcase_create("kill");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, killed_first_start_leaves_a_folder_that_starts);
    tcase_add_test(t, power_cut_in_first_start_leaves_a_folder_that_starts);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(suite)
