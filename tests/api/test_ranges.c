/* SPDX-License-Identifier: MIT
 * Ranges: what a client that resumes, or downloads in parts, gets on each kind of URL; that two
 * images are never mixed; and that a transfer is the union of what arrived. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "otad/err.h"
#include "support/http.h"
#include "support/unit.h"

#define MAC "24:0A:C4:A3:15:3C"
#define AGENT "User-Agent: resumer/1.0"
#define API "/api/v1/products/lamp"

static struct daemon d;
static char admin[DAEMON_KEY], first[32], second[32];
static struct img image[2]; /* of first and second */

static void setup(void)
{
    daemon_start(&d, NULL);
    daemon_key(&d, "root", "admin", NULL, admin);
    make_product(&d, admin, "lamp");
    publish(&d, admin, "lamp", "1.0.0", NULL, 1, first);
    publish(&d, admin, "lamp", "2.0.0", "none", 2, second);
    image[0] = image_of("ESP8266", 1, 0);
    image[1] = image_of("ESP8266", 2, 0);
}

static void teardown(void)
{
    img_free(&image[0]);
    img_free(&image[1]);
    daemon_free(&d);
}

/* A GET or HEAD with a Range and further header lines ("" = none). */
static struct reply ask(const char *method, const char *path, const char *range, const char *more)
{
    char line[128];
    (void)snprintf(line, sizeof line, "Range: %s", range);
    const char *const headers[] = {range[0] ? line : AGENT,
                                   range[0] ? AGENT : (more[0] ? more : NULL),
                                   range[0] && more[0] ? more : NULL, NULL};
    return call(&d, method, path, (struct call){.headers = headers});
}

static void release(const char *build)
{
    char body[96];
    (void)snprintf(body, sizeof body, "{\"build\":\"%s\"}", build);
    struct reply r = send_json(&d, admin, "PATCH", API "/channels/stable", body);
    CK_STATUS("release", r, 200);
    reply_free(&r);
}

/* Checks that an answer is bytes a to b of that image. */
static void is_part(const char *what, const struct reply *r, const struct img *of, size_t a,
                    size_t b)
{
    char want[64];
    (void)snprintf(want, sizeof want, "bytes %zu-%zu/%zu", a, b, of->n);
    CK_STATUS(what, *r, 206);
    ck_assert_msg(reply_header(r, "Content-Range") != NULL, "%s: no Content-Range", what);
    ck_assert_str_eq(reply_header(r, "Content-Range"), want);
    ck_assert_msg(r->n == b - a + 1, "%s: %zu bytes", what, r->n);
    ck_assert_msg(memcmp(r->body, of->data + a, r->n) == 0, "%s: wrong bytes", what);
    ck_assert_str_eq(reply_header(r, "Accept-Ranges"), "bytes");
}

static void is_whole(const char *what, const struct reply *r, const struct img *of)
{
    CK_STATUS(what, *r, 200);
    ck_assert_msg(r->n == of->n && memcmp(r->body, of->data, of->n) == 0, "%s: wrong bytes", what);
    ck_assert_ptr_null(reply_header(r, "Content-Range"));
}

static void static_path(const char *build, char out[256])
{
    char where[128];
    (void)snprintf(where, sizeof where, API "/builds/%s/url", build);
    struct reply r = send_json(&d, admin, "POST", where, "{}");
    CK_STATUS("url", r, 201);
    (void)snprintf(out, 256, "%s", strstr(reply_text(&r, "url"), "/static/"));
    reply_free(&r);
}

/* ---- a URL that names a build ------------------------------------------------------------- */

/* RFC 9110 §14.1.2, §14.2, with the deviations of http/range.h. `last` SIZE_MAX: to the end. */
static const struct row {
    const char *range;
    int status;
    size_t first, last;
} rows[] = {
    {"bytes=0-0",                     206, 0,    0       },
    {"bytes=0-",                      206, 0,    SIZE_MAX}, /* esp_https_ota resumption insists on 206 */
    {"bytes=0-99",                    206, 0,    99      },
    {"bytes=100-199",                 206, 100,  199     },
    {"bytes=4096-",                   206, 4096, SIZE_MAX},
    {"bytes=0-99999999",              206, 0,    SIZE_MAX}, /* esp_https_ota: one past the end */
    {"bytes=10-18446744073709551616", 206, 10,   SIZE_MAX},
    {"Bytes=5-6",                     206, 5,    6       },
    {"bytes= 5-6 ",                   206, 5,    6       },
    {"bytes=99999999-",               416, 0,    0       },
    {"bytes=6-5",                     416, 0,    0       },
    {"bytes=-0",                      416, 0,    0       },
    {"bytes=0-1,3-4",                 416, 0,    0       },
    {"bytes=",                        416, 0,    0       },
    {"bytes=a-b",                     416, 0,    0       },
    {"bytes=--1",                     416, 0,    0       },
    {"lines=0-5",                     416, 0,    0       },
    {"0-5",                           416, 0,    0       },
};

START_TEST(range_row)
{
    char path[256];
    const struct row *row = &rows[_i];
    static_path(first, path);
    struct reply r = ask("GET", path, row->range, "");
    CK_STATUS(row->range, r, row->status);
    if (row->status == 206) {
        is_part(row->range, &r, &image[0], row->first,
                row->last == SIZE_MAX ? image[0].n - 1 : row->last);
    } else {
        char want[32];
        (void)snprintf(want, sizeof want, "bytes */%zu", image[0].n);
        ck_assert_uint_eq(r.n, 0);
        ck_assert_str_eq(reply_header(&r, "Content-Range"), want);
        ck_assert_ptr_nonnull(reply_header(&r, "X-Otad-Reason"));
    }
    reply_free(&r);
}
END_TEST

START_TEST(suffix_is_the_end_of_the_image)
{
    char path[256];
    static_path(first, path);
    struct reply r = ask("GET", path, "bytes=-500", "");
    is_part("suffix", &r, &image[0], image[0].n - 500, image[0].n - 1);
    reply_free(&r);
    r = ask("GET", path, "bytes=-99999999", "");
    is_part("longer than all", &r, &image[0], 0, image[0].n - 1);
    reply_free(&r);
}
END_TEST

START_TEST(if_range_decides_between_part_and_whole)
{
    char path[256], etag[80], line[120];
    static_path(first, path);
    struct reply r = ask("GET", path, "", "");
    is_whole("first", &r, &image[0]);
    (void)snprintf(etag, sizeof etag, "%s", reply_header(&r, "ETag"));
    reply_free(&r);
    (void)snprintf(line, sizeof line, "If-Range: %s", etag);
    r = ask("GET", path, "bytes=100-", line);
    is_part("match", &r, &image[0], 100, image[0].n - 1);
    reply_free(&r);
    static const char *const others[] = {"If-Range: \"other\"",
                                         "If-Range: Wed, 21 Oct 2015 07:28:00 GMT"};
    for (size_t i = 0; i < OTAD_COUNT(others); i++) {
        r = ask("GET", path, "bytes=100-", others[i]);
        is_whole(others[i], &r, &image[0]);
        reply_free(&r);
    }
    (void)snprintf(line, sizeof line, "If-Range: W/%s", etag); /* weak: never equal here */
    r = ask("GET", path, "bytes=100-", line);
    is_whole("weak", &r, &image[0]);
    reply_free(&r);
}
END_TEST

START_TEST(head_ignores_range_and_tells_the_size)
{
    char path[256], length[16];
    static_path(first, path);
    (void)snprintf(length, sizeof length, "%zu", image[0].n);
    struct reply r = ask("HEAD", path, "bytes=5-10", "");
    CK_STATUS("HEAD", r, 200);
    ck_assert_str_eq(reply_header(&r, "Content-Length"), length);
    ck_assert_str_eq(reply_header(&r, "Accept-Ranges"), "bytes");
    ck_assert_uint_eq(r.n, 0);
    reply_free(&r);
}
END_TEST

/* ---- URLs that name none ------------------------------------------------------------------ */

START_TEST(range_from_zero_needs_nothing_before)
{
    struct reply r = ask("GET", "/fw/lamp/latest", "bytes=0-", "");
    is_part("open-ended", &r, &image[0], 0, image[0].n - 1);
    reply_free(&r);
    r = ask("GET", "/fw/lamp/latest", "bytes=0-0", "");
    is_part("one byte", &r, &image[0], 0, 0);
    reply_free(&r);
}
END_TEST

START_TEST(range_behind_zero_without_a_lease_makes_the_client_start_over)
{
    struct reply r = ask("GET", "/fw/lamp/latest", "bytes=100-", "");
    CK_STATUS("latest", r, 416);
    ck_assert_str_eq(reply_header(&r, "X-Otad-Reason"), "nothing_to_resume");
    ck_assert_uint_eq(r.n, 0);
    reply_free(&r);
    r = ask("GET", "/fw/lamp/" MAC ".bin", "bytes=100-", "");
    CK_STATUS("mac.bin", r, 416);
    reply_free(&r);
    r = ask("GET", "/fw/lamp/latest", "bytes=-5", "");
    CK_STATUS("suffix", r, 416);
    reply_free(&r);
    r = ask("GET", "/fw/lamp/latest", "bytes=0-5,7-9", "");
    CK_STATUS("several", r, 416);
    reply_free(&r);
}
END_TEST

static const char *const mutable_urls[] = {"/fw/lamp/latest", "/fw/lamp/latest.bin",
                                           ("/fw/lamp/" MAC ".bin"), ("/fw/lamp/latest?mac=" MAC)};

START_TEST(lease_holds_though_the_channel_moved)
{
    const char *url = mutable_urls[_i];
    struct reply r = ask("GET", url, "bytes=0-999", "");
    is_part("begin", &r, &image[0], 0, 999);
    reply_free(&r);
    release(second);
    r = ask("GET", url, "bytes=1000-1999", "");
    is_part("goes on", &r, &image[0], 1000, 1999);
    reply_free(&r);
    r = ask("GET", url, "bytes=2000-", "");
    is_part("to its end", &r, &image[0], 2000, image[0].n - 1);
    reply_free(&r);
    r = ask("GET", url, "bytes=0-", "");
    is_part("next time", &r, &image[1], 0, image[1].n - 1);
    reply_free(&r);
}
END_TEST

START_TEST(lease_belongs_to_one_client)
{
    struct reply r = ask("GET", "/fw/lamp/" MAC ".bin", "", "");
    is_whole("begin", &r, &image[0]);
    reply_free(&r);
    r = ask("GET", "/fw/lamp/240AC4A3153D.bin", "bytes=1000-", "");
    CK_STATUS("another device", r, 416);
    reply_free(&r);
    r = ask("GET", "/fw/lamp/latest", "bytes=1000-", "");
    CK_STATUS("somebody unknown", r, 416);
    reply_free(&r);
    r = ask("GET", "/fw/lamp/latest", "bytes=1000-", "x-ESP32-STA-MAC: " MAC);
    is_part("the same on another path", &r, &image[0], 1000, image[0].n - 1);
    reply_free(&r);
}
END_TEST

START_TEST(head_starts_a_lease)
{
    struct reply r = ask("HEAD", "/fw/lamp/latest", "", "");
    CK_STATUS("HEAD", r, 200);
    reply_free(&r);
    r = ask("GET", "/fw/lamp/latest", "bytes=1000-", "");
    is_part("behind it", &r, &image[0], 1000, image[0].n - 1);
    reply_free(&r);
}
END_TEST

START_TEST(if_range_on_latest_follows_the_channel)
{
    char line[120];
    struct reply r = ask("GET", "/fw/lamp/latest", "bytes=0-999", "");
    (void)snprintf(line, sizeof line, "If-Range: %s", reply_header(&r, "ETag"));
    reply_free(&r);
    r = ask("GET", "/fw/lamp/latest", "bytes=1000-", line);
    is_part("match", &r, &image[0], 1000, image[0].n - 1);
    reply_free(&r);
    release(second);
    r = ask("GET", "/fw/lamp/latest", "bytes=1000-", line);
    is_whole("mismatch", &r, &image[1]);
    reply_free(&r);
}
END_TEST

START_TEST(withdrawn_build_ends_its_downloads)
{
    char where[128];
    struct reply r = ask("GET", "/fw/lamp/latest", "bytes=0-999", "");
    is_part("begin", &r, &image[0], 0, 999);
    reply_free(&r);
    (void)snprintf(where, sizeof where, API "/builds/%s/withdraw", first);
    r = send_json(&d, admin, "POST", where, "{}");
    CK_STATUS("withdraw", r, 200);
    reply_free(&r);
    r = ask("GET", "/fw/lamp/latest", "bytes=1000-", "");
    CK_STATUS("goes on", r, 410);
    ck_assert_str_eq(reply_header(&r, "X-Otad-Reason"), "withdrawn");
    reply_free(&r);
}
END_TEST

START_TEST(paused_channel_stops_a_resume_too)
{
    struct reply r = ask("GET", "/fw/lamp/" MAC ".bin", "bytes=0-999", "");
    is_part("begin", &r, &image[0], 0, 999);
    reply_free(&r);
    r = send_json(&d, admin, "POST", API "/channels/stable/pause", "{}");
    CK_STATUS("pause", r, 200);
    reply_free(&r);
    r = ask("GET", "/fw/lamp/" MAC ".bin", "bytes=1000-", "");
    CK_STATUS("goes on", r, 304);
    ck_assert_str_eq(reply_header(&r, "X-Otad-Reason"), "paused");
    reply_free(&r);
}
END_TEST

/* ---- the property ------------------------------------------------------------------------- */

/* A client that downloads in parts, with the channel moved in between, has the exact bytes of one
 * image in the end, or was told to start over. */
START_TEST(random_parts_rebuild_one_image_or_end_in_416)
{
    static const char *const paths[] = {"/fw/lamp/latest", "/fw/lamp/" MAC ".bin"};
    unsigned seed = (unsigned)_i + 77;
    const char *path = paths[_i % 2];
    char range[64];
    size_t have = 0, restarts = 0, rebuilt = 0;
    uint8_t *bytes = malloc(image[0].n + image[1].n);
    ck_assert_ptr_nonnull(bytes);
    for (int step = 0; step < 120 && rebuilt < 4; step++) {
        if (rand_r(&seed) % 6 == 0)
            release(rand_r(&seed) % 2 ? first : second);
        if (rand_r(&seed) % 25 == 0)
            have = 0; /* a reboot: it has forgotten */
        size_t more = 1 + (size_t)rand_r(&seed) % 20000;
        (void)snprintf(range, sizeof range, rand_r(&seed) % 8 ? "bytes=%zu-%zu" : "bytes=%zu-",
                       have, have + more - 1);
        struct reply r = ask("GET", path, range, "");
        ck_assert_msg(r.status == 206 || r.status == 416, "%s: %ld", range, r.status);
        if (r.status == 416) {
            have = 0;
            restarts++;
        } else {
            memcpy(bytes + have, r.body, r.n);
            have += r.n;
            const char *total = strchr(reply_header(&r, "Content-Range"), '/');
            if (have == strtoull(total + 1, NULL, 10)) {
                const struct img *of =
                    have == image[0].n && bytes[have - 20] == image[0].data[have - 20] ? &image[0]
                                                                                       : &image[1];
                bool one = (have == image[0].n && memcmp(bytes, image[0].data, have) == 0) ||
                           (have == image[1].n && memcmp(bytes, image[1].data, have) == 0);
                ck_assert_msg(one, "step %d: %zu bytes of no image (size %zu)", step, have, of->n);
                rebuilt++;
                have = 0;
            }
        }
        reply_free(&r);
    }
    free(bytes);
    ck_assert_uint_ge(rebuilt, 1);
}
END_TEST

/* ---- the ledger --------------------------------------------------------------------------- */

static struct reply newest_update(void)
{
    struct reply r = get(&d, admin, API "/updates?mac=" MAC "&limit=1");
    CK_STATUS("updates", r, 200);
    return r;
}

/* Waits until the newest transfer is in that state. */
static struct reply transfer_becomes(const char *state)
{
    for (int64_t until = test_now_ms() + DAEMON_PATIENCE_S * 1000;; test_sleep_ms(20)) {
        struct reply r = newest_update();
        if (strcmp(reply_text(&r, "items.0.transfers.0.state"), state) == 0)
            return r;
        ck_assert_msg(test_now_ms() < until, "not %s: %s", state, r.body);
        reply_free(&r);
    }
}

START_TEST(parts_are_one_transfer_and_one_attempt)
{
    char range[64];
    for (size_t at = 0; at < image[0].n; at += 16384) {
        (void)snprintf(range, sizeof range, "bytes=%zu-%zu", at, at + 16383);
        struct reply r = ask("GET", "/fw/lamp/" MAC ".bin", range, "");
        CK_STATUS(range, r, 206);
        reply_free(&r);
    }
    struct reply r = transfer_becomes("sent");
    ck_assert_int_eq(reply_number(&r, "items.0.attempts"), 1);
    ck_assert_int_eq(reply_number(&r, "items.0.transfers.0.bytes_acked"), (int64_t)image[0].n);
    ck_assert_int_eq(reply_number(&r, "items.0.transfers.0.resumed"), 0);
    ck_assert_uint_eq(json_array_size(reply_at(&r, "items.0.transfers")), 1);
    reply_free(&r);
}
END_TEST

/* Asks for all, reads a little, and is gone. */
static void break_off(size_t bytes)
{
    static char buf[65536];
    int fd = raw_connect(&d);
    static const char request[] = "GET /fw/lamp/" MAC ".bin HTTP/1.0\r\n\r\n";
    raw_send(fd, request, sizeof request - 1);
    for (size_t got = 0; got < bytes;) {
        ssize_t n = read(fd, buf, bytes - got < sizeof buf ? bytes - got : sizeof buf);
        ck_assert_int_gt(n, 0);
        got += (size_t)n;
    }
    (void)close(fd); /* unread bytes are left: a reset */
}

START_TEST(resume_after_a_break_is_no_new_transfer)
{
    char big[32];
    struct img large = image_of("ESP8266", 9, 900000);
    const struct part parts[] = {
        {.name = "file",      .filename = "a.bin", .data = large.data, .n = large.n},
        FIELD("version", "9.0.0"),
        {.name = NULL}
    };
    struct reply r = upload(&d, admin, "lamp", parts);
    CK_STATUS("upload", r, 201);
    (void)snprintf(big, sizeof big, "%s", reply_text(&r, "id"));
    reply_free(&r);
    break_off(20000);
    r = transfer_becomes("aborted");
    int64_t acked = reply_number(&r, "items.0.transfers.0.bytes_acked");
    ck_assert_int_ge(acked, 20000);
    ck_assert_int_lt(acked, (int64_t)large.n);
    CK_TEXT("cause", r, "items.0.transfers.0.cause", "peer_gone");
    ck_assert_int_eq(reply_number(&r, "items.0.attempts"), 0);
    reply_free(&r);
    r = ask("GET", "/fw/lamp/" MAC ".bin", "bytes=20000-", "");
    is_part("resume", &r, &large, 20000, large.n - 1);
    reply_free(&r);
    r = transfer_becomes("sent");
    ck_assert_uint_eq(json_array_size(reply_at(&r, "items.0.transfers")), 1);
    ck_assert_int_eq(reply_number(&r, "items.0.transfers.0.resumed"), 1);
    ck_assert_int_eq(reply_number(&r, "items.0.transfers.0.bytes_acked"), (int64_t)large.n);
    ck_assert_int_eq(reply_number(&r, "items.0.attempts"), 1);
    CK_TEXT("build", r, "items.0.build", big);
    reply_free(&r);
    img_free(&large);
}
END_TEST

START_TEST(start_over_is_a_new_transfer_and_ends_the_open_one)
{
    struct reply r = ask("GET", "/fw/lamp/" MAC ".bin", "bytes=0-999", "");
    CK_STATUS("part", r, 206);
    reply_free(&r);
    r = ask("GET", "/fw/lamp/" MAC ".bin", "", "");
    is_whole("start over", &r, &image[0]);
    reply_free(&r);
    for (int64_t until = test_now_ms() + DAEMON_PATIENCE_S * 1000;; test_sleep_ms(20)) {
        r = newest_update();
        if (strcmp(reply_text(&r, "items.0.transfers.1.state"), "sent") == 0)
            break;
        ck_assert_msg(test_now_ms() < until, "%s", r.body);
        reply_free(&r);
    }
    CK_TEXT("first", r, "items.0.transfers.0.state", "aborted");
    CK_TEXT("first", r, "items.0.transfers.0.cause", "superseded");
    ck_assert_int_eq(reply_number(&r, "items.0.transfers.0.bytes_acked"), 1000);
    ck_assert_int_eq(reply_number(&r, "items.0.attempts"), 1);
    reply_free(&r);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("ranges");
    TCase *t = tcase_create("ranges");
    tcase_set_timeout(t, 240);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, range_row, 0, (int)OTAD_COUNT(rows));
    tcase_add_test(t, suffix_is_the_end_of_the_image);
    tcase_add_test(t, if_range_decides_between_part_and_whole);
    tcase_add_test(t, head_ignores_range_and_tells_the_size);
    tcase_add_test(t, range_from_zero_needs_nothing_before);
    tcase_add_test(t, range_behind_zero_without_a_lease_makes_the_client_start_over);
    tcase_add_loop_test(t, lease_holds_though_the_channel_moved, 0, (int)OTAD_COUNT(mutable_urls));
    tcase_add_test(t, lease_belongs_to_one_client);
    tcase_add_test(t, head_starts_a_lease);
    tcase_add_test(t, if_range_on_latest_follows_the_channel);
    tcase_add_test(t, withdrawn_build_ends_its_downloads);
    tcase_add_test(t, paused_channel_stops_a_resume_too);
    tcase_add_loop_test(t, random_parts_rebuild_one_image_or_end_in_416, 0, 12);
    tcase_add_test(t, parts_are_one_transfer_and_one_attempt);
    tcase_add_test(t, resume_after_a_break_is_no_new_transfer);
    tcase_add_test(t, start_over_is_a_new_transfer_and_ends_the_open_one);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(suite)
