/* SPDX-License-Identifier: MIT
 * The numbers of the fleet: what they count, who sees them, and that a large fleet is counted as
 * fast as a small one. */
#include <stdio.h>
#include <string.h>

#include "otad/err.h"
#include "support/http.h"
#include "support/unit.h"

static struct daemon d;
static char admin[DAEMON_KEY];

static void setup(void)
{
    static const char *const flags[] = {"--devices-new-devices-per-hour", "1000000", NULL};
    daemon_start(&d, flags);
    daemon_key(&d, "root", "admin", NULL, admin);
}

static void teardown(void)
{
    daemon_free(&d);
}

static void check_in(const char *product, const char *mac, const char *version, int status)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/fw/%s/latest?mac=%s&version=%s", product, mac, version);
    struct reply r = get(&d, NULL, path);
    CK_STATUS(path, r, status);
    reply_free(&r);
}

static struct reply stats_of(const char *product)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/api/v1/products/%s/stats", product);
    struct reply r = get(&d, admin, path);
    CK_STATUS(path, r, 200);
    return r;
}

#define NUMBER(r, path, want)                                                                      \
    ck_assert_msg(reply_number((r), (path)) == (want), "%s is %lld, want %lld\n%s", (path),        \
                  (long long)reply_number((r), (path)), (long long)(want), (r)->body)

START_TEST(an_empty_product_has_zeros)
{
    make_product(&d, admin, "empty");
    struct reply r = stats_of("empty");
    static const char *const zero[] = {"devices",    "seen_24h",       "anonymous_checkins",
                                       "on_current", "on_current_pct", "in_flight",
                                       "failed_24h", "other_versions"};
    for (size_t i = 0; i < OTAD_COUNT(zero); i++)
        NUMBER(&r, zero[i], 0);
    static const char *const none[] = {"versions",        "builds",         "failures",
                                       "over_time.hours", "over_time.days", "over_time.versions"};
    for (size_t i = 0; i < OTAD_COUNT(none); i++)
        ck_assert(json_is_array(reply_at(&r, none[i])) &&
                  json_array_size(reply_at(&r, none[i])) == 0);
    CK_TEXT("product", r, "product", "empty");
    reply_free(&r);
}
END_TEST

/* The end of a download is seen a moment after its client has it. */
static void wait_until_sent(const char *slug, const char *mac)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/api/v1/products/%s/updates?mac=%s", slug, mac);
    for (int64_t end = test_now_ms() + DAEMON_PATIENCE_S * 1000;; test_sleep_ms(10)) {
        struct reply r = get(&d, admin, path);
        bool sent = strcmp(reply_text(&r, "items.0.state"), "sent") == 0;
        ck_assert_msg(sent || test_now_ms() < end, "%s", r.body);
        reply_free(&r);
        if (sent)
            return;
    }
}

START_TEST(an_update_is_counted_on_its_way)
{
    char old[32], new[32];
    make_product(&d, admin, "way");
    publish(&d, admin, "way", "1", NULL, 1, old);
    check_in("way", "30AEA4000001", "0", 200);
    check_in("way", "30AEA4000001", "1", 304); /* installed */
    check_in("way", "30AEA4000002", "0", 200);
    wait_until_sent("way", "30AEA4000002");
    check_in("way", "30AEA4000003", "0", 200);
    wait_until_sent("way", "30AEA4000003");
    struct reply r = send_json(&d, NULL, "POST", "/fw/way/30AEA4000003/report",
                               "{\"result\":\"failed\",\"code\":-1}");
    CK_STATUS("report", r, 204);
    reply_free(&r);
    r = get(&d, NULL, "/fw/way/latest"); /* anonymous */
    reply_free(&r);
    publish(&d, admin, "way", "2", NULL, 2, new);
    r = stats_of("way");
    NUMBER(&r, "devices", 3);
    NUMBER(&r, "seen_24h", 3);
    NUMBER(&r, "anonymous_checkins", 1);
    NUMBER(&r, "on_current", 0); /* all are a version behind now */
    NUMBER(&r, "in_flight", 1);
    NUMBER(&r, "failed_24h", 1);
    CK_TEXT("commonest", r, "versions.0.version", "0");
    NUMBER(&r, "versions.0.devices", 2);
    CK_TEXT("newest build", r, "builds.0.build", new);
    CK_TEXT("older build", r, "builds.1.build", old);
    NUMBER(&r, "builds.1.states.installed", 1);
    NUMBER(&r, "builds.1.states.sent", 1);
    NUMBER(&r, "builds.1.states.failed", 1);
    CK_TEXT("cause", r, "failures.0.cause", "reported");
    NUMBER(&r, "failures.0.last_24h", 1);
    NUMBER(&r, "failures.0.last_7d", 1);
    int64_t seen = 0, installed = 0, failed = 0; /* the hour may have ended meanwhile */
    size_t i;
    json_t *hour;
    json_array_foreach(reply_at(&r, "over_time.hours"), i, hour)
    {
        seen += json_integer_value(json_object_get(hour, "check_ins"));
        installed += json_integer_value(json_object_get(hour, "installed"));
        failed += json_integer_value(json_object_get(hour, "failed"));
    }
    ck_assert_int_eq(seen, 4);
    ck_assert_int_eq(installed, 1);
    ck_assert_int_eq(failed, 1);
    reply_free(&r);
}
END_TEST

START_TEST(an_answer_is_given_again_for_seconds_only)
{
    make_product(&d, admin, "again");
    publish(&d, admin, "again", "1", NULL, 1, NULL);
    struct reply r = stats_of("again");
    NUMBER(&r, "devices", 0);
    check_in("again", "30AEA4000001", "0", 200);
    for (int64_t end = test_now_ms() + DAEMON_PATIENCE_S * 1000;
         reply_number(&r, "devices") != 1 && test_now_ms() < end; test_sleep_ms(200)) {
        reply_free(&r);
        r = stats_of("again");
    }
    NUMBER(&r, "devices", 1);
    reply_free(&r);
}
END_TEST

START_TEST(each_key_sees_its_products)
{
    char bound[DAEMON_KEY];
    make_product(&d, admin, "mine");
    make_product(&d, admin, "theirs");
    daemon_key(&d, "bound", "viewer", "mine", bound);
    struct reply r = get(&d, bound, "/api/v1/stats");
    CK_STATUS("bound", r, 200);
    ck_assert_uint_eq(json_array_size(reply_at(&r, "items")), 1);
    CK_TEXT("bound", r, "items.0.product", "mine");
    reply_free(&r);
    r = get(&d, bound, "/api/v1/products/theirs/stats");
    CK_STATUS("theirs", r, 403);
    reply_free(&r);
    r = get(&d, admin, "/api/v1/stats?limit=1");
    ck_assert(json_is_string(reply_at(&r, "next")));
    char path[160], first[64];
    (void)snprintf(first, sizeof first, "%s", reply_text(&r, "items.0.product"));
    (void)snprintf(path, sizeof path, "/api/v1/stats?limit=1&cursor=%s", reply_text(&r, "next"));
    reply_free(&r);
    r = get(&d, admin, path);
    ck_assert_int_gt(strcmp(reply_text(&r, "items.0.product"), first), 0);
    reply_free(&r);
    r = get(&d, NULL, "/api/v1/stats");
    CK_STATUS("no key", r, 401);
    reply_free(&r);
    r = get(&d, admin, "/api/v1/products/none/stats");
    CK_STATUS("no product", r, 404);
    reply_free(&r);
    r = get(&d, admin, "/api/v1/stats?colour=red");
    CK_STATUS("unknown", r, 422);
    reply_free(&r);
}
END_TEST

START_TEST(a_hundred_thousand_devices_are_counted_at_once)
{
    make_product(&d, admin, "large");
    daemon_sql_write(&d, "UPDATE product SET max_devices = 1000000 WHERE slug = 'large'");
    daemon_sql_write(
        &d, "INSERT INTO device (product, mac, version, first_seen_s, last_seen_s)"
            " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
            " SELECT p.id, i, 'v' || (i % 70), 1, unixepoch() - i FROM n, product AS p"
            " WHERE p.slug = 'large'");
    int64_t begin = test_now_ms();
    struct reply r = stats_of("large");
    ck_assert_int_lt(test_now_ms() - begin, 3000); /* some ms; sanitizers are slower */
    NUMBER(&r, "devices", 100000);
    ck_assert_int_ge(reply_number(&r, "seen_24h"), 86000);
    ck_assert_int_le(reply_number(&r, "seen_24h"), 86400);
    ck_assert_uint_eq(json_array_size(reply_at(&r, "versions")), 50);
    int64_t named = 0;
    size_t i;
    json_t *v;
    json_array_foreach(reply_at(&r, "versions"), i, v) named +=
        json_integer_value(json_object_get(v, "devices"));
    NUMBER(&r, "other_versions", 100000 - named);
    reply_free(&r);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("stats");
    TCase *tc = tcase_create("stats");
    tcase_set_timeout(tc, 300);
    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_add_test(tc, an_empty_product_has_zeros);
    tcase_add_test(tc, an_update_is_counted_on_its_way);
    tcase_add_test(tc, an_answer_is_given_again_for_seconds_only);
    tcase_add_test(tc, each_key_sees_its_products);
    tcase_add_test(tc, a_hundred_thousand_devices_are_counted_at_once);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
