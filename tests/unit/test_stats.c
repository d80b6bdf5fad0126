/* SPDX-License-Identifier: MIT
 * Numbers of the fleet: counters, and tallies that must always be what counting would give. */
#include <stdio.h>

#include "fleet/answer_cache.h"
#include "fleet/batch.h"
#include "fleet/channel.h"
#include "fleet/stats.h"
#include "support/store.h"

#define DAY STATS_DAY_S
#define HOUR STATS_HOUR_S

struct world {
    struct store s;
    int64_t product;
    struct build b, c;
};

static void world(struct world *w)
{
    store_memory(&w->s);
    w->product = store_product(w->s.db, "lamp");
    w->b = store_build(w->s.db, w->product, "1", BUILD_APP);
    w->c = store_build(w->s.db, w->product, "2", BUILD_APP);
}

static enum otad_err each_text(void *arg, const char *name, int64_t first, int64_t second)
{
    char *text = arg;
    size_t n = strlen(text);
    (void)snprintf(text + n, 512 - n, "%s=%d/%d ", name, (int)first, (int)second);
    return OTAD_E_OK;
}

static enum otad_err each_count(void *arg, const struct stats_count *c)
{
    char *text = arg;
    size_t n = strlen(text);
    (void)snprintf(text + n, 512 - n, "%d:%d,%d,%d ", (int)c->start_s, (int)c->checkins,
                   (int)c->installed, (int)c->failed);
    return OTAD_E_OK;
}

static void over_time_is(struct world *w, int64_t span_s, int64_t since_s, const char *want)
{
    char text[512] = "";
    OK(stats_over_time(w->s.db, w->product, span_s, since_s, each_count, text, EI));
    ck_assert_str_eq(text, want);
}

static void add(struct world *w, int64_t start_s, int64_t checkins, int64_t installed,
                int64_t failed)
{
    const struct stats_count c = {.product = w->product,
                                  .start_s = start_s,
                                  .checkins = checkins,
                                  .installed = installed,
                                  .failed = failed};
    OK(stats_add(w->s.db, &c, EI));
}

START_TEST(hours_and_days_add_up)
{
    struct world w;
    world(&w);
    add(&w, 10 * DAY + HOUR, 1, 0, 0);
    add(&w, 10 * DAY + HOUR, 2, 1, 0);
    add(&w, 10 * DAY + 2 * HOUR, 4, 0, 1);
    add(&w, 11 * DAY, 8, 0, 0);
    over_time_is(&w, HOUR, 0, "867600:3,1,0 871200:4,0,1 950400:8,0,0 ");
    over_time_is(&w, DAY, 0, "864000:7,1,1 950400:8,0,0 ");
    over_time_is(&w, DAY, 10 * DAY + 1, "950400:8,0,0 ");
    const struct stats_count gone = {.product = 4711, .start_s = 0, .checkins = 1};
    OK(stats_add(w.s.db, &gone, EI));
    ck_assert_int_eq(store_int(w.s.db, "SELECT count(*) FROM stat"), 5);
    store_close(&w.s);
}
END_TEST

START_TEST(old_numbers_go)
{
    struct world w;
    world(&w);
    store_device(w.s.db, w.product, 0xa, "1", 1);
    add(&w, 1000 * DAY, 1, 0, 0);
    add(&w, 1014 * DAY, 2, 0, 0);
    over_time_is(&w, HOUR, 0, "86400000:1,0,0 87609600:2,0,0 ");
    add(&w, 1015 * DAY, 3, 0, 0); /* the first of a day lets go */
    over_time_is(&w, HOUR, 0, "87609600:2,0,0 87696000:3,0,0 ");
    add(&w, 1400 * DAY, 4, 0, 0);
    over_time_is(&w, DAY, 0, "86400000:1,0,0 87609600:2,0,0 87696000:3,0,0 120960000:4,0,0 ");
    add(&w, 1401 * DAY, 5, 0, 0);
    over_time_is(&w, DAY, 0, "87609600:2,0,0 87696000:3,0,0 120960000:4,0,0 121046400:5,0,0 ");
    ck_assert_int_eq(store_int(w.s.db, "SELECT min(day_s) FROM stat_version"), 1014 * DAY);
    store_close(&w.s);
}
END_TEST

START_TEST(each_day_remembers_who_ran_what)
{
    struct world w;
    char text[512] = "";
    world(&w);
    store_device(w.s.db, w.product, 0xa, "1", 1);
    store_device(w.s.db, w.product, 0xb, "1", 1);
    add(&w, 10 * DAY, 1, 0, 0);
    store_device(w.s.db, w.product, 0xa, "2", 2);
    add(&w, 10 * DAY + HOUR, 1, 0, 0); /* not the day's first */
    add(&w, 11 * DAY, 1, 0, 0);
    OK(stats_adoption(w.s.db, w.product, 10 * DAY, each_text, text, EI));
    ck_assert_str_eq(text, "1=2/864000 1=1/950400 2=1/950400 ");
    store_close(&w.s);
}
END_TEST

START_TEST(versions_are_named_up_to_fifty)
{
    struct world w;
    char text[4096] = "", version[16];
    world(&w);
    for (uint64_t i = 0; i < 60; i++) {
        (void)snprintf(version, sizeof version, "v%d", (int)i);
        store_device(w.s.db, w.product, i + 1, version, 1);
    }
    store_device(w.s.db, w.product, 100, "v59", 1);
    OK(stats_versions(w.s.db, w.product, each_text, text, EI));
    ck_assert_int_eq(strncmp(text, "v59=2/0 v0=1/0 v1=1/0 ", 22), 0);
    store_close(&w.s);
}
END_TEST

static void set_update(struct world *w, struct update *u, enum update_state state,
                       const char *cause, int64_t now_s)
{
    u->state = state;
    u->updated_at_s = now_s;
    (void)snprintf(u->cause, sizeof u->cause, "%s", cause);
    OK(update_save(w->s.db, u, EI));
}

static struct update new_update(struct world *w, uint64_t mac, const struct build *b)
{
    struct update u = {.product = w->product,
                       .device = store_device(w->s.db, w->product, mac, "1", 1),
                       .build = b->seq,
                       .state = UPDATE_IN_PROGRESS,
                       .created_at_s = 1};
    OK(update_insert(w->s.db, &u, EI));
    return u;
}

START_TEST(totals_states_and_failures_are_told)
{
    struct world w;
    struct stats_totals t = {.devices = -1};
    char text[512] = "";
    int64_t now_s = 30 * DAY;
    world(&w);
    struct update one = new_update(&w, 1, &w.b), two = new_update(&w, 2, &w.b),
                  three = new_update(&w, 3, &w.c);
    store_device(w.s.db, w.product, 4, "2", now_s - 10);
    set_update(&w, &one, UPDATE_FAILED, "superseded", now_s - 2 * DAY);
    set_update(&w, &two, UPDATE_ROLLED_BACK, "", now_s - 5);
    OK(stats_totals(w.s.db, w.product, now_s, &t, EI));
    ck_assert_int_eq(t.devices, 4);
    ck_assert_int_eq(t.seen, 1);
    ck_assert_int_eq(t.on_current, 0);
    ck_assert_int_eq(t.in_flight, 1);
    ck_assert_int_eq(t.failed, 1);
    OK(stats_failures(w.s.db, w.product, now_s, each_text, text, EI));
    ck_assert_str_eq(text, "rolled_back=1/1 superseded=0/1 ");
    text[0] = '\0';
    OK(stats_states(w.s.db, w.b.seq, each_text, text, EI));
    ck_assert_str_eq(text, "failed=1/0 rolled_back=1/0 ");
    set_update(&w, &three, UPDATE_INSTALLED, "", now_s);
    OK(channel_release(w.s.db, w.product, "stable", &w.b, now_s, EI));
    OK(stats_totals(w.s.db, w.product, now_s, &t, EI));
    ck_assert_int_eq(t.on_current, 3);
    ck_assert_int_eq(t.in_flight, 0);
    OK(channel_release(w.s.db, w.product, "stable", &w.c, now_s, EI));
    store_exec(w.s.db, "INSERT INTO channel (product, name, app) SELECT product, 'old', seq"
                       " FROM build WHERE version = '1'");
    store_exec(w.s.db, "UPDATE device SET channel = 'old' WHERE mac IN (1, 4)");
    OK(stats_totals(w.s.db, w.product, now_s, &t, EI));
    ck_assert_int_eq(t.on_current, 1); /* device 1; 4 runs what its channel has not */
    store_close(&w.s);
}
END_TEST

static const char *const versions[] = {"", "1", "2", "3"};
static const char *const channels[] = {"", "stable", "beta"};

/* One random thing that moves a tally. */
static void random_step(struct world *w, unsigned *seed)
{
    uint64_t mac = 1 + (uint64_t)rand_r(seed) % 12;
    struct device d;
    int64_t at = store_device(w->s.db, w->product, mac, versions[rand_r(seed) % 4], 1);
    OK(device_find(w->s.db, w->product, mac, &d, EI));
    switch (rand_r(seed) % 4) {
    case 0:
        OK(device_delete(w->s.db, at, EI));
        break;
    case 1:
        (void)snprintf(d.channel, sizeof d.channel, "%s", channels[rand_r(seed) % 3]);
        OK(device_save(w->s.db, &d, EI));
        break;
    default: {
        struct update u = new_update(w, mac, rand_r(seed) % 2 ? &w->b : &w->c);
        if (rand_r(seed) % 2)
            set_update(w, &u, (enum update_state)(rand_r(seed) % 7), "", 2);
    }
    }
}

START_TEST(tallies_are_what_counting_gives)
{
    struct world w;
    unsigned seed = 7;
    world(&w);
    for (int i = 0; i < 600; i++) {
        random_step(&w, &seed);
        ck_assert_int_eq(
            store_int(w.s.db,
                      "SELECT count(*) FROM (SELECT product, channel, version, count(*) FROM device"
                      " GROUP BY 1, 2, 3 EXCEPT SELECT * FROM device_tally)"),
            0);
        ck_assert_int_eq(store_int(w.s.db, "SELECT (SELECT count(*) FROM device)"
                                           " - (SELECT total(devices) FROM device_tally)"),
                         0);
        ck_assert_int_eq(
            store_int(w.s.db, "SELECT count(*) FROM (SELECT build, state, count(*) FROM \"update\""
                              " GROUP BY 1, 2 EXCEPT SELECT * FROM update_tally)"),
            0);
        ck_assert_int_eq(store_int(w.s.db, "SELECT (SELECT count(*) FROM \"update\")"
                                           " - (SELECT total(updates) FROM update_tally)"),
                         0);
    }
    store_exec(w.s.db, "DELETE FROM product");
    ck_assert_int_eq(store_int(w.s.db, "SELECT (SELECT count(*) FROM device_tally)"
                                       " + (SELECT count(*) FROM update_tally)"),
                     0);
    store_close(&w.s);
}
END_TEST

START_TEST(batch_counts_by_hour_and_product)
{
    struct world w;
    struct batch b = {.n = 0};
    world(&w);
    batch_checkins(NULL, w.product, 5, 1);
    batch_checkins(&b, w.product, 10 * DAY + 5, 2);
    batch_checkins(&b, w.product, 10 * DAY + HOUR, 1);
    batch_checkins(&b, w.product, 10 * DAY + HOUR - 1, 3);
    struct update u = {.product = w.product, .state = UPDATE_FAILED, .updated_at_s = 10 * DAY};
    batch_update(&b, &u);
    u.state = UPDATE_INSTALLED;
    batch_update(&b, &u);
    u.state = UPDATE_SENT;
    batch_update(&b, &u);
    batch_update(NULL, &u);
    ck_assert_uint_eq(b.n_counts, 2);
    ck_assert_uint_eq(b.n, 3);
    OK(batch_write(&b, w.s.db, EI));
    over_time_is(&w, HOUR, 0, "864000:5,1,1 867600:1,0,0 ");
    batch_forget(&b);
    OK(batch_write(&b, w.s.db, EI)); /* nothing */
    over_time_is(&w, DAY, 0, "864000:6,1,1 ");
    batch_free(&b);
    store_close(&w.s);
}
END_TEST

START_TEST(answers_are_kept_for_a_while)
{
    struct answer_cache *c = answer_cache_new();
    char key[ANSWER_CACHE_KEY + 1];
    ck_assert_ptr_null(answer_cache_get(c, "a", 0));
    answer_cache_put(c, "a", "one", 1000);
    answer_cache_put(c, "a", "two", 2000);
    char *text = answer_cache_get(c, "a", 2000 + ANSWER_CACHE_MS - 1);
    ck_assert_str_eq(text, "two");
    free(text);
    ck_assert_ptr_null(answer_cache_get(c, "a", 2000 + ANSWER_CACHE_MS));
    ck_assert_ptr_null(answer_cache_get(c, "b", 2000));
    for (int i = 0; i < ANSWER_CACHE_MAX; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        answer_cache_put(c, key, key, 3000 + i);
    }
    ck_assert_ptr_null(answer_cache_get(c, "a", 3000)); /* the oldest had to go */
    text = answer_cache_get(c, "k0", 3000);
    ck_assert_str_eq(text, "k0");
    free(text);
    memset(key, 'x', ANSWER_CACHE_KEY);
    key[ANSWER_CACHE_KEY] = '\0';
    answer_cache_put(c, key, "too long a key", 3000);
    ck_assert_ptr_null(answer_cache_get(c, key, 3000));
    answer_cache_free(&c);
    ck_assert_ptr_null(c);
    answer_cache_free(&c);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("stats");
    TCase *t = tcase_create("stats");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, hours_and_days_add_up);
    tcase_add_test(t, old_numbers_go);
    tcase_add_test(t, each_day_remembers_who_ran_what);
    tcase_add_test(t, versions_are_named_up_to_fifty);
    tcase_add_test(t, totals_states_and_failures_are_told);
    tcase_add_test(t, tallies_are_what_counting_gives);
    tcase_add_test(t, batch_counts_by_hour_and_product);
    tcase_add_test(t, answers_are_kept_for_a_while);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
