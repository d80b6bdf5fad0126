/* SPDX-License-Identifier: MIT
 * Tokenized URLs: issued by the API and by latest.json, opened by Blynk-style clients, refused
 * when spoiled, blocked or withdrawn; and what the ledger says of it. */
#include <stdio.h>
#include <string.h>

#include "otad/err.h"
#include "support/http.h"
#include "support/unit.h"

#define MAC "5C:CF:7F:A1:B2:C3"
#define ESP32_AGENT "User-Agent: ESP32-http-Update"

static struct daemon d;
static char admin[DAEMON_KEY], viewer[DAEMON_KEY], first[32], second[32];

static void setup(void)
{
    daemon_start(&d, NULL);
    daemon_key(&d, "root", "admin", NULL, admin);
    daemon_key(&d, "eyes", "viewer", NULL, viewer);
    make_product(&d, admin, "lamp");
    publish(&d, admin, "lamp", "1.0.0", NULL, 1, first);
    publish(&d, admin, "lamp", "2.0.0", "beta", 2, second);
}

static void teardown(void)
{
    daemon_free(&d);
}

/* The path of an absolute URL of this daemon, in a static buffer. */
static const char *path_of(const char *url)
{
    static char path[256];
    char base[96];
    (void)snprintf(base, sizeof base, "http://%s/", d.address);
    ck_assert_msg(strncmp(url, base, strlen(base)) == 0, "not of this server: %s", url);
    (void)snprintf(path, sizeof path, "%s", url + strlen(base) - 1);
    return path;
}

static void issue(const char *where, const char *body, char out[256])
{
    struct reply r = send_json(&d, admin, "POST", where, body);
    ck_assert_msg(r.status == 201, "%s: %ld %s", where, r.status, r.body);
    (void)snprintf(out, 256, "%s", path_of(reply_text(&r, "url")));
    reply_free(&r);
}

static void check_in(const char *version)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/fw/lamp/latest?mac=" MAC "&version=%s", version);
    struct reply r = get(&d, NULL, path);
    ck_assert_int_ne(r.status, 0);
    reply_free(&r);
}

static void build_url(const char *id, const char *body, char out[256])
{
    char where[128];
    (void)snprintf(where, sizeof where, "/api/v1/products/lamp/builds/%s/url", id);
    issue(where, body, out);
}

static void device_url(const char *body, char out[256])
{
    issue("/api/v1/products/lamp/devices/" MAC "/url", body, out);
}

static long status_of(const char *path)
{
    struct reply r = get(&d, NULL, path);
    long status = r.status;
    if (status != 200)
        ck_assert_uint_eq(r.n, 0);
    reply_free(&r);
    return status;
}

START_TEST(url_of_a_build_opens_it_for_anybody)
{
    char path[256];
    struct img image = image_of("ESP8266", 2, 0);
    build_url(second, "{}", path);
    ck_assert_ptr_nonnull(strstr(path, "/static/fw_"));
    ck_assert_uint_eq(strlen(strstr(path, "?token=") + 7), 30);
    for (int again = 0; again < 3; again++) { /* sketches fetch twice, downloads resume */
        struct reply r = get(&d, NULL, path);
        ck_assert_int_eq(r.status, 200);
        ck_assert_uint_eq(r.n, image.n);
        ck_assert_mem_eq(r.body, image.data, image.n);
        ck_assert_str_eq(reply_header(&r, "x-fw-type"), "lamp");
        ck_assert_str_eq(reply_header(&r, "x-fw-ver"), "2.0.0");
        reply_free(&r);
    }
    img_free(&image);
}
END_TEST

START_TEST(url_may_have_more_behind_its_token)
{
    char path[300];
    build_url(second, "{}", path);
    strncat(path, "&s=0", sizeof path - strlen(path) - 1);
    ck_assert_int_eq(status_of(path), 200);
}
END_TEST

/* Each client wants the digest in its own spelling, and fails on the other. */
static const struct spelling {
    const char *what, *agent, *wanted, *unwanted;
    size_t length;
} spellings[] = {
    {"ESP32 HTTPUpdate",            ESP32_AGENT,                 "x-SHA256: ", "x-sha256: ", 64},
    {"Blynk's library",             "User-Agent: Arduino/2.2.0", "x-sha256: ", "x-SHA256: ", 44},
    {"Edgent on ESP8266, no agent", "User-Agent:",               "x-sha256: ", "x-SHA256: ", 44},
};

START_TEST(image_carries_one_sha256_in_the_clients_spelling)
{
    const struct spelling *s = &spellings[_i];
    const char *const headers[] = {s->agent, NULL};
    char path[256];
    build_url(first, "{}", path);
    struct reply r = call(&d, "GET", path, (struct call){.headers = headers});
    ck_assert_int_eq(r.status, 200);
    ck_assert_msg(reply_header_count(&r, "x-sha256") == 1, "%s: %s", s->what, r.head);
    ck_assert_msg(strstr(r.head, s->wanted) != NULL, "%s: %s", s->what, r.head);
    ck_assert_msg(strstr(r.head, s->unwanted) == NULL, "%s: %s", s->what, r.head);
    ck_assert_uint_eq(strlen(reply_header(&r, "x-sha256")), s->length);
    ck_assert_uint_lt(strlen(r.head), 1024);
    reply_free(&r);
}
END_TEST

static const struct spoiled {
    const char *what;
    long at; /* from the end of the path; the character there is changed */
    char change;
} spoiled[] = {
    {"last character of the token",     1,  'A'},
    {"first character of the token",    30, 'Z'},
    {"last digit of the device number", 43, '9'},
};

START_TEST(url_spoiled_is_403)
{
    char path[256];
    build_url(first, "{}", path);
    char *c = path + strlen(path) - spoiled[_i].at;
    *c = *c == spoiled[_i].change ? 'B' : spoiled[_i].change;
    ck_assert_msg(status_of(path) == 403, "%s: %s", spoiled[_i].what, path);
}
END_TEST

static const char *const bad_paths[] = {
    "/static/fw_1_0.bin",
    "/static/fw_1_0.bin?token=",
    "/static/fw_1_0.bin?token=dzWUAGlf3KKoV1DdIkou65gb1bA_Mw",
    "/static/fw_99999999999999999999_0.bin?token=dzWUAGlf3KKoV1DdIkou65gb1bA_Mw",
    "/static/fw_1_99999999999.bin?token=dzWUAGlf3KKoV1DdIkou65gb1bA_Mw",
    "/static/fw_x_y.bin?token=dzWUAGlf3KKoV1DdIkou65gb1bA_Mw",
    "/static/fw_3148441001967791257_-838595071.bin?token=dzWUAGlf3KKoV1DdIkou65gb1bA_Mw",
};

START_TEST(url_of_nobody_is_403_with_an_empty_body)
{
    ck_assert_msg(status_of(bad_paths[_i]) == 403, "%s", bad_paths[_i]);
}
END_TEST

START_TEST(url_expires)
{
    char path[256];
    build_url(first, "{\"expires_in_s\":1}", path);
    ck_assert_int_eq(status_of(path), 200);
    test_sleep_ms(2100);
    ck_assert_int_eq(status_of(path), 403);
}
END_TEST

START_TEST(url_of_a_device_is_its_target_even_when_it_runs_it)
{
    char path[256];
    check_in("1.0.0");
    struct reply r =
        send_json(&d, admin, "POST", "/api/v1/products/lamp/devices/" MAC "/url", "{}");
    ck_assert_int_eq(r.status, 201);
    ck_assert_str_eq(reply_text(&r, "build"), first);
    ck_assert_ptr_nonnull(strchr(reply_text(&r, "expires_at"), 'T'));
    (void)snprintf(path, sizeof path, "%s", path_of(reply_text(&r, "url")));
    reply_free(&r);
    ck_assert_int_eq(status_of(path), 200);
}
END_TEST

START_TEST(download_by_token_is_in_the_ledger_as_authenticated)
{
    char path[256], body[64];
    check_in("1.0.0");
    (void)snprintf(body, sizeof body, "{\"build\":\"%s\"}", second);
    device_url(body, path);
    ck_assert_int_eq(status_of(path), 200); /* a client without any header of its own */
    struct reply r = get(&d, admin, "/api/v1/products/lamp/updates?mac=" MAC);
    ck_assert_str_eq(reply_text(&r, "items.0.to_version"), "2.0.0");
    ck_assert_str_eq(reply_text(&r, "items.0.state"), "sent");
    ck_assert_str_eq(reply_text(&r, "items.0.transfers.0.state"), "sent");
    reply_free(&r);
    r = get(&d, admin, "/api/v1/products/lamp/devices/" MAC);
    ck_assert(json_is_true(reply_at(&r, "authenticated")));
    reply_free(&r);
    check_in("2.0.0");
    r = get(&d, admin, "/api/v1/products/lamp/updates?mac=" MAC "&state=installed");
    ck_assert_str_eq(reply_text(&r, "items.0.to_version"), "2.0.0");
    reply_free(&r);
}
END_TEST

START_TEST(url_of_a_blocked_device_is_403_and_of_a_withdrawn_build_410)
{
    char path[256], where[128];
    check_in("0");
    device_url("{}", path);
    struct reply r =
        send_json(&d, admin, "PATCH", "/api/v1/products/lamp/devices/" MAC, "{\"blocked\":true}");
    ck_assert_int_eq(r.status, 200);
    reply_free(&r);
    ck_assert_int_eq(status_of(path), 403);
    build_url(second, "{}", path);
    (void)snprintf(where, sizeof where, "/api/v1/products/lamp/builds/%s/withdraw", second);
    r = send_json(&d, admin, "POST", where, NULL);
    ck_assert_int_eq(r.status, 200);
    reply_free(&r);
    ck_assert_int_eq(status_of(path), 410);
    (void)snprintf(where, sizeof where, "/api/v1/products/lamp/builds/%s", second);
    r = send_json(&d, admin, "DELETE", where, NULL);
    ck_assert_int_eq(r.status, 204);
    reply_free(&r);
    ck_assert_int_eq(status_of(path), 410);
}
END_TEST

START_TEST(url_survives_a_restart)
{
    char path[256];
    build_url(first, "{}", path);
    daemon_stop(&d);
    daemon_restart(&d);
    ck_assert_int_eq(status_of(path), 200);
}
END_TEST

START_TEST(image_the_client_has_is_304)
{
    char path[256], condition[128];
    build_url(first, "{}", path);
    struct reply r = get(&d, NULL, path);
    (void)snprintf(condition, sizeof condition, "If-None-Match: %s", reply_header(&r, "ETag"));
    reply_free(&r);
    const char *const headers[] = {condition, NULL};
    r = call(&d, "GET", path, (struct call){.headers = headers});
    ck_assert_int_eq(r.status, 304);
    reply_free(&r);
}
END_TEST

static const struct mode {
    const char *header;
    long want;
} modes[] = {
    {"x-ESP8266-mode: sketch",  200},
    {"x-ESP8266-mode: spiffs",  404},
    {"x-ESP32-mode: littlefs",  404},
    {"x-ESP8266-mode: version", 200},
    {"x-ESP32-mode: something", 404},
};

START_TEST(url_gives_a_client_only_the_kind_it_asks_for)
{
    char path[256];
    const char *const headers[] = {modes[_i].header, NULL};
    build_url(first, "{}", path);
    struct reply r = call(&d, "GET", path, (struct call){.headers = headers});
    ck_assert_msg(r.status == modes[_i].want, "%s: %ld", modes[_i].header, r.status);
    reply_free(&r);
}
END_TEST

START_TEST(version_mode_is_told_the_version_of_the_build)
{
    char path[256];
    static const char *const headers[] = {"x-ESP8266-mode: version", NULL};
    build_url(second, "{}", path);
    struct reply r = call(&d, "GET", path, (struct call){.headers = headers});
    ck_assert_int_eq(r.status, 200);
    ck_assert_str_eq(reply_header(&r, "x-version"), "2.0.0");
    ck_assert_uint_eq(r.n, 0);
    reply_free(&r);
}
END_TEST

/* Anybody can ask latest.json in anybody's name: what comes by its URL proves nothing. */
START_TEST(url_of_latest_json_names_its_device_and_proves_nothing)
{
    struct reply r = get(&d, NULL, "/fw/lamp/latest.json?mac=5C:CF:7F:00:00:07&version=0.1");
    ck_assert_int_eq(r.status, 200);
    ck_assert_msg(strstr(reply_text(&r, "url"), "_0.bin") == NULL, "%s", r.body);
    ck_assert_int_eq(status_of(path_of(reply_text(&r, "url"))), 200);
    reply_free(&r);
    r = get(&d, admin, "/api/v1/products/lamp/devices/5C:CF:7F:00:00:07");
    ck_assert_int_eq(r.status, 200);
    ck_assert(json_is_false(reply_at(&r, "authenticated")));
    ck_assert_str_eq(reply_text(&r, "update.version"), "1.0.0");
    reply_free(&r);
}
END_TEST

START_TEST(headers_name_the_device_before_the_token_does)
{
    char path[256], body[64];
    static const char *const headers[] = {"x-ESP8266-STA-MAC: 5C:CF:7F:00:00:08",
                                          "x-ESP8266-version: 0.7", NULL};
    check_in("1.0.0");
    (void)snprintf(body, sizeof body, "{\"build\":\"%s\"}", second);
    device_url(body, path);
    struct reply r = call(&d, "GET", path, (struct call){.headers = headers});
    ck_assert_int_eq(r.status, 200);
    reply_free(&r);
    r = get(&d, admin, "/api/v1/products/lamp/devices/5C:CF:7F:00:00:08");
    ck_assert_int_eq(r.status, 200);
    ck_assert_str_eq(reply_text(&r, "version"), "0.7");
    ck_assert(json_is_false(reply_at(&r, "authenticated")));
    reply_free(&r);
    r = get(&d, admin, "/api/v1/products/lamp/devices/" MAC);
    ck_assert_str_eq(reply_text(&r, "version"), "1.0.0");
    reply_free(&r);
}
END_TEST

START_TEST(latest_json_leads_to_the_image)
{
    struct img image = image_of("ESP8266", 1, 0);
    struct reply r = get(&d, NULL, "/fw/lamp/latest.json");
    ck_assert_int_eq(r.status, 200);
    ck_assert_str_eq(reply_text(&r, "type"), "lamp");
    ck_assert_str_eq(reply_text(&r, "ver"), "1.0.0");
    ck_assert_int_eq(reply_number(&r, "size"), (int64_t)image.n);
    struct reply bin = get(&d, NULL, path_of(reply_text(&r, "url")));
    ck_assert_int_eq(bin.status, 200);
    ck_assert_mem_eq(bin.body, image.data, image.n);
    reply_free(&bin);
    reply_free(&r);
    img_free(&image);
}
END_TEST

START_TEST(latest_json_is_304_for_who_has_it_and_404_without_a_product)
{
    ck_assert_int_eq(status_of("/fw/lamp/latest.json?mac=" MAC "&version=1.0.0"), 304);
    ck_assert_int_eq(status_of("/fw/nothing/latest.json"), 404);
}
END_TEST

START_TEST(public_url_stands_in_issued_urls)
{
    static const char *const flags[] = {"--server-public-url", "https://fw.example.net/", NULL};
    daemon_stop(&d);
    daemon_start(&d, flags);
    char where[128];
    (void)snprintf(where, sizeof where, "/api/v1/products/lamp/builds/%s/url", first);
    struct reply r = send_json(&d, admin, "POST", where, "{}");
    ck_assert_int_eq(r.status, 201);
    ck_assert_msg(strncmp(reply_text(&r, "url"), "https://fw.example.net/static/fw_", 33) == 0,
                  "%s", reply_text(&r, "url"));
    reply_free(&r);
}
END_TEST

static const struct refused {
    const char *what, *where, *body;
    bool as_viewer;
    long want;
} refused[] = {
    {"a viewer",                     "/api/v1/products/lamp/devices/" MAC "/url",      "{}",                   true,  403},
    {"an unknown device",            "/api/v1/products/lamp/devices/5CCF7FA1B2C4/url", "{}",                   false, 404},
    {"no MAC",                       "/api/v1/products/lamp/devices/kitchen/url",      "{}",                   false, 404},
    {"an unknown build",             "/api/v1/products/lamp/builds/1/url",             "{}",                   false, 404},
    {"an unknown build in the body", "/api/v1/products/lamp/devices/" MAC "/url",
     "{\"build\":\"1\"}",                                                                                      false, 404},
    {"a build as a number",          "/api/v1/products/lamp/devices/" MAC "/url",      "{\"build\":1}",        false,
     422                                                                                                                 },
    {"a lifetime of nothing",        "/api/v1/products/lamp/devices/" MAC "/url",      "{\"expires_in_s\":0}",
     false,                                                                                                           422},
    {"an unknown key",               "/api/v1/products/lamp/devices/" MAC "/url",      "{\"expires\":1}",      false, 422},
};

START_TEST(url_request_refused)
{
    const struct refused *x = &refused[_i];
    check_in("0");
    struct reply r = send_json(&d, x->as_viewer ? viewer : admin, "POST", x->where, x->body);
    ck_assert_msg(r.status == x->want, "%s: %ld %s", x->what, r.status, r.body);
    reply_free(&r);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("static");
    TCase *tc = tcase_create("urls");
    tcase_set_timeout(tc, 4 * DAEMON_PATIENCE_S);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, url_of_a_build_opens_it_for_anybody);
    tcase_add_test(tc, url_may_have_more_behind_its_token);
    tcase_add_loop_test(tc, image_carries_one_sha256_in_the_clients_spelling, 0,
                        (int)OTAD_COUNT(spellings));
    tcase_add_loop_test(tc, url_spoiled_is_403, 0, (int)OTAD_COUNT(spoiled));
    tcase_add_loop_test(tc, url_of_nobody_is_403_with_an_empty_body, 0, (int)OTAD_COUNT(bad_paths));
    tcase_add_test(tc, url_expires);
    tcase_add_test(tc, url_of_a_device_is_its_target_even_when_it_runs_it);
    tcase_add_test(tc, version_mode_is_told_the_version_of_the_build);
    tcase_add_test(tc, url_of_latest_json_names_its_device_and_proves_nothing);
    tcase_add_test(tc, headers_name_the_device_before_the_token_does);
    tcase_add_test(tc, download_by_token_is_in_the_ledger_as_authenticated);
    tcase_add_test(tc, url_of_a_blocked_device_is_403_and_of_a_withdrawn_build_410);
    tcase_add_test(tc, url_survives_a_restart);
    tcase_add_test(tc, image_the_client_has_is_304);
    tcase_add_loop_test(tc, url_gives_a_client_only_the_kind_it_asks_for, 0,
                        (int)OTAD_COUNT(modes));
    tcase_add_test(tc, latest_json_leads_to_the_image);
    tcase_add_test(tc, latest_json_is_304_for_who_has_it_and_404_without_a_product);
    tcase_add_test(tc, public_url_stands_in_issued_urls);
    tcase_add_loop_test(tc, url_request_refused, 0, (int)OTAD_COUNT(refused));
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
