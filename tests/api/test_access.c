/* SPDX-License-Identifier: MIT
 * Products that need a key: every way to carry one, what a stranger gets, what the log says, and
 * products whose devices are all Tasmota. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otad/err.h"
#include "support/http.h"
#include "support/unit.h"

#define MAC "5C:CF:7F:A1:B2:C3"
#define PRODUCT "/api/v1/products/lamp"

static struct daemon d;
static char admin[DAEMON_KEY], publisher[DAEMON_KEY];
static char key[64], build[32];

static void setup(void)
{
    static const char *const flags[] = {"--log-level", "debug", NULL};
    daemon_start(&d, flags);
    daemon_key(&d, "root", "admin", NULL, admin);
    daemon_key(&d, "ci", "publisher", NULL, publisher);
    make_product(&d, admin, "lamp");
    publish(&d, admin, "lamp", "1.0.0", NULL, 1, build);
}

static void teardown(void)
{
    daemon_free(&d);
}

static void set_policy(const char *json)
{
    struct reply r = send_json(&d, admin, "PATCH", PRODUCT, json);
    CK_STATUS(json, r, 200);
    reply_free(&r);
}

static void make_key(const char *name, char out[64])
{
    char body[64];
    (void)snprintf(body, sizeof body, "{\"name\":\"%s\"}", name);
    struct reply r = send_json(&d, admin, "POST", PRODUCT "/keys", body);
    CK_STATUS("making a key", r, 201);
    (void)snprintf(out, 64, "%s", reply_text(&r, "key"));
    reply_free(&r);
}

static void lock_product(void)
{
    make_key("2026", key);
    set_policy("{\"access\":\"key\"}");
}

/* A text with every KEY in it replaced, in one of two static buffers. */
static const char *with_key(const char *text, const char *secret)
{
    static char out[2][512];
    static unsigned turn;
    char *to = out[turn++ % 2];
    const char *at = strstr(text, "KEY");
    if (at == NULL)
        (void)snprintf(to, sizeof out[0], "%s", text);
    else
        (void)snprintf(to, sizeof out[0], "%.*s%s%s", (int)(at - text), text, secret, at + 3);
    return to;
}

static struct reply ask(const char *path, const char *header)
{
    const char *const headers[] = {header, NULL};
    return call(&d, "GET", path, (struct call){.headers = header != NULL ? headers : NULL});
}

/* ---- carrying it -------------------------------------------------------------------------- */

static const struct carrier {
    const char *what, *path;
    const char *header, *user;
} carriers[] = {
    {"in the path",             "/fw/lamp~KEY/latest",                         NULL,                        NULL        },
    {"in the path, with .bin",  "/fw/lamp~KEY/latest.bin",                     NULL,                        NULL        },
    {"before a MAC",            "/fw/lamp~KEY/5CCF7FA1B2C3.bin",               NULL,                        NULL        },
    {"before a .version",       "/fw/lamp~KEY/5CCF7FA1B2C3.version",           NULL,                        NULL        },
    {"before a sidecar",        "/fw/lamp~KEY/latest.version",                 NULL,                        NULL        },
    {"before an MD5",           "/fw/lamp~KEY/latest.md5",                     NULL,                        NULL        },
    {"before a SHA-256",        "/fw/lamp~KEY/latest.sha256",                  NULL,                        NULL        },
    {"before an offer",         "/fw/lamp~KEY/latest.json",                    NULL,                        NULL        },
    {"before a manifest",       "/fw/lamp~KEY/manifest.json",                  NULL,                        NULL        },
    {"the tilde encoded",       "/fw/lamp%7EKEY/latest",                       NULL,                        NULL        },
    {"in the query",            "/fw/lamp/latest?key=KEY",                     NULL,                        NULL        },
    {"in a longer query",       "/fw/lamp/latest.version?mac=" MAC "&key=KEY", NULL,                        NULL        },
    {"in a header",             "/fw/lamp/latest",                             "X-Otad-Key: KEY",           NULL        },
    {"in lower case",           "/fw/lamp/latest",                             "x-otad-key: KEY",           NULL        },
    {"as a bearer",             "/fw/lamp/latest",                             "Authorization: Bearer KEY", NULL        },
    {"as a password",           "/fw/lamp/latest",                             NULL,                        "device:KEY"},
    {"without a user name",     "/fw/lamp/latest",                             NULL,                        ":KEY"      },
    {"as a password, of a MAC", "/fw/lamp/5CCF7FA1B2C3.bin",                   NULL,                        "x:KEY"     },
};

static struct reply carry(const struct carrier *c, const char *secret)
{
    char user[128], header[128];
    const char *const headers[] = {header, NULL};
    (void)snprintf(user, sizeof user, "%s", with_key(c->user != NULL ? c->user : "", secret));
    (void)snprintf(header, sizeof header, "%s",
                   with_key(c->header != NULL ? c->header : "", secret));
    return call(&d, "GET", with_key(c->path, secret),
                (struct call){.user = c->user != NULL ? user : NULL,
                              .headers = c->header != NULL ? headers : NULL});
}

START_TEST(key_is_taken_from_wherever_a_client_can_put_it)
{
    const struct carrier *c = &carriers[_i];
    lock_product();
    struct reply r = carry(c, key);
    CK_STATUS(c->what, r, 200);
    reply_free(&r);
}
END_TEST

/* The reply's head without the one line that differs by nature. */
static void head_of(const struct reply *r, char out[1024])
{
    const char *date = strstr(r->head, "\r\nDate: ");
    ck_assert_ptr_nonnull(date);
    const char *behind = strstr(date + 2, "\r\n");
    (void)snprintf(out, 1024, "%.*s%s", (int)(date - r->head), r->head, behind);
}

START_TEST(wrong_key_is_answered_as_if_there_were_no_product)
{
    const struct carrier *c = &carriers[_i];
    struct carrier elsewhere = *c;
    char wrong[64], path[128], here[1024], there[1024];
    lock_product();
    (void)snprintf(wrong, sizeof wrong, "%s", key);
    wrong[10] = wrong[10] == 'A' ? 'B' : 'A';
    (void)snprintf(path, sizeof path, "/fw/none%s", c->path + strlen("/fw/lamp"));
    elsewhere.path = path;
    struct reply r = carry(c, wrong), unknown = carry(&elsewhere, wrong);
    CK_STATUS(c->what, r, 404);
    ck_assert_str_eq(reply_header(&r, "X-Otad-Reason"), "no_product");
    ck_assert_uint_eq(r.n, 0);
    head_of(&r, here);
    head_of(&unknown, there);
    ck_assert_str_eq(here, there);
    reply_free(&r);
    reply_free(&unknown);
}
END_TEST

/* ---- what a stranger gets ----------------------------------------------------------------- */

static const char *const names[] = {
    "latest",
    "latest.bin",
    "latest.version",
    "latest.version?number",
    "latest.md5",
    "latest.sha256",
    "latest.json",
    "manifest.json",
    MAC ".version",
    MAC ".bin",
    "tasmota-minimal.bin",
    "tasmota.bin.gz",
    "latest?mode=x",
    "latest?mac=" MAC,
    "manifest.json?mac=" MAC,
    "latest?key=",
    "nothing",
    "../lamp",
};

START_TEST(nothing_leaks_without_a_key)
{
    char path[128], here[1024], there[1024];
    lock_product();
    for (int head = 0; head < 2; head++) {
        const char *method = head ? "HEAD" : "GET";
        (void)snprintf(path, sizeof path, "/fw/lamp/%s", names[_i]);
        struct reply r = call(&d, method, path, (struct call){0});
        (void)snprintf(path, sizeof path, "/fw/none/%s", names[_i]);
        struct reply unknown = call(&d, method, path, (struct call){0});
        ck_assert_msg(r.status >= 400 && r.status < 500, "%s: %ld", path, r.status);
        head_of(&r, here);
        head_of(&unknown, there);
        ck_assert_msg(strcmp(here, there) == 0, "%s: %s%s", names[_i], here, there);
        ck_assert_uint_eq(r.n, 0);
        reply_free(&r);
        reply_free(&unknown);
    }
    ck_assert_int_eq(daemon_sql(&d, "SELECT count(*) FROM device"), 0);
}
END_TEST

static const struct row {
    const char *what, *policy;
} hidden[] = {
    {"disabled",   "{\"disabled\":true}"     },
    {"of Tasmota", "{\"client\":\"tasmota\"}"},
    {"renamed",    "{\"name\":\"Secret\"}"   },
};

START_TEST(other_policy_does_not_show_without_a_key)
{
    lock_product();
    set_policy(hidden[_i].policy);
    struct reply r = ask("/fw/lamp/latest?mac=" MAC "&version=1.0.0", NULL);
    CK_STATUS(hidden[_i].what, r, 404);
    ck_assert_str_eq(reply_header(&r, "X-Otad-Reason"), "no_product");
    reply_free(&r);
}
END_TEST

START_TEST(revoked_key_opens_nothing_and_the_other_still_does)
{
    char other[64];
    lock_product();
    make_key("2027", other);
    struct reply r = send_json(&d, admin, "DELETE", PRODUCT "/keys/2026", NULL);
    CK_STATUS("revoking", r, 204);
    reply_free(&r);
    r = ask(with_key("/fw/lamp~KEY/latest", key), NULL);
    CK_STATUS("revoked", r, 404);
    reply_free(&r);
    r = ask(with_key("/fw/lamp~KEY/latest", other), NULL);
    CK_STATUS("the other", r, 200);
    reply_free(&r);
}
END_TEST

START_TEST(key_of_another_product_opens_nothing)
{
    lock_product();
    make_product(&d, admin, "plug");
    publish(&d, admin, "plug", "1.0.0", NULL, 2, NULL);
    struct reply r = send_json(&d, admin, "PATCH", "/api/v1/products/plug", "{\"access\":\"key\"}");
    CK_STATUS("plug", r, 200);
    reply_free(&r);
    r = ask(with_key("/fw/plug~KEY/latest", key), NULL);
    CK_STATUS("plug with lamp's key", r, 404);
    reply_free(&r);
}
END_TEST

START_TEST(api_key_is_no_product_key)
{
    lock_product();
    struct reply r = get(&d, admin, "/fw/lamp/latest");
    CK_STATUS("an API key", r, 404);
    reply_free(&r);
    r = get(&d, key, "/api/v1/products");
    CK_STATUS("a product key on the API", r, 401);
    reply_free(&r);
}
END_TEST

START_TEST(opening_again_lets_everybody_in)
{
    lock_product();
    set_policy("{\"access\":\"open\"}");
    struct reply r = ask("/fw/lamp/latest", NULL);
    CK_STATUS("open", r, 200);
    reply_free(&r);
    r = ask("/fw/lamp~nonsense/latest", NULL);
    CK_STATUS("open, with a wrong key", r, 200);
    ck_assert_str_eq(reply_header(&r, "x-fw-type"), "lamp");
    reply_free(&r);
}
END_TEST

START_TEST(tokenized_url_needs_no_product_key)
{
    char url[512];
    lock_product();
    struct reply r = ask(with_key("/fw/lamp~KEY/latest.json", key), NULL);
    CK_STATUS("the offer", r, 200);
    (void)snprintf(url, sizeof url, "%s", strstr(reply_text(&r, "url"), "/static/"));
    ck_assert_ptr_null(strstr(r.body, key));
    reply_free(&r);
    r = ask(url, NULL);
    CK_STATUS("its URL", r, 200);
    ck_assert_ptr_null(reply_header(&r, "Access-Control-Allow-Origin"));
    reply_free(&r);
}
END_TEST

/* ---- trust -------------------------------------------------------------------------------- */

static bool is_authenticated(void)
{
    struct reply r = get(&d, admin, PRODUCT "/devices/" MAC);
    CK_STATUS("the device", r, 200);
    bool yes = json_is_true(reply_at(&r, "authenticated"));
    reply_free(&r);
    return yes;
}

START_TEST(right_key_makes_what_a_device_says_authenticated)
{
    make_key("k", key); /* on an open product */
    struct reply r = ask("/fw/lamp/latest?mac=" MAC "&version=0.9", NULL);
    reply_free(&r);
    ck_assert(!is_authenticated());
    r = ask(with_key("/fw/lamp~KEY/latest?mac=" MAC "&version=0.9", key), NULL);
    CK_STATUS("with the key", r, 200);
    reply_free(&r);
    ck_assert(is_authenticated());
    r = ask("/fw/lamp/latest?mac=" MAC "&version=0.9&key=wrong", NULL);
    CK_STATUS("with a wrong key on an open product", r, 200);
    reply_free(&r);
    ck_assert(!is_authenticated());
}
END_TEST

START_TEST(url_for_anybody_of_an_open_product_authenticates_nobody)
{
    char url[512];
    struct reply r = ask("/fw/lamp/latest.json", NULL);
    CK_STATUS("the offer", r, 200);
    (void)snprintf(url, sizeof url, "%s&mac=" MAC, strstr(reply_text(&r, "url"), "/static/"));
    reply_free(&r);
    r = ask(url, NULL);
    CK_STATUS("its URL", r, 200);
    reply_free(&r);
    ck_assert(!is_authenticated());
}
END_TEST

static struct reply report(const char *path)
{
    static const char body[] = "result=failed";
    return call(&d, "POST", path,
                (struct call){.type = "application/x-www-form-urlencoded",
                              .data = body,
                              .n = sizeof body - 1});
}

START_TEST(report_needs_the_key_and_is_authenticated_by_it)
{
    lock_product();
    struct reply r = ask(with_key("/fw/lamp~KEY/latest?mac=" MAC "&version=0.9", key), NULL);
    CK_STATUS("check-in", r, 200);
    reply_free(&r);
    r = report("/fw/lamp/" MAC "/report");
    CK_STATUS("report of a stranger", r, 404);
    ck_assert_str_eq(reply_header(&r, "X-Otad-Reason"), "no_product");
    reply_free(&r);
    r = report(with_key("/fw/lamp~KEY/" MAC "/report", key));
    CK_STATUS("report", r, 204);
    reply_free(&r);
    r = get(&d, admin, PRODUCT "/updates?mac=" MAC);
    ck_assert(json_is_true(reply_at(&r, "items.0.reports.0.authenticated")));
    reply_free(&r);
}
END_TEST

/* ---- the log ------------------------------------------------------------------------------ */

START_TEST(owner_finds_refused_devices_in_the_log)
{
    lock_product();
    struct reply r = ask("/fw/lamp/latest", NULL);
    reply_free(&r);
    ck_assert(daemon_logged(&d, "key.refused product=lamp address=127.0.0.1 key=missing", 10));
    test_sleep_ms(1100); /* one line a second */
    r = ask("/fw/lamp~wrong/latest", NULL);
    reply_free(&r);
    ck_assert(daemon_logged(&d, "key.refused product=lamp address=127.0.0.1 key=wrong", 10));
}
END_TEST

START_TEST(refusals_do_not_flood_the_log)
{
    lock_product();
    int64_t start_ms = test_now_ms();
    for (int i = 0; i < 50; i++) {
        struct reply r = ask("/fw/lamp/latest", NULL);
        reply_free(&r);
    }
    int64_t seconds = (test_now_ms() - start_ms) / 1000;
    char *log = daemon_log(&d);
    int lines = 0;
    for (const char *at = log; (at = strstr(at, "key.refused")) != NULL; at++)
        lines++;
    ck_assert_msg(lines >= 1 && lines <= seconds + 2, "%d lines in %d s", lines, (int)seconds);
    free(log);
}
END_TEST

START_TEST(no_key_is_ever_logged)
{
    char wrong[64];
    lock_product();
    (void)snprintf(wrong, sizeof wrong, "%.42sx", key);
    for (size_t i = 0; i < OTAD_COUNT(carriers); i++) {
        struct reply r = carry(&carriers[i], i % 2 == 0 ? key : wrong);
        reply_free(&r);
    }
    struct reply r = report(with_key("/fw/lamp~KEY/" MAC "/report", key));
    reply_free(&r);
    r = ask(with_key("/fw/lamp~KEY/nothing/there", key), NULL); /* no such route */
    reply_free(&r);
    r = send_json(&d, NULL, "PUT", with_key("/fw/lamp~KEY/latest", key), "{}");
    reply_free(&r);
    r = get(&d, admin, with_key("/api/v1/products/lamp~KEY/keys", key));
    CK_STATUS("a device's path on the API", r, 404);
    reply_free(&r);
    ck_assert(daemon_logged(&d, "path=/fw/lamp~/latest", 10));
    char *log = daemon_log(&d), part[12];
    (void)snprintf(part, sizeof part, "%.10s", key);
    ck_assert_msg(strstr(log, part) == NULL, "%s is in the log", part);
    free(log);
}
END_TEST

/* An error inside otad is logged with the path; to get one, the table it reads is taken away. */
START_TEST(key_is_not_in_the_line_of_an_error)
{
    lock_product();
    daemon_sql_write(&d, "ALTER TABLE product_key RENAME TO product_key_gone");
    struct reply r = ask(with_key("/fw/lamp~KEY/latest", key), NULL);
    CK_STATUS("a broken database", r, 500);
    reply_free(&r);
    ck_assert(daemon_logged(&d, "request.failed path=/fw/lamp~/latest", 10));
    char *log = daemon_log(&d);
    ck_assert_ptr_null(strstr(log, key));
    free(log);
}
END_TEST

/* ---- managing them ------------------------------------------------------------------------ */

START_TEST(key_is_shown_once)
{
    make_key("2026", key);
    ck_assert_uint_eq(strlen(key), 43);
    struct reply r = get(&d, admin, PRODUCT "/keys");
    CK_STATUS("the list", r, 200);
    CK_TEXT("the list", r, "items.0.name", "2026");
    ck_assert_int_eq(strncmp(reply_text(&r, "items.0.hint"), key, 7), 0);
    ck_assert_ptr_null(strstr(r.body, key));
    reply_free(&r);
    r = send_json(&d, admin, "DELETE", PRODUCT "/keys/2026", NULL);
    CK_STATUS("revoking", r, 204);
    reply_free(&r);
    r = get(&d, admin, PRODUCT "/keys");
    ck_assert(json_is_string(reply_at(&r, "items.0.revoked_at")));
    reply_free(&r);
}
END_TEST

START_TEST(changes_of_keys_are_audited_without_the_key)
{
    make_key("2026", key);
    struct reply r = send_json(&d, admin, "DELETE", PRODUCT "/keys/2026", NULL);
    reply_free(&r);
    r = get(&d, admin, "/api/v1/audit?limit=2");
    CK_TEXT("audit", r, "items.0.action", "product_key.revoke");
    CK_TEXT("audit", r, "items.1.action", "product_key.create");
    CK_TEXT("audit", r, "items.1.object", "2026");
    CK_TEXT("audit", r, "items.1.product", "lamp");
    ck_assert_ptr_null(strstr(r.body, key));
    reply_free(&r);
}
END_TEST

static const struct refused {
    const char *what, *method, *path, *body;
    bool as_publisher;
    long want;
} refused[] = {
    {"a publisher lists",   "GET",    PRODUCT "/keys",              NULL,                              true,  403},
    {"a publisher makes",   "POST",   PRODUCT "/keys",              "{\"name\":\"k\"}",                true,  403},
    {"a publisher revokes", "DELETE", PRODUCT "/keys/taken",        NULL,                              true,  403},
    {"a taken name",        "POST",   PRODUCT "/keys",              "{\"name\":\"taken\"}",            false, 409},
    {"no name",             "POST",   PRODUCT "/keys",              "{}",                              false, 422},
    {"an empty name",       "POST",   PRODUCT "/keys",              "{\"name\":\"\"}",                 false, 422},
    {"a name with a slash", "POST",   PRODUCT "/keys",              "{\"name\":\"a/b\"}",              false, 422},
    {"an unknown field",    "POST",   PRODUCT "/keys",              "{\"name\":\"k\",\"role\":\"x\"}", false, 422},
    {"an unknown key",      "DELETE", PRODUCT "/keys/none",         NULL,                              false, 404},
    {"an unknown product",  "GET",    "/api/v1/products/none/keys", NULL,                              false, 404},
    {"no such access",      "PATCH",  PRODUCT,                      "{\"access\":\"closed\"}",         false, 422},
    {"no such client",      "PATCH",  PRODUCT,                      "{\"client\":\"esphome\"}",        false, 422},
    {"access as a boolean", "PATCH",  PRODUCT,                      "{\"access\":true}",               false, 422},
};

START_TEST(change_refused)
{
    const struct refused *x = &refused[_i];
    make_key("taken", key);
    struct reply r =
        send_json(&d, x->as_publisher ? publisher : admin, x->method, x->path, x->body);
    CK_STATUS(x->what, r, x->want);
    reply_free(&r);
    r = get(&d, admin, PRODUCT);
    CK_TEXT(x->what, r, "access", "open");
    CK_TEXT(x->what, r, "client", "");
    reply_free(&r);
}
END_TEST

/* ---- Tasmota ------------------------------------------------------------------------------ */

START_TEST(tasmota_product_says_no_with_403)
{
    static const char up_to_date[] = "/fw/lamp/latest?mac=" MAC "&version=1.0.0";
    struct reply r = ask(up_to_date, NULL);
    CK_STATUS("any client", r, 304);
    reply_free(&r);
    set_policy("{\"client\":\"tasmota\"}");
    r = ask(up_to_date, NULL);
    CK_STATUS("tasmota, nothing new", r, 403);
    ck_assert_str_eq(reply_header(&r, "X-Otad-Reason"), "same_version");
    reply_free(&r);
    r = ask("/fw/lamp/latest?mac=" MAC "&version=0.9", NULL);
    CK_STATUS("tasmota, something new", r, 200);
    reply_free(&r);
    r = send_json(&d, admin, "POST", PRODUCT "/channels/stable/pause", NULL);
    reply_free(&r);
    r = ask("/fw/lamp/latest?mac=" MAC "&version=0.9", NULL);
    CK_STATUS("tasmota, paused", r, 403);
    reply_free(&r);
    set_policy("{\"client\":\"\"}");
    r = ask(up_to_date, NULL);
    CK_STATUS("any client again", r, 304);
    reply_free(&r);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("access");
    TCase *tc = tcase_create("keys");
    tcase_set_timeout(tc, 4 * DAEMON_PATIENCE_S);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, key_is_taken_from_wherever_a_client_can_put_it, 0,
                        (int)OTAD_COUNT(carriers));
    tcase_add_loop_test(tc, wrong_key_is_answered_as_if_there_were_no_product, 0,
                        (int)OTAD_COUNT(carriers));
    tcase_add_loop_test(tc, nothing_leaks_without_a_key, 0, (int)OTAD_COUNT(names));
    tcase_add_loop_test(tc, other_policy_does_not_show_without_a_key, 0, (int)OTAD_COUNT(hidden));
    tcase_add_test(tc, revoked_key_opens_nothing_and_the_other_still_does);
    tcase_add_test(tc, key_of_another_product_opens_nothing);
    tcase_add_test(tc, api_key_is_no_product_key);
    tcase_add_test(tc, opening_again_lets_everybody_in);
    tcase_add_test(tc, tokenized_url_needs_no_product_key);
    tcase_add_test(tc, right_key_makes_what_a_device_says_authenticated);
    tcase_add_test(tc, url_for_anybody_of_an_open_product_authenticates_nobody);
    tcase_add_test(tc, report_needs_the_key_and_is_authenticated_by_it);
    tcase_add_test(tc, owner_finds_refused_devices_in_the_log);
    tcase_add_test(tc, refusals_do_not_flood_the_log);
    tcase_add_test(tc, no_key_is_ever_logged);
    tcase_add_test(tc, key_is_not_in_the_line_of_an_error);
    tcase_add_test(tc, key_is_shown_once);
    tcase_add_test(tc, changes_of_keys_are_audited_without_the_key);
    tcase_add_loop_test(tc, change_refused, 0, (int)OTAD_COUNT(refused));
    tcase_add_test(tc, tasmota_product_says_no_with_403);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
