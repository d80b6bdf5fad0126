/* SPDX-License-Identifier: MIT
 * Retention: what stays, what goes, in how many steps, and when. */
#include <stdio.h>
#include <string.h>

#include "fleet/audit.h"
#include "fleet/blob.h"
#include "fleet/channel.h"
#include "fleet/report.h"
#include "fleet/retention.h"
#include "fleet/transfer.h"
#include "fleet/update.h"
#include "support/store.h"

#define DAY 86400
#define NOW (20000LL * DAY)
#define LAMP 0x30AEA4000001ULL
#define PASS_STEPS_MAX 10000

static struct store s;
static int64_t product;

static void setup(void)
{
    store_memory(&s);
    product = store_product(s.db, "lamp");
}

static void teardown(void)
{
    store_close(&s);
}

/* A whole pass. @return its steps */
static int pass(const struct retention_limits *limits, int64_t rows, struct retention_pass *out)
{
    int steps = 0;
    *out = (struct retention_pass){.phase = RETENTION_TRANSFERS};
    while (out->phase != RETENTION_DONE && steps < PASS_STEPS_MAX) {
        OK(retention_step(s.db, limits, NOW, rows, out, EI));
        steps++;
    }
    ck_assert_int_lt(steps, PASS_STEPS_MAX);
    return steps;
}

static int64_t add_update(int64_t device, int64_t build, enum update_state state, int64_t days)
{
    struct update u = {.product = product,
                       .device = device,
                       .build = build,
                       .state = state,
                       .attempts = 3,
                       .created_at_s = NOW - days * DAY};
    OK(update_insert(s.db, &u, EI));
    u.updated_at_s = u.created_at_s;
    OK(update_save(s.db, &u, EI));
    return u.id;
}

static void add_transfer(int64_t update, int64_t days, int n, bool ended)
{
    for (int i = 0; i < n; i++) {
        struct transfer t = {.update = update, .size_bytes = 100};
        const struct intervals none = {.n = 0};
        t.started_at_s = NOW - days * DAY;
        t.id = (t.started_at_s * 1000 << 20) + update * 10000 + i;
        OK(transfer_insert(s.db, &t, EI));
        t.state = ended ? TRANSFER_SENT : TRANSFER_DOWNLOADING;
        OK(transfer_save(s.db, &t, &none, EI));
    }
}

static void add_reports(int64_t update, int64_t days, int n)
{
    char sql[200];
    for (int i = 0; i < n; i++) {
        (void)snprintf(
            sql, sizeof sql,
            "INSERT INTO report (\"update\", result, at_s) VALUES (%lld, 'failed', %lld)",
            (long long)update, (long long)(NOW - days * DAY));
        store_exec(s.db, sql);
    }
}

static int64_t count(const char *sql_of_update, int64_t update)
{
    struct db_q q = db_query(s.db, sql_of_update);
    db_bind_int(&q, ":update", update);
    int64_t n = db_step(&q) ? db_int(&q, 0) : -1;
    OK(db_end(&q, EI));
    return n;
}

static int64_t transfers(int64_t update)
{
    return count("SELECT count(*) FROM transfer WHERE \"update\" = :update", update);
}

static int64_t reports(int64_t update)
{
    return count("SELECT count(*) FROM report WHERE \"update\" = :update", update);
}

/* ---- history ------------------------------------------------------------------------------ */

static const struct {
    const char *what;
    bool newest; /* of its device */
    int64_t days;
    bool ended;
    int64_t history_days;
    int64_t left; /* of 3 transfers and 3 reports */
} history[] = {
    {"young",                          false, 179, true,  180, 3},
    {"old",                            false, 181, true,  180, 0},
    {"old, of the newest update",      true,  181, true,  180, 3},
    {"very old, of the newest update", true,  900, true,  180, 3},
    {"old, for ever",                  false, 181, true,  0,   3},
    {"older than a day",               false, 2,   true,  1,   0},
    {"old and still on its way",       false, 181, false, 180, 3},
};

START_TEST(history_goes_and_its_update_stays)
{
    int64_t device = store_device(s.db, product, LAMP, "1", NOW);
    struct build one = store_build(s.db, product, "1", BUILD_APP);
    struct retention_pass p;
    struct update u;
    int64_t id = add_update(device, one.seq, UPDATE_FAILED, history[_i].days);
    if (!history[_i].newest)
        (void)add_update(device, one.seq, UPDATE_INSTALLED, 0);
    add_transfer(id, history[_i].days, 3, history[_i].ended);
    add_reports(id, history[_i].days, 3);
    (void)pass(&(struct retention_limits){.history_days = history[_i].history_days}, RETENTION_ROWS,
               &p);
    ck_assert_msg(transfers(id) == history[_i].left, "%s: %d transfers", history[_i].what,
                  (int)transfers(id));
    ck_assert_int_eq(p.gone[RETENTION_TRANSFERS], 3 - history[_i].left);
    if (history[_i].ended)
        ck_assert_msg(reports(id) == history[_i].left, "%s: %d reports", history[_i].what,
                      (int)reports(id));
    OK(update_find(s.db, id, &u, EI));
    ck_assert_int_eq(u.state, UPDATE_FAILED);
    ck_assert_int_eq(u.attempts, 3);
}
END_TEST

START_TEST(no_step_deletes_more_than_its_rows)
{
    int64_t device = store_device(s.db, product, LAMP, "1", NOW);
    struct build one = store_build(s.db, product, "1", BUILD_APP);
    int64_t old = add_update(device, one.seq, UPDATE_FAILED, 300);
    (void)add_update(device, one.seq, UPDATE_INSTALLED, 0);
    add_transfer(old, 300, 250, true);
    add_reports(old, 300, 120);
    const struct retention_limits limits = {.history_days = 180};
    struct retention_pass p = {.phase = RETENTION_TRANSFERS};
    int steps = 0;
    for (int64_t before = 370; p.phase != RETENTION_DONE; steps++) {
        OK(retention_step(s.db, &limits, NOW, 50, &p, EI));
        int64_t left = transfers(old) + reports(old);
        ck_assert_int_le(before - left, 50);
        before = left;
    }
    ck_assert_int_eq(transfers(old) + reports(old), 0);
    ck_assert_int_ge(steps, 5 + 3);
    ck_assert_int_le(steps, 5 + 3 + 3); /* a phase may need one more look to know its end */
}
END_TEST

/* What must stay is looked at once a pass, not again at each step. */
START_TEST(rows_that_stay_do_not_hold_up_those_behind_them)
{
    struct build one = store_build(s.db, product, "1", BUILD_APP);
    struct retention_pass p;
    for (uint64_t i = 0; i < 200; i++) {
        int64_t device = store_device(s.db, product, LAMP + i, "1", NOW);
        int64_t newest = add_update(device, one.seq, UPDATE_INSTALLED, 400);
        add_transfer(newest, 400, 1, true);
        add_reports(newest, 400, 1);
    }
    int64_t device = store_device(s.db, product, LAMP + 999, "1", NOW);
    int64_t old = add_update(device, one.seq, UPDATE_FAILED, 300);
    (void)add_update(device, one.seq, UPDATE_INSTALLED, 0);
    add_transfer(old, 300, 1, true);
    add_reports(old, 300, 1);
    int steps = pass(&(struct retention_limits){.history_days = 180}, 20, &p);
    ck_assert_int_eq(transfers(old) + reports(old), 0);
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM transfer"), 200);
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM report"), 200);
    ck_assert_int_le(steps, 2 * (200 / 20 + 2) + 2);
}
END_TEST

static const struct {
    const char *what;
    enum update_state state;
    bool newest;
    int64_t days;
    int64_t updates_days;
    bool stays;
} updates[] = {
    {"old and over",             UPDATE_INSTALLED,   false, 400, 365, false},
    {"old and failed",           UPDATE_FAILED,      false, 400, 365, false},
    {"young",                    UPDATE_INSTALLED,   false, 300, 365, true },
    {"old, the device's newest", UPDATE_INSTALLED,   true,  400, 365, true },
    {"old and open",             UPDATE_SENT,        false, 400, 365, true },
    {"old and in progress",      UPDATE_IN_PROGRESS, false, 400, 365, true },
    {"old, for ever",            UPDATE_INSTALLED,   false, 400, 0,   true },
};

START_TEST(whole_updates_go_only_when_asked_for)
{
    int64_t device = store_device(s.db, product, LAMP, "1", NOW);
    struct build one = store_build(s.db, product, "1", BUILD_APP);
    struct retention_pass p;
    struct update u;
    int64_t id = add_update(device, one.seq, updates[_i].state, updates[_i].days);
    if (!updates[_i].newest)
        (void)add_update(device, one.seq, UPDATE_INSTALLED, 0);
    add_transfer(id, updates[_i].days, 45, true);
    int steps = pass(&(struct retention_limits){.updates_days = updates[_i].updates_days}, 20, &p);
    enum otad_err err = update_find(s.db, id, &u, EI);
    ck_assert_msg(err == (updates[_i].stays ? OTAD_E_OK : OTAD_E_NOENT), "%s", updates[_i].what);
    ck_assert_int_eq(transfers(id), updates[_i].stays ? 45 : 0);
    ck_assert_int_eq(p.gone[RETENTION_UPDATES], !updates[_i].stays);
    if (!updates[_i].stays)
        ck_assert_int_ge(steps, 3); /* its 45 transfers went 20 a step */
}
END_TEST

START_TEST(old_audit_goes)
{
    struct retention_pass p;
    for (int i = 0; i < 30; i++) {
        struct audit a = {.at_s = NOW - (i < 25 ? 731 : 729) * DAY, .who = "ci"};
        OK(audit_add(s.db, &a, EI));
    }
    (void)pass(&(struct retention_limits){.audit_days = 0}, 10, &p);
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM audit"), 30);
    (void)pass(&(struct retention_limits){.audit_days = 730}, 10, &p);
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM audit"), 5);
    ck_assert_int_eq(p.gone[RETENTION_AUDIT], 25);
}
END_TEST

/* ---- builds ------------------------------------------------------------------------------- */

static bool has_image(const struct build *b)
{
    uint8_t bytes[100];
    struct build now;
    OK(build_find_seq(s.db, b->seq, &now, EI)); /* its row always stays */
    bool has = blob_read(s.db, b->image, bytes, sizeof bytes, EI) == OTAD_E_OK;
    ck_assert_int_eq(now.pruned_at_s, has ? 0 : NOW);
    ck_assert_int_eq(now.withdrawn_at_s, has ? 0 : NOW);
    return has;
}

START_TEST(builds_somebody_wants_keep_their_image)
{
    struct build b[10], fs = store_build(s.db, product, "fs", BUILD_FS);
    struct retention_pass p;
    struct device d;
    for (int i = 0; i < 10; i++) {
        char version[8];
        (void)snprintf(version, sizeof version, "%d", i);
        b[i] = store_build(s.db, product, version, BUILD_APP);
    }
    int64_t device = store_device(s.db, product, LAMP, "1", NOW);
    (void)add_update(device, b[0].seq, UPDATE_SENT, 1);
    (void)add_update(device, b[1].seq, UPDATE_FAILED, 1); /* over: doesn't hold its build */
    OK(device_find(s.db, product, LAMP, &d, EI));
    d.pin = b[2].seq;
    OK(device_save(s.db, &d, EI));
    OK(channel_release(s.db, product, "stable", &b[3], 1, EI)); /* two undos away */
    OK(channel_release(s.db, product, "stable", &b[4], 2, EI)); /* where an undo leads */
    OK(channel_release(s.db, product, "stable", &b[5], 3, EI)); /* on a channel */
    (void)pass(&(struct retention_limits){.builds = 2}, RETENTION_ROWS, &p);
    static const bool want[10] = {true, false, true, false, true, true, false, false, true, true};
    for (int i = 0; i < 10; i++)
        ck_assert_msg(has_image(&b[i]) == want[i], "build %d", i);
    ck_assert(has_image(&fs)); /* another kind */
    ck_assert_int_eq(p.gone[RETENTION_BUILDS], 4);
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM image_chunk"), 7);
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM \"update\""), 2);
    (void)pass(&(struct retention_limits){.builds = 2}, RETENTION_ROWS, &p);
    ck_assert_int_eq(p.gone[RETENTION_BUILDS], 0);
}
END_TEST

START_TEST(image_stays_while_one_of_its_builds_has_it)
{
    struct build first = store_build(s.db, product, "1", BUILD_APP), twin;
    int64_t plug = store_product(s.db, "plug");
    struct retention_pass p;
    twin = (struct build){.product = plug, .number = 1, .image = first.image, .version = "7"};
    OK(build_insert(s.db, &twin, EI));
    (void)store_build(s.db, product, "2", BUILD_APP);
    (void)pass(&(struct retention_limits){.builds = 1}, RETENTION_ROWS, &p);
    ck_assert(has_image(&twin));
    ck_assert_int_eq(p.gone[RETENTION_BUILDS], 1);
    (void)store_build(s.db, plug, "8", BUILD_APP);
    (void)pass(&(struct retention_limits){.builds = 1}, RETENTION_ROWS, &p);
    ck_assert(!has_image(&twin));
    ck_assert(!has_image(&first));
}
END_TEST

START_TEST(large_image_goes_a_few_chunks_a_step)
{
    struct build b = {.product = product, .number = 1, .version = "big"};
    const struct retention_limits limits = {.builds = 1};
    struct retention_pass p = {.phase = RETENTION_TRANSFERS};
    uint8_t sha256[OTAD_SHA256_LEN];
    int64_t id, left = 10;
    b.image = store_image(s.db, 4711, 9 * BLOB_CHUNK_BYTES + 1, "");
    OK(build_insert(s.db, &b, EI));
    OK(build_find_seq(s.db, b.seq, &b, EI));
    memcpy(sha256, b.sha256, sizeof sha256);
    (void)store_build(s.db, product, "2", BUILD_APP);
    while (p.phase != RETENTION_DONE) {
        OK(retention_step(s.db, &limits, NOW, RETENTION_ROWS, &p, EI));
        int64_t now = store_int(s.db, "SELECT count(*) FROM image_chunk WHERE image = 1");
        ck_assert_int_le(left - now, RETENTION_CHUNKS);
        left = now;
        if (p.gone[RETENTION_BUILDS] > 0)
            FAILS(OTAD_E_NOENT, blob_find(s.db, sha256, &id, EI)); /* from the first step on */
    }
    ck_assert_int_eq(left, 0);
    ck_assert_int_eq(p.gone[RETENTION_CHUNKS_GO], 10);
    int64_t again = store_image(s.db, 4711, 9 * BLOB_CHUNK_BYTES + 1, "");
    OK(blob_find(s.db, sha256, &id, EI));
    ck_assert_int_eq(id, again);
}
END_TEST

START_TEST(restored_build_is_as_before)
{
    struct build first = store_build(s.db, product, "1", BUILD_APP), now;
    struct retention_pass p;
    (void)store_build(s.db, product, "2", BUILD_APP);
    (void)pass(&(struct retention_limits){.builds = 1}, RETENTION_ROWS, &p);
    int64_t image = store_image(s.db, 9999, 100, "");
    OK(build_restore(s.db, first.seq, image, EI));
    OK(blob_drop_unused(s.db, first.image, EI));
    OK(build_find_seq(s.db, first.seq, &now, EI));
    ck_assert_int_eq(now.image, image);
    ck_assert_int_eq(now.id, first.id);
    ck_assert_int_eq(now.pruned_at_s + now.withdrawn_at_s, 0);
}
END_TEST

/* By the two times an upload tells what may come back (ingest_find_existing()). */
START_TEST(withdrawn_build_keeps_the_time_of_its_withdrawal)
{
    struct build first = store_build(s.db, product, "1", BUILD_APP), now;
    struct retention_pass p;
    (void)store_build(s.db, product, "2", BUILD_APP);
    OK(build_set_withdrawn(s.db, first.seq, NOW - 5, EI));
    (void)pass(&(struct retention_limits){.builds = 1}, RETENTION_ROWS, &p);
    OK(build_find_seq(s.db, first.seq, &now, EI));
    ck_assert_int_eq(now.pruned_at_s, NOW);
    ck_assert_int_eq(now.withdrawn_at_s, NOW - 5);
}
END_TEST

START_TEST(limits_of_zero_keep_everything)
{
    int64_t device = store_device(s.db, product, LAMP, "1", NOW);
    struct build one = store_build(s.db, product, "1", BUILD_APP);
    struct retention_pass p;
    int64_t old = add_update(device, one.seq, UPDATE_FAILED, 9999);
    (void)add_update(device, one.seq, UPDATE_INSTALLED, 0);
    add_transfer(old, 9999, 2, true);
    add_reports(old, 9999, 2);
    ck_assert_int_eq(pass(&(struct retention_limits){.builds = 0}, RETENTION_ROWS, &p), 1);
    ck_assert_int_eq(transfers(old) + reports(old), 4);
}
END_TEST

START_TEST(failed_step_leaves_the_pass_where_it_was)
{
    struct retention_pass p = {.phase = RETENTION_AUDIT, .after_id = 7}, before = p;
    store_exec(s.db, "DROP TABLE audit");
    FAILS(OTAD_E_DB,
          retention_step(s.db, &(struct retention_limits){.audit_days = 1}, NOW, 10, &p, EI));
    ck_assert_mem_eq(&p, &before, sizeof p);
}
END_TEST

/* ---- when --------------------------------------------------------------------------------- */

static bool no_facts(void *arg)
{
    (void)arg;
    return false;
}

static enum otad_err fold_nothing(void *arg, struct db *db, struct otad_errinfo *ei)
{
    (void)arg;
    (void)db;
    (void)ei;
    return OTAD_E_OK;
}

static void settle_nothing(void *arg, bool durable)
{
    (void)arg;
    (void)durable;
}

START_TEST(tick_queues_a_step_when_it_is_due)
{
    static struct otad o; /* large */
    struct store file;
    struct db *reader = NULL;
    const struct write_facts facts = {no_facts, fold_nothing, settle_nothing, NULL};
    store_file(&file);
    struct audit old = {.at_s = NOW - 3 * DAY};
    OK(audit_add(file.db, &old, EI));
    OK(db_open(file.path, DB_READ, &reader, EI));
    o = (struct otad){
        .log = &file.log, .clock = {.fixed_wall_s = NOW, .fixed_mono_ms = 1000}
    };
    (void)pthread_rwlock_init(&o.config_lock, NULL);
    o.config.audit_days = 1;
    o.config.retention_interval_s = 7;
    struct retention *r = retention_new(&o);
    ck_assert_ptr_nonnull(r);
    o.writer = writer_new(OTAD_STEAL(file.db), facts, 16, 1000, &file.log);
    ck_assert_ptr_nonnull(o.writer);
    ck_assert_int_eq(retention_tick(r), 7000);
    o.clock.fixed_mono_ms = 7999;
    ck_assert_int_eq(retention_tick(r), 1);
    ck_assert_int_eq(store_int(reader, "SELECT count(*) FROM audit"), 1);
    o.clock.fixed_mono_ms = 8000;
    ck_assert_int_eq(retention_tick(r), 1000);
    writer_free(&o.writer); /* it commits what was queued */
    ck_assert_int_eq(store_int(reader, "SELECT count(*) FROM audit"), 0);
    retention_free(&r);
    ck_assert_ptr_null(r);
    (void)pthread_rwlock_destroy(&o.config_lock);
    db_close(&reader);
    store_close(&file);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("retention");
    TCase *t = tcase_create("retention");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, history_goes_and_its_update_stays, 0, (int)OTAD_COUNT(history));
    tcase_add_test(t, no_step_deletes_more_than_its_rows);
    tcase_add_test(t, rows_that_stay_do_not_hold_up_those_behind_them);
    tcase_add_loop_test(t, whole_updates_go_only_when_asked_for, 0, (int)OTAD_COUNT(updates));
    tcase_add_test(t, old_audit_goes);
    tcase_add_test(t, builds_somebody_wants_keep_their_image);
    tcase_add_test(t, image_stays_while_one_of_its_builds_has_it);
    tcase_add_test(t, large_image_goes_a_few_chunks_a_step);
    tcase_add_test(t, restored_build_is_as_before);
    tcase_add_test(t, withdrawn_build_keeps_the_time_of_its_withdrawal);
    tcase_add_test(t, limits_of_zero_keep_everything);
    tcase_add_test(t, failed_step_leaves_the_pass_where_it_was);
    tcase_add_test(t, tick_queues_a_step_when_it_is_due);
    suite_add_tcase(suite, t);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
