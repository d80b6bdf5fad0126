/* SPDX-License-Identifier: MIT
 * What devices in the field get: the rules of the device paths. What each stock client makes of
 * it is in test_captures.c and test_clients.c. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "otad/err.h"
#include "support/stock.h"
#include "support/unit.h"

static struct daemon d;
static char admin[DAEMON_KEY];
static struct img lamp, sensor;
static char lamp_md5[64], lamp_sha256[80];

static void release(const char *product, const char *version, const struct img *img,
                    const char *channel, char *id)
{
    const struct part parts[] = {
        {.name = "file",     .filename = "x.bin", .data = img->data, .n = img->n},
        FIELD("version", version),
        FIELD(channel != NULL ? "channel" : "ignored", channel),
        {.name = NULL}
    };
    struct reply r = upload(&d, admin, product, parts);
    ck_assert_msg(r.status == 201 || r.status == 200, "%s", r.body);
    if (id != NULL)
        (void)snprintf(id, 32, "%s", reply_text(&r, "id"));
    reply_free(&r);
}

static void setup(void)
{
    static const char *const flags[] = {"--devices-new-devices-per-hour", "1000000", NULL};
    daemon_start(&d, flags);
    daemon_key(&d, "root", "admin", NULL, admin);
    make_product(&d, admin, "lamp");
    make_product(&d, admin, "sensor");
    lamp = image_of("ESP8266", 21, 400000);
    sensor = image_of("ESP32", 22, 0);
    release("lamp", "2", &lamp, NULL, NULL);
    release("sensor", "2", &sensor, NULL, NULL);
    stock_md5(&lamp, lamp_md5);
    stock_sha256(&lamp, lamp_sha256);
}

static void teardown(void)
{
    img_free(&lamp);
    img_free(&sensor);
    daemon_free(&d);
}

/* A product of a test's own with lamp's image as version 2 on its default channel. */
static const char *own_product(const char *slug, char *id)
{
    make_product(&d, admin, slug);
    release(slug, "2", &lamp, NULL, id);
    return slug;
}

static void patch(const char *path, const char *json)
{
    struct reply r = send_json(&d, admin, "PATCH", path, json);
    CK_STATUS(path, r, 200);
    reply_free(&r);
}

static struct reply device(const char *product, const char *mac)
{
    char path[160];
    (void)snprintf(path, sizeof path, "/api/v1/products/%s/devices/%s", product, mac);
    return get(&d, admin, path);
}

static size_t count_devices(const char *product)
{
    char path[160];
    (void)snprintf(path, sizeof path, "/api/v1/products/%s/devices?limit=500", product);
    struct reply r = get(&d, admin, path);
    CK_STATUS(path, r, 200);
    size_t n = json_array_size(reply_at(&r, "items"));
    reply_free(&r);
    return n;
}

static void check_body(const char *what, const struct reply *r, const char *want)
{
    const struct img *img = strcmp(want, "@lamp") == 0     ? &lamp
                            : strcmp(want, "@sensor") == 0 ? &sensor
                                                           : NULL;
    const void *bytes = img != NULL ? (const void *)img->data : want;
    size_t n = img != NULL ? img->n : strlen(want);
    ck_assert_msg(r->n == n && memcmp(r->body, bytes, n) == 0, "%s: body of %zu bytes, want %zu",
                  what, r->n, n);
}

/* Stock readers stall for a second while flash is erased. */
START_TEST(slow_reader_gets_every_byte)
{
    static const char request[] = "GET /fw/lamp/latest HTTP/1.0\r\n\r\n";
    const int small = 16384;
    static char body[600000];
    size_t n = 0;
    int fd = raw_connect(&d);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    raw_send(fd, request, sizeof request - 1);
    for (int i = 0; n < sizeof body; i++) {
        ssize_t got = recv(fd, body + n, 8192 < sizeof body - n ? 8192 : sizeof body - n, 0);
        if (got <= 0)
            break;
        n += (size_t)got;
        if (i < 20)
            test_sleep_ms(50);
    }
    ck_assert_uint_gt(n, lamp.n);
    ck_assert_mem_eq(body + n - lamp.n, lamp.data, lamp.n);
    (void)close(fd);
}
END_TEST

/* ---- who asks ----------------------------------------------------------------------------- */

static const struct {
    const char *what, *word;
    const char *mac; /* as shown, or NULL: no device */
} words[] = {
    {"plain lowercase",               "30aea48436f0",                "30:AE:A4:84:36:F0"},
    {"plain uppercase",               "30AEA48436F1",                "30:AE:A4:84:36:F1"},
    {"colons",                        "30:ae:a4:84:36:f2",           "30:AE:A4:84:36:F2"},
    {"hyphens",                       "30-AE-A4-84-36-F3",           "30:AE:A4:84:36:F3"},
    {"percent-encoded colons",        "30%3AAE%3AA4%3A84%3A36%3AF4", "30:AE:A4:84:36:F4"},
    {"percent-encoded lowercase",     "30%3aae%3aa4%3a84%3a36%3af5", "30:AE:A4:84:36:F5"},
    {"percent-encoded digits",        "%330AEA48436F6",              "30:AE:A4:84:36:F6"},
    {"all zero",                      "000000000000",                NULL               },
    {"all one",                       "FFFFFFFFFFFF",                NULL               },
    {"multicast",                     "01:00:5E:00:00:01",           NULL               },
    {"too short",                     "30AEA48436F",                 NULL               },
    {"too long",                      "30AEA48436F000",              NULL               },
    {"mixed separators",              "30:AE-A4:84:36:F0",           NULL               },
    {"no hex",                        "kitchen.lamp_1",              NULL               },
    {"what an unfilled buffer gives", "3ffe8a40.",                   NULL               },
};

START_TEST(mac_is_taken_in_every_spelling)
{
    char slug[32], path[160];
    (void)snprintf(slug, sizeof slug, "spelling-%d", _i);
    own_product(slug, NULL);
    (void)snprintf(path, sizeof path, "/fw/%s/%s.version", slug, words[_i].word);
    struct reply r = get(&d, NULL, path);
    CK_STATUS(words[_i].what, r, 200);
    check_body(words[_i].what, &r, "2");
    reply_free(&r);
    (void)snprintf(path, sizeof path, "/fw/%s/%s.bin", slug, words[_i].word);
    r = get(&d, NULL, path);
    CK_STATUS(words[_i].what, r, 200);
    check_body(words[_i].what, &r, "@lamp");
    reply_free(&r);
    size_t n = count_devices(slug);
    ck_assert_msg(n == (words[_i].mac != NULL), "%s: %zu devices", words[_i].what, n);
    if (words[_i].mac != NULL) {
        r = device(slug, words[_i].word);
        CK_STATUS(words[_i].what, r, 200);
        CK_TEXT(words[_i].what, r, "mac", words[_i].mac);
        reply_free(&r);
    }
}
END_TEST

static const struct {
    const char *what, *path;
    int status;
} probes[] = {
    {"Tasmota's minimal",             "/fw/lamp/tasmota-minimal.bin",                   404},
    {"Tasmota's minimal of a device", "/fw/lamp/30AEA48436F0-minimal.bin",              404},
    {"Tasmota's safeboot",            "/fw/lamp/tasmota32-safeboot.bin",                404},
    {"minimal version",               "/fw/lamp/tasmota-minimal.version",               404},
    {"gzip of a device",              "/fw/lamp/30AEA48436F0.bin.gz",                   404},
    {"gzip of latest",                "/fw/lamp/latest.bin.gz",                         404},
    {"minimal gzip",                  "/fw/lamp/tasmota-minimal.bin.gz",                404},
    {"no such product",               "/fw/nothing/latest",                             404},
    {"no such product's version",     "/fw/nothing/30AEA48436F0.version",               404},
    {"no such path",                  "/fw/lamp/latest/more",                           404},
    {"the product alone",             "/fw/lamp",                                       404},
    {"a trailing slash",              "/fw/lamp/latest/",                               400},
    {"a word with a blank",           "/fw/lamp/a%20b.bin",                             404},
    {"a word that is too long",       "/fw/lamp/123456789012345678901234567890123.bin", 404},
};

START_TEST(probe_is_refused_with_an_empty_body)
{
    int64_t before = daemon_sql(&d, "SELECT count(*) FROM device");
    struct reply r = get(&d, NULL, probes[_i].path);
    CK_STATUS(probes[_i].what, r, probes[_i].status);
    stock_check_wire(probes[_i].what, &r, false);
    check_body(probes[_i].what, &r, "");
    ck_assert_msg(reply_header(&r, "X-Otad-Reason") != NULL, "%s", r.head);
    ck_assert_int_eq(daemon_sql(&d, "SELECT count(*) FROM device"), before);
    reply_free(&r);
}
END_TEST

static struct reply check_in(const char *path, const char *const *headers)
{
    return call(&d, "GET", path, (struct call){.headers = headers});
}

START_TEST(headers_come_before_the_path_and_sta_before_ap)
{
    const char *slug = own_product("macs", NULL);
    static const char *const both[] = {"x-ESP8266-AP-MAC: 5E:CF:7F:00:00:01",
                                       "x-ESP8266-STA-MAC: 5C:CF:7F:00:00:01",
                                       "x-ESP8266-mode: sketch", NULL};
    static const char *const base[] = {"x-ESP32-BASE-MAC: 60:55:F9:00:00:02",
                                       "x-ESP32-mode: sketch", NULL};
    struct reply r = check_in("/fw/macs/30AEA4000009.bin", both);
    CK_STATUS("STA", r, 200);
    reply_free(&r);
    r = check_in("/fw/macs/latest", base);
    CK_STATUS("BASE", r, 200);
    reply_free(&r);
    r = get(&d, NULL, "/fw/macs/latest?mac=5c-cf-7f-00-00-03&version=1");
    CK_STATUS("query", r, 200);
    reply_free(&r);
    static const char *const want[] = {"5CCF7F000001", "6055F9000002", "5CCF7F000003"};
    ck_assert_uint_eq(count_devices(slug), 3);
    for (size_t i = 0; i < OTAD_COUNT(want); i++) {
        r = device(slug, want[i]);
        CK_STATUS(want[i], r, 200);
        reply_free(&r);
    }
}
END_TEST

START_TEST(anonymous_check_in_is_counted_and_makes_no_row)
{
    own_product("anon", NULL);
    for (int i = 0; i < 3; i++) {
        struct reply r = get(&d, NULL, "/fw/anon/latest");
        CK_STATUS("anonymous", r, 200);
        reply_free(&r);
    }
    ck_assert_uint_eq(count_devices("anon"), 0); /* also flushes */
    struct reply r = get(&d, admin, "/api/v1/products/anon");
    ck_assert_int_eq(reply_number(&r, "anonymous_checkins"), 3);
    reply_free(&r);
}
END_TEST

/* ---- what shows --------------------------------------------------------------------------- */

START_TEST(device_shows_at_once_with_its_update)
{
    const char *slug = own_product("shows", NULL);
    static const char *const old[] = {"x-ESP8266-STA-MAC: 5C:CF:7F:A1:B2:C3",
                                      "x-ESP8266-mode: sketch",
                                      "x-ESP8266-version: 1.0",
                                      "x-ESP8266-free-space: 1695744",
                                      "x-ESP8266-chip-size: 4194304",
                                      "User-Agent: ESP8266-http-Update",
                                      NULL};
    static const char *const new[] = {"x-ESP8266-STA-MAC: 5C:CF:7F:A1:B2:C3",
                                      "x-ESP8266-mode: sketch", "x-ESP8266-version: 2",
                                      "User-Agent: ESP8266-http-Update", NULL};
    struct reply r = check_in("/fw/shows/latest", old);
    CK_STATUS("old", r, 200);
    reply_free(&r);
    r = device(slug, "5ccf7fa1b2c3");
    CK_STATUS("device", r, 200);
    CK_TEXT("device", r, "version", "1.0");
    CK_TEXT("device", r, "address", "127.0.0.1");
    CK_TEXT("device", r, "chip", "ESP8266");
    CK_TEXT("device", r, "update.state", "in_progress");
    CK_TEXT("device", r, "update.version", "2");
    ck_assert_int_eq(reply_number(&r, "free_space"), 1695744);
    ck_assert(json_is_false(reply_at(&r, "authenticated")));
    ck_assert_uint_eq(strlen(reply_text(&r, "last_seen")), 20);
    reply_free(&r);
    r = check_in("/fw/shows/latest", new);
    CK_STATUS("new", r, 304);
    ck_assert_str_eq(reply_header(&r, "X-Otad-Reason"), "same_version");
    reply_free(&r);
    r = device(slug, "5ccf7fa1b2c3");
    CK_TEXT("device", r, "version", "2");
    CK_TEXT("device", r, "update.state", "installed");
    reply_free(&r);
    r = get(&d, admin, "/api/v1/products/shows/updates?mac=5C-CF-7F-A1-B2-C3");
    CK_STATUS("updates", r, 200);
    ck_assert_uint_eq(json_array_size(reply_at(&r, "items")), 1);
    CK_TEXT("updates", r, "items.0.from_version", "1.0");
    CK_TEXT("updates", r, "items.0.to_version", "2");
    CK_TEXT("updates", r, "items.0.transfers.0.state", "sent");
    ck_assert_int_eq(reply_number(&r, "items.0.transfers.0.bytes_acked"), (int64_t)lamp.n);
    ck_assert_int_eq(reply_number(&r, "items.0.attempts"), 1);
    reply_free(&r);
}
END_TEST

START_TEST(download_broken_off_is_aborted_with_its_bytes)
{
    static const char request[] = "GET /fw/broken/30AEA4000077.bin HTTP/1.0\r\n\r\n";
    struct reply r;
    char first[512];
    struct img big = image_of("ESP8266", 5, 1000000);
    make_product(&d, admin, "broken");
    release("broken", "2", &big, NULL, NULL);
    img_free(&big);
    const int small = 4096;
    int fd = raw_connect(&d);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    raw_send(fd, request, sizeof request - 1);
    ck_assert_int_gt(recv(fd, first, sizeof first, 0), 0);
    const struct linger reset = {.l_onoff = 1};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    (void)close(fd);
    int64_t deadline = test_now_ms() + 20000;
    for (;;) {
        r = get(&d, admin, "/api/v1/products/broken/updates");
        if (strcmp(reply_text(&r, "items.0.transfers.0.state"), "downloading") != 0 ||
            test_now_ms() > deadline)
            break;
        reply_free(&r);
        test_sleep_ms(20);
    }
    CK_TEXT("broken off", r, "items.0.transfers.0.state", "aborted");
    CK_TEXT("broken off", r, "items.0.transfers.0.cause", "peer_gone");
    ck_assert_int_lt(reply_number(&r, "items.0.transfers.0.bytes_acked"), 1000000);
    ck_assert_int_eq(reply_number(&r, "items.0.attempts"), 0);
    reply_free(&r);
}
END_TEST

/* ---- the verdict -------------------------------------------------------------------------- */

#define UPDATER "x-ESP8266-STA-MAC: 5C:CF:7F:00:00:10", "x-ESP8266-mode: sketch"

static const struct {
    const char *what;
    const char *headers[6];
    int status;
    const char *reason; /* or NULL */
} verdicts[] = {
    {"another version",                              {UPDATER, "x-ESP8266-version: 1"},                             200, NULL          },
    {"a higher version",                             {UPDATER, "x-ESP8266-version: 3"},                             200, NULL          },
    {"the same version",                             {UPDATER, "x-ESP8266-version: 2"},                             304, "same_version"},
    {"the same version with a word",                 {UPDATER, "x-ESP8266-version: 2(lamp)"},                       304, "same_version"},
    {"no version, other content",
     {UPDATER, "x-ESP8266-sketch-md5: a43ad019932b627ab90ee35a94a764ee"},
     200,                                                                                                                NULL          },
    {"no version, the same content",                 {UPDATER, "x-ESP8266-sketch-md5: @md5"},                       304, "same_content"},
    {"the same content in uppercase",                {UPDATER, "x-ESP8266-sketch-md5: @MD5"},                       304, "same_content"},
    {"another version, the same content",
     {UPDATER, "x-ESP8266-version: 1", "x-ESP8266-sketch-md5: @md5"},
     304,                                                                                                                "same_content"},
    {"a header in other case",
     {"X-Esp8266-Sta-Mac: 5C:CF:7F:00:00:11", "X-ESP8266-MODE: sketch", "x-esp8266-VERSION: 2"},
     304,                                                                                                                "same_version"},
    {"Tasmota with the version",                     {UPDATER, "x-ESP8266-version: 2(tasmota)"},                    403, "same_version"},
    {"Tasmota with another",                         {UPDATER, "x-ESP8266-version: 12.1.1(tasmota)"},               200, NULL          },
    {"an unknown mode",
     {"x-ESP8266-STA-MAC: 5C:CF:7F:00:00:12", "x-ESP8266-mode: bootloader"},
     404,                                                                                                                "wrong_mode"  },
    {"mode spiffs",
     {"x-ESP8266-STA-MAC: 5C:CF:7F:00:00:12", "x-ESP8266-mode: spiffs"},
     404,                                                                                                                "no_build"    },
    {"mode littlefs",
     {"x-ESP32-STA-MAC: 5C:CF:7F:00:00:12", "x-ESP32-mode: littlefs"},
     404,                                                                                                                "no_build"    },
    {"mode fatfs",                                   {"x-ESP32-STA-MAC: 5C:CF:7F:00:00:12", "x-ESP32-mode: fatfs"}, 404, "no_build"    },
    {"mode flashfs",
     {"x-ESP32-STA-MAC: 5C:CF:7F:00:00:12", "x-ESP32-mode: flashfs"},
     404,                                                                                                                "no_build"    },
    {"the ETag",                                     {"If-None-Match: \"@sha256\""},                                304, NULL          },
    {"another ETag",
     {"If-None-Match: \"0000000000000000000000000000000000000000000000000000000000000000\""},
     200,                                                                                                                NULL          },
    {"one of several ETags",                         {"If-None-Match: \"aaaa\", \"@sha256\""},                      304, NULL          },
    {"a weak ETag",                                  {"If-None-Match: W/\"@sha256\""},                              304, NULL          },
    {"the ETag beside another digest of the sketch",
     {"If-None-Match: \"@sha256\"",
      "x-ESP32-sketch-sha256: 00000000000000000000000000000000000000000000000000000000000000FF"},
     304,                                                                                                                "same_content"},
};

/* Puts the image's digests where the table says so. */
static void fill_header(const char *from, char *out, size_t room)
{
    char upper[64];
    const char *at = strchr(from, '@');
    const char *value = "";
    for (size_t i = 0; i <= strlen(lamp_md5); i++)
        upper[i] = (char)(lamp_md5[i] >= 'a' ? lamp_md5[i] - 32 : lamp_md5[i]);
    size_t name = at != NULL ? strspn(at + 1, "abcdefghijklmnopqrstuvwxyzMD0123456789") : 0;
    if (at != NULL)
        value = strncmp(at, "@md5", 4) == 0   ? lamp_md5
                : strncmp(at, "@MD5", 4) == 0 ? upper
                                              : lamp_sha256;
    (void)snprintf(out, room, "%.*s%s%s", at != NULL ? (int)(at - from) : (int)strlen(from), from,
                   value, at != NULL ? at + 1 + name : "");
}

START_TEST(check_in_gets_the_right_verdict)
{
    char filled[6][160];
    const char *headers[7] = {NULL};
    for (size_t i = 0; verdicts[_i].headers[i] != NULL; i++) {
        fill_header(verdicts[_i].headers[i], filled[i], sizeof filled[i]);
        headers[i] = filled[i];
    }
    struct reply r = check_in("/fw/lamp/latest", headers);
    CK_STATUS(verdicts[_i].what, r, verdicts[_i].status);
    const char *reason = reply_header(&r, "X-Otad-Reason");
    if (verdicts[_i].reason != NULL)
        ck_assert_msg(reason != NULL && strcmp(reason, verdicts[_i].reason) == 0, "%s: %s",
                      verdicts[_i].what, r.head);
    check_body(verdicts[_i].what, &r, verdicts[_i].status == 200 ? "@lamp" : "");
    reply_free(&r);
}
END_TEST

/* How a device is kept from updating, and what each way of asking then gets. */
static const struct {
    const char *what, *resource, *json; /* resource: of the product, PATCHed; or a POST path */
    const char *verb;
    int updater, version_mode, plain; /* statuses */
    const char *dot_version, *x_version;
    const char *reason;
} kept[] = {
    {"held",     "/devices/30AEA4000001",  "{\"held\":true}",     "PATCH", 304, 200, 304, "0",  "1",  "held"    },
    {"paused",   "/channels/stable/pause", "{}",                  "POST",  304, 200, 304, "0",  "1",  "paused"  },
    {"blocked",  "/devices/30AEA4000001",  "{\"blocked\":true}",  "PATCH", 403, 403, 403, "0",  NULL,
     "blocked"                                                                                                  },
    {"disabled", "",                       "{\"disabled\":true}", "PATCH", 403, 403, 403, NULL, NULL, "disabled"},
};

static void check_kept(int i, const char *slug)
{
    char path[160];
    static const char *const updater[] = {"x-ESP8266-STA-MAC: 30:AE:A4:00:00:01",
                                          "x-ESP8266-mode: sketch", "x-ESP8266-version: 1", NULL};
    static const char *const asks[] = {"x-ESP8266-STA-MAC: 30:AE:A4:00:00:01",
                                       "x-ESP8266-mode: version", "x-ESP8266-version: 1", NULL};
    (void)snprintf(path, sizeof path, "/fw/%s/latest", slug);
    struct reply r = check_in(path, updater);
    CK_STATUS(kept[i].what, r, kept[i].updater);
    ck_assert_str_eq(reply_header(&r, "X-Otad-Reason"), kept[i].reason);
    check_body(kept[i].what, &r, "");
    reply_free(&r);
    r = check_in(path, asks);
    CK_STATUS("mode version", r, kept[i].version_mode);
    if (kept[i].x_version != NULL)
        ck_assert_str_eq(reply_header(&r, "x-version"), kept[i].x_version);
    reply_free(&r);
    (void)snprintf(path, sizeof path, "/fw/%s/30AEA4000001.bin", slug);
    r = get(&d, NULL, path);
    CK_STATUS("plain", r, kept[i].plain);
    check_body("plain", &r, "");
    reply_free(&r);
    (void)snprintf(path, sizeof path, "/fw/%s/30AEA4000001.version", slug);
    r = get(&d, NULL, path);
    CK_STATUS(".version", r, kept[i].dot_version != NULL ? 200 : 403);
    check_body(".version", &r, kept[i].dot_version != NULL ? kept[i].dot_version : "");
    reply_free(&r);
}

START_TEST(device_that_is_kept_back_stays)
{
    char slug[32], path[160];
    (void)snprintf(slug, sizeof slug, "kept-%d", _i);
    own_product(slug, NULL);
    (void)snprintf(path, sizeof path, "/fw/%s/30AEA4000001.version", slug);
    struct reply r = get(&d, NULL, path);
    CK_STATUS("first", r, 200);
    check_body("first", &r, "2");
    reply_free(&r);
    r = device(slug, "30AEA4000001");
    CK_STATUS("device", r, 200);
    reply_free(&r);
    (void)snprintf(path, sizeof path, "/api/v1/products/%s%s", slug, kept[_i].resource);
    r = send_json(&d, admin, kept[_i].verb, path, kept[_i].json);
    CK_STATUS(kept[_i].what, r, 200);
    reply_free(&r);
    check_kept(_i, slug);
}
END_TEST

START_TEST(paused_channel_answers_strangers_too)
{
    own_product("strangers", NULL);
    struct reply r =
        send_json(&d, admin, "POST", "/api/v1/products/strangers/channels/stable/pause", "{}");
    CK_STATUS("pause", r, 200);
    reply_free(&r);
    r = get(&d, NULL, "/fw/strangers/latest");
    CK_STATUS("anonymous", r, 404);
    reply_free(&r);
    r = get(&d, NULL, "/fw/strangers/30AEA4000002.bin"); /* known by its path, never seen before */
    CK_STATUS("first contact", r, 304);
    reply_free(&r);
    r = send_json(&d, admin, "POST", "/api/v1/products/strangers/channels/stable/resume", "{}");
    CK_STATUS("resume", r, 200);
    reply_free(&r);
    r = get(&d, NULL, "/fw/strangers/latest");
    CK_STATUS("resumed", r, 200);
    reply_free(&r);
}
END_TEST

START_TEST(pin_and_channel_choose_the_build)
{
    char id[32], json[64];
    own_product("choose", NULL);
    release("choose", "3-beta", &lamp, "beta", NULL);
    release("choose", "1-old", &lamp, "none", id);
    struct reply r = get(&d, NULL, "/fw/choose/latest.version");
    check_body("default", &r, "2");
    reply_free(&r);
    r = get(&d, NULL, "/fw/choose/latest.version?channel=beta");
    check_body("?channel=", &r, "3-beta");
    reply_free(&r);
    r = get(&d, NULL, "/fw/choose/latest.version?channel=nothing");
    CK_STATUS("a channel that isn't there", r, 404);
    reply_free(&r);
    r = get(&d, NULL, "/fw/choose/latest.version?mac=30AEA4000005");
    reply_free(&r);
    r = device("choose", "30AEA4000005"); /* it has a row now */
    reply_free(&r);
    patch("/api/v1/products/choose/devices/30AEA4000005", "{\"channel\":\"beta\"}");
    r = get(&d, NULL, "/fw/choose/latest.version?mac=30AEA4000005");
    check_body("the device's channel", &r, "3-beta");
    reply_free(&r);
    (void)snprintf(json, sizeof json, "{\"pin\":\"%s\"}", id);
    patch("/api/v1/products/choose/devices/30AEA4000005", json);
    r = get(&d, NULL, "/fw/choose/latest.version?mac=30AEA4000005");
    check_body("the pin", &r, "1-old");
    reply_free(&r);
    patch("/api/v1/products/choose/devices/30AEA4000005", "{\"pin\":null,\"channel\":\"\"}");
    r = get(&d, NULL, "/fw/choose/latest.version?mac=30AEA4000005");
    check_body("the default again", &r, "2");
    reply_free(&r);
}
END_TEST

START_TEST(filesystem_build_goes_to_filesystem_mode_only)
{
    struct img fs = {.n = 0};
    img_build_littlefs(4096, 16, 0, &fs);
    own_product("files", NULL);
    const struct part parts[] = {
        {.name = "file",   .filename = "littlefs.bin", .data = fs.data, .n = fs.n},
        FIELD("version", "fs-8"),
        FIELD("kind", "fs"),
        {.name = NULL}
    };
    struct reply r = upload(&d, admin, "files", parts);
    CK_STATUS("upload", r, 201);
    CK_TEXT("upload", r, "kind", "fs");
    reply_free(&r);
    char request[2048];
    (void)stock_capture(&d, "esp8266-httpupdate-updatefs", "/fw/files/latest.bin", request,
                        sizeof request);
    r = raw_text(&d, request);
    CK_STATUS("mode spiffs", r, 200);
    ck_assert_uint_eq(r.n, fs.n);
    ck_assert_mem_eq(r.body, fs.data, fs.n);
    reply_free(&r);
    r = get(&d, NULL, "/fw/files/latest");
    check_body("mode sketch", &r, "@lamp");
    reply_free(&r);
    img_free(&fs);
}
END_TEST

/* ---- sidecars, HEAD, limits --------------------------------------------------------------- */

START_TEST(sidecars_are_bare_text)
{
    const struct {
        const char *path, *want;
    } rows[] = {
        {"/fw/lamp/latest.version",        "2"        },
        {"/fw/lamp/latest.version?number", "2"        },
        {"/fw/lamp/latest.md5",            lamp_md5   },
        {"/fw/lamp/latest.sha256",         lamp_sha256},
        {"/fw/lamp/0.version",             "2"        },
        {"/fw/lamp/latest.bin",            "@lamp"    }
    };
    for (size_t i = 0; i < OTAD_COUNT(rows); i++) {
        struct reply r = get(&d, NULL, rows[i].path);
        CK_STATUS(rows[i].path, r, 200);
        stock_check_wire(rows[i].path, &r, false);
        check_body(rows[i].path, &r, rows[i].want);
        if (rows[i].want[0] != '@')
            ck_assert_msg(reply_has_line(&r, "Content-Type: text/plain"), "%s", r.head);
        reply_free(&r);
    }
}
END_TEST

START_TEST(dot_version_is_the_builds_number)
{
    make_product(&d, admin, "number");
    release("number", "1.4.2", &lamp, NULL, NULL);
    struct reply r = get(&d, NULL, "/fw/number/30AEA4000006.version");
    check_body("number", &r, "1");
    reply_free(&r);
    r = get(&d, NULL, "/fw/number/latest.version");
    check_body("version", &r, "1.4.2");
    reply_free(&r);
}
END_TEST

START_TEST(head_says_what_get_would_and_is_no_offer)
{
    own_product("head", NULL);
    static const char *const paths[] = {"/fw/head/latest", "/fw/head/latest.bin",
                                        "/fw/head/30AEA4000007.bin", "/fw/head/latest.md5",
                                        "/fw/head/30AEA4000007.version"};
    for (size_t i = 0; i < OTAD_COUNT(paths); i++) {
        char request[256];
        (void)snprintf(request, sizeof request, "HEAD %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i]);
        struct reply h = raw_text(&d, request), g = get(&d, NULL, paths[i]);
        CK_STATUS(paths[i], h, 200);
        ck_assert_msg(h.n == 0, "%s: a HEAD has no body", paths[i]);
        ck_assert_str_eq(reply_header(&h, "Content-Length"), reply_header(&g, "Content-Length"));
        if (reply_header(&g, "x-MD5") != NULL)
            ck_assert_str_eq(reply_header(&h, "x-MD5"), reply_header(&g, "x-MD5"));
        reply_free(&h);
        reply_free(&g);
    }
    struct reply r = call(&d, "HEAD", "/fw/head/30AEA4000008.bin", (struct call){.key = NULL});
    CK_STATUS("HEAD", r, 200);
    reply_free(&r);
    r = device("head", "30AEA4000008");
    CK_STATUS("it is a check-in", r, 200);
    ck_assert_msg(json_is_null(reply_at(&r, "update")), "but no offer: %s", r.body);
    reply_free(&r);
}
END_TEST

START_TEST(image_answer_has_validator_and_says_which_build)
{
    struct reply r = get(&d, NULL, "/fw/lamp/latest");
    char etag[96];
    (void)snprintf(etag, sizeof etag, "\"%s\"", lamp_sha256);
    ck_assert_str_eq(reply_header(&r, "ETag"), etag);
    ck_assert_str_eq(reply_header(&r, "x-version"), "2");
    reply_free(&r);
}
END_TEST

START_TEST(host_is_never_checked_on_device_paths)
{
    static const char *const requests[] = {
        "GET /fw/lamp/latest.version HTTP/1.1\r\n\r\n",
        "GET /fw/lamp/latest.version HTTP/1.1\r\nHost:\r\n\r\n",
        "GET /fw/lamp/latest.version HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n",
        "GET /fw/lamp/latest.version HTTP/1.0\r\nHost: 10.0.0.1\r\nConnection: keep-alive\r\n\r\n",
    };
    struct reply r = raw_text(&d, requests[_i]);
    CK_STATUS(requests[_i], r, 200);
    stock_check_wire(requests[_i], &r, strstr(requests[_i], "HTTP/1.0") != NULL);
    reply_free(&r);
}
END_TEST

START_TEST(devices_register_only_up_to_the_products_limit)
{
    own_product("full", NULL);
    patch("/api/v1/products/full", "{\"max_devices\":2}");
    for (int i = 0; i < 5; i++) {
        char path[80];
        (void)snprintf(path, sizeof path, "/fw/full/30AEA400010%d.version", i);
        struct reply r = get(&d, NULL, path);
        CK_STATUS(path, r, 200);
        check_body("answered all the same", &r, "2");
        reply_free(&r);
    }
    ck_assert_uint_eq(count_devices("full"), 2);
    struct reply r = get(&d, admin, "/api/v1/products/full");
    ck_assert_int_eq(reply_number(&r, "devices"), 2);
    reply_free(&r);
}
END_TEST

START_TEST(an_address_registers_only_so_many_an_hour)
{
    static const char *const flags[] = {"--devices-new-devices-per-hour", "3", NULL};
    struct daemon own = {.pid = 0};
    char key[DAEMON_KEY];
    daemon_start(&own, flags);
    daemon_key(&own, "root", "admin", NULL, key);
    make_product(&own, key, "p");
    publish(&own, key, "p", "1", NULL, 1, NULL);
    for (int i = 0; i < 6; i++) {
        char path[80];
        (void)snprintf(path, sizeof path, "/fw/p/30AEA400020%d.version", i);
        struct reply r = get(&own, NULL, path);
        CK_STATUS(path, r, 200);
        reply_free(&r);
    }
    struct reply r = get(&own, key, "/api/v1/products/p/devices");
    ck_assert_uint_eq(json_array_size(reply_at(&r, "items")), 3);
    reply_free(&r);
    daemon_free(&own);
}
END_TEST

/* A bit that flips on the disk must not reach a flash. */
START_TEST(image_that_changed_on_the_disk_is_not_served)
{
    struct daemon own = {.pid = 0};
    char key[DAEMON_KEY];
    daemon_start(&own, NULL);
    daemon_key(&own, "root", "admin", NULL, key);
    make_product(&own, key, "p");
    publish(&own, key, "p", "1", NULL, 1, NULL);
    daemon_stop(&own);
    daemon_sql_write(&own,
                     "UPDATE image_chunk SET data = CAST(substr(data, 1, 999) || x'00ff00ff' ||"
                     " substr(data, 1004) AS BLOB)");
    daemon_restart(&own);
    struct reply r = get(&own, NULL, "/fw/p/30AEA4000001.bin");
    ck_assert_msg(r.status >= 500 && r.n == 0, "%s", r.head);
    ck_assert_ptr_nonnull(reply_header(&r, "X-Otad-Reason"));
    reply_free(&r);
    r = get(&own, NULL, "/healthz");
    CK_STATUS("the rest goes on", r, 200);
    reply_free(&r);
    daemon_free(&own);
}
END_TEST

START_TEST(hostile_header_values_do_no_harm)
{
    static const char *const headers[] = {"x-ESP8266-STA-MAC: 30:AE:A4:00:03:01",
                                          "x-ESP8266-mode: sketch",
                                          "x-ESP8266-version: '; DROP TABLE device;--",
                                          "x-ESP8266-free-space: 99999999999999999999",
                                          "x-ESP8266-chip-size: -1",
                                          "x-ESP8266-sketch-md5: zz",
                                          "User-Agent: \xff\xfe%n%s",
                                          NULL};
    own_product("hostile", NULL);
    struct reply r = check_in("/fw/hostile/latest", headers);
    CK_STATUS("hostile", r, 200);
    reply_free(&r);
    r = device("hostile", "30AEA4000301");
    CK_STATUS("device", r, 200);
    CK_TEXT("device", r, "version", "'; DROP TABLE device;--");
    ck_assert(json_is_null(reply_at(&r, "free_space")));
    CK_TEXT("device", r, "md5", "");
    reply_free(&r);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("devices");
    TCase *tc = tcase_create("devices");
    tcase_set_timeout(tc, 300);
    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_add_test(tc, slow_reader_gets_every_byte);
    tcase_add_loop_test(tc, mac_is_taken_in_every_spelling, 0, (int)OTAD_COUNT(words));
    tcase_add_loop_test(tc, probe_is_refused_with_an_empty_body, 0, (int)OTAD_COUNT(probes));
    tcase_add_test(tc, headers_come_before_the_path_and_sta_before_ap);
    tcase_add_test(tc, anonymous_check_in_is_counted_and_makes_no_row);
    tcase_add_test(tc, device_shows_at_once_with_its_update);
    tcase_add_test(tc, download_broken_off_is_aborted_with_its_bytes);
    tcase_add_loop_test(tc, check_in_gets_the_right_verdict, 0, (int)OTAD_COUNT(verdicts));
    tcase_add_loop_test(tc, device_that_is_kept_back_stays, 0, (int)OTAD_COUNT(kept));
    tcase_add_test(tc, paused_channel_answers_strangers_too);
    tcase_add_test(tc, pin_and_channel_choose_the_build);
    tcase_add_test(tc, filesystem_build_goes_to_filesystem_mode_only);
    tcase_add_test(tc, sidecars_are_bare_text);
    tcase_add_test(tc, dot_version_is_the_builds_number);
    tcase_add_test(tc, head_says_what_get_would_and_is_no_offer);
    tcase_add_test(tc, image_answer_has_validator_and_says_which_build);
    tcase_add_loop_test(tc, host_is_never_checked_on_device_paths, 0, 4);
    tcase_add_test(tc, devices_register_only_up_to_the_products_limit);
    tcase_add_test(tc, an_address_registers_only_so_many_an_hour);
    tcase_add_test(tc, image_that_changed_on_the_disk_is_not_served);
    tcase_add_test(tc, hostile_header_values_do_no_harm);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
