/* SPDX-License-Identifier: MIT
 * What devices tell themselves: taken in both forms, within limits, durable when answered, and
 * shown beside the update it is about. */
#include <stdio.h>
#include <string.h>

#include "fleet/report.h"
#include "otad/err.h"
#include "otad/limits.h"
#include "support/http.h"
#include "support/unit.h"

#define MAC "30AEA4000001"

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

/* A product whose device is downloading version 2 (number 2). */
static void offer(const struct daemon *on, const char *key, const char *slug, char *build)
{
    char path[128];
    make_product(on, key, slug);
    publish(on, key, slug, "2", NULL, 1, build);
    (void)snprintf(path, sizeof path, "/fw/%s/" MAC ".bin?version=1", slug);
    struct reply r = get(on, NULL, path);
    CK_STATUS(path, r, 200);
    reply_free(&r);
}

static const char JSON[] = "application/json", FORM[] = "application/x-www-form-urlencoded";
static const char QUERY[] = "";

/* type: QUERY: body is one. */
static struct reply report(const char *slug, const char *type, const char *body)
{
    char path[256];
    if (type == QUERY) {
        (void)snprintf(path, sizeof path, "/fw/%s/" MAC "/report?%s", slug, body);
        return call(&d, "POST", path, (struct call){.data = NULL});
    }
    (void)snprintf(path, sizeof path, "/fw/%s/" MAC "/report", slug);
    return call(&d, "POST", path, (struct call){.data = body, .n = strlen(body), .type = type});
}

static struct reply updates(const struct daemon *on, const char *key, const char *slug)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/api/v1/products/%s/updates?mac=" MAC, slug);
    struct reply r = get(on, key, path);
    CK_STATUS(path, r, 200);
    return r;
}

static void age_reports(void)
{
    daemon_sql_write(&d, "UPDATE report SET at_s = at_s - 11");
}

/* ---- taken and refused -------------------------------------------------------------------- */

static const struct {
    const char *what, *type, *body;
    int status;
    const char *state; /* of the update behind it */
} rows[] = {
    {"success in JSON",                JSON,         "{\"result\":\"success\"}",                                   204, "sent"       },
    {"success as a form",              FORM,         "result=success",                                             204, "sent"       },
    {"failed in JSON",                 JSON,
     "{\"result\":\"failed\",\"code\":-106,\"message\":\"Verify Bin Header Failed\"}",                             204,
     "failed"                                                                                                                        },
    {"failed as a form",               FORM,         "result=failed&code=-106&message=Verify+Bin%20Header+Failed", 204,
     "failed"                                                                                                                        },
    {"rolled back",                    FORM,         "result=rolled_back",                                         204, "rolled_back"},
    {"JSON whatever the type",         FORM,         "{\"result\":\"failed\"}",                                    204, "failed"     },
    {"JSON without a type",            "text/plain", "{\"result\":\"failed\"}",                                    204, "failed"     },
    {"unknown keys of a newer client", JSON,         "{\"result\":\"failed\",\"uptime\":7}",                       204, "failed"     },
    {"the version as a number",        JSON,         "{\"result\":\"failed\",\"version\":2}",                      204, "failed"     },
    {"the version as text",            JSON,         "{\"result\":\"failed\",\"version\":\"2\"}",                  204, "failed"     },
    {"another version",                JSON,         "{\"result\":\"failed\",\"version\":\"17\"}",                 404, "sent"       },
    {"another build",                  JSON,         "{\"result\":\"failed\",\"build\":\"123456\"}",               404, "sent"       },
    {"no result",                      JSON,         "{\"code\":1}",                                               400, "sent"       },
    {"an unknown result",              FORM,         "result=maybe",                                               400, "sent"       },
    {"a code in words",                FORM,         "result=failed&code=seven",                                   400, "sent"       },
    {"a build in words",               FORM,         "result=failed&build=x",                                      400, "sent"       },
    {"broken JSON",                    JSON,         "{\"result\":",                                               400, "sent"       },
    {"a broken form",                  FORM,         "result=%zz",                                                 400, "sent"       },
    {"an empty body",                  FORM,         "",                                                           400, "sent"       },
    {"success in the query",           QUERY,        "result=success&code=0",                                      204, "sent"       },
    {"failed in the query",            QUERY,        "result=failed&code=-106&message=what%20%26+why&version=2",   204,
     "failed"                                                                                                                        },
    {"rolled back in the query",       QUERY,        "key=&result=rolled_back&code=-260",                          204, "rolled_back"},
    {"another build in the query",     QUERY,        "result=failed&build=123456",                                 404, "sent"       },
    {"a code in words in the query",   QUERY,        "result=failed&code=seven",                                   400, "sent"       },
    {"no result in the query",         QUERY,        "code=1",                                                     400, "sent"       },
};

START_TEST(report_is_taken_or_refused)
{
    char slug[32];
    (void)snprintf(slug, sizeof slug, "row-%d", _i);
    offer(&d, admin, slug, NULL);
    struct reply r = report(slug, rows[_i].type, rows[_i].body);
    CK_STATUS(rows[_i].what, r, rows[_i].status);
    ck_assert_msg(r.n == 0, "%s: a device gets no body: %s", rows[_i].what, r.body);
    if (r.status != 204)
        ck_assert_msg(reply_header(&r, "X-Otad-Reason") != NULL, "%s: %s", rows[_i].what, r.head);
    reply_free(&r);
    r = updates(&d, admin, slug);
    CK_TEXT(rows[_i].what, r, "items.0.state", rows[_i].state);
    ck_assert_msg(json_array_size(reply_at(&r, "items.0.reports")) == (rows[_i].status == 204),
                  "%s: %s", rows[_i].what, r.body);
    reply_free(&r);
}
END_TEST

START_TEST(report_shows_in_update_and_device)
{
    char build[32], body[256];
    offer(&d, admin, "shows", build);
    (void)snprintf(
        body, sizeof body,
        "{\"result\":\"failed\",\"code\":-106,\"message\":\"caf\\u00e9 %%s\",\"build\":\"%s\"}",
        build);
    struct reply r = report("shows", JSON, body);
    CK_STATUS("report", r, 204);
    reply_free(&r);
    r = updates(&d, admin, "shows");
    CK_TEXT("update", r, "items.0.build", build);
    CK_TEXT("update", r, "items.0.reports.0.result", "failed");
    CK_TEXT("update", r, "items.0.reports.0.message", "café %s");
    CK_TEXT("update", r, "items.0.reports.0.build", build);
    CK_TEXT("update", r, "items.0.reports.0.address", "127.0.0.1");
    ck_assert_int_eq(reply_number(&r, "items.0.reports.0.code"), -106);
    ck_assert_uint_eq(strlen(reply_text(&r, "items.0.reports.0.at")), 20);
    ck_assert(json_is_false(reply_at(&r, "items.0.reports.0.authenticated")));
    reply_free(&r);
    r = get(&d, admin, "/api/v1/products/shows/devices/" MAC);
    CK_TEXT("device", r, "update.state", "failed");
    CK_TEXT("device", r, "update.cause", "reported");
    reply_free(&r);
}
END_TEST

static const struct {
    const char *agent; /* of the device's check-in */
    const char *code;
    const char *want; /* the meaning begins so */
} codes[] = {
    {"User-Agent: ESP8266-http-Update",          "-108", "Unauthorized (401): "                         },
    {"User-Agent: ESP32-http-Update",            "-108", "Partition could not be found: "               },
    {"User-Agent: ESP8266-http-Update",          "11",   "Invalid bootstrapping state: press reset once"},
    {"User-Agent: ESP32-http-Update",            "11",   "Bad argument: "                               },
    {"User-Agent: ESP32 HTTP Client/1.0",        "5379", "ESP_ERR_OTA_VALIDATE_FAILED: "                },
    {"User-Agent: ESPHome/2025.1.0 (https://e)", "16",   "MD5 invalid: "                                },
    {"User-Agent: curl/8.0",                     "-108",
     "The chip is not known. -108 is, on an ESP8266, ‘Unauthorized (401)’; on an ESP32, ‘"        },
    {"User-Agent: ESP32-http-Update",            "4711", ""                                             },
};

static void publish_chip(const char *slug, const char *chip)
{
    struct img img = image_of(chip, 1, 0);
    const struct part parts[] = {
        {.name = "file",    .filename = "x.bin", .data = img.data, .n = img.n},
        FIELD("version", "2"),
        {.name = NULL}
    };
    struct reply r = upload(&d, admin, slug, parts);
    CK_STATUS(slug, r, 201);
    reply_free(&r);
    img_free(&img);
}

START_TEST(code_is_explained_for_the_chip_that_reports_it)
{
    char slug[32], path[128], body[64];
    const char *const headers[] = {codes[_i].agent, NULL};
    (void)snprintf(slug, sizeof slug, "code-%d", _i);
    (void)snprintf(path, sizeof path, "/fw/%s/" MAC ".bin?version=1", slug);
    (void)snprintf(body, sizeof body, "result=failed&code=%s", codes[_i].code);
    make_product(&d, admin, slug);
    publish_chip(slug, strstr(codes[_i].agent, "ESP32") != NULL ? "ESP32" : "ESP8266");
    struct reply r = call(&d, "GET", path, (struct call){.headers = headers});
    CK_STATUS(codes[_i].agent, r, 200);
    reply_free(&r);
    r = report(slug, FORM, body);
    CK_STATUS(body, r, 204);
    reply_free(&r);
    r = updates(&d, admin, slug);
    const char *meaning = reply_text(&r, "items.0.reports.0.meaning");
    ck_assert_msg(strncmp(meaning, codes[_i].want, strlen(codes[_i].want)) == 0 &&
                      (codes[_i].want[0] != '\0' || meaning[0] == '\0'),
                  "%s, %s: '%s'", codes[_i].agent, codes[_i].code, meaning);
    reply_free(&r);
}
END_TEST

/* Whatever bytes a device posts, the ledger stays readable. */
static const struct {
    const char *what, *type, *fill;
    size_t n;
    int status;
} messages[] = {
    {"1 KiB",                                  FORM, "x",         1024, 204},
    {"one byte more",                          FORM, "x",         1025, 400},
    {"two-byte characters",                    FORM, "%C3%A4",    500,  204},
    {"three-byte characters",                  FORM, "%E2%82%AC", 341,  204},
    {"one odd byte and three-byte characters", FORM, "%E2%82%AC", 340,  204},
    {"Latin-1",                                FORM, "%E4",       100,  204},
    {"raw high bytes",                         FORM, "\xff",      100,  204},
};

START_TEST(message_is_kept_up_to_a_kibibyte)
{
    char slug[32], *body = malloc(20000);
    ck_assert_ptr_nonnull(body);
    (void)snprintf(slug, sizeof slug, "message-%d", _i);
    offer(&d, admin, slug, NULL);
    size_t n = (size_t)sprintf(body, "result=failed&message=%s",
                               strstr(messages[_i].what, "odd") ? "o" : "");
    for (size_t i = 0; i < messages[_i].n; i++)
        n += (size_t)sprintf(body + n, "%s", messages[_i].fill);
    struct reply r = report(slug, messages[_i].type, body);
    CK_STATUS(messages[_i].what, r, messages[_i].status);
    reply_free(&r);
    r = updates(&d, admin, slug);
    ck_assert_msg(r.json != NULL, "%s: the ledger is no JSON", messages[_i].what);
    ck_assert_uint_eq(json_array_size(reply_at(&r, "items.0.reports")), messages[_i].status == 204);
    reply_free(&r);
    r = get(&d, admin, "/api/v1/audit");
    CK_STATUS("audit", r, 200);
    reply_free(&r);
    free(body);
}
END_TEST

START_TEST(version_of_a_report_need_not_be_text)
{
    offer(&d, admin, "oddversion", NULL);
    char build[32], body[128];
    struct reply r = updates(&d, admin, "oddversion");
    (void)snprintf(build, sizeof build, "%s", reply_text(&r, "items.0.build"));
    reply_free(&r);
    (void)snprintf(body, sizeof body, "result=success&version=%%FF&build=%s", build);
    r = report("oddversion", FORM, body);
    CK_STATUS("a build and a version that is no text", r, 204);
    reply_free(&r);
    r = report("oddversion", FORM, "result=failed&version=%FF");
    ck_assert_msg(r.status == 404 || r.status == 400, "%ld", r.status);
    reply_free(&r);
    r = updates(&d, admin, "oddversion");
    ck_assert_ptr_nonnull(r.json);
    reply_free(&r);
}
END_TEST

/* ---- limits ------------------------------------------------------------------------------- */

START_TEST(a_burst_of_reports_is_heard_and_no_more)
{
    offer(&d, admin, "often", NULL);
    for (int i = 0; i < REPORT_BURST; i++) {
        struct reply one = report("often", FORM, "result=failed&message=early");
        CK_STATUS("one of the burst", one, 204);
        reply_free(&one);
    }
    struct reply r = report("often", FORM, "result=failed&message=too%20many");
    CK_STATUS("one more", r, 429);
    ck_assert_ptr_nonnull(reply_header(&r, "Retry-After"));
    reply_free(&r);
    age_reports();
    r = report("often", FORM, "result=failed&message=later");
    CK_STATUS("later", r, 204);
    reply_free(&r);
    r = updates(&d, admin, "often");
    ck_assert_uint_eq(json_array_size(reply_at(&r, "items.0.reports")), REPORT_BURST + 1);
    reply_free(&r);
}
END_TEST

START_TEST(twenty_reports_an_update)
{
    offer(&d, admin, "many", NULL);
    for (int i = 0; i < OTAD_REPORTS_PER_UPDATE; i++) {
        struct reply r = report("many", FORM, "result=failed");
        CK_STATUS("report", r, 204);
        reply_free(&r);
        age_reports();
    }
    struct reply r = report("many", FORM, "result=failed");
    CK_STATUS("one more", r, 429);
    reply_free(&r);
    r = updates(&d, admin, "many");
    ck_assert_uint_eq(json_array_size(reply_at(&r, "items.0.reports")), OTAD_REPORTS_PER_UPDATE);
    reply_free(&r);
}
END_TEST

static const struct {
    const char *what, *path;
} strangers[] = {
    {"an unknown device",          "/fw/quiet/30AEA4FFFFF0/report"},
    {"no MAC",                     "/fw/quiet/kitchen/report"     },
    {"the zero MAC",               "/fw/quiet/000000000000/report"},
    {"an unknown product",         "/fw/nothing/" MAC "/report"   },
    {"a device without an update", "/fw/quiet/" MAC "/report"     },
};

START_TEST(report_of_a_stranger_is_404_without_a_write)
{
    if (_i == 0)
        make_product(&d, admin, "quiet");
    struct reply r = get(&d, NULL, "/fw/quiet/" MAC ".version"); /* makes a device, but no update */
    reply_free(&r);
    r = get(&d, admin, "/api/v1/products/quiet/devices");
    reply_free(&r);
    int64_t before =
        daemon_sql(&d, "SELECT (SELECT count(*) FROM report) * 1000000 + (SELECT count(*) FROM "
                       "\"update\") * 1000 + (SELECT count(*) FROM device)");
    r = call(&d, "POST", strangers[_i].path, (struct call){.data = "result=success", .n = 14});
    CK_STATUS(strangers[_i].what, r, 404);
    ck_assert_uint_eq(r.n, 0);
    reply_free(&r);
    r = get(&d, admin, "/api/v1/products/quiet/devices");
    reply_free(&r);
    ck_assert_int_eq(
        daemon_sql(&d, "SELECT (SELECT count(*) FROM report) * 1000000 + (SELECT count(*) FROM "
                       "\"update\") * 1000 + (SELECT count(*) FROM device)"),
        before);
}
END_TEST

START_TEST(report_on_an_update_older_than_a_week_is_404)
{
    offer(&d, admin, "stale", NULL);
    struct reply r = updates(&d, admin, "stale"); /* flushes */
    reply_free(&r);
    daemon_sql_write(&d, "UPDATE \"update\" SET created_at_s = created_at_s - 8 * 86400, "
                         "updated_at_s = updated_at_s - 8 * 86400"
                         " WHERE product = (SELECT id FROM product WHERE slug = 'stale')");
    r = report("stale", FORM, "result=failed");
    CK_STATUS("after a week", r, 404);
    reply_free(&r);
}
END_TEST

START_TEST(report_never_overrides_what_was_seen)
{
    offer(&d, admin, "seen", NULL);
    struct reply r = get(&d, NULL, "/fw/seen/" MAC ".bin?version=2");
    CK_STATUS("comes back on 2", r, 304);
    reply_free(&r);
    r = updates(&d, admin, "seen");
    CK_TEXT("seen", r, "items.0.state", "installed");
    reply_free(&r);
    r = report("seen", FORM, "result=failed&message=but+it+runs");
    CK_STATUS("report", r, 204);
    reply_free(&r);
    r = updates(&d, admin, "seen");
    CK_TEXT("seen", r, "items.0.state", "installed");
    CK_TEXT("seen", r, "items.0.reports.0.message", "but it runs");
    reply_free(&r);
}
END_TEST

START_TEST(report_counts_for_the_update_it_names)
{
    char old[32], body[128];
    offer(&d, admin, "names", old);
    publish(&d, admin, "names", "3", NULL, 2, NULL);
    struct reply r = get(&d, NULL, "/fw/names/" MAC ".bin?version=1");
    CK_STATUS("3", r, 200);
    reply_free(&r);
    (void)snprintf(body, sizeof body, "result=failed&message=old&build=%s", old);
    r = report("names", FORM, body);
    CK_STATUS("old build", r, 204);
    reply_free(&r);
    r = report("names", FORM, "result=failed&message=new&version=3");
    CK_STATUS("new version", r, 204);
    reply_free(&r);
    r = updates(&d, admin, "names");
    CK_TEXT("newest first", r, "items.0.to_version", "3");
    CK_TEXT("newest first", r, "items.0.reports.0.message", "new");
    CK_TEXT("the older", r, "items.1.reports.0.message", "old");
    reply_free(&r);
}
END_TEST

START_TEST(answered_report_survives_sigkill)
{
    struct daemon own = {.pid = 0};
    char key[DAEMON_KEY];
    daemon_start(&own, NULL);
    daemon_key(&own, "root", "admin", NULL, key);
    offer(&own, key, "lamp", NULL);
    struct reply r = call(&own, "POST", "/fw/lamp/" MAC "/report",
                          (struct call){.data = "result=failed&code=7", .n = 20});
    daemon_kill(&own); /* at once, before a flush interval is over */
    CK_STATUS("report", r, 204);
    reply_free(&r);
    daemon_restart(&own);
    r = updates(&own, key, "lamp");
    CK_TEXT("after the kill", r, "items.0.state", "failed");
    ck_assert_int_eq(reply_number(&r, "items.0.reports.0.code"), 7);
    reply_free(&r);
    daemon_free(&own);
}
END_TEST

START_TEST(ledger_is_filtered_and_paged)
{
    char build[32], path[200], cursor[64] = "";
    offer(&d, admin, "ledger", build);
    for (int i = 0; i < 7; i++) {
        (void)snprintf(path, sizeof path, "/fw/ledger/30AEA400010%d.bin?version=1", i);
        struct reply r = get(&d, NULL, path);
        CK_STATUS(path, r, 200);
        reply_free(&r);
    }
    struct reply r = report("ledger", FORM, "result=failed");
    CK_STATUS("report", r, 204);
    reply_free(&r);
    const struct {
        const char *query;
        size_t want;
    } filters[] = {
        {"",                            8},
        {"?state=failed",               1},
        {"?state=sent",                 7},
        {"?cause=reported",             1},
        {"?mac=30:ae:a4:00:01:03",      1},
        {"?mac=30AEA4999999",           0},
        {"?since=2020-01-01T00:00:00Z", 8},
        {"?until=2020-01-01T00:00:00Z", 0},
        {"?build=1",                    0}
    };
    for (size_t i = 0; i < OTAD_COUNT(filters); i++) {
        (void)snprintf(path, sizeof path, "/api/v1/products/ledger/updates%s", filters[i].query);
        r = get(&d, admin, path);
        CK_STATUS(path, r, 200);
        ck_assert_msg(json_array_size(reply_at(&r, "items")) == filters[i].want, "%s: %s", path,
                      r.body);
        reply_free(&r);
    }
    size_t seen = 0, pages = 0;
    for (bool more = true; more; pages++) {
        (void)snprintf(path, sizeof path, "/api/v1/products/ledger/updates?limit=3%s%s",
                       cursor[0] ? "&cursor=" : "", cursor);
        r = get(&d, admin, path);
        CK_STATUS(path, r, 200);
        seen += json_array_size(reply_at(&r, "items"));
        more = json_is_string(reply_at(&r, "next"));
        (void)snprintf(cursor, sizeof cursor, "%s", reply_text(&r, "next"));
        reply_free(&r);
    }
    ck_assert_uint_eq(seen, 8);
    ck_assert_uint_eq(pages, 3);
    static const char *const bad[] = {"?state=maybe", "?mac=x",   "?build=x", "?since=yesterday",
                                      "?colour=red",  "?limit=0", "?cursor=x"};
    for (size_t i = 0; i < OTAD_COUNT(bad); i++) {
        (void)snprintf(path, sizeof path, "/api/v1/products/ledger/updates%s", bad[i]);
        r = get(&d, admin, path);
        CK_STATUS(path, r, 422);
        reply_free(&r);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("reports");
    TCase *tc = tcase_create("reports");
    tcase_set_timeout(tc, 300);
    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, report_is_taken_or_refused, 0, (int)OTAD_COUNT(rows));
    tcase_add_test(tc, report_shows_in_update_and_device);
    tcase_add_loop_test(tc, code_is_explained_for_the_chip_that_reports_it, 0,
                        (int)OTAD_COUNT(codes));
    tcase_add_loop_test(tc, message_is_kept_up_to_a_kibibyte, 0, (int)OTAD_COUNT(messages));
    tcase_add_test(tc, version_of_a_report_need_not_be_text);
    tcase_add_test(tc, a_burst_of_reports_is_heard_and_no_more);
    tcase_add_test(tc, twenty_reports_an_update);
    tcase_add_loop_test(tc, report_of_a_stranger_is_404_without_a_write, 0,
                        (int)OTAD_COUNT(strangers));
    tcase_add_test(tc, report_on_an_update_older_than_a_week_is_404);
    tcase_add_test(tc, report_never_overrides_what_was_seen);
    tcase_add_test(tc, report_counts_for_the_update_it_names);
    tcase_add_test(tc, answered_report_survives_sigkill);
    tcase_add_test(tc, ledger_is_filtered_and_paged);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
