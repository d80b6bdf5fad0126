/* SPDX-License-Identifier: MIT
 * Retention in the running daemon: old history goes while devices check in, what was acknowledged
 * stays, and the images of old builds go and come back. */
#include <stdio.h>
#include <string.h>

#include "otad/err.h"
#include "support/http.h"
#include "support/unit.h"

#define API "/api/v1/products/lamp"
#define MAC "30AEA4000001"
#define PATIENCE_MS (1000 * DAEMON_PATIENCE_S)

static struct daemon d;
static char admin[DAEMON_KEY];

static void setup(void)
{
    static const char *const flags[] = {"--retention-interval-s",
                                        "1",
                                        "--retention-builds-per-product",
                                        "1",
                                        "--devices-new-devices-per-hour",
                                        "1000000",
                                        NULL};
    d = (struct daemon){.pid = 0};
    daemon_start(&d, flags);
    daemon_key(&d, "root", "admin", NULL, admin);
    make_product(&d, admin, "lamp");
}

static void teardown(void)
{
    daemon_free(&d);
}

static struct reply updates(void)
{
    struct reply r = get(&d, admin, API "/updates?mac=" MAC);
    CK_STATUS("updates", r, 200);
    return r;
}

/* The device got 2, reported a failure, and then got 3 and came back running it. */
static void make_history(void)
{
    publish(&d, admin, "lamp", "2", NULL, 2, NULL);
    struct reply r = get(&d, NULL, "/fw/lamp/" MAC ".bin?version=1");
    CK_STATUS("2", r, 200);
    reply_free(&r);
    r = send_json(&d, NULL, "POST", "/fw/lamp/" MAC "/report",
                  "{\"result\":\"failed\",\"code\":7}");
    CK_STATUS("report", r, 204);
    reply_free(&r);
    publish(&d, admin, "lamp", "3", NULL, 3, NULL);
    r = get(&d, NULL, "/fw/lamp/" MAC ".bin?version=1");
    CK_STATUS("3", r, 200);
    reply_free(&r);
    r = get(&d, NULL, "/fw/lamp/" MAC ".bin?version=3");
    CK_STATUS("back on 3", r, 304);
    reply_free(&r);
    r = updates(); /* waits until all that is written */
    CK_TEXT("3", r, "items.0.state", "installed");
    CK_TEXT("2", r, "items.1.state", "failed");
    reply_free(&r);
}

/* Makes all of it 200 days old, with n further transfers of the older update. */
#define AGE(n)                                                                                     \
    "UPDATE transfer SET id = id - (200 * 86400000 << 20), started_at_s = started_at_s - "         \
    "200 * 86400;"                                                                                 \
    "UPDATE report SET at_s = at_s - 200 * 86400;"                                                 \
    "UPDATE \"update\" SET created_at_s = created_at_s - 200 * 86400, updated_at_s = "             \
    "updated_at_s - 200 * 86400;"                                                                  \
    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < " #n ")"             \
    " INSERT INTO transfer (id, \"update\", state, size_bytes, started_at_s, ended_at_s)"          \
    " SELECT i + (unixepoch() - 200 * 86400) * 1000 * 1048576, (SELECT min(id) FROM \"update\"),"  \
    " 'sent', 100, unixepoch() - 200 * 86400, unixepoch() - 200 * 86400 FROM c"

static void check_history_is_gone(const char *when)
{
    struct reply r = updates();
    CK_TEXT(when, r, "items.0.state", "installed");
    ck_assert_uint_eq(json_array_size(reply_at(&r, "items.0.transfers")), 1);
    CK_TEXT(when, r, "items.1.state", "failed");
    CK_TEXT(when, r, "items.1.cause", "reported");
    CK_TEXT(when, r, "items.1.to_version", "2");
    ck_assert_uint_eq(json_array_size(reply_at(&r, "items.1.transfers")), 0);
    ck_assert_uint_eq(json_array_size(reply_at(&r, "items.1.reports")), 0);
    reply_free(&r);
}

START_TEST(history_goes_while_devices_check_in)
{
    int64_t until = test_now_ms() + PATIENCE_MS, slowest = 0, left;
    unsigned asked = 0;
    make_history();
    daemon_sql_write(&d, AGE(2500));
    while ((left = daemon_sql(&d, "SELECT count(*) FROM transfer")) > 1 && test_now_ms() < until) {
        char path[96];
        int64_t start = test_now_ms();
        (void)snprintf(path, sizeof path, "/fw/lamp/30AEA4%06X.version", ++asked);
        struct reply r = get(&d, NULL, path);
        CK_STATUS(path, r, 200);
        reply_free(&r);
        r = send_json(&d, admin, "PATCH", API, "{\"name\":\"busy\"}");
        CK_STATUS("a change meanwhile", r, 200);
        reply_free(&r);
        if (test_now_ms() - start > slowest)
            slowest = test_now_ms() - start;
        test_sleep_ms(20);
    }
    ck_assert_int_eq(left, 1);
    ck_assert_uint_gt(asked, 20); /* it took several steps */
    ck_assert_int_lt(slowest, 3000);
    ck_assert(daemon_logged(&d, "retention.done", DAEMON_PATIENCE_S));
    check_history_is_gone("pruned");
    ck_assert_int_eq(daemon_sql(&d, "SELECT count(*) FROM device"), asked);
    daemon_kill(&d);
    daemon_restart(&d);
    check_history_is_gone("after a kill");
}
END_TEST

START_TEST(end_does_not_wait_for_a_pass)
{
    make_history();
    daemon_sql_write(&d, AGE(50000)); /* 100 steps, a second apart */
    int64_t until = test_now_ms() + PATIENCE_MS;
    while (daemon_sql(&d, "SELECT count(*) FROM transfer") > 50000 && test_now_ms() < until)
        test_sleep_ms(20);
    int64_t start = test_now_ms();
    daemon_stop(&d);
    ck_assert_int_lt(test_now_ms() - start, 10000);
    ck_assert_int_gt(daemon_sql(&d, "SELECT count(*) FROM transfer"), 10000);
}
END_TEST

/* ---- builds ------------------------------------------------------------------------------- */

static bool wait_pruned(const char *build)
{
    char path[128];
    int64_t until = test_now_ms() + PATIENCE_MS;
    bool pruned = false;
    (void)snprintf(path, sizeof path, API "/builds/%s", build);
    while (!pruned && test_now_ms() < until) {
        struct reply r = get(&d, admin, path);
        CK_STATUS(path, r, 200);
        pruned = !json_is_null(reply_at(&r, "pruned_at"));
        ck_assert_int_eq(pruned, !json_is_null(reply_at(&r, "withdrawn_at")));
        reply_free(&r);
        test_sleep_ms(20);
    }
    return pruned;
}

/* Whether `latest` is the image of that seed. */
static void check_latest(const char *what, uint64_t seed)
{
    struct img image = image_of("ESP8266", seed, 0);
    struct reply r = get(&d, NULL, "/fw/lamp/latest.bin");
    CK_STATUS(what, r, 200);
    ck_assert_msg(r.n == image.n && memcmp(r.body, image.data, r.n) == 0, "%s: other bytes", what);
    reply_free(&r);
    img_free(&image);
}

static void check_gone(const char *build, const char *url)
{
    char path[128];
    (void)snprintf(path, sizeof path, API "/builds/%s/file", build);
    struct reply r = get(&d, admin, path);
    CK_STATUS("the file", r, 410);
    ck_assert_msg(strstr(reply_text(&r, "error.hint"), "again") != NULL, "%s", r.body);
    reply_free(&r);
    r = get(&d, NULL, url);
    CK_STATUS("its URL", r, 410);
    reply_free(&r);
    (void)snprintf(path, sizeof path, "{\"build\":\"%s\"}", build);
    r = send_json(&d, admin, "PATCH", API "/channels/stable", path);
    CK_STATUS("to a channel", r, 409);
    reply_free(&r);
}

START_TEST(old_image_goes_and_comes_back_by_its_file)
{
    char id[4][32], again[32], path[128], url[256];
    for (unsigned i = 0; i < 2; i++) {
        char version[8];
        (void)snprintf(version, sizeof version, "%u", i + 1);
        publish(&d, admin, "lamp", version, NULL, i + 1, id[i]);
    }
    struct reply r = get(&d, NULL, "/fw/lamp/" MAC ".bin?version=0");
    CK_STATUS("a download", r, 200); /* of 2; comes back with 0: its update is over later */
    reply_free(&r);
    (void)snprintf(path, sizeof path, API "/builds/%s/url", id[0]);
    r = send_json(&d, admin, "POST", path, "{}");
    CK_STATUS("url", r, 201);
    (void)snprintf(url, sizeof url, "%s", strstr(reply_text(&r, "url"), "/static/"));
    reply_free(&r);
    publish(&d, admin, "lamp", "3", NULL, 3, id[2]);
    ck_assert(wait_pruned(id[0]));
    check_gone(id[0], url);
    check_latest("3 stays", 3);
    publish(&d, admin, "lamp", "1", NULL, 1, again);
    ck_assert_str_eq(again, id[0]);
    check_latest("1 is back", 1);
    r = get(&d, NULL, url);
    CK_STATUS("its URL", r, 200);
    reply_free(&r);
    r = send_json(&d, admin, "POST", API "/channels/stable/undo", NULL);
    CK_STATUS("undo", r, 200);
    reply_free(&r);
    check_latest("undone", 3);
    r = updates();
    CK_TEXT("its update", r, "items.0.to_version", "2");
    reply_free(&r);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("retention");
    TCase *tc = tcase_create("daemon");
    tcase_set_timeout(tc, 300);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, history_goes_while_devices_check_in);
    tcase_add_test(tc, end_does_not_wait_for_a_pass);
    tcase_add_test(tc, old_image_goes_and_comes_back_by_its_file);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
