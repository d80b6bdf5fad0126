/* SPDX-License-Identifier: MIT
 * A disk that fails or fills up, by powercut.so's faults: every write and every sync of the WAL
 * may be the one. Refusals are told with 5xx, nothing acknowledged is lost, nothing half-written
 * stays, and the daemon goes on as soon as the disk does. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "support/crashkit.h"
#include "support/http.h"
#include "support/unit.h"

#define ROUNDS 12

static const char *const flags[] = {"--devices-new-devices-per-hour", "100000",
                                    "--devices-max-devices", "100000", NULL};

/* A daemon with powercut.so on a folder that was set up without it. */
static void setup(struct crash *c, struct crash_power *power, uint64_t seed)
{
    crash_setup(c, seed, flags);
    daemon_stop(&c->d);
    crash_power_on(power, &c->d);
    daemon_restart(&c->d);
    ck_assert_uint_eq(atomic_load(&power->control->loaded), 1);
}

static struct reply upload_seed(struct crash *c, unsigned n)
{
    struct img image = image_of("ESP8266", n, 700000);
    char version[16];
    (void)snprintf(version, sizeof version, "3.%u", n);
    const struct part parts[] = {
        {.name = "file",      .filename = "a.bin", .data = image.data, .n = image.n},
        {.name = "version", .text = version},
        {.name = NULL                  }
    };
    struct reply r = upload(&c->d, c->key, "p0", parts);
    img_free(&image);
    return r;
}

static const struct {
    enum powercut_fault fault;
    const char *what;
    long status;
    unsigned calls[7]; /* so many WAL writes or syncs work; 0 ends the list but for the first */
} kinds[] = {
    {POWERCUT_FAULT_FULL,     "disk full",                507, {0, 1, 4, 40, 90, 150, 175}},
    {POWERCUT_FAULT_WRITE,    "write error",              500, {0, 1, 4, 40, 90, 150, 175}},
    {POWERCUT_FAULT_SYNC,     "sync error",               500, {0, 1, 2}                  },
    {POWERCUT_FAULT_SYNC_LIE, "sync error, half written", 500, {0, 1, 2}                  },
};

/* After the fault, the same works; and the database of the daemon as it runs has no rests. */
static void must_recover(struct crash *c, struct crash_power *power, unsigned n)
{
    char slug[32], body[64];
    atomic_store(&power->control->fault, POWERCUT_FAULT_NONE);
    (void)snprintf(slug, sizeof slug, "after%u", n);
    (void)snprintf(body, sizeof body, "{\"slug\":\"%s\"}", slug);
    struct reply r = send_json(&c->d, c->key, "POST", "/api/v1/products", body);
    CK_STATUS("a change when the disk is back", r, 201);
    reply_free(&r);
    r = upload_seed(c, n);
    ck_assert_msg(r.status == 201, "the upload again when the disk is back: %ld %s", r.status,
                  r.body);
    (void)snprintf(c->stable[0][0], sizeof c->stable[0][0], "%s", reply_text(&r, "version"));
    reply_free(&r);
}

START_TEST(upload_on_a_failing_disk_is_refused_and_leaves_nothing)
{
    struct crash c = {.seed = 0};
    struct crash_power power = {.control = NULL};
    if (!crash_can_preload())
        return;
    setup(&c, &power, 1);
    unsigned number = 10 * (unsigned)_i, refused = 0;
    for (size_t i = 0; i < 7 && (i == 0 || kinds[_i].calls[i] != 0); i++, number++) {
        atomic_store(&power.control->fault_after, kinds[_i].calls[i]);
        atomic_store(&power.control->fault, kinds[_i].fault);
        struct reply r = upload_seed(&c, number);
        ck_assert_msg(atomic_load(&power.control->faults) > 0, "%s: no fault after %u calls",
                      kinds[_i].what, kinds[_i].calls[i]);
        ck_assert_msg(r.status == kinds[_i].status, "%s after %u calls: got %ld %s", kinds[_i].what,
                      kinds[_i].calls[i], r.status, r.body);
        if (r.status == 507)
            ck_assert_msg(strstr(r.body, " bytes") != NULL, "no number of bytes: %s", r.body);
        refused++;
        reply_free(&r);
        r = get(&c.d, NULL, "/fw/p0/30AEA4000001.version");
        ck_assert_msg(r.status == 200 || r.status == 404, "check-in: %ld", r.status);
        reply_free(&r);
        atomic_store(&power.control->faults, 0);
        must_recover(&c, &power, number);
    }
    daemon_stop(&c.d);
    crash_check_database(&c); /* before any start sweeps */
    ck_assert_int_eq(daemon_sql(&c.d, "SELECT count(*) FROM build"), (int64_t)refused);
    crash_power_off(&power, &c.d);
    daemon_restart(&c.d);
    crash_verify(&c, true);
    crash_free(&c);
    crash_power_free(&power);
}
END_TEST

/* ---- under load --------------------------------------------------------------------------- */

struct weather {
    struct powercut *control;
    uint64_t seed;
    atomic_bool over;
    pthread_t thread;
};

/* Makes the disk fail now and then for some milliseconds. */
static void *rain(void *arg)
{
    struct weather *w = arg;
    struct crash dice = {.seed = w->seed};
    while (!atomic_load(&w->over)) {
        test_sleep_ms(5 + crash_random(&dice, 25));
        atomic_store(&w->control->fault_after, crash_random(&dice, 120));
        atomic_store(&w->control->fault, 1 + crash_random(&dice, 4));
        test_sleep_ms(2 + crash_random(&dice, 15));
        atomic_store(&w->control->fault, POWERCUT_FAULT_NONE);
    }
    return NULL;
}

START_TEST(faults_under_load_lose_nothing_acknowledged)
{
    struct crash c = {.seed = 0};
    struct crash_power power = {.control = NULL};
    struct crash_tally sum = {.kills = 0};
    unsigned faults = 0;
    if (!crash_can_preload())
        return;
    crash_setup(&c, 99, flags);
    c.faulty_disk = true;
    unsigned rounds = crash_rounds(ROUNDS);
    for (unsigned i = 0; i < rounds; i++) {
        daemon_stop(&c.d);
        crash_power_on(&power, &c.d);
        daemon_restart(&c.d);
        struct weather w = {.control = power.control, .seed = c.seed + i};
        ck_assert_int_eq(pthread_create(&w.thread, NULL, rain, &w), 0);
        crash_round(&c, (struct cut){.after_ms = 300 + crash_random(&c, 300)});
        atomic_store(&w.over, true);
        (void)pthread_join(w.thread, NULL);
        faults += atomic_load(&power.control->faults);
        crash_power_off(&power, &c.d);
        daemon_restart(&c.d);
        crash_verify(&c, i + 1 == rounds);
    }
    crash_tally(&c, &sum);
    fprintf(stderr,
            "%u faults in %u rounds, %u answers 5xx; each round ended in a power cut; checked: "
            "%u builds, %u reports, %u products, %u keys\n",
            faults, rounds, atomic_load(&c.refused), sum.builds, sum.reports, sum.products,
            sum.keys);
    ck_assert_uint_gt(faults, 0);
    ck_assert_uint_gt(atomic_load(&c.refused), 0);
    crash_free(&c);
    crash_power_free(&power);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("faults");
    TCase *t = tcase_create("disk");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, upload_on_a_failing_disk_is_refused_and_leaves_nothing, 0,
                        (int)(sizeof kinds / sizeof kinds[0]));
    tcase_add_test(t, faults_under_load_lose_nothing_acknowledged);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(suite)
