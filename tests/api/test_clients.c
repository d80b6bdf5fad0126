/* SPDX-License-Identifier: MIT
 * Every stock client of docs/clients.md gets its update, unmodified: played by support/stock.h,
 * which takes, refuses or flashes an answer as the real one would. The name of each test starts
 * with the client's id there; tests/api/clients.py holds the two against each other. */
#include <stdio.h>
#include <string.h>

#include "otad/err.h"
#include "support/stock.h"
#include "support/unit.h"

#define OLD "1.0.0"
#define NEW "2.0.0"
#define MAC8266 "5C:CF:7F:A1:B2:C3"
#define MAC32 "24:0A:C4:A3:15:3C"
#define LARGE 900000 /* more than the buffers of a connection hold */

static struct daemon d;
static char admin[DAEMON_KEY];
static struct img lamp, bulb, heavy, fs; /* ESP8266 */
static struct img sensor, heavy32, tiny; /* ESP32 */
static char bulb_url[256], lamp_url[256], sensor_url[256];

/* ---- the world ---------------------------------------------------------------------------- */

/* The path of a tokenized URL. */
static void issue(const char *where, char path[256])
{
    struct reply r = send_json(&d, admin, "POST", where, "{}");
    CK_STATUS(where, r, 201);
    (void)snprintf(path, 256, "%s", strstr(reply_text(&r, "url"), "/static/"));
    reply_free(&r);
}

static void release(const char *product, const char *version, const char *kind,
                    const struct img *img, char url[256])
{
    char where[160];
    const struct part parts[] = {
        {.name = "file",     .filename = "x.bin", .data = img->data, .n = img->n},
        FIELD("version", version),
        FIELD("kind", kind),
        FIELD(strcmp(kind, "app") == 0 ? "number" : "ignored", "2"),
        {.name = NULL}
    };
    struct reply r = upload(&d, admin, product, parts);
    CK_STATUS(product, r, 201);
    (void)snprintf(where, sizeof where, "/api/v1/products/%s/builds/%s/url", product,
                   reply_text(&r, "id"));
    reply_free(&r);
    if (url != NULL)
        issue(where, url);
}

static void setup(void)
{
    static const char *const flags[] = {"--devices-new-devices-per-hour", "1000000", NULL};
    static const char *const products[] = {"lamp",   "bulb", "heavy",   "heavy32",
                                           "sensor", "tiny", "tasmota", "tasmota32"};
    daemon_start(&d, flags);
    daemon_key(&d, "root", "admin", NULL, admin);
    for (size_t i = 0; i < OTAD_COUNT(products); i++)
        make_product(&d, admin, products[i]);
    lamp = image_of("ESP8266", 31, 300000);
    bulb = image_of("ESP8266", 32, 50000);
    heavy = image_of("ESP8266", 33, LARGE);
    heavy32 = image_of("ESP32", 36, LARGE);
    sensor = image_of("ESP32", 34, 300000);
    tiny = image_of("ESP32", 35, 20000);
    img_build_littlefs(4096, 16, 0, &fs);
    release("lamp", NEW, "app", &lamp, lamp_url);
    release("lamp", "fs-2", "fs", &fs, NULL);
    release("bulb", NEW, "app", &bulb, bulb_url);
    release("heavy", NEW, "app", &heavy, NULL);
    release("heavy32", NEW, "app", &heavy32, NULL);
    release("sensor", NEW, "app", &sensor, sensor_url);
    release("tiny", NEW, "app", &tiny, NULL);
    release("tasmota", "12.1.1", "app", &lamp, NULL);
    release("tasmota32", "12.1.1", "app", &sensor, NULL);
}

static void teardown(void)
{
    struct img *const all[] = {&lamp, &bulb, &heavy, &fs, &sensor, &heavy32, &tiny};
    for (size_t i = 0; i < OTAD_COUNT(all); i++)
        img_free(all[i]);
    daemon_free(&d);
}

/* The device has flashed exactly this image, and could start it at once. Frees *done. */
static void installed(const char *what, struct stock_done *done, const struct img *img)
{
    ck_assert_msg(done->result == STOCK_INSTALLED, "%s: error %d (%s), status %ld", what,
                  done->error, done->why, done->status);
    ck_assert_msg(done->image.n == img->n, "%s: %zu bytes flashed", what, done->image.n);
    ck_assert_msg(memcmp(done->image.data, img->data, img->n) == 0, "%s: wrong bytes", what);
    ck_assert_msg(done->at_once, "%s: head and first body bytes didn't come together", what);
    stock_free(done);
}

static void no_update(const char *what, struct stock_done *done)
{
    ck_assert_msg(done->result == STOCK_NO_UPDATE, "%s: result %d, error %d (%s), status %ld", what,
                  (int)done->result, done->error, done->why, done->status);
    ck_assert_msg(done->image.n == 0, "%s: %zu bytes flashed", what, done->image.n);
    stock_free(done);
}

static void fails(const char *what, struct stock_done *done, int error, long status)
{
    ck_assert_msg(done->result == STOCK_FAILED && done->error == error && done->status == status,
                  "%s: result %d, error %d (%s), status %ld", what, (int)done->result, done->error,
                  done->why, done->status);
    ck_assert_msg(done->image.n == 0, "%s: %zu bytes flashed", what, done->image.n);
    stock_free(done);
}

/* What the ledger says of a device's newest update. */
static struct reply ledger(const char *product, const char *mac)
{
    char path[160];
    (void)snprintf(path, sizeof path, "/api/v1/products/%s/updates?mac=%s&limit=1", product, mac);
    struct reply r = get(&d, admin, path);
    CK_STATUS(path, r, 200);
    return r;
}

/* Waits until the newest transfer of that update is in this state. */
static struct reply transfer_becomes(const char *product, const char *mac, const char *state)
{
    for (int64_t until = test_now_ms() + DAEMON_PATIENCE_S * 1000;; test_sleep_ms(20)) {
        struct reply r = ledger(product, mac);
        char at[64];
        (void)snprintf(at, sizeof at, "items.0.transfers.%zu.state",
                       json_array_size(reply_at(&r, "items.0.transfers")) - 1);
        if (strcmp(reply_text(&r, at), state) == 0)
            return r;
        ck_assert_msg(test_now_ms() < until, "not %s: %s", state, r.body);
        reply_free(&r);
    }
}

static void ledger_says_installed(const char *product, const char *mac)
{
    struct reply r = ledger(product, mac);
    CK_TEXT(mac, r, "items.0.state", "installed");
    reply_free(&r);
}

/* ---- Arduino's updaters ------------------------------------------------------------------- */

static const enum stock_core esp8266_cores[] = {STOCK_CORE_OLD, STOCK_CORE_COMMON};

START_TEST(esp8266_update_installs_and_then_has_nothing_to_do)
{
    char mac[18];
    (void)snprintf(mac, sizeof mac, "5C:CF:7F:00:10:0%d", _i);
    struct stock_device dev = {.mac = mac, .version = OLD, .core = esp8266_cores[_i]};
    struct stock_done done = stock_esp8266(&d, &dev, "/fw/lamp/latest");
    installed("update(client, url, version)", &done, &lamp);
    dev.version = NEW;
    dev.running = &lamp;
    done = stock_esp8266(&d, &dev, "/fw/lamp/latest");
    no_update("the next poll", &done);
    ledger_says_installed("lamp", mac);
}
END_TEST

START_TEST(esp8266_update_without_a_version_is_known_by_its_content)
{
    char mac[18];
    (void)snprintf(mac, sizeof mac, "5C:CF:7F:00:11:0%d", _i);
    struct stock_device dev = {.mac = mac, .core = esp8266_cores[_i]};
    struct stock_done done = stock_esp8266(&d, &dev, "/fw/lamp/latest.bin");
    installed("update(client, url)", &done, &lamp);
    dev.running = &lamp;
    done = stock_esp8266(&d, &dev, "/fw/lamp/latest.bin");
    no_update("the next poll", &done);
    ledger_says_installed("lamp", mac);
}
END_TEST

START_TEST(esp8266_update_is_told_what_is_wrong_by_its_own_numbers)
{
    const struct stock_device dev = {.mac = MAC8266, .version = OLD};
    struct stock_done done = stock_esp8266(&d, &dev, "/fw/nothing/latest");
    fails("no such product", &done, -102, 404);
    done = stock_esp8266(&d, &dev, "/static/fw_1_0.bin?token=spoiled");
    fails("a wrong token", &done, -103, 403);
}
END_TEST

START_TEST(esp8266_updatefs_gets_the_filesystem_and_never_a_sketch)
{
    struct stock_device dev = {.mac = "5C:CF:7F:00:12:00", .mode = "spiffs"};
    struct stock_done done = stock_esp8266(&d, &dev, "/fw/lamp/latest");
    installed("updateFS(client, url)", &done, &fs);
    dev.version = "fs-2";
    done = stock_esp8266(&d, &dev, "/fw/lamp/latest");
    no_update("updateFS() with the version", &done);
    done = stock_esp8266(&d, &dev, "/fw/bulb/latest");
    fails("a product without a filesystem", &done, -102, 404);
}
END_TEST

static const char *const running_versions[] = {NULL, OLD, NEW};

START_TEST(esp8266_getavailableversion_always_gets_a_version)
{
    const struct stock_device dev = {
        .mac = "5C:CF:7F:00:13:00", .mode = "version", .version = running_versions[_i]};
    struct stock_done done = stock_esp8266(&d, &dev, "/fw/lamp/latest");
    ck_assert_msg(done.error == 0, "error %d (%s)", done.error, done.why);
    ck_assert_str_eq(done.said, NEW);
    no_update("getAvailableVersion()", &done);
}
END_TEST

static const enum stock_core esp32_cores[] = {STOCK_CORE_OLD, STOCK_CORE_COMMON, STOCK_CORE_3,
                                              STOCK_CORE_NEWEST};

START_TEST(esp32_update_installs_and_then_has_nothing_to_do)
{
    char mac[18];
    (void)snprintf(mac, sizeof mac, "24:0A:C4:00:10:0%d", _i);
    struct stock_device dev = {.mac = mac, .version = OLD, .core = esp32_cores[_i]};
    struct stock_done done = stock_esp32(&d, &dev, "/fw/sensor/latest");
    installed("update(client, url, version)", &done, &sensor);
    dev.version = NEW;
    dev.running = &sensor;
    done = stock_esp32(&d, &dev, "/fw/sensor/latest");
    no_update("the next poll", &done);
    ledger_says_installed("sensor", mac);
}
END_TEST

/* Not the oldest cores: they send no digest, and without a version nothing says what they run. */
START_TEST(esp32_update_without_a_version_is_known_by_its_content)
{
    char mac[18];
    (void)snprintf(mac, sizeof mac, "24:0A:C4:00:11:%02X", _i);
    struct stock_device dev = {.mac = mac, .core = esp32_cores[_i]};
    struct stock_done done = stock_esp32(&d, &dev, "/fw/sensor/latest.bin");
    installed("update(client, url)", &done, &sensor);
    dev.running = &sensor;
    done = stock_esp32(&d, &dev, "/fw/sensor/latest.bin");
    no_update("the next poll", &done);
}
END_TEST

START_TEST(esp32_updatespiffs_gets_the_filesystem_and_never_a_sketch)
{
    static const char *const modes[] = {"spiffs", "littlefs", "fatfs", "flashfs"};
    char mac[18];
    (void)snprintf(mac, sizeof mac, "24:0A:C4:00:12:%02X", _i);
    struct stock_device dev = {.mac = mac, .mode = modes[_i]};
    struct stock_done done = stock_esp32(&d, &dev, "/fw/lamp/latest");
    installed(modes[_i], &done, &fs);
    done = stock_esp32(&d, &dev, "/fw/lamp/latest"); /* it can't say which it has */
    no_update(modes[_i], &done);
    done = stock_esp32(&d, &dev, "/fw/sensor/latest");
    fails(modes[_i], &done, -102, 404);
}
END_TEST

/* ---- Blynk -------------------------------------------------------------------------------- */

/* BlynkEdgent chooses the scheme by what stands at the end of a URL. */
static const char *const suffixes[] = {"", "&s=0", "&s=1"};

static const char *with_suffix(const char *url, int i)
{
    static char path[300];
    (void)snprintf(path, sizeof path, "%s%s", url, suffixes[i]);
    return path;
}

static const char spoiled[] = "/static/fw_1_0.bin?token=dzWUAGlf3KKoV1DdIkou65gb1bA_Mw";

START_TEST(edgent_esp32_installs_from_a_tokenized_url)
{
    struct stock_done done = stock_edgent_esp32(&d, with_suffix(sensor_url, _i));
    installed("Edgent_ESP32", &done, &sensor);
    done = stock_edgent_esp32(&d, spoiled);
    fails("a wrong token", &done, 1, 403);
}
END_TEST

/* It can't name itself: the token does, and the device says later what it runs. */
START_TEST(edgent_esp32_is_known_by_its_token_and_by_what_it_asks_later)
{
    static const char said[] = "/fw/sensor/latest.version?mac=240AC4001900&version=";
    char path[160], text[32], url[256];
    struct stock_wire w = {.fd = -1};
    (void)snprintf(path, sizeof path, "%s%s", said, OLD);
    ck_assert(stock_httpclient_text(&w, &d, true, path, text, sizeof text));
    issue("/api/v1/products/sensor/devices/240AC4001900/url", url);
    struct stock_done done = stock_edgent_esp32(&d, url);
    installed("Edgent_ESP32", &done, &sensor);
    struct reply r = transfer_becomes("sensor", "240AC4001900", "sent");
    reply_free(&r);
    (void)snprintf(path, sizeof path, "%s%s", said, NEW);
    ck_assert(stock_httpclient_text(&w, &d, true, path, text, sizeof text));
    ck_assert_str_eq(text, NEW);
    stock_close(&w);
    ledger_says_installed("sensor", "240AC4001900");
}
END_TEST

/* It would flash the page that comes with a 403: there must be none. */
START_TEST(edgent_esp8266_installs_at_its_pace_and_flashes_no_error)
{
    struct stock_done done = stock_edgent_esp8266(&d, bulb_url);
    installed("Edgent_ESP8266", &done, &bulb);
    char request[400];
    (void)snprintf(request, sizeof request,
                   "GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: keep-alive\r\n\r\n",
                   bulb_url);
    struct reply r = raw_text(&d, request); /* it asks for keep-alive, and is fine without */
    stock_check_wire("keep-alive in HTTP/1.0", &r, true);
    reply_free(&r);
    done = stock_edgent_esp8266(&d, spoiled);
    ck_assert_str_eq(done.why, "content-length is 0");
    fails("a wrong token", &done, 1, 403);
    done = stock_edgent_esp8266(&d, "/fw/lamp/nothing/at/all");
    ck_assert_str_eq(done.why, "content-length is 0");
    fails("no such path", &done, 1, 404);
}
END_TEST

START_TEST(edgent_library_installs_by_its_sha256)
{
    struct stock_done done = stock_edgent_library(&d, with_suffix(lamp_url, _i));
    installed("BlynkEdgent", &done, &lamp);
    done = stock_edgent_library(&d, with_suffix(spoiled, _i));
    fails("a wrong token", &done, 1, 403);
}
END_TEST

/* ---- sketches ----------------------------------------------------------------------------- */

static const struct {
    const char *word, *mac;
} spellings[] = {
    {"5ccf7fc60201",                "5C:CF:7F:C6:02:01"}, /* Bakke */
    {"5CCF7FC60202",                "5C:CF:7F:C6:02:02"}, /* mikekgr */
    {"5C:CF:7F:C6:02:03",           "5C:CF:7F:C6:02:03"}, /* WiFi.macAddress() */
    {"5c-cf-7f-c6-02-04",           "5C:CF:7F:C6:02:04"},
    {"5C%3ACF%3A7F%3AC6%3A02%3A05", "5C:CF:7F:C6:02:05"},
    {"5c%3acf%3a7f%3ac6%3a02%3a06", "5C:CF:7F:C6:02:06"},
    {"kitchen",                     NULL               }, /* an alias: no MAC, no device */
};

START_TEST(version_sketch_installs_once_whatever_its_spelling)
{
    const char *word = spellings[_i].word, *mac = spellings[_i].mac;
    struct stock_device dev = {.mac = mac != NULL ? mac : MAC8266};
    struct stock_done done = stock_version_sketch(&d, &dev, "/fw/lamp/", word, 1);
    ck_assert_str_eq(done.said, "2");
    installed(word, &done, &lamp);
    done = stock_version_sketch(&d, &dev, "/fw/lamp/", word, 2);
    ck_assert_uint_eq(done.requests, 1);
    no_update(word, &done);
    if (mac == NULL)
        return;
    struct reply r = ledger("lamp", mac);
    CK_TEXT(word, r, "items.0.transfers.0.state", "sent");
    reply_free(&r);
}
END_TEST

/* Thousands poll `.version` on a connection they keep. */
START_TEST(version_sketch_may_keep_its_connection)
{
    char text[16];
    struct stock_wire w = {.fd = -1};
    for (int i = 0; i < 5; i++) {
        ck_assert(stock_httpclient_text(&w, &d, _i == 1,
                                        _i == 1 ? "/fw/sensor/240ac4c60207.version"
                                                : "/fw/lamp/5ccf7fc60207.version",
                                        text, sizeof text));
        ck_assert_str_eq(text, "2");
    }
    stock_close(&w);
}
END_TEST

/* http.GET() first, its body unread; then the update. One URL serves both, and what was dropped
 * is no attempt of the device. */
START_TEST(get_then_update_works_with_one_url_and_is_one_attempt)
{
    static const char mac[] = "5C:CF:7F:00:14:00";
    char url[256];
    struct stock_device dev = {.mac = mac, .mode = "version"};
    struct stock_done done = stock_esp8266(&d, &dev, "/fw/heavy/latest"); /* now it is known */
    no_update("first contact", &done);
    dev.mode = NULL;
    issue("/api/v1/products/heavy/devices/5CCF7F001400/url", url);
    ck_assert_int_eq(stock_httpclient_drop(&d, url), 200);
    struct reply r = transfer_becomes("heavy", mac, "aborted");
    ck_assert_int_eq(reply_number(&r, "items.0.attempts"), 0);
    reply_free(&r);
    done = stock_esp8266(&d, &dev, url);
    installed("the second GET", &done, &heavy);
    r = transfer_becomes("heavy", mac, "sent");
    ck_assert_int_le(reply_number(&r, "items.0.attempts"), 1);
    ck_assert_uint_eq(json_array_size(reply_at(&r, "items")), 1);
    reply_free(&r);
}
END_TEST

/* It takes only what is there after 100 ms; a full machine may miss that, and a device tries
 * again too. */
START_TEST(aws_s3_sketch_installs)
{
    static const char *const paths[] = {"/fw/sensor/latest.bin",
                                        "/fw/sensor/24:0A:C4:00:15:00.bin"};
    struct stock_done done = stock_aws_s3(&d, paths[_i]);
    for (int again = 0; again < 3 && done.status == 0; again++) {
        stock_free(&done);
        done = stock_aws_s3(&d, paths[_i]);
    }
    installed(paths[_i], &done, &sensor);
}
END_TEST

/* ---- ESP-IDF ------------------------------------------------------------------------------ */

/* A device of its own: one that was seen with NEW and comes back with OLD has rolled back. */
#define IDF_DEVICE(product, tail)                                                                  \
    "/fw/" product "/latest.bin?mac=24:0A:C4:00:16:" tail "&version=" OLD
#define IDF_PATH(product, version) "/fw/" product "/latest.bin?mac=" MAC32 "&version=" version

START_TEST(esp_https_ota_installs_and_may_say_what_it_runs)
{
    struct stock_done done = stock_idf(&d, "/fw/sensor/latest.bin", NULL, 0);
    installed("a bare URL", &done, &sensor);
    done = stock_idf(&d, IDF_PATH("sensor", OLD), NULL, 0);
    installed("with the old version", &done, &sensor);
    done = stock_idf(&d, IDF_PATH("sensor", NEW), NULL, 0);
    no_update("with the new version", &done);
    ledger_says_installed("sensor", MAC32);
}
END_TEST

/* Examples look at the version in the image, and drop the rest when it is their own. */
START_TEST(esp_https_ota_may_drop_a_download_after_its_first_kilobyte)
{
    static const char path[] = "/fw/heavy32/latest.bin?mac=24:0A:C4:00:16:00";
    struct stock_done done = stock_idf(&d, path, NULL, 1024);
    ck_assert_uint_eq(done.image.n, 1024);
    stock_free(&done);
    struct reply r = transfer_becomes("heavy32", "24:0A:C4:00:16:00", "aborted");
    ck_assert_int_eq(reply_number(&r, "items.0.attempts"), 0);
    reply_free(&r);
    done = stock_idf(&d, path, NULL, 0);
    installed("the next time", &done, &heavy32);
}
END_TEST

/* The URL of a build, and one that names none: there a lease remembers what was begun. */
START_TEST(esp_https_ota_resume_goes_on_where_it_lost_power)
{
    const char *const paths[] = {sensor_url, "/fw/sensor/latest.bin", IDF_DEVICE("sensor", "01")};
    const struct img nothing = {.n = 0};
    struct stock_done done = stock_idf(&d, paths[_i], &nothing, 100352);
    ck_assert_msg(done.status == 206, "bytes=0-: %ld", done.status);
    ck_assert_uint_eq(done.image.n, 100352);
    struct stock_done rest = stock_idf(&d, paths[_i], &done.image, 0);
    ck_assert_msg(rest.status == 206 && rest.requests == 1, "%ld", rest.status);
    installed(paths[_i], &rest, &sensor);
    stock_free(&done);
}
END_TEST

START_TEST(esp_https_ota_resume_of_something_else_starts_over)
{
    struct img stale = {.n = 0};
    img_put(&stale, lamp.data, 50000); /* of another image, and of nothing it was given here */
    struct stock_done done = stock_idf(&d, "/fw/tiny/latest.bin?mac=24:0A:C4:00:17:00", &stale, 0);
    ck_assert_uint_eq(done.requests, 2);
    installed("from the start", &done, &tiny);
    img_free(&stale);
}
END_TEST

static const struct {
    const char *what, *path;
    size_t part;
    bool reconnect;
    const struct img *img;
} partials[] = {
    {"16 KiB on one connection",  "/fw/sensor/latest.bin", 16384,              false,                              &sensor           },
    {"16 KiB, each a connection", "/fw/sensor/latest.bin", 16384,              true,                               &sensor           },
    {"64 KiB of a device",        IDF_DEVICE("sensor",     "02"),              65536,                              true,               &sensor},
    {"the URL of a build",                           sensor_url,                               65536,             false,            &sensor            },
    {"smaller than a part",                           "/fw/tiny/latest.bin",                              65536, false, &tiny },
    {"smaller, of a device",                           IDF_DEVICE("tiny",                             "03"),    65536,     true,              &tiny},
    {"parts that end with it",                      "/fw/tiny/latest.bin",                                             10000,                                        false,                                &tiny},
};

START_TEST(esp_https_ota_partial_rebuilds_the_image)
{
    struct stock_done done =
        stock_idf_partial(&d, partials[_i].path, partials[_i].part, partials[_i].reconnect);
    size_t parts = (partials[_i].img->n + partials[_i].part - 1) / partials[_i].part;
    ck_assert_msg(done.requests == 1 + parts, "%s: %u requests", partials[_i].what, done.requests);
    installed(partials[_i].what, &done, partials[_i].img);
}
END_TEST

START_TEST(esp_https_ota_partial_is_told_by_head_that_there_is_nothing)
{
    struct stock_done done = stock_idf_partial(&d, IDF_PATH("sensor", NEW), 16384, false);
    ck_assert_uint_eq(done.requests, 1);
    no_update("HEAD", &done);
}
END_TEST

/* ---- Tasmota ------------------------------------------------------------------------------ */

#define FAST_MS 3000 /* all attempts of one upgrade that is refused */

START_TEST(tasmota_esp8266_upgrades_and_stays_when_up_to_date)
{
    struct stock_device dev = {.mac = "5C:CF:7F:00:18:00", .version = "11.0.0(tasmota)"};
    struct stock_done done = stock_tasmota_esp8266(&d, &dev, "/fw/tasmota/latest.bin");
    ck_assert_uint_eq(done.requests, 1);
    installed("Upgrade 1", &done, &lamp);
    dev.version = "12.1.1(tasmota)"; /* a 304 would be "Successful. Restarting" */
    done = stock_tasmota_esp8266(&d, &dev, "/fw/tasmota/latest.bin");
    ck_assert_uint_eq(done.requests, 10);
    ck_assert_msg(done.status == 403 || done.status == 404, "%ld", done.status);
    ck_assert_msg(done.result == STOCK_FAILED && done.image.n == 0, "%s", done.why);
    stock_free(&done);
}
END_TEST

static const struct {
    const char *path, *statuses;
} probed[] = {
    {"/fw/tasmota/latest.bin",        "403 403 403 403 403 404 404 404 404 404"},
    {"/fw/tasmota/5CCF7F001801.bin",  "403 403 403 403 403 404 404 404 404 404"},
    {"/fw/tasmota/tasmota-DE.bin.gz", "404 404 404 404 404 404 404 404 404 404"},
};

/* The image is too large for it, and it is told so before a byte is sent; then it looks for packed
 * ones. */
START_TEST(tasmota_esp8266_finds_no_minimal_and_no_gz)
{
    const struct stock_device dev = {
        .mac = "5C:CF:7F:00:18:01", .version = "11.0.0(tasmota)", .free_space = 100000};
    int64_t before = test_now_ms();
    struct stock_done done = stock_tasmota_esp8266(&d, &dev, probed[_i].path);
    ck_assert_int_lt(test_now_ms() - before, FAST_MS);
    ck_assert_str_eq(done.said, probed[_i].statuses);
    fails(probed[_i].path, &done, -102, 404);
}
END_TEST

START_TEST(tasmota_esp32_upgrades_and_stays_when_up_to_date)
{
    struct stock_device dev = {
        .mac = "24:0A:C4:00:18:00", .version = "11.0.0(tasmota32)", .core = STOCK_CORE_3};
    struct stock_done done = stock_tasmota_esp32(&d, &dev, "/fw/tasmota32/latest.bin");
    ck_assert_uint_eq(done.requests, 1);
    installed("Upgrade 1", &done, &sensor);
    dev.version = "12.1.1(tasmota32)";
    done = stock_tasmota_esp32(&d, &dev, "/fw/tasmota32/latest.bin");
    ck_assert_uint_eq(done.requests, 5);
    fails("up to date", &done, -103, 403);
}
END_TEST

START_TEST(tasmota_esp32_finds_no_safeboot)
{
    const struct stock_device dev = {
        .mac = "24:0A:C4:00:18:01", .version = "11.0.0(tasmota32)", .core = STOCK_CORE_3};
    int64_t before = test_now_ms();
    struct stock_done done = stock_tasmota_safeboot(&d, &dev, "/fw/tasmota32/latest.bin");
    ck_assert_int_lt(test_now_ms() - before, FAST_MS);
    fails("Upgrade 2", &done, -102, 404);
}
END_TEST

/* ---- clients that read something first, and tools ------------------------------------------- */

START_TEST(esphome_http_request_installs_by_its_md5)
{
    bool esp32 = _i == 1;
    struct stock_done done =
        stock_esphome(&d, esp32, esp32 ? "/fw/sensor/latest.md5" : "/fw/lamp/latest.md5",
                      esp32 ? "/fw/sensor/latest.bin" : "/fw/lamp/latest.bin");
    installed("ota: http_request", &done, esp32 ? &sensor : &lamp);
    done = stock_esphome(&d, esp32, "/fw/nothing/latest.md5", "/fw/nothing/latest.bin");
    fails("no such product", &done, 1, 0);
}
END_TEST

START_TEST(esp32fota_installs_what_is_newer)
{
    static const char path[] = "/fw/sensor/latest.json?id=61763461182756";
    struct stock_done done = stock_esp32fota(&d, "/fw/sensor/latest.json", "sensor", OLD);
    installed("older", &done, &sensor);
    done = stock_esp32fota(&d, path, "sensor", OLD);
    installed("with its id", &done, &sensor);
    done = stock_esp32fota(&d, path, "sensor", NEW);
    no_update("the same", &done);
    done = stock_esp32fota(&d, path, "sensor", "3.0.0");
    no_update("newer", &done);
    done = stock_esp32fota(&d, path, "lamp", OLD);
    no_update("another type", &done);
}
END_TEST

START_TEST(curl_wget_continue_a_download)
{
    enum stock_tool tool = _i % 2 == 0 ? STOCK_CURL : STOCK_WGET;
    const char *path = _i < 2 ? lamp_url : "/fw/lamp/latest.bin";
    struct stock_done done = stock_download(&d, tool, path, NULL, 123457);
    ck_assert_uint_eq(done.image.n, 123457);
    struct stock_done rest = stock_download(&d, tool, path, &done.image, 0);
    ck_assert_int_eq(rest.status, 206);
    installed(path, &rest, &lamp);
    stock_free(&done);
    done = stock_download(&d, tool, path, &lamp, 0);
    fails("nothing is left", &done, 1, 416);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("clients");
    TCase *tc = tcase_create("clients");
    tcase_set_timeout(tc, 300);
    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, esp8266_update_installs_and_then_has_nothing_to_do, 0, 2);
    tcase_add_loop_test(tc, esp8266_update_without_a_version_is_known_by_its_content, 0, 2);
    tcase_add_test(tc, esp8266_update_is_told_what_is_wrong_by_its_own_numbers);
    tcase_add_test(tc, esp8266_updatefs_gets_the_filesystem_and_never_a_sketch);
    tcase_add_loop_test(tc, esp8266_getavailableversion_always_gets_a_version, 0,
                        (int)OTAD_COUNT(running_versions));
    tcase_add_loop_test(tc, esp32_update_installs_and_then_has_nothing_to_do, 0,
                        (int)OTAD_COUNT(esp32_cores));
    tcase_add_loop_test(tc, esp32_update_without_a_version_is_known_by_its_content, 1,
                        (int)OTAD_COUNT(esp32_cores));
    tcase_add_loop_test(tc, esp32_updatespiffs_gets_the_filesystem_and_never_a_sketch, 0, 4);
    tcase_add_loop_test(tc, edgent_esp32_installs_from_a_tokenized_url, 0,
                        (int)OTAD_COUNT(suffixes));
    tcase_add_test(tc, edgent_esp32_is_known_by_its_token_and_by_what_it_asks_later);
    tcase_add_test(tc, edgent_esp8266_installs_at_its_pace_and_flashes_no_error);
    tcase_add_loop_test(tc, edgent_library_installs_by_its_sha256, 0, (int)OTAD_COUNT(suffixes));
    tcase_add_loop_test(tc, version_sketch_installs_once_whatever_its_spelling, 0,
                        (int)OTAD_COUNT(spellings));
    tcase_add_loop_test(tc, version_sketch_may_keep_its_connection, 0, 2);
    tcase_add_test(tc, get_then_update_works_with_one_url_and_is_one_attempt);
    tcase_add_loop_test(tc, aws_s3_sketch_installs, 0, 2);
    tcase_add_test(tc, esp_https_ota_installs_and_may_say_what_it_runs);
    tcase_add_test(tc, esp_https_ota_may_drop_a_download_after_its_first_kilobyte);
    tcase_add_loop_test(tc, esp_https_ota_resume_goes_on_where_it_lost_power, 0, 3);
    tcase_add_test(tc, esp_https_ota_resume_of_something_else_starts_over);
    tcase_add_loop_test(tc, esp_https_ota_partial_rebuilds_the_image, 0, (int)OTAD_COUNT(partials));
    tcase_add_test(tc, esp_https_ota_partial_is_told_by_head_that_there_is_nothing);
    tcase_add_test(tc, tasmota_esp8266_upgrades_and_stays_when_up_to_date);
    tcase_add_loop_test(tc, tasmota_esp8266_finds_no_minimal_and_no_gz, 0, (int)OTAD_COUNT(probed));
    tcase_add_test(tc, tasmota_esp32_upgrades_and_stays_when_up_to_date);
    tcase_add_test(tc, tasmota_esp32_finds_no_safeboot);
    tcase_add_loop_test(tc, esphome_http_request_installs_by_its_md5, 0, 2);
    tcase_add_test(tc, esp32fota_installs_what_is_newer);
    tcase_add_loop_test(tc, curl_wget_continue_a_download, 0, 4);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
