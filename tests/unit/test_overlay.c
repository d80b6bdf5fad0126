/* SPDX-License-Identifier: MIT
 * Facts on their way to the disk: what replaces what, in which order, and what is never lost. */
#include <pthread.h>
#include <stdio.h>

#include "db/writer.h"
#include "fleet/overlay.h"
#include "fleet/update.h"
#include "support/store.h"

struct world {
    struct store s;
    struct overlay *o;
    struct write_facts facts;
    int64_t product;
    struct build b;
};

static void world(struct world *w, size_t max)
{
    store_memory(&w->s);
    w->product = store_product(w->s.db, "lamp");
    w->b = store_build(w->s.db, w->product, "2", BUILD_APP);
    w->o = overlay_new(max, &w->s.log);
    w->facts = overlay_facts(w->o);
}

static void world_close(struct world *w)
{
    overlay_free(&w->o);
    ck_assert_ptr_null(w->o);
    overlay_free(&w->o);
    store_close(&w->s);
}

static struct fact checkin(const struct world *w, uint64_t mac, const char *version, int64_t at_s)
{
    struct fact f = {.kind = FACT_CHECKIN, .product = w->product, .mac = mac};
    f.said = (struct device_facts){
        .address = "192.0.2.1", .free_space = -1, .chip_size = -1, .at_s = at_s};
    (void)snprintf(f.said.version, sizeof f.said.version, "%s", version);
    return f;
}

static struct fact serve(const struct world *w, uint64_t mac, int64_t id, int64_t at_s)
{
    struct fact f = {
        .kind = FACT_SERVE, .product = w->product, .mac = mac, .build = w->b.seq, .at_s = at_s};
    f.transfer = (struct transfer){
        .id = id, .size_bytes = 100, .address = "192.0.2.1", .started_at_s = at_s};
    return f;
}

static struct fact end(const struct world *w, uint64_t mac, int64_t id, int64_t at_s)
{
    struct fact f = serve(w, mac, id, at_s);
    f.kind = FACT_END;
    f.transfer.state = TRANSFER_SENT;
    f.transfer.bytes_acked = 100;
    f.transfer.ended_at_s = at_s;
    return f;
}

static bool note(struct world *w, struct fact f)
{
    return overlay_note(w->o, &f);
}

/* What the writer does with facts, without its thread. */
static void flush(struct world *w, bool durable)
{
    OK(db_begin(w->s.db, EI));
    OK(w->facts.fold(w->facts.arg, w->s.db, EI));
    if (durable)
        OK(db_commit(w->s.db, EI));
    else
        db_rollback(w->s.db);
    w->facts.settle(w->facts.arg, durable);
}

static struct device find(struct world *w, uint64_t mac)
{
    struct device d;
    OK(device_find(w->s.db, w->product, mac, &d, EI));
    return d;
}

START_TEST(noted_device_is_known_until_it_is_durable)
{
    struct world w;
    world(&w, 100);
    ck_assert(!overlay_any(w.o));
    ck_assert(!w.facts.any(w.facts.arg));
    ck_assert(note(&w, checkin(&w, 0xa, "1", 10)));
    ck_assert(overlay_any(w.o));
    ck_assert(w.facts.any(w.facts.arg));
    ck_assert(overlay_knows(w.o, w.product, 0xa));
    ck_assert(!overlay_knows(w.o, w.product, 0xb));
    ck_assert(!overlay_knows(w.o, w.product + 1, 0xa));
    flush(&w, true);
    ck_assert(!overlay_any(w.o));
    ck_assert(!overlay_knows(w.o, w.product, 0xa));
    ck_assert_str_eq(find(&w, 0xa).last.version, "1");
    world_close(&w);
}
END_TEST

START_TEST(failed_commit_keeps_facts_in_front_of_later_ones)
{
    struct world w;
    world(&w, 100);
    ck_assert(note(&w, checkin(&w, 0xa, "1", 10)));
    ck_assert(note(&w, serve(&w, 0xa, 7, 11)));
    OK(db_begin(w.s.db, EI));
    OK(w.facts.fold(w.facts.arg, w.s.db, EI));
    ck_assert(overlay_knows(w.o, w.product, 0xa)); /* being committed is not durable */
    ck_assert(note(&w, end(&w, 0xa, 7, 12)));      /* meanwhile */
    ck_assert(note(&w, checkin(&w, 0xa, "2", 13)));
    db_rollback(w.s.db);
    w.facts.settle(w.facts.arg, false);
    ck_assert(overlay_knows(w.o, w.product, 0xa));
    ck_assert(overlay_any(w.o));
    flush(&w, false);
    flush(&w, true);
    ck_assert(!overlay_any(w.o));
    ck_assert(!overlay_knows(w.o, w.product, 0xa));
    struct device d = find(&w, 0xa);
    struct update u;
    ck_assert_str_eq(d.last.version, "2");
    ck_assert_int_eq(d.last.at_s, 13);
    ck_assert_int_eq(d.first_seen_s, 10);
    OK(update_newest(w.s.db, d.id, 0, &u, EI));
    ck_assert_str_eq(u.from_version, "1"); /* the order was kept */
    ck_assert_int_eq(u.state, UPDATE_INSTALLED);
    ck_assert_int_eq(u.attempts, 1);
    world_close(&w);
}
END_TEST

START_TEST(facts_noted_during_a_commit_survive_it)
{
    struct world w;
    world(&w, 100);
    ck_assert(note(&w, checkin(&w, 0xa, "1", 10)));
    OK(db_begin(w.s.db, EI));
    OK(w.facts.fold(w.facts.arg, w.s.db, EI));
    ck_assert(note(&w, checkin(&w, 0xa, "2", 20))); /* must not replace what is being written */
    OK(db_commit(w.s.db, EI));
    w.facts.settle(w.facts.arg, true);
    ck_assert_str_eq(find(&w, 0xa).last.version, "1");
    ck_assert(overlay_knows(w.o, w.product, 0xa));
    ck_assert(overlay_any(w.o));
    flush(&w, true);
    ck_assert_str_eq(find(&w, 0xa).last.version, "2");
    world_close(&w);
}
END_TEST

/* Of two check-ins in a row, does the second take the first one's place (one fact waits), and what
 * does the device say in the end? */
static const struct {
    const char *what;
    const char *version1, *md5_1;
    enum checkin_mode mode1;
    const char *version2, *md5_2;
    enum checkin_mode mode2;
    bool replaced;
    const char *version, *md5;
} replace_rows[] = {
    {"the same again",      "1", "",   MODE_SKETCH, "1", "",   MODE_SKETCH,  true,  "1", ""  },
    {"another version",     "1", "",   MODE_SKETCH, "2", "",   MODE_SKETCH,  true,  "2", ""  },
    {"says more",           "",  "",   MODE_SKETCH, "2", "bb", MODE_SKETCH,  true,  "2", "bb"},
    {"no version any more", "1", "",   MODE_SKETCH, "",  "",   MODE_SKETCH,  false, "1", ""  },
    {"no MD5 any more",     "1", "aa", MODE_SKETCH, "2", "",   MODE_SKETCH,  false, "2", "aa"},
    {"another mode",        "1", "",   MODE_SKETCH, "9", "",   MODE_FS,      false, "1", ""  },
    {"mode version",        "1", "",   MODE_SKETCH, "2", "",   MODE_VERSION, false, "2", ""  },
};

START_TEST(replace_row)
{
    struct world w;
    world(&w, 1); /* room for one check-in: a second one that needs a place of its own is dropped */
    struct fact first = checkin(&w, 0xa, replace_rows[_i].version1, 10);
    struct fact second = checkin(&w, 0xa, replace_rows[_i].version2, 20);
    (void)snprintf(first.said.md5, sizeof first.said.md5, "%s", replace_rows[_i].md5_1);
    (void)snprintf(second.said.md5, sizeof second.said.md5, "%s", replace_rows[_i].md5_2);
    first.mode = replace_rows[_i].mode1;
    second.mode = replace_rows[_i].mode2;
    ck_assert(overlay_note(w.o, &first));
    ck_assert_msg(overlay_note(w.o, &second) == replace_rows[_i].replaced, "%s",
                  replace_rows[_i].what);
    world_close(&w);

    world(&w, 9);
    ck_assert(overlay_note(w.o, &first));
    ck_assert(overlay_note(w.o, &second));
    flush(&w, true);
    struct device d = find(&w, 0xa);
    ck_assert_msg(strcmp(d.last.version, replace_rows[_i].version) == 0, "%s: %s",
                  replace_rows[_i].what, d.last.version);
    ck_assert_msg(strcmp(d.last.md5, replace_rows[_i].md5) == 0, "%s", replace_rows[_i].what);
    ck_assert_int_eq(d.last.at_s, 20);
    world_close(&w);
}
END_TEST

/* Whatever a device said about itself earlier in the run stays, if the later one is silent. */
START_TEST(replacing_forgets_nothing_that_was_said)
{
    struct world w;
    world(&w, 100);
    struct fact first = checkin(&w, 0xa, "1", 10);
    (void)snprintf(first.said.chip, sizeof first.said.chip, "ESP8266");
    (void)snprintf(first.said.sha256, sizeof first.said.sha256, "cc");
    (void)snprintf(first.said.mode, sizeof first.said.mode, "sketch");
    first.said.free_space = 1000;
    first.said.chip_size = 4096;
    ck_assert(overlay_note(w.o, &first));
    ck_assert(note(&w, checkin(&w, 0xa, "1", 20)));
    flush(&w, true);
    struct device d = find(&w, 0xa);
    ck_assert_str_eq(d.last.chip, "ESP8266");
    ck_assert_str_eq(d.last.sha256, "cc");
    ck_assert_str_eq(d.last.mode, "");
    ck_assert_int_eq(d.last.free_space, 1000);
    ck_assert_int_eq(d.last.chip_size, 4096);
    ck_assert_int_eq(d.last.at_s, 20);
    world_close(&w);
}
END_TEST

START_TEST(check_in_behind_a_transfer_does_not_overtake_it)
{
    struct world w;
    world(&w, 100);
    ck_assert(note(&w, checkin(&w, 0xa, "1", 10)));
    ck_assert(note(&w, serve(&w, 0xa, 7, 11)));
    ck_assert(note(&w, checkin(&w, 0xa, "3", 12))); /* would make from_version 3 */
    flush(&w, true);
    struct update u;
    struct device d = find(&w, 0xa);
    ck_assert_str_eq(d.last.version, "3");
    OK(update_newest(w.s.db, d.id, 0, &u, EI));
    ck_assert_str_eq(u.from_version, "1");
    ck_assert_int_eq(u.state, UPDATE_IN_PROGRESS);
    world_close(&w);
}
END_TEST

START_TEST(strangers_are_only_counted)
{
    struct world w;
    world(&w, 1);
    struct fact f = {.kind = FACT_ANONYMOUS, .product = w.product, .count = 1};
    for (int i = 0; i < 1000; i++)
        ck_assert(overlay_note(w.o, &f));
    flush(&w, true);
    ck_assert_int_eq(store_int(w.s.db, "SELECT anonymous_checkins FROM product"), 1000);
    ck_assert_int_eq(store_int(w.s.db, "SELECT count(*) FROM device"), 0);
    world_close(&w);
}
END_TEST

START_TEST(full_overlay_drops_check_ins_and_keeps_transfers)
{
    struct world w;
    world(&w, 5);
    for (uint64_t mac = 1; mac <= 5; mac++) {
        ck_assert_int_eq(overlay_crowded(w.o), mac > 3); /* more than half is there */
        ck_assert(note(&w, checkin(&w, mac, "1", 10)));
    }
    ck_assert(!note(&w, checkin(&w, 6, "1", 10)));
    ck_assert(!overlay_knows(w.o, w.product, 6));
    ck_assert(note(&w, checkin(&w, 5, "2", 20))); /* replaces: needs no room */
    for (int64_t id = 1; id <= 5; id++)
        ck_assert(note(&w, serve(&w, 1, id, 11)));
    ck_assert(!note(&w, serve(&w, 1, 6, 11))); /* twice as many, no more */
    flush(&w, true);
    ck_assert_int_eq(store_int(w.s.db, "SELECT count(*) FROM device"), 5);
    ck_assert_int_eq(store_int(w.s.db, "SELECT count(*) FROM transfer"), 5);
    ck_assert(!overlay_crowded(w.o));
    ck_assert(note(&w, checkin(&w, 6, "1", 30))); /* there is room again */
    world_close(&w);
}
END_TEST

START_TEST(fact_of_a_product_that_is_gone_holds_up_nobody)
{
    struct world w;
    world(&w, 100);
    struct fact lost = checkin(&w, 0xa, "1", 10), lost_end = end(&w, 0xb, 99, 10);
    lost.product = 4711;
    ck_assert(overlay_note(w.o, &lost));
    ck_assert(overlay_note(w.o, &lost_end));    /* the end of a transfer nobody knows */
    ck_assert(note(&w, serve(&w, 0xc, 8, 10))); /* of a device nobody knows */
    for (uint64_t mac = 1; mac <= 50; mac++)
        ck_assert(note(&w, checkin(&w, mac, "1", 10)));
    flush(&w, true);
    ck_assert(!overlay_any(w.o));
    ck_assert_int_eq(store_int(w.s.db, "SELECT count(*) FROM device"), 50);
    world_close(&w);
}
END_TEST

START_TEST(what_was_never_flushed_is_freed)
{
    struct world w;
    world(&w, 100);
    for (uint64_t mac = 1; mac <= 50; mac++)
        ck_assert(note(&w, checkin(&w, mac, "1", 10)));
    OK(db_begin(w.s.db, EI));
    OK(w.facts.fold(w.facts.arg, w.s.db, EI));
    ck_assert(note(&w, checkin(&w, 1, "2", 10)));
    db_rollback(w.s.db);
    world_close(&w); /* a sanitizer would tell of a leak */
}
END_TEST

/* ---- with the writer's thread ------------------------------------------------------------- */

#define THREADS 4
#define DEVICES 40
#define ROUNDS 25

struct crowd {
    struct world *w;
    uint64_t first;
    int64_t dropped;
};

START_TEST(facts_are_told_at_once_and_states_once_durable)
{
    struct world w;
    const struct clock clock = {.fixed_wall_s = 1, .fixed_mono_ms = 1};
    const struct events_filter all = {.product = 0};
    struct event e;
    bool lost = false;
    world(&w, 100);
    struct events *events = events_new(&clock);
    uint64_t cursor = events_newest(events);
    overlay_set_events(w.o, events);
    ck_assert(note(&w, checkin(&w, 0xa, "1", 10)));
    ck_assert(note(&w, serve(&w, 0xa, 7, 11)));
    ck_assert_int_eq(events_after(events, &cursor, &all, &e, &lost), EVENTS_FOUND);
    ck_assert(e.kind == EVENT_CHECK_IN && e.mac == 0xa && e.at_s == 10);
    ck_assert_str_eq(e.version, "1");
    ck_assert_int_eq(events_after(events, &cursor, &all, &e, &lost), EVENTS_FOUND);
    ck_assert(e.kind == EVENT_TRANSFER && e.transfer == 7 && e.size == 100 && e.at_s == 11);
    flush(&w, false);
    ck_assert_int_eq(events_after(events, &cursor, &all, &e, &lost), EVENTS_NONE);
    flush(&w, true);
    ck_assert_int_eq(events_after(events, &cursor, &all, &e, &lost), EVENTS_FOUND);
    ck_assert(e.kind == EVENT_UPDATE && e.product == w.product && e.build == w.b.id);
    ck_assert_str_eq(e.state, "in_progress");
    ck_assert(note(&w, checkin(&w, 0xa, "2", 12)));
    flush(&w, true);
    ck_assert_int_eq(events_after(events, &cursor, &all, &e, &lost), EVENTS_FOUND);
    ck_assert_int_eq(events_after(events, &cursor, &all, &e, &lost), EVENTS_FOUND);
    ck_assert_str_eq(e.state, "installed");
    ck_assert_int_eq(events_after(events, &cursor, &all, &e, &lost), EVENTS_NONE); /* only once */
    world_close(&w);
    events_free(&events);
}
END_TEST

static void *check_in(void *arg)
{
    struct crowd *c = arg;
    for (int round = 1; round <= ROUNDS; round++)
        for (uint64_t i = 0; i < DEVICES; i++) {
            char version[16];
            (void)snprintf(version, sizeof version, "%d", round);
            struct fact f = checkin(c->w, c->first + i, version, 100 + round);
            c->dropped += !overlay_note(c->w->o, &f);
            (void)overlay_knows(c->w->o, c->w->product, c->first + i);
            if (i == 0) {
                f = serve(c->w, c->first, transfer_new_id(1000), 100 + round);
                c->dropped += !overlay_note(c->w->o, &f);
            }
        }
    return NULL;
}

START_TEST(many_threads_and_a_writer_lose_nothing)
{
    struct world w = {.product = 0};
    struct crowd crowds[THREADS];
    pthread_t threads[THREADS];
    store_file(&w.s);
    w.product = store_product(w.s.db, "lamp");
    w.b = store_build(w.s.db, w.product, "2", BUILD_APP);
    w.o = overlay_new(100000, &w.s.log);
    struct writer *writer = writer_new(w.s.db, overlay_facts(w.o), 100, 1, &w.s.log);
    w.s.db = NULL;
    overlay_set_writer(w.o, writer);
    for (size_t i = 0; i < THREADS; i++) {
        crowds[i] = (struct crowd){.w = &w, .first = 1000 * (i + 1)};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, check_in, &crowds[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
        ck_assert_int_eq(crowds[i].dropped, 0);
    }
    overlay_set_writer(w.o, NULL);
    writer_free(&writer);
    ck_assert(!overlay_any(w.o));
    OK(db_open(w.s.path, DB_WRITE, &w.s.db, EI));
    ck_assert_int_eq(store_int(w.s.db, "SELECT count(*) FROM device WHERE version = '25'"
                                       " AND last_seen_s = 125 AND first_seen_s >= 101"),
                     THREADS * DEVICES);
    ck_assert_int_eq(store_int(w.s.db, "SELECT count(*) FROM transfer"), THREADS * ROUNDS);
    overlay_free(&w.o);
    store_close(&w.s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("overlay");
    TCase *t = tcase_create("facts");
    tcase_add_test(t, noted_device_is_known_until_it_is_durable);
    tcase_add_test(t, failed_commit_keeps_facts_in_front_of_later_ones);
    tcase_add_test(t, facts_noted_during_a_commit_survive_it);
    tcase_add_loop_test(t, replace_row, 0, (int)OTAD_COUNT(replace_rows));
    tcase_add_test(t, replacing_forgets_nothing_that_was_said);
    tcase_add_test(t, check_in_behind_a_transfer_does_not_overtake_it);
    tcase_add_test(t, strangers_are_only_counted);
    tcase_add_test(t, full_overlay_drops_check_ins_and_keeps_transfers);
    tcase_add_test(t, fact_of_a_product_that_is_gone_holds_up_nobody);
    tcase_add_test(t, what_was_never_flushed_is_freed);
    tcase_add_test(t, facts_are_told_at_once_and_states_once_durable);
    suite_add_tcase(s, t);
    t = tcase_create("threads");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, many_threads_and_a_writer_lose_nothing);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
