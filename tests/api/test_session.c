/* SPDX-License-Identifier: MIT
 * Signing in with a browser, and what a browser is given: cookie, CSRF, page and assets. */
#include <stdio.h>
#include <string.h>

#include "otad/err.h"
#include "support/http.h"
#include "support/unit.h"

static struct daemon d;
static char admin[DAEMON_KEY], viewer[DAEMON_KEY];

static void setup(void)
{
    daemon_start(&d, NULL);
    daemon_key(&d, "root", "admin", NULL, admin);
    daemon_key(&d, "eyes", "viewer", NULL, viewer);
    make_product(&d, admin, "lamp");
}

static void teardown(void)
{
    daemon_free(&d);
}

/* A browser: its cookie, and what its page was told. */
struct browser {
    char cookie[160];
    char csrf[96]; /* the header */
};

static struct reply sign_in(const char *key)
{
    char body[160];
    (void)snprintf(body, sizeof body, "{\"key\":\"%s\"}", key);
    return send_json(&d, NULL, "POST", "/api/v1/session", body);
}

static struct browser browser_of(const char *key)
{
    struct browser b;
    struct reply r = sign_in(key);
    CK_STATUS("sign in", r, 201);
    const char *cookie = reply_header(&r, "Set-Cookie");
    ck_assert_ptr_nonnull(cookie);
    (void)snprintf(b.cookie, sizeof b.cookie, "Cookie: x=1; %.*s", (int)strcspn(cookie, ";"),
                   cookie);
    (void)snprintf(b.csrf, sizeof b.csrf, "X-Otad-CSRF: %s", reply_text(&r, "csrf"));
    reply_free(&r);
    return b;
}

static struct reply ask(const struct browser *b, const char *method, const char *path,
                        const char *json, bool csrf)
{
    const char *const headers[] = {b->cookie, csrf ? b->csrf : NULL, NULL};
    return call(&d, method, path, (struct call){.json = json, .headers = headers});
}

START_TEST(key_becomes_a_cookie_that_scripts_cant_read)
{
    struct reply r = sign_in(viewer);
    CK_STATUS("sign in", r, 201);
    const char *cookie = reply_header(&r, "Set-Cookie");
    ck_assert_int_eq(strncmp(cookie, "otad_session=", 13), 0);
    HOLDS(cookie, "HttpOnly");
    HOLDS(cookie, "SameSite=Strict");
    HOLDS(cookie, "Path=/");
    HOLDS(cookie, "Max-Age=43200");
    ck_assert_ptr_null(strstr(cookie, "Secure")); /* the client came without TLS */
    ck_assert_str_eq(reply_text(&r, "name"), "eyes");
    ck_assert_str_eq(reply_text(&r, "role"), "viewer");
    ck_assert_ptr_null(strstr(r.body, viewer));
    reply_free(&r);
}
END_TEST

START_TEST(wrong_key_gets_no_cookie)
{
    struct reply r = sign_in("otad_wrong");
    CK_STATUS("sign in", r, 401);
    ck_assert_ptr_null(reply_header(&r, "Set-Cookie"));
    reply_free(&r);
    r = send_json(&d, NULL, "POST", "/api/v1/session", "{}");
    CK_STATUS("no key", r, 422);
    reply_free(&r);
    r = send_json(&d, NULL, "POST", "/api/v1/session", "{\"key\":\"x\",\"colour\":1}");
    CK_STATUS("no such key", r, 401);
    reply_free(&r);
}
END_TEST

START_TEST(cookie_opens_what_its_key_opens)
{
    struct browser b = browser_of(viewer);
    struct reply r = ask(&b, "GET", "/api/v1/products", NULL, false);
    CK_STATUS("list", r, 200);
    reply_free(&r);
    r = ask(&b, "GET", "/api/v1/session", NULL, false);
    CK_STATUS("who", r, 200);
    ck_assert_str_eq(reply_text(&r, "name"), "eyes");
    HOLDS(b.csrf, reply_text(&r, "csrf"));
    reply_free(&r);
    r = ask(&b, "POST", "/api/v1/products", "{\"slug\":\"x\"}", true);
    CK_STATUS("not a viewer's", r, 403);
    HOLDS(reply_text(&r, "error.message"), "viewer");
    reply_free(&r);
    r = get(&d, viewer, "/api/v1/session");
    CK_STATUS("with the key itself", r, 200);
    ck_assert(json_is_null(reply_at(&r, "csrf")));
    reply_free(&r);
}
END_TEST

START_TEST(change_by_cookie_needs_the_csrf_header)
{
    struct browser b = browser_of(admin), other = browser_of(admin);
    struct reply r = ask(&b, "POST", "/api/v1/products", "{\"slug\":\"x\"}", false);
    CK_STATUS("without", r, 403);
    HOLDS(reply_text(&r, "error.message"), "X-Otad-CSRF");
    reply_free(&r);
    struct browser mixed = b;
    memcpy(mixed.csrf, other.csrf, sizeof mixed.csrf);
    r = ask(&mixed, "POST", "/api/v1/products", "{\"slug\":\"x\"}", true);
    CK_STATUS("another session's", r, 403);
    reply_free(&r);
    r = ask(&b, "DELETE", "/api/v1/session", NULL, false);
    CK_STATUS("sign out without", r, 403);
    reply_free(&r);
    r = ask(&b, "POST", "/api/v1/products", "{\"slug\":\"x\"}", true);
    CK_STATUS("with", r, 201);
    reply_free(&r);
    r = get(&d, admin, "/api/v1/audit?limit=1");
    ck_assert_str_eq(reply_text(&r, "items.0.who"), "root");
    ck_assert_str_eq(reply_text(&r, "items.0.action"), "product.create");
    reply_free(&r);
}
END_TEST

START_TEST(sign_out_ends_the_session_for_good)
{
    struct browser b = browser_of(viewer), other = browser_of(viewer);
    struct reply r = ask(&b, "DELETE", "/api/v1/session", NULL, true);
    CK_STATUS("sign out", r, 204);
    HOLDS(reply_header(&r, "Set-Cookie"), "Max-Age=0");
    reply_free(&r);
    r = ask(&b, "GET", "/api/v1/products", NULL, false);
    CK_STATUS("afterwards", r, 401);
    HOLDS(reply_text(&r, "error.message"), "signed in");
    reply_free(&r);
    r = ask(&other, "GET", "/api/v1/products", NULL, false);
    CK_STATUS("another browser", r, 200);
    reply_free(&r);
}
END_TEST

START_TEST(session_ends_with_its_time_and_its_key)
{
    struct browser b = browser_of(viewer), late = browser_of(admin);
    daemon_sql_write(&d, "UPDATE session SET expires_at_s = 1 WHERE api_key = (SELECT id FROM"
                         " api_key WHERE name = 'root')");
    struct reply r = ask(&late, "GET", "/api/v1/products", NULL, false);
    CK_STATUS("expired", r, 401);
    reply_free(&r);
    r = ask(&b, "GET", "/api/v1/products", NULL, false);
    CK_STATUS("in force", r, 200);
    reply_free(&r);
    daemon_stop(&d);
    daemon_restart(&d);
    r = ask(&b, "GET", "/api/v1/products", NULL, false);
    CK_STATUS("after a restart", r, 200);
    reply_free(&r);
    r = call(&d, "DELETE", "/api/v1/keys/eyes", (struct call){.key = admin});
    CK_STATUS("revoke", r, 204);
    reply_free(&r);
    r = ask(&b, "GET", "/api/v1/products", NULL, false);
    CK_STATUS("revoked", r, 401);
    reply_free(&r);
}
END_TEST

START_TEST(key_is_in_no_audit_and_no_log)
{
    struct browser b = browser_of(viewer);
    (void)b;
    struct reply r = get(&d, admin, "/api/v1/audit");
    HOLDS(r.body, "session.create");
    ck_assert_ptr_null(strstr(r.body, viewer));
    reply_free(&r);
    char *log = daemon_log(&d);
    ck_assert_ptr_null(strstr(log, viewer));
    ck_assert_ptr_null(strstr(log, strchr(b.cookie + strlen("Cookie: x=1;"), '=') + 1));
    free(log);
}
END_TEST

/* A browser answers Basic with a dialog of its own. */
START_TEST(page_is_not_asked_for_basic_auth)
{
    struct reply r = get(&d, NULL, "/api/v1/products");
    HOLDS(reply_header(&r, "WWW-Authenticate"), "Basic");
    reply_free(&r);
    static const char *const pages[] = {"X-Otad-CSRF: -", "Cookie: otad_session=old",
                                        "Accept: text/event-stream"};
    for (size_t i = 0; i < OTAD_COUNT(pages); i++) {
        const char *const headers[] = {pages[i], NULL};
        r = call(&d, "GET", "/api/v1/products", (struct call){.headers = headers});
        CK_STATUS(pages[i], r, 401);
        HOLDS(reply_header(&r, "WWW-Authenticate"), "Bearer");
        reply_free(&r);
    }
}
END_TEST

START_TEST(cookie_of_a_proxied_tls_client_is_secure)
{
    static const char *const flags[] = {"--http-trusted-proxies", "127.0.0.1", NULL};
    daemon_stop(&d);
    daemon_start(&d, flags);
    const char *const headers[] = {"X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", NULL};
    char body[160];
    (void)snprintf(body, sizeof body, "{\"key\":\"%s\"}", viewer);
    struct reply r =
        call(&d, "POST", "/api/v1/session", (struct call){.json = body, .headers = headers});
    CK_STATUS("sign in", r, 201);
    HOLDS(reply_header(&r, "Set-Cookie"), "; Secure");
    reply_free(&r);
}
END_TEST

/* ---- status ------------------------------------------------------------------------------- */

START_TEST(status_tells_where_devices_point)
{
    struct reply r = get(&d, viewer, "/api/v1/status");
    CK_STATUS("status", r, 200);
    char url[96];
    (void)snprintf(url, sizeof url, "http://%s", d.address);
    ck_assert_str_eq(reply_text(&r, "device_urls.0"), url);
    ck_assert_int_gt(reply_number(&r, "database_bytes"), 0);
    ck_assert_int_gt(reply_number(&r, "disk_free_bytes"), 0);
    reply_free(&r);
    static const char *const flags[] = {"--server-public-url", "http://fw.example.net/x/", NULL};
    daemon_stop(&d);
    daemon_start(&d, flags);
    r = get(&d, viewer, "/api/v1/status");
    ck_assert_str_eq(reply_text(&r, "device_urls.0"), "http://fw.example.net/x");
    reply_free(&r);
}
END_TEST

/* ---- page and assets ---------------------------------------------------------------------- */

static struct reply fetch(const char *method, const char *path, const char *header)
{
    const char *const headers[] = {header, NULL};
    return call(&d, method, path, (struct call){.headers = headers});
}

START_TEST(page_comes_with_a_strict_policy)
{
    struct reply r = get(&d, NULL, "/");
    CK_STATUS("page", r, 200);
    ck_assert_str_eq(reply_header(&r, "Content-Type"), "text/html; charset=utf-8");
    ck_assert_str_eq(reply_header(&r, "Cache-Control"), "no-cache");
    const char *policy = reply_header(&r, "Content-Security-Policy");
    HOLDS(policy, "default-src 'none'");
    HOLDS(policy, "frame-ancestors 'none'");
    ck_assert_ptr_null(strstr(policy, "unsafe"));
    ck_assert_ptr_null(strstr(policy, "http"));
    HOLDS(r.body, "<!doctype html>");
    reply_free(&r);
    r = fetch("HEAD", "/", NULL);
    CK_STATUS("head", r, 200);
    reply_free(&r);
    r = fetch("POST", "/", NULL);
    CK_STATUS("post", r, 405);
    reply_free(&r);
    r = get(&d, NULL, "/assets/nothing.js");
    CK_STATUS("no such asset", r, 404);
    reply_free(&r);
    r = get(&d, NULL, "/assets/index.html");
    CK_STATUS("the page is none", r, 404);
    reply_free(&r);
}
END_TEST

START_TEST(page_is_sent_once_and_packed)
{
    struct reply plain = get(&d, NULL, "/");
    struct reply r = fetch("GET", "/", "Accept-Encoding: br, gzip");
    CK_STATUS("packed", r, 200);
    ck_assert_str_eq(reply_header(&r, "Content-Encoding"), "gzip");
    ck_assert_str_eq(reply_header(&r, "Vary"), "Accept-Encoding");
    ck_assert_uint_lt(r.n, plain.n);
    char same[128];
    (void)snprintf(same, sizeof same, "If-None-Match: %s", reply_header(&r, "ETag"));
    reply_free(&r);
    const char *const headers[] = {"Accept-Encoding: gzip", same, NULL};
    r = call(&d, "GET", "/", (struct call){.headers = headers});
    CK_STATUS("again", r, 304);
    reply_free(&r);
    r = fetch("GET", "/", same);
    CK_STATUS("the packed one's tag for the plain one", r, 200);
    ck_assert_ptr_null(reply_header(&r, "Content-Encoding"));
    reply_free(&r);
    r = fetch("GET", "/", "Accept-Encoding: gzip;q=0");
    ck_assert_ptr_null(reply_header(&r, "Content-Encoding"));
    reply_free(&r);
    r = fetch("GET", "/", "Accept-Encoding: deflate, gzip;q=0.5");
    ck_assert_str_eq(reply_header(&r, "Content-Encoding"), "gzip");
    reply_free(&r);
    reply_free(&plain);
}
END_TEST

START_TEST(page_under_a_strangers_name_is_refused)
{
    struct reply r = fetch("GET", "/", "Host: evil.example");
    CK_STATUS("stranger", r, 421);
    reply_free(&r);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("session");
    TCase *t = tcase_create("session");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, key_becomes_a_cookie_that_scripts_cant_read);
    tcase_add_test(t, wrong_key_gets_no_cookie);
    tcase_add_test(t, cookie_opens_what_its_key_opens);
    tcase_add_test(t, change_by_cookie_needs_the_csrf_header);
    tcase_add_test(t, sign_out_ends_the_session_for_good);
    tcase_add_test(t, session_ends_with_its_time_and_its_key);
    tcase_add_test(t, key_is_in_no_audit_and_no_log);
    tcase_add_test(t, page_is_not_asked_for_basic_auth);
    tcase_add_test(t, cookie_of_a_proxied_tls_client_is_secure);
    tcase_add_test(t, status_tells_where_devices_point);
    tcase_add_test(t, page_comes_with_a_strict_policy);
    tcase_add_test(t, page_is_sent_once_and_packed);
    tcase_add_test(t, page_under_a_strangers_name_is_refused);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
