/* SPDX-License-Identifier: MIT
 * Every request that was recorded from a stock client, replayed byte for byte (but for path and
 * Host), and its answer held against what that client takes. docs/clients.md names the clients. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "otad/err.h"
#include "otad/limits.h"
#include "support/stock.h"
#include "support/unit.h"

#define REQUEST_MAX 2048

static struct daemon d;
static char admin[DAEMON_KEY];
static struct img lamp, sensor;

static void release(const char *product, const struct img *img)
{
    const struct part parts[] = {
        {.name = "file",     .filename = "x.bin", .data = img->data, .n = img->n},
        FIELD("version", "2"),
        {.name = NULL}
    };
    make_product(&d, admin, product);
    struct reply r = upload(&d, admin, product, parts);
    CK_STATUS(product, r, 201);
    reply_free(&r);
}

static void setup(void)
{
    static const char *const flags[] = {"--devices-new-devices-per-hour", "1000000", NULL};
    daemon_start(&d, flags);
    daemon_key(&d, "root", "admin", NULL, admin);
    lamp = image_of("ESP8266", 21, 400000);
    sensor = image_of("ESP32", 22, 220000); /* the recorded ranges end behind byte 196608 */
    release("lamp", &lamp);
    release("sensor", &sensor);
}

static void teardown(void)
{
    img_free(&lamp);
    img_free(&sensor);
    daemon_free(&d);
}

/* All captures are of two devices; each is to be answered as if it came first. */
static void forget_devices(void)
{
    static const char *const products[] = {"lamp", "sensor"};
    for (size_t i = 0; i < OTAD_COUNT(products); i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "/api/v1/products/%s/devices", products[i]);
        struct reply list = get(&d, admin, path);
        for (size_t k = 0; k < json_array_size(reply_at(&list, "items")); k++) {
            char item[32], one[200];
            (void)snprintf(item, sizeof item, "items.%zu.mac", k);
            (void)snprintf(one, sizeof one, "%s/%s", path, reply_text(&list, item));
            struct reply gone = call(&d, "DELETE", one, (struct call){.key = admin});
            ck_assert_int_eq(gone.status / 100, 2);
            reply_free(&gone);
        }
        reply_free(&list);
    }
}

/* The answers that all sessions but those with ranges get. */
static const struct {
    const char *file;
    const char *client; /* its row in docs/clients.md */
    int status;
    const char *body; /* text, or "@lamp", "@sensor" for the image, or "" */
} captures[] = {
    {"esp8266-httpupdate-update-version",           "esp8266-update",              200, "@lamp"  },
    {"esp8266-httpupdate-update-noversion",         "esp8266-update",              200, "@lamp"  },
    {"esp8266-httpupdate-update-version-304",       "esp8266-update",              304, ""       },
    {"esp8266-httpupdate-update-hostport",          "esp8266-update",              200, "@lamp"  },
    {"esp8266-httpupdate-update-basicauth",         "esp8266-update",              200, "@lamp"  },
    {"esp8266-httpupdate-update-redirect-default",  "esp8266-update",              200, "@lamp"  },
    {"esp8266-httpupdate-update-redirect-strict",   "esp8266-update",              200, "@lamp"  },
    {"esp8266-httpupdate-update-redirect-strict-2", "esp8266-update",              200, "@lamp"  },
    {"esp8266-httpupdate-getavailableversion",      "esp8266-getavailableversion", 200, ""       },
    {"esp8266-httpupdate-updatefs",                 "esp8266-updatefs",            404, ""       },
    {"esp8266-httpclient-get",                      "version-sketch",              200, "2"      },
    {"esp8266-httpclient-get-userinfo-url",         "version-sketch",              200, "2"      },
    {"esp8266-seed-version-then-bin",               "version-sketch",              200, "2"      },
    {"esp8266-seed-version-then-bin-2",             "version-sketch",              200, "@lamp"  },
    {"esp8266-seed-version-uptodate",               "version-sketch",              200, "2"      },
    {"esp32-httpupdate-update-version",             "esp32-update",                200, "@sensor"},
    {"esp32-httpupdate-update-noversion",           "esp32-update",                200, "@sensor"},
    {"esp32-httpupdate-update-version-304",         "esp32-update",                304, ""       },
    {"esp32-httpupdate-update-hostport",            "esp32-update",                200, "@sensor"},
    {"esp32-httpupdate-redirect-default",           "esp32-update",                200, "@sensor"},
    {"esp32-httpupdate-redirect-strict",            "esp32-update",                200, "@sensor"},
    {"esp32-httpupdate-redirect-strict-2",          "esp32-update",                200, "@sensor"},
    {"esp32-httpupdate-updatespiffs",               "esp32-updatespiffs",          404, ""       },
    {"esp32-httpclient-get",                        "version-sketch",              200, "2"      },
    {"esp32-seed-version-then-bin",                 "version-sketch",              200, "2"      },
    {"esp32-seed-version-then-bin-2",               "version-sketch",              200, "@sensor"},
    {"idf-http_client-get",                         "version-sketch",              200, "2"      },
    {"idf-esp_https_ota",                           "esp-https-ota",               200, "@sensor"},
    {"idf-advanced_https_ota",                      "esp-https-ota",               200, "@sensor"},
    {"idf-basicauth",                               "esp-https-ota",               200, "@sensor"},
    {"idf-digestauth-1",                            "esp-https-ota",               200, "@sensor"},
    {"idf-redirect-1",                              "esp-https-ota",               200, "@sensor"},
    {"idf-redirect-2",                              "esp-https-ota",               200, "@sensor"},
};

static const struct img *image(const char *body)
{
    return strcmp(body, "@lamp") == 0 ? &lamp : strcmp(body, "@sensor") == 0 ? &sensor : NULL;
}

static void check_body(const char *what, const struct reply *r, const char *want)
{
    const struct img *img = image(want);
    const void *bytes = img != NULL ? (const void *)img->data : want;
    size_t n = img != NULL ? img->n : strlen(want);
    ck_assert_msg(r->n == n && memcmp(r->body, bytes, n) == 0, "%s: body of %zu bytes, want %zu",
                  what, r->n, n);
}

/* One x-MD5, and one SHA-256: in hex for the updater of ESP32, in base64 for all others. */
static void check_digests(const char *what, const char *request, const struct reply *r,
                          const struct img *img)
{
    char line[128], md5[33], hex[65], base64[45];
    bool esp32 = strstr(request, "\r\nUser-Agent: ESP32-http-Update\r\n") != NULL;
    stock_md5(img, md5);
    stock_sha256(img, hex);
    stock_sha256_base64(img, base64);
    (void)snprintf(line, sizeof line, "x-MD5: %s", md5);
    ck_assert_msg(reply_has_line(r, line), "%s: no '%s' in %s", what, line, r->head);
    ck_assert_msg(reply_header_count(r, "x-MD5") == 1, "%s: %s", what, r->head);
    (void)snprintf(line, sizeof line, "%s: %s", esp32 ? "x-SHA256" : "x-sha256",
                   esp32 ? hex : base64);
    ck_assert_msg(reply_has_line(r, line), "%s: no '%s' in %s", what, line, r->head);
    ck_assert_msg(reply_header_count(r, "x-sha256") == 1, "%s: %s", what, r->head);
    ck_assert_msg(reply_has_line(r, "Content-Type: application/octet-stream"), "%s", r->head);
}

static struct reply replay(const char *name, const char *path, char request[REQUEST_MAX])
{
    size_t n = stock_capture(&d, name, path, request, REQUEST_MAX);
    struct reply r = raw_exchange(&d, request, n);
    if (strncmp(request, "HEAD ", 5) != 0)
        stock_check_wire(name, &r, strstr(request, " HTTP/1.0\r\n") != NULL);
    return r;
}

START_TEST(captured_request_is_answered_as_its_client_needs)
{
    char request[REQUEST_MAX];
    const char *what = captures[_i].file;
    struct reply r = replay(what, NULL, request);
    CK_STATUS(what, r, captures[_i].status);
    check_body(what, &r, captures[_i].body);
    if (image(captures[_i].body) != NULL)
        check_digests(what, request, &r, image(captures[_i].body));
    if (r.status != 200)
        ck_assert_msg(reply_header(&r, "X-Otad-Reason") != NULL, "%s: %s", what, r.head);
    reply_free(&r);
}
END_TEST

START_TEST(version_mode_is_told_by_a_header)
{
    char request[REQUEST_MAX];
    struct reply r = replay("esp8266-httpupdate-getavailableversion", NULL, request);
    CK_STATUS("mode version", r, 200);
    ck_assert_msg(reply_has_line(&r, "x-version: 2"), "%s", r.head);
    reply_free(&r);
}
END_TEST

/* ---- sessions with ranges: each on a product of its own, so that their order is free --------- */

START_TEST(captured_partial_download_rebuilds_the_image)
{
    static const char name[] = "idf-partial_http_download"; /* client: esp-https-ota-partial */
    static const char path[] = "/fw/parts/latest.bin";
    char request[REQUEST_MAX], file[64], length[32];
    struct img got = {.n = 0};
    release("parts", &sensor);
    struct reply r = replay("idf-partial_http_download-1", path, request);
    (void)snprintf(length, sizeof length, "Content-Length: %zu", sensor.n);
    CK_STATUS("HEAD", r, 200);
    ck_assert_msg(reply_has_line(&r, length) && r.n == 0, "%s", r.head);
    reply_free(&r);
    for (int i = 2; i <= 5; i++) {
        (void)snprintf(file, sizeof file, "%s-%d", name, i);
        r = replay(file, path, request);
        CK_STATUS(file, r, 206);
        check_digests(file, request, &r, &sensor);
        img_put(&got, r.body, r.n);
        reply_free(&r);
    }
    ck_assert_uint_eq(got.n, sensor.n);
    ck_assert_mem_eq(got.data, sensor.data, got.n);
    img_free(&got);
}
END_TEST

START_TEST(captured_resumption_goes_on_or_is_told_to_start_over)
{
    static const char resumption[] = "idf-ota_resumption"; /* client: esp-https-ota-resume */
    static const char path[] = "/fw/resumed/latest.bin";
    const size_t from = 100352;
    char request[REQUEST_MAX];
    release("resumed", &sensor);
    struct reply r = replay(resumption, path, request);
    CK_STATUS("of nothing", r, 416);
    reply_free(&r);
    struct stock_done broken = stock_idf(&d, path, NULL, from);
    ck_assert_uint_eq(broken.image.n, from);
    stock_free(&broken);
    r = replay(resumption, path, request);
    CK_STATUS("of a download", r, 206);
    ck_assert_uint_eq(r.n, sensor.n - from);
    ck_assert_mem_eq(r.body, sensor.data + from, r.n);
    reply_free(&r);
}
END_TEST

/* ---- segments ----------------------------------------------------------------------------- */

static const char *const with_image[] = {"esp8266-httpupdate-update-version",
                                         "esp8266-seed-version-then-bin-2",
                                         "esp32-httpupdate-update-version", "idf-esp_https_ota"};

/* ESP32 peeks once, 100 ms after the head: the first bytes must be there by then. */
START_TEST(first_segment_holds_head_and_first_body_bytes)
{
    char request[REQUEST_MAX], first[65536];
    size_t n = stock_capture(&d, with_image[_i], NULL, request, sizeof request);
    for (int i = 0; i < 10; i++) {
        int fd = raw_connect(&d);
        raw_send(fd, request, n);
        ssize_t got = recv(fd, first, sizeof first, 0);
        ck_assert_int_gt(got, 0);
        const char *end = memmem(first, (size_t)got, "\r\n\r\n", 4);
        ck_assert_msg(end != NULL, "the head came in pieces: %zd bytes", got);
        ck_assert_msg(first + got > end + 4, "no body bytes with the head");
        ck_assert_int_eq((unsigned char)end[4], 0xE9);
        (void)close(fd);
    }
}
END_TEST

/* The request waits for the loader then, and the answer is made by another turn of the loop. */
START_TEST(first_segment_of_a_cold_image_holds_head_and_first_body_bytes)
{
    char request[REQUEST_MAX], key[DAEMON_KEY];
    struct daemon own = {.pid = 0};
    daemon_start(&own, NULL);
    daemon_key(&own, "root", "admin", NULL, key);
    make_product(&own, key, "lamp");
    publish(&own, key, "lamp", "2", NULL, 1, NULL);
    daemon_stop(&own);
    daemon_restart(&own);
    size_t n =
        stock_capture(&own, "esp8266-httpupdate-update-version", NULL, request, sizeof request);
    struct stock_wire w = {.fd = raw_connect(&own)};
    raw_send(w.fd, request, n);
    ck_assert(stock_head(&w, false));
    ck_assert_int_eq(w.status, 200);
    ck_assert(w.at_once);
    stock_close(&w);
    daemon_free(&own);
}
END_TEST

START_TEST(head_stays_small_with_the_longest_names)
{
    char slug[OTAD_SLUG_MAX + 1], version[OTAD_VERSION_MAX + 1], path[128];
    static const char *const headers[] = {"User-Agent: ESP32-http-Update",
                                          "Range: bytes=100000-199999", NULL};
    memset(slug, 'p', sizeof slug - 1);
    memset(version, '9', sizeof version - 1);
    slug[sizeof slug - 1] = version[sizeof version - 1] = '\0';
    const struct part parts[] = {
        {.name = "file",       .filename = "x.bin", .data = sensor.data, .n = sensor.n},
        FIELD("version", version),
        FIELD("number", "2147483647"),
        {.name = NULL}
    };
    make_product(&d, admin, slug);
    struct reply r = upload(&d, admin, slug, parts);
    CK_STATUS("upload", r, 201);
    (void)snprintf(path, sizeof path, "/fw/%s/latest", slug);
    reply_free(&r);
    r = get(&d, NULL, path);
    stock_check_wire("all", &r, false);
    reply_free(&r);
    /* also starts the lease that the range needs */
    r = call(&d, "GET", path,
             (struct call){
                 .headers = (const char *const[]){headers[0], NULL}
    });
    stock_check_wire("to ESP32", &r, false);
    reply_free(&r);
    r = call(&d, "GET", path, (struct call){.headers = headers});
    CK_STATUS("a part", r, 206);
    stock_check_wire("a part", &r, false);
    reply_free(&r);
}
END_TEST

static const char *const dribbled[] = {"esp8266-httpupdate-update-version",
                                       "esp8266-seed-version-then-bin", "idf-esp_https_ota"};

START_TEST(request_that_dribbles_in_is_served)
{
    char request[REQUEST_MAX];
    size_t n = stock_capture(&d, dribbled[_i], NULL, request, sizeof request);
    int fd = raw_connect(&d);
    for (size_t i = 0; i < n; i += 11) {
        raw_send(fd, request + i, n - i < 11 ? n - i : 11);
        test_sleep_ms(4);
    }
    struct reply r = raw_reply(fd, false);
    CK_STATUS(dribbled[_i], r, 200);
    reply_free(&r);
    (void)close(fd);
}
END_TEST

static const char *const kept_alive[] = {"esp8266-httpclient-get", "esp32-httpclient-get",
                                         "idf-http_client-get"};

/* What asks with HTTP/1.1 may ask again on the same connection, before or after the answer. */
START_TEST(connection_of_http11_serves_requests_one_after_the_other_and_at_once)
{
    char twice[2 * REQUEST_MAX];
    size_t n = stock_capture(&d, kept_alive[_i], NULL, twice, REQUEST_MAX);
    memcpy(twice + n, twice, n);
    int fd = raw_connect(&d);
    for (int i = 0; i < 3; i++) {
        raw_send(fd, twice, n);
        struct reply r = raw_reply(fd, false);
        CK_STATUS(kept_alive[_i], r, 200);
        check_body(kept_alive[_i], &r, "2");
        ck_assert(!r.closed);
        reply_free(&r);
    }
    struct stock_wire w = {.fd = fd};
    raw_send(fd, twice, 2 * n);
    for (int i = 0; i < 2; i++) {
        struct img body = {.n = 0};
        ck_assert(stock_head(&w, false) && w.status == 200 && w.length == 1);
        ck_assert(stock_body(&w, 1, 0, 0, &body) && body.data[0] == '2');
        img_free(&body);
    }
    stock_close(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("captures");
    TCase *tc = tcase_create("captures");
    tcase_set_timeout(tc, 300);
    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_add_checked_fixture(tc, forget_devices, NULL);
    tcase_add_loop_test(tc, captured_request_is_answered_as_its_client_needs, 0,
                        (int)OTAD_COUNT(captures));
    tcase_add_test(tc, version_mode_is_told_by_a_header);
    tcase_add_test(tc, captured_partial_download_rebuilds_the_image);
    tcase_add_test(tc, captured_resumption_goes_on_or_is_told_to_start_over);
    tcase_add_loop_test(tc, first_segment_holds_head_and_first_body_bytes, 0,
                        (int)OTAD_COUNT(with_image));
    tcase_add_test(tc, first_segment_of_a_cold_image_holds_head_and_first_body_bytes);
    tcase_add_test(tc, head_stays_small_with_the_longest_names);
    tcase_add_loop_test(tc, request_that_dribbles_in_is_served, 0, (int)OTAD_COUNT(dribbled));
    tcase_add_loop_test(tc, connection_of_http11_serves_requests_one_after_the_other_and_at_once, 0,
                        (int)OTAD_COUNT(kept_alive));
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
