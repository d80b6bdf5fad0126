/* SPDX-License-Identifier: MIT
 * Evidence, seen from outside: where a download stopped and why, what became of an update, loops
 * that end, builds that stop themselves, and that explain says what devices are answered. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/hex.h"
#include "otad/err.h"
#include "support/http.h"
#include "support/imgbuild.h"
#include "support/unit.h"

#define API "/api/v1/products/"
#define WINDOW 4096 /* asked for as receive buffer: what may be acknowledged and not yet read */
#define MIB 1048576

static struct daemon d;
static char admin[DAEMON_KEY];

static void setup(void)
{
    static const char *const flags[] = {"--devices-new-devices-per-hour", "100000", NULL};
    daemon_start(&d, flags);
    daemon_key(&d, "root", "admin", NULL, admin);
}

static void teardown(void)
{
    daemon_free(&d);
}

/* ---- the world ---------------------------------------------------------------------------- */

/* A product with its policy as it comes, changed by `policy` ("{}" = not). */
static void product(const char *slug, const char *policy)
{
    char text[160];
    (void)snprintf(text, sizeof text, "{\"slug\":\"%s\"}", slug);
    struct reply r = send_json(&d, admin, "POST", "/api/v1/products", text);
    CK_STATUS(slug, r, 201);
    reply_free(&r);
    (void)snprintf(text, sizeof text, API "%s", slug);
    r = send_json(&d, admin, "PATCH", text, policy);
    CK_STATUS(policy, r, 200);
    reply_free(&r);
}

/* Uploads an ESP8266 image of about n bytes as that version. */
static size_t build(const char *slug, const char *version, uint64_t seed, size_t n)
{
    struct img img = image_of("ESP8266", seed, n);
    const struct part parts[] = {
        {.name = "file",    .filename = "a.bin", .data = img.data, .n = img.n},
        FIELD("version", version),
        {.name = NULL}
    };
    struct reply r = upload(&d, admin, slug, parts);
    CK_STATUS(version, r, 201);
    reply_free(&r);
    n = img.n;
    img_free(&img);
    return n;
}

static void filesystem(const char *slug, const char *version)
{
    struct img img = {.n = 0};
    img_build_littlefs(4096, 16, 0, &img);
    const struct part parts[] = {
        {.name = "file",    .filename = "fs.bin", .data = img.data, .n = img.n},
        FIELD("version", version),
        FIELD("kind", "fs"),
        {.name = NULL}
    };
    struct reply r = upload(&d, admin, slug, parts);
    CK_STATUS(version, r, 201);
    reply_free(&r);
    img_free(&img);
}

/* A report from another address than that of the tests' own client. */
static void report_from(const char *address, const char *path, const char *form)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(d.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char text[512];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(inet_pton(AF_INET, address, &from.sin_addr), 1);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    int n = snprintf(text, sizeof text,
                     "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: "
                     "application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n%s",
                     path, strlen(form), form);
    ck_assert_int_eq(send(fd, text, (size_t)n, MSG_NOSIGNAL), n);
    struct reply r = raw_reply(fd, false);
    CK_STATUS(address, r, 204);
    reply_free(&r);
    (void)close(fd);
}

/* A check-in by query. */
static struct reply check_in(const char *slug, const char *mac, const char *version)
{
    char path[160];
    (void)snprintf(path, sizeof path, "/fw/%s/latest?mac=%s&version=%s", slug, mac, version);
    return get(&d, NULL, path);
}

static long answer(const char *slug, const char *mac, const char *version)
{
    struct reply r = check_in(slug, mac, version);
    long status = r.status;
    reply_free(&r);
    return status;
}

static struct reply ledger(const char *slug, const char *mac)
{
    char path[128];
    (void)snprintf(path, sizeof path, API "%s/updates?mac=%s", slug, mac);
    struct reply r = get(&d, admin, path);
    CK_STATUS(path, r, 200);
    return r;
}

/* Waits until a text of the device's newest update is that. */
static struct reply becomes(const char *slug, const char *mac, const char *what, const char *want)
{
    char path[64];
    (void)snprintf(path, sizeof path, "items.0.%s", what);
    for (int64_t until = test_now_ms() + DAEMON_PATIENCE_S * 1000;; test_sleep_ms(20)) {
        struct reply r = ledger(slug, mac);
        if (strcmp(reply_text(&r, path), want) == 0)
            return r;
        ck_assert_msg(test_now_ms() < until, "%s isn't %s: %.1500s", what, want, r.body);
        reply_free(&r);
    }
}

static void state_becomes(const char *slug, const char *mac, const char *want)
{
    struct reply r = becomes(slug, mac, "state", want);
    reply_free(&r);
}

/* ---- where a download stopped ------------------------------------------------------------- */

enum way { PLAIN, KEPT, PIPELINED, WAYS };

/* A connection with a small window, so that little more is acknowledged than was read. */
static int narrow_connect(void)
{
    const int window = WINDOW;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(d.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* Sends the request for the image in that way, behind another one where the way has one. */
static void request_image(int fd, enum way way, const char *slug, const char *mac)
{
    char first[160], second[160];
    (void)snprintf(first, sizeof first, "GET /fw/%s/%s.version HTTP/1.1\r\nHost: x\r\n\r\n", slug,
                   mac);
    (void)snprintf(second, sizeof second, "GET /fw/%s/%s.bin HTTP/1.%d\r\nHost: x\r\n\r\n", slug,
                   mac, way == PLAIN ? 0 : 1);
    if (way != PLAIN)
        raw_send(fd, first, strlen(first));
    if (way == KEPT) {
        struct reply r = raw_reply(fd, false);
        CK_STATUS("version", r, 200);
        reply_free(&r);
    }
    raw_send(fd, second, strlen(second));
}

/* Reads about n bytes of what comes, 4 KiB every millisecond, heads included. */
static void read_slowly(int fd, size_t n)
{
    char buf[4096];
    for (size_t got = 0; got < n;) {
        ssize_t more = recv(fd, buf, n - got < sizeof buf ? n - got : sizeof buf, 0);
        ck_assert_msg(more > 0, "recv: %s", more < 0 ? strerror(errno) : "closed");
        got += (size_t)more;
        (void)usleep(1000);
    }
}

static const struct {
    enum way way;
    int percent;
} stops[] = {
    {PLAIN,     10},
    {PLAIN,     41},
    {PLAIN,     99},
    {KEPT,      10},
    {KEPT,      41},
    {KEPT,      99},
    {PIPELINED, 10},
    {PIPELINED, 41},
    {PIPELINED, 99},
};

START_TEST(download_that_stops_shows_where_and_why)
{
    char slug[32], mac[16];
    (void)snprintf(slug, sizeof slug, "stop-%d", _i);
    (void)snprintf(mac, sizeof mac, "30AEA48400%02X", (unsigned)_i);
    product(slug, "{}");
    size_t size = build(slug, "2", 7, MIB);
    size_t stop = size * (size_t)stops[_i].percent / 100;
    int fd = narrow_connect();
    request_image(fd, stops[_i].way, slug, mac);
    read_slowly(fd, stop);
    const struct linger reset = {.l_onoff = 1};
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    (void)close(fd); /* as a device that dies and comes back: a reset */
    struct reply r = becomes(slug, mac, "transfers.0.state", "aborted");
    CK_TEXT("cause", r, "items.0.transfers.0.cause", "peer_gone");
    int64_t acked = reply_number(&r, "items.0.transfers.0.bytes_acked");
    ck_assert_msg(acked >= (int64_t)stop - 4 * WINDOW && acked <= (int64_t)stop + 4 * WINDOW,
                  "read %zu, acknowledged %" PRId64, stop, acked);
    ck_assert_msg(strstr(reply_text(&r, "items.0.detail"), "stopped at ") != NULL, "%s",
                  reply_text(&r, "items.0.detail"));
    ck_assert_int_eq(reply_number(&r, "items.0.attempts"), 0);
    CK_TEXT("state", r, "items.0.state", "in_progress");
    reply_free(&r);
}
END_TEST

START_TEST(progress_shows_while_it_runs)
{
    static const char mac[] = "30AEA4840020";
    product("live", "{}");
    size_t size = build("live", "2", 8, MIB);
    int fd = narrow_connect();
    request_image(fd, PLAIN, "live", mac);
    read_slowly(fd, size / 3);
    int64_t acked = 0;
    for (int64_t until = test_now_ms() + DAEMON_PATIENCE_S * 1000; acked < (int64_t)size / 4;) {
        struct reply r = ledger("live", mac);
        CK_TEXT("state", r, "items.0.transfers.0.state", "downloading");
        acked = reply_number(&r, "items.0.transfers.0.bytes_acked");
        reply_free(&r);
        ck_assert_int_lt(test_now_ms(), until);
        test_sleep_ms(50);
    }
    ck_assert_int_lt(acked, (int64_t)size / 3 + 4 * WINDOW);
    (void)close(fd);
}
END_TEST

/* The image fits into the kernel's buffers: MHD has long been done with it. */
START_TEST(device_that_dies_after_the_last_byte_was_written_got_no_image)
{
    static const char mac[] = "30AEA4840021";
    product("tail", "{}");
    size_t size = build("tail", "2", 9, 120000);
    int fd = narrow_connect();
    request_image(fd, PLAIN, "tail", mac);
    read_slowly(fd, 2000);
    test_sleep_ms(300);
    struct reply r = ledger("tail", mac);
    CK_TEXT("before", r, "items.0.transfers.0.state", "downloading");
    reply_free(&r);
    const struct linger reset = {.l_onoff = 1};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    (void)close(fd);
    r = becomes("tail", mac, "transfers.0.state", "aborted");
    ck_assert_int_lt(reply_number(&r, "items.0.transfers.0.bytes_acked"), (int64_t)size);
    ck_assert_int_eq(reply_number(&r, "items.0.attempts"), 0);
    reply_free(&r);
}
END_TEST

/* HTTP/1.0 clients wait for the end of the connection, also when the watch holds it. */
START_TEST(connection_ends_though_its_answer_is_followed)
{
    static const char mac[] = "30AEA4840022";
    char buf[4096];
    size_t got = 0;
    product("ends", "{}");
    size_t size = build("ends", "2", 10, 120000);
    int fd = narrow_connect();
    const struct timeval patience = {.tv_sec = 20};
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    request_image(fd, PLAIN, "ends", mac);
    test_sleep_ms(300); /* now it is written, and not acknowledged */
    for (ssize_t n = 1; n > 0; got += n > 0 ? (size_t)n : 0) {
        n = recv(fd, buf, sizeof buf, 0);
        ck_assert_int_ge(n, 0);
    }
    ck_assert_uint_gt(got, size);
    (void)close(fd);
    struct reply r = becomes("ends", mac, "state", "sent");
    ck_assert_int_eq(reply_number(&r, "items.0.attempts"), 1);
    reply_free(&r);
}
END_TEST

START_TEST(probe_that_is_dropped_after_its_headers_is_no_attempt)
{
    static const char mac[] = "30AEA4840023";
    product("probe", "{}");
    (void)build("probe", "2", 11, MIB);
    for (int i = 0; i < 5; i++) {
        int fd = narrow_connect();
        request_image(fd, PLAIN, "probe", mac);
        read_slowly(fd, 400);
        (void)close(fd);
    }
    struct reply r = becomes("probe", mac, "transfers.4.state", "aborted");
    ck_assert_int_eq(reply_number(&r, "items.0.attempts"), 0);
    CK_TEXT("state", r, "items.0.state", "in_progress");
    reply_free(&r);
    ck_assert_int_eq(answer("probe", mac, "1"), 200);
}
END_TEST

START_TEST(next_check_in_is_noted_beside_the_broken_download)
{
    static const char mac[] = "30AEA4840024";
    product("next", "{}");
    (void)build("next", "2", 12, MIB);
    int fd = narrow_connect();
    request_image(fd, PLAIN, "next", mac);
    read_slowly(fd, 50000);
    (void)close(fd);
    struct reply r = becomes("next", mac, "transfers.0.state", "aborted");
    reply_free(&r);
    r = get(&d, NULL, "/fw/next/latest.version?mac=30AEA4840024&version=1");
    CK_STATUS("check-in", r, 200);
    reply_free(&r);
    r = ledger("next", mac);
    ck_assert_msg(strstr(reply_text(&r, "items.0.transfers.0.detail"), "next check-in after ") !=
                      NULL,
                  "%s", r.body);
    reply_free(&r);
}
END_TEST

/* ---- loops -------------------------------------------------------------------------------- */

START_TEST(devices_that_loop_are_held_after_three_whole_images)
{
    char mac[16];
    product("loop", "{\"stop_window_s\":0}");
    (void)build("loop", "2", 13, 20000); /* its version constant still says 1 */
    for (unsigned i = 0; i < 20; i++) {
        int served = 0;
        (void)snprintf(mac, sizeof mac, "30AEA48401%02X", i);
        for (int poll = 0; poll < 8; poll++) {
            struct reply r = check_in("loop", mac, "1");
            served += r.status == 200;
            if (r.status != 200) {
                CK_STATUS(mac, r, 304);
                ck_assert_str_eq(reply_header(&r, "X-Otad-Reason"), "attempts_exhausted");
            }
            reply_free(&r);
        }
        ck_assert_msg(served == 3, "%s was served %d times", mac, served);
        struct reply r = ledger("loop", mac);
        CK_TEXT(mac, r, "items.0.state", "attempts_exhausted");
        ck_assert_int_eq(reply_number(&r, "items.0.attempts"), 3);
        ck_assert_msg(strstr(reply_text(&r, "items.0.detail"), "version") != NULL, "%s", r.body);
        reply_free(&r);
    }
}
END_TEST

START_TEST(retry_and_another_build_end_a_hold)
{
    static const char mac[] = "30AEA4840201";
    product("again", "{\"attempts\":1}");
    (void)build("again", "2", 14, 20000);
    ck_assert_int_eq(answer("again", mac, "1"), 200);
    ck_assert_int_eq(answer("again", mac, "1"), 304);
    struct reply r = send_json(&d, admin, "POST", API "again/devices/30AEA4840201/retry", "{}");
    CK_STATUS("retry", r, 200);
    CK_TEXT("retry", r, "update.state", "pending");
    reply_free(&r);
    ck_assert_int_eq(answer("again", mac, "1"), 200);
    ck_assert_int_eq(answer("again", mac, "1"), 304);
    state_becomes("again", mac, "attempts_exhausted");
    (void)build("again", "3", 15, 20000);
    ck_assert_int_eq(answer("again", mac, "1"), 200);
    ck_assert_int_eq(answer("again", mac, "3"), 304);
    state_becomes("again", mac, "installed");
    r = send_json(&d, admin, "POST", API "again/devices/30AEA4840201/retry", "{}");
    CK_STATUS("runs it already", r, 409);
    reply_free(&r);
}
END_TEST

START_TEST(version_sketch_that_never_applies_is_told_zero)
{
    static const char version[] = "/fw/sketch/30AEA4840202.version";
    static const char bin[] = "/fw/sketch/30AEA4840202.bin";
    product("sketch", "{}");
    (void)build("sketch", "2019081902", 16, 20000);
    for (int i = 0; i < 3; i++) {
        struct reply r = get(&d, NULL, version);
        ck_assert_str_eq(r.body, "2019081902");
        reply_free(&r);
        r = get(&d, NULL, bin);
        CK_STATUS("bin", r, 200);
        reply_free(&r);
        state_becomes("sketch", "30AEA4840202", "sent");
    }
    struct reply r = get(&d, NULL, version);
    ck_assert_str_eq(r.body, "0");
    reply_free(&r);
    r = get(&d, NULL, bin);
    CK_STATUS("bin", r, 304);
    reply_free(&r);
    state_becomes("sketch", "30AEA4840202", "attempts_exhausted");
}
END_TEST

START_TEST(old_new_old_is_rolled_back_and_held)
{
    static const char mac[] = "30AEA4840203";
    product("back", "{}");
    (void)build("back", "2", 17, 20000);
    ck_assert_int_eq(answer("back", mac, "1"), 200);
    ck_assert_int_eq(answer("back", mac, "2"), 304);
    state_becomes("back", mac, "installed");
    struct reply r = check_in("back", mac, "1");
    CK_STATUS("old again", r, 304);
    ck_assert_str_eq(reply_header(&r, "X-Otad-Reason"), "rolled_back");
    reply_free(&r);
    state_becomes("back", mac, "rolled_back");
    ck_assert_int_eq(answer("back", mac, "1"), 304);
    r = send_json(&d, admin, "POST", API "back/devices/30AEA4840203/retry", "{}");
    CK_STATUS("retry", r, 200);
    reply_free(&r);
    ck_assert_int_eq(answer("back", mac, "1"), 200);
}
END_TEST

/* ---- silence ------------------------------------------------------------------------------ */

START_TEST(silence_after_an_image_is_a_failure_until_it_comes_back)
{
    static const char mac[] = "30AEA4840204";
    product("quiet", "{\"patience_s\":1,\"stop_window_s\":0}");
    (void)build("quiet", "2", 18, 20000);
    ck_assert_int_eq(answer("quiet", mac, "1"), 200);
    struct reply r = becomes("quiet", mac, "state", "failed");
    CK_TEXT("cause", r, "items.0.cause", "not_seen_again");
    ck_assert_ptr_nonnull(strstr(reply_text(&r, "items.0.detail"), "not seen for"));
    reply_free(&r);
    ck_assert_int_eq(answer("quiet", mac, "2"), 304);
    state_becomes("quiet", mac, "installed");
}
END_TEST

/* ---- a build that stops itself ------------------------------------------------------------ */

static void known_since_yesterday(const char *slug)
{
    char sql[160];
    (void)snprintf(sql, sizeof sql,
                   "UPDATE device SET first_seen_s = first_seen_s - 86400 WHERE product ="
                   " (SELECT id FROM product WHERE slug = '%s')",
                   slug);
    daemon_sql_write(&d, sql);
}

static void fails_with(const char *slug, unsigned device)
{
    char mac[16];
    (void)snprintf(mac, sizeof mac, "30AEA48403%02X", device);
    ck_assert_int_eq(answer(slug, mac, "1"), 200);
    state_becomes(slug, mac, "sent");
    ck_assert_int_ne(answer(slug, mac, "1"), 0); /* back on the old one */
}

static struct reply channel(const char *slug)
{
    char path[96];
    (void)snprintf(path, sizeof path, API "%s/channels/stable", slug);
    struct reply r = get(&d, admin, path);
    CK_STATUS(path, r, 200);
    return r;
}

START_TEST(build_that_fails_on_three_known_devices_stops_itself)
{
    char mac[16];
    product("bad", "{\"attempts\":1}");
    (void)build("bad", "1", 20, 20000);
    for (unsigned i = 0; i < 6; i++) {
        (void)snprintf(mac, sizeof mac, "30AEA48403%02X", i);
        ck_assert_int_eq(answer("bad", mac, "1"), 304);
    }
    struct reply r = get(&d, admin, API "bad/devices");
    ck_assert_uint_eq(json_array_size(reply_at(&r, "items")), 6);
    reply_free(&r);
    known_since_yesterday("bad");
    (void)build("bad", "2", 21, 20000);
    fails_with("bad", 0);
    fails_with("bad", 1);
    r = channel("bad");
    ck_assert(json_is_false(reply_at(&r, "paused")));
    reply_free(&r);
    fails_with("bad", 2);
    r = channel("bad");
    ck_assert_msg(json_is_true(reply_at(&r, "paused")), "%s", r.body);
    ck_assert_msg(strstr(reply_text(&r, "stop_reason"), "3 of 3 devices") != NULL, "%s", r.body);
    ck_assert(json_is_string(reply_at(&r, "stopped_at")));
    reply_free(&r);
    r = check_in("bad", "30AEA4840304", "1");
    CK_STATUS("not yet on it", r, 304);
    ck_assert_str_eq(reply_header(&r, "X-Otad-Reason"), "paused");
    reply_free(&r);
    r = get(&d, admin, "/api/v1/audit?limit=1");
    CK_TEXT("audit", r, "items.0.action", "channel.stop");
    CK_TEXT("audit", r, "items.0.who", "otad");
    reply_free(&r);
    /* resumed by hand: it counts anew */
    r = send_json(&d, admin, "POST", API "bad/channels/stable/resume", "{}");
    CK_STATUS("resume", r, 200);
    reply_free(&r);
    fails_with("bad", 3);
    r = channel("bad");
    ck_assert(json_is_false(reply_at(&r, "paused")));
    reply_free(&r);
    /* another build flows */
    (void)build("bad", "3", 22, 20000);
    ck_assert_int_eq(answer("bad", "30AEA4840305", "1"), 200);
}
END_TEST

START_TEST(devices_that_came_after_the_release_stop_nothing)
{
    char mac[16];
    product("new", "{\"attempts\":1}");
    (void)build("new", "2", 23, 20000);
    for (unsigned i = 0; i < 6; i++) {
        (void)snprintf(mac, sizeof mac, "30AEA48404%02X", i);
        ck_assert_int_eq(answer("new", mac, "1"), 200);
        state_becomes("new", mac, "sent");
        ck_assert_int_eq(answer("new", mac, "1"), 304);
    }
    struct reply r = channel("new");
    ck_assert(json_is_false(reply_at(&r, "paused")));
    reply_free(&r);
}
END_TEST

/* ---- fit ---------------------------------------------------------------------------------- */

static const struct {
    const char *what, *query, *reason;
} misfits[] = {
    {"too little room",     "version=1&free_space=1000",                    "wont_fit"  },
    {"just enough",         "version=1&free_space=100000",                  NULL        },
    {"flash of the chip",   "version=1&free_space=100000&chip_size=262144", "wont_fit"  },
    {"another chip",        "version=1&chip=ESP32",                         "wrong_chip"},
    {"filesystem has none", "version=1&mode=spiffs&free_space=1000",        "no_build"  },
};

START_TEST(what_does_not_fit_is_held_before_a_byte_is_sent)
{
    char slug[32], path[160];
    (void)snprintf(slug, sizeof slug, "fit-%d", _i);
    product(slug, "{}");
    (void)build(slug, "2", 24, 20000);
    (void)snprintf(path, sizeof path, "/fw/%s/latest?mac=30AEA4840500&%s", slug, misfits[_i].query);
    struct reply r = get(&d, NULL, path);
    if (misfits[_i].reason == NULL) {
        CK_STATUS(misfits[_i].what, r, 200);
    } else {
        ck_assert_msg(r.status == 304 || r.status == 404, "%s: %ld", misfits[_i].what, r.status);
        ck_assert_str_eq(reply_header(&r, "X-Otad-Reason"), misfits[_i].reason);
    }
    reply_free(&r);
    (void)snprintf(path, sizeof path, API "%s/devices/30AEA4840500/explain", slug);
    r = get(&d, admin, path);
    CK_STATUS(path, r, 200);
    if (misfits[_i].reason != NULL)
        CK_TEXT(misfits[_i].what, r, "reason", misfits[_i].reason);
    reply_free(&r);
}
END_TEST

/* ---- explain ------------------------------------------------------------------------------ */

START_TEST(explain_walks_the_rules_in_words)
{
    product("why", "{}");
    (void)build("why", "2", 25, 20000);
    ck_assert_int_eq(answer("why", "30AEA4840601", "1"), 200);
    struct reply r = get(&d, admin, API "why/devices/30AEA4840601/explain");
    CK_STATUS("explain", r, 200);
    CK_TEXT("explain", r, "verdict", "serve");
    CK_TEXT("explain", r, "rules.2.rule", "target");
    ck_assert_ptr_nonnull(strstr(reply_text(&r, "rules.2.text"), "It should run 2"));
    ck_assert_uint_eq(json_array_size(reply_at(&r, "rules")), 8);
    reply_free(&r);
    r = get(&d, admin, API "why/devices/30AEA4840601/explain?version=2");
    CK_TEXT("what if", r, "verdict", "up_to_date");
    CK_TEXT("what if", r, "reason", "same_version");
    CK_TEXT("what if", r, "text", "It says it runs 2: that is this build.");
    reply_free(&r);
    r = get(&d, admin, API "why/devices/30AEA4840601/explain?free_space=10");
    CK_TEXT("what if", r, "reason", "wont_fit");
    reply_free(&r);
    r = get(&d, admin, API "why/devices/30AEA4840601/explain?agent=ESP32-http-Update");
    CK_TEXT("what if", r, "reason", "wrong_chip");
    reply_free(&r);
    r = get(&d, admin, API "why/devices/30AEA4840601/explain?mode=banana");
    CK_TEXT("what if", r, "reason", "wrong_mode");
    reply_free(&r);
    r = get(&d, admin, API "why/devices/30AEA4840601/explain?verson=2");
    CK_STATUS("mistyped", r, 422);
    reply_free(&r);
    r = get(&d, admin, API "why/devices/30AEA4840602/explain");
    CK_STATUS("unknown", r, 404);
    reply_free(&r);
}
END_TEST

/* ---- the whole story ---------------------------------------------------------------------- */

START_TEST(one_update_tells_its_story_in_order)
{
    char path[128];
    product("tale", "{}");
    (void)build("tale", "2", 31, 20000);
    ck_assert_int_eq(answer("tale", "30AEA4840720", "1"), 200);
    state_becomes("tale", "30AEA4840720", "sent");
    ck_assert_int_eq(answer("tale", "30AEA4840720", "2"), 304);
    state_becomes("tale", "30AEA4840720", "installed");
    struct reply r = ledger("tale", "30AEA4840720");
    (void)snprintf(path, sizeof path, API "tale/updates/%s", reply_text(&r, "items.0.id"));
    reply_free(&r);
    r = get(&d, admin, path);
    CK_STATUS(path, r, 200);
    CK_TEXT("story", r, "story.0.kind", "download");
    ck_assert_ptr_nonnull(strstr(reply_text(&r, "story.0.text"), "download began"));
    size_t n = json_array_size(reply_at(&r, "story"));
    ck_assert_msg(n == 5, "%s", r.body);
    CK_TEXT("end", r, "story.4.text", "installed: it says it runs the version of this build");
    reply_free(&r);
}
END_TEST

/* ---- patched images ----------------------------------------------------------------------- */

/* An ESP8266 writes its own flash mode over byte 2, and reports the MD5 of that. */
/* Nobody reads the API in between: a reading would wait for what is not on the disk yet. */
START_TEST(next_request_of_a_device_sees_the_last_one)
{
    char mac[16];
    product("next1", "{}");
    (void)build("next1", "2", 31, 20000);
    for (unsigned i = 0; i < 20; i++) {
        static const struct {
            const char *version, *reason;
            long status;
        } steps[] = {
            {"1", "",             200},
            {"2", "same_version", 304},
            {"1", "rolled_back",  304},
            {"1", "rolled_back",  304},
            {"2", "same_version", 304},
            {"1", "rolled_back",  304}
        };
        (void)snprintf(mac, sizeof mac, "30AEA48407%02X", 0x40 + i);
        for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
            struct reply r = check_in("next1", mac, steps[k].version);
            CK_STATUS(mac, r, steps[k].status);
            if (steps[k].status == 304)
                ck_assert_str_eq(reply_header(&r, "X-Otad-Reason"), steps[k].reason);
            reply_free(&r);
        }
    }
}
END_TEST

START_TEST(filesystem_without_a_version_is_given_once)
{
    product("fsonce", "{}");
    filesystem("fsonce", "7");
    for (int i = 0; i < 5; i++) {
        struct reply r = get(&d, NULL, "/fw/fsonce/latest?mac=30AEA4840720&mode=spiffs");
        CK_STATUS("filesystem", r, i == 0 ? 200 : 304);
        reply_free(&r);
    }
    state_becomes("fsonce", "30AEA4840720", "installed");
}
END_TEST

START_TEST(filesystem_is_installed_when_its_device_asks_for_the_sketch)
{
    product("fssketch", "{}");
    filesystem("fssketch", "7");
    (void)build("fssketch", "2", 32, 20000);
    struct reply r = get(&d, NULL, "/fw/fssketch/latest?mac=30AEA4840721&mode=spiffs");
    CK_STATUS("filesystem", r, 200);
    reply_free(&r);
    test_sleep_ms(1100);
    r = check_in("fssketch", "30AEA4840721", "2");
    CK_STATUS("sketch", r, 304);
    reply_free(&r);
    state_becomes("fssketch", "30AEA4840721", "installed");
}
END_TEST

START_TEST(pin_that_is_taken_back_leaves_nothing_open)
{
    product("unpin", "{}");
    (void)build("unpin", "2", 33, 20000);
    struct reply r = check_in("unpin", "30AEA4840722", "2");
    reply_free(&r);
    struct img img = image_of("ESP8266", 34, 20000);
    const struct part other[] = {
        {.name = "file",    .filename = "b.bin", .data = img.data, .n = img.n},
        FIELD("version", "5"),
        FIELD("channel", "none"),
        {.name = NULL}
    };
    char body[64];
    r = upload(&d, admin, "unpin", other);
    CK_STATUS("other build", r, 201);
    (void)snprintf(body, sizeof body, "{\"pin\":\"%s\"}", reply_text(&r, "id"));
    reply_free(&r);
    img_free(&img);
    r = send_json(&d, admin, "PATCH", "/api/v1/products/unpin/devices/30AEA4840722", body);
    CK_STATUS("pin", r, 200);
    reply_free(&r);
    state_becomes("unpin", "30AEA4840722", "pending");
    r = send_json(&d, admin, "PATCH", "/api/v1/products/unpin/devices/30AEA4840722",
                  "{\"pin\":null}");
    CK_STATUS("unpin", r, 200);
    reply_free(&r);
    state_becomes("unpin", "30AEA4840722", "failed");
    r = ledger("unpin", "30AEA4840722");
    CK_TEXT("unpin", r, "items.0.cause", "superseded");
    reply_free(&r);
}
END_TEST

START_TEST(retry_at_once_gives_all_attempts_anew)
{
    product("anew", "{\"stop_window_s\":0}");
    (void)build("anew", "2", 35, 20000);
    for (int turn = 0; turn < 3; turn++) {
        for (int i = 0; i < 4; i++) {
            struct reply r = check_in("anew", "30AEA4840723", "1");
            CK_STATUS("attempt", r, i < 3 ? 200 : 304);
            reply_free(&r);
        }
        struct reply r = send_json(&d, admin, "POST", API "anew/devices/30AEA4840723/retry", "{}");
        CK_STATUS("retry", r, 200);
        reply_free(&r);
    }
}
END_TEST

START_TEST(report_from_elsewhere_is_kept_and_not_believed)
{
    product("forged", "{}");
    (void)build("forged", "2", 36, 20000);
    struct reply r = get(&d, NULL, "/fw/forged/latest?mac=30AEA4840724&version=1");
    CK_STATUS("offer", r, 200);
    reply_free(&r);
    state_becomes("forged", "30AEA4840724", "sent");
    report_from("127.0.0.9", "/fw/forged/30AEA4840724/report", "result=rolled_back");
    r = ledger("forged", "30AEA4840724");
    CK_TEXT("forged", r, "items.0.state", "sent");
    CK_TEXT("forged", r, "items.0.reports.0.address", "127.0.0.9");
    reply_free(&r);
    r = check_in("forged", "30AEA4840724", "2");
    CK_STATUS("its own word", r, 304);
    reply_free(&r);
    state_becomes("forged", "30AEA4840724", "installed");
}
END_TEST

START_TEST(device_that_patched_the_flash_mode_is_known_by_its_md5)
{
    uint8_t md5[16];
    char path[160], hex[33];
    product("mode", "{}");
    (void)build("mode", "2", 30, 20000);
    struct img img = image_of("ESP8266", 30, 20000);
    img.data[2] = img.data[2] == 2 ? 3 : 2;
    ck_assert_int_eq(digest_md5(img.data, img.n, md5), OTAD_E_OK);
    hex_encode(md5, sizeof md5, hex);
    img_free(&img);
    struct reply r =
        get(&d, NULL, "/fw/mode/latest?mac=30AEA4840710&md5=00000000000000000000000000000000");
    CK_STATUS("old", r, 200);
    reply_free(&r);
    state_becomes("mode", "30AEA4840710", "sent");
    (void)snprintf(path, sizeof path, "/fw/mode/latest?mac=30AEA4840710&md5=%s", hex);
    r = get(&d, NULL, path);
    CK_STATUS("known at once", r, 304);
    ck_assert_str_eq(reply_header(&r, "X-Otad-Reason"), "same_content");
    reply_free(&r);
    state_becomes("mode", "30AEA4840710", "installed");
}
END_TEST

/* ---- update now --------------------------------------------------------------------------- */

START_TEST(pin_makes_a_pending_update_that_shows_when_it_is_due)
{
    char body[64];
    product("pin", "{}");
    (void)build("pin", "1", 26, 20000);
    struct img img = image_of("ESP8266", 27, 20000);
    const struct part other[] = {
        {.name = "file",    .filename = "b.bin", .data = img.data, .n = img.n},
        FIELD("version", "5"),
        FIELD("channel", "none"),
        {.name = NULL}
    };
    struct reply r = upload(&d, admin, "pin", other);
    CK_STATUS("upload", r, 201);
    (void)snprintf(body, sizeof body, "{\"pin\":\"%s\"}", reply_text(&r, "id"));
    reply_free(&r);
    img_free(&img);
    ck_assert_int_eq(answer("pin", "30AEA4840701", "1"), 304);
    r = get(&d, admin, API "pin/devices/30AEA4840701");
    reply_free(&r);
    daemon_sql_write(&d, "UPDATE device SET last_seen_s = last_seen_s - 3600");
    ck_assert_int_eq(answer("pin", "30AEA4840701", "1"), 304);
    r = send_json(&d, admin, "PATCH", API "pin/devices/30AEA4840701", body);
    CK_STATUS("pin", r, 200);
    CK_TEXT("pin", r, "update.state", "pending");
    ck_assert_int_ge(reply_number(&r, "interval_s"), 3590);
    ck_assert(json_is_string(reply_at(&r, "expected_at")));
    reply_free(&r);
    ck_assert_int_eq(answer("pin", "30AEA4840701", "1"), 200);
    ck_assert_int_eq(answer("pin", "30AEA4840701", "5"), 304);
    state_becomes("pin", "30AEA4840701", "installed");
}
END_TEST

/* ---- reports and evidence ----------------------------------------------------------------- */

START_TEST(report_that_contradicts_the_evidence_is_shown)
{
    product("lies", "{\"attempts\":1}");
    (void)build("lies", "2", 28, 20000);
    ck_assert_int_eq(answer("lies", "30AEA4840801", "1"), 200);
    state_becomes("lies", "30AEA4840801", "sent");
    struct call form = {.type = "application/x-www-form-urlencoded",
                        .data = "result=success",
                        .n = strlen("result=success")};
    struct reply r = call(&d, "POST", "/fw/lies/30AEA4840801/report", form);
    CK_STATUS("report", r, 204);
    reply_free(&r);
    r = ledger("lies", "30AEA4840801");
    ck_assert(json_is_null(reply_at(&r, "items.0.contradiction")));
    reply_free(&r);
    ck_assert_int_eq(answer("lies", "30AEA4840801", "1"), 304);
    r = becomes("lies", "30AEA4840801", "state", "attempts_exhausted");
    ck_assert_msg(strstr(reply_text(&r, "items.0.contradiction"), "reported success") != NULL, "%s",
                  r.body);
    reply_free(&r);
}
END_TEST

/* ---- restarts ----------------------------------------------------------------------------- */

START_TEST(attempts_survive_a_kill)
{
    product("kill", "{}");
    (void)build("kill", "2", 29, 20000);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(answer("kill", "30AEA4840901", "1"), 200);
        state_becomes("kill", "30AEA4840901", "sent");
        daemon_kill(&d);
        daemon_restart(&d);
    }
    ck_assert_int_eq(answer("kill", "30AEA4840901", "1"), 304);
    state_becomes("kill", "30AEA4840901", "attempts_exhausted");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("evidence");
    TCase *t = tcase_create("evidence");
    tcase_set_timeout(t, 240);
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, download_that_stops_shows_where_and_why, 0, (int)OTAD_COUNT(stops));
    tcase_add_test(t, progress_shows_while_it_runs);
    tcase_add_test(t, device_that_dies_after_the_last_byte_was_written_got_no_image);
    tcase_add_test(t, connection_ends_though_its_answer_is_followed);
    tcase_add_test(t, probe_that_is_dropped_after_its_headers_is_no_attempt);
    tcase_add_test(t, next_check_in_is_noted_beside_the_broken_download);
    tcase_add_test(t, devices_that_loop_are_held_after_three_whole_images);
    tcase_add_test(t, retry_and_another_build_end_a_hold);
    tcase_add_test(t, version_sketch_that_never_applies_is_told_zero);
    tcase_add_test(t, old_new_old_is_rolled_back_and_held);
    tcase_add_test(t, silence_after_an_image_is_a_failure_until_it_comes_back);
    tcase_add_test(t, build_that_fails_on_three_known_devices_stops_itself);
    tcase_add_test(t, devices_that_came_after_the_release_stop_nothing);
    tcase_add_loop_test(t, what_does_not_fit_is_held_before_a_byte_is_sent, 0,
                        (int)OTAD_COUNT(misfits));
    tcase_add_test(t, explain_walks_the_rules_in_words);
    tcase_add_test(t, one_update_tells_its_story_in_order);
    tcase_add_test(t, next_request_of_a_device_sees_the_last_one);
    tcase_add_test(t, filesystem_without_a_version_is_given_once);
    tcase_add_test(t, filesystem_is_installed_when_its_device_asks_for_the_sketch);
    tcase_add_test(t, pin_that_is_taken_back_leaves_nothing_open);
    tcase_add_test(t, retry_at_once_gives_all_attempts_anew);
    tcase_add_test(t, report_from_elsewhere_is_kept_and_not_believed);
    tcase_add_test(t, device_that_patched_the_flash_mode_is_known_by_its_md5);
    tcase_add_test(t, pin_makes_a_pending_update_that_shows_when_it_is_due);
    tcase_add_test(t, report_that_contradicts_the_evidence_is_shown);
    suite_add_tcase(s, t);
    t = tcase_create("restarts");
    tcase_set_timeout(t, 240);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, attempts_survive_a_kill);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(suite)
