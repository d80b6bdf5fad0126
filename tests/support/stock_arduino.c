/* SPDX-License-Identifier: MIT
 * Owns the re-enactment of Arduino's updaters, of Tasmota, which uses them, and of sketches around
 * them. Error numbers are those of HTTPUpdate.h and HTTPClient.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "support/stock.h"

#define CHIP_SIZE 4194304
#define FREE_SPACE_ESP8266 1695744
#define FREE_SPACE_ESP32 1310720 /* a slot of the default partition table */
#define SKETCH_MD5 "a43ad019932b627ab90ee35a94a764ee"

/* What the two updaters differ in. */
struct updater {
    bool esp32;
    enum stock_core core;
    int64_t free_space;
    bool filesystem, version_mode;
};

/* ---- requests ----------------------------------------------------------------------------- */

static void ap_mac(const char *mac, char out[32])
{
    (void)snprintf(out, 32, "5E%s", strlen(mac) > 2 ? mac + 2 : "");
}

static void version_line(const struct stock_device *dev, const char *family, char out[128])
{
    out[0] = '\0';
    if (dev->version != NULL && dev->version[0] != '\0')
        (void)snprintf(out, 128, "x-%s-version: %s\r\n", family, dev->version);
}

/* ESP8266httpUpdate.cpp, handleUpdate(). Older cores have no Chip-ID. */
static void esp8266_headers(const struct stock_device *dev, char *out, size_t room)
{
    char ap[32], md5[33] = SKETCH_MD5, version[128];
    ap_mac(dev->mac, ap);
    version_line(dev, "ESP8266", version);
    if (dev->running != NULL)
        stock_md5(dev->running, md5);
    (void)snprintf(out, room,
                   "User-Agent: ESP8266-http-Update\r\nConnection: close\r\n%s"
                   "x-ESP8266-STA-MAC: %s\r\nx-ESP8266-AP-MAC: %s\r\n"
                   "x-ESP8266-free-space: %lld\r\nx-ESP8266-sketch-size: %zu\r\n"
                   "x-ESP8266-sketch-md5: %s\r\nx-ESP8266-chip-size: %d\r\n"
                   "x-ESP8266-sdk-version: 2.2.2-dev(38a443e)\r\nx-ESP8266-mode: %s\r\n%s"
                   "Content-Length: 0\r\n",
                   dev->core == STOCK_CORE_OLD ? "" : "x-ESP8266-Chip-ID: 10597059\r\n", dev->mac,
                   ap, (long long)(dev->free_space > 0 ? dev->free_space : FREE_SPACE_ESP8266),
                   dev->running != NULL ? dev->running->n : (size_t)400000, md5, CHIP_SIZE,
                   dev->mode != NULL ? dev->mode : "sketch", version);
}

/* The digest of ESP32's sketch is what the image carries behind its checksum, in uppercase. */
static void esp32_digests(const struct stock_device *dev, char out[192])
{
    char md5[33] = "19c47f5a6952adc7704c87609625f3a6";
    char sha256[65] = "FCDCD363CB79044C1718146E9D68B5A6A50B18B8395C1EF1473355E2B9E0C810";
    out[0] = '\0';
    if (dev->core == STOCK_CORE_OLD)
        return;
    if (dev->running != NULL) {
        stock_md5(dev->running, md5);
        for (size_t i = 0; i < 32; i++)
            (void)sprintf(sha256 + 2 * i, "%02X", dev->running->data[dev->running->n - 32 + i]);
    }
    (void)snprintf(out, 192, "x-ESP32-sketch-md5: %s\r\nx-ESP32-sketch-sha256: %s\r\n", md5,
                   sha256);
}

/* HTTPUpdate.cpp, handleUpdate(). */
static void esp32_headers(const struct stock_device *dev, char *out, size_t room)
{
    char ap[32], version[128], digests[192], base[64] = "";
    ap_mac(dev->mac, ap);
    version_line(dev, "ESP32", version);
    esp32_digests(dev, digests);
    if (dev->core >= STOCK_CORE_3)
        (void)snprintf(base, sizeof base, "x-ESP32-BASE-MAC: %s\r\n", dev->mac);
    (void)snprintf(out, room,
                   "User-Agent: ESP32-http-Update\r\nConnection: close\r\n"
                   "Cache-Control: no-cache\r\n%sx-ESP32-STA-MAC: %s\r\nx-ESP32-AP-MAC: %s\r\n"
                   "x-ESP32-free-space: %lld\r\nx-ESP32-sketch-size: 357280\r\n%s"
                   "x-ESP32-chip-size: %d\r\nx-ESP32-sdk-version: %s\r\nx-ESP32-mode: %s\r\n%s",
                   base, dev->mac, ap,
                   (long long)(dev->free_space > 0 ? dev->free_space : FREE_SPACE_ESP32), digests,
                   CHIP_SIZE, dev->core >= STOCK_CORE_3 ? "v5.1.4" : "v4.4.2",
                   dev->mode != NULL ? dev->mode : "sketch", version);
}

/* ---- answers ------------------------------------------------------------------------------ */

/* @return false, for the caller to return */
static bool fail(struct stock_done *done, int error, const char *why)
{
    done->result = STOCK_FAILED;
    done->error = error;
    done->why = why;
    return false;
}

/* What another status than 200 means. @return whether to go on */
static bool judge_status(const struct updater *u, struct stock_done *done)
{
    bool none = done->status == 304 || (done->status == 204 && u->core == STOCK_CORE_NEWEST);
    if (done->status == 200)
        return true;
    if (none && !u->version_mode)
        done->result = STOCK_NO_UPDATE;
    else if (done->status == 404)
        (void)fail(done, -102, "File Not Found (404)");
    else if (done->status == 403)
        (void)fail(done, -103, "Forbidden (403)");
    else if (done->status == 401 && !u->esp32)
        (void)fail(done, -108, "Unauthorized (401)");
    else
        (void)fail(done, -104, "Wrong HTTP Code");
    return false;
}

static bool is_hex(const char *text, size_t n)
{
    return strlen(text) == n && strspn(text, "0123456789abcdefABCDEF") == n;
}

/* The first body byte: ESP8266 waits for it, ESP32 looks once, 100 ms after the head. */
static bool first_byte_fits(struct stock_wire *w, const struct updater *u)
{
    uint8_t byte = 0;
    char peeked;
    if (!u->esp32 && w->n == w->used)
        (void)recv(w->fd, &peeked, 1, MSG_PEEK);
    if (u->esp32)
        test_sleep_ms(STOCK_AT_ONCE_MS);
    if (!stock_peek(w, &byte))
        return false;
    return u->filesystem || byte == 0xE9 || (byte == 0x1F && !u->esp32);
}

static bool digests_fit(const struct stock_wire *w, const struct updater *u,
                        struct stock_done *done)
{
    char hex[65];
    const char *md5 = stock_value(w, "x-MD5"), *sha256 = stock_value(w, "x-SHA256");
    stock_md5(&done->image, hex);
    bool any_case = !u->esp32 || u->core >= STOCK_CORE_3;
    if (md5 != NULL && md5[0] != '\0' && (any_case ? strcasecmp(md5, hex) : strcmp(md5, hex)) != 0)
        return fail(done, 7, "MD5 Check Failed");
    stock_sha256(&done->image, hex);
    if (u->core == STOCK_CORE_NEWEST && sha256 != NULL && strcasecmp(sha256, hex) != 0)
        return fail(done, 15, "SHA256 Check Failed");
    return true;
}

/* The checks on a 200, in the order of the libraries. */
static bool flash(struct stock_wire *w, const struct updater *u, struct stock_done *done)
{
    const char *md5 = stock_value(w, "x-MD5"), *sha256 = stock_value(w, "x-SHA256");
    if (w->length <= 0)
        return fail(done, -101, "Server Did Not Report Size");
    if (w->length > u->free_space)
        return fail(done, -100, "Not Enough space");
    if (!first_byte_fits(w, u))
        return fail(done, -106, "Verify Bin Header Failed");
    if (md5 != NULL && md5[0] != '\0' && !is_hex(md5, 32))
        return fail(done, -105, "Wrong MD5");
    if (u->core == STOCK_CORE_NEWEST && sha256 != NULL && !is_hex(sha256, 64))
        return fail(done, -109, "Wrong SHA256");
    done->at_once = w->at_once;
    if (!stock_body(w, (size_t)w->length, 0, 0, &done->image))
        return fail(done, 6, "Stream Read Timeout");
    if (!digests_fit(w, u, done))
        return false;
    done->result = STOCK_INSTALLED;
    return true;
}

/* getAvailableVersion(): the version comes in a header, and nothing is written. */
static bool read_version(const struct stock_wire *w, struct stock_done *done)
{
    const char *version = stock_value(w, "x-version");
    if (version == NULL)
        return fail(done, -109, "no version");
    (void)snprintf(done->said, sizeof done->said, "%s", version);
    done->result = STOCK_NO_UPDATE;
    return true;
}

static struct stock_done run(const struct daemon *d, const struct stock_device *dev, bool esp32,
                             const char *path)
{
    char headers[1536];
    struct stock_wire w = {.fd = -1};
    struct stock_done done = {.result = STOCK_FAILED, .why = "", .requests = 1};
    const char *mode = dev->mode != NULL ? dev->mode : "sketch";
    const struct updater u = {.esp32 = esp32,
                              .core = dev->core,
                              .free_space = dev->free_space > 0
                                                ? dev->free_space
                                                : (esp32 ? FREE_SPACE_ESP32 : FREE_SPACE_ESP8266),
                              .filesystem = strcmp(mode, "sketch") != 0,
                              .version_mode = strcmp(mode, "version") == 0};
    (esp32 ? esp32_headers : esp8266_headers)(dev, headers, sizeof headers);
    stock_send(&w, d, &(struct stock_request){.path = path, .version = "1.0", .after = headers});
    const char *encoding = stock_head(&w, false) ? stock_value(&w, "Transfer-Encoding") : NULL;
    done.status = w.status;
    if (w.status == 0)
        (void)fail(&done, -11, "read timeout");
    else if (encoding != NULL && (!esp32 || strcmp(encoding, "chunked") != 0))
        (void)fail(&done, strcmp(encoding, "chunked") == 0 ? -101 : -9, "Transfer-Encoding");
    else if (judge_status(&u, &done) && u.version_mode)
        (void)read_version(&w, &done);
    else if (done.status == 200)
        (void)flash(&w, &u, &done);
    stock_close(&w);
    return done;
}

struct stock_done stock_esp8266(const struct daemon *d, const struct stock_device *dev,
                                const char *path)
{
    return run(d, dev, false, path);
}

struct stock_done stock_esp32(const struct daemon *d, const struct stock_device *dev,
                              const char *path)
{
    return run(d, dev, true, path);
}

/* ---- Tasmota ------------------------------------------------------------------------------ */

/* In the last part of the path: all from its last '-', or its first '.', becomes -{what} and the
 * extensions. */
static void rename_image(const char *path, const char *what, char *out, size_t room)
{
    const char *file = strrchr(path, '/') + 1;
    const char *dots = strchr(file, '.');
    const char *end = dots != NULL ? dots : file + strlen(file);
    const char *dash = memrchr(file, '-', (size_t)(end - file));
    (void)snprintf(out, room, "%.*s-%s%s", (int)((dash != NULL ? dash : end) - path), path, what,
                   dots != NULL ? dots : "");
}

/* One attempt: its answer takes the place of the one before. support_tasmota.ino: whatever is not
 * FAILED is success, also "no update". @return whether it is over */
static bool tasmota_attempt(const struct daemon *d, const struct stock_device *dev, bool esp32,
                            const char *url, struct stock_done *done)
{
    char statuses[sizeof done->said];
    unsigned requests = done->requests + 1;
    stock_free(done);
    memcpy(statuses, done->said, sizeof statuses);
    *done = run(d, dev, esp32, url);
    done->requests = requests;
    (void)snprintf(done->said, sizeof done->said, "%.100s%s%ld", statuses,
                   statuses[0] != '\0' ? " " : "", done->status);
    if (done->result == STOCK_NO_UPDATE)
        done->result = STOCK_INSTALLED;
    return done->result != STOCK_FAILED;
}

struct stock_done stock_tasmota_esp8266(const struct daemon *d, const struct stock_device *dev,
                                        const char *path)
{
    char url[256], gz[256];
    struct stock_done done = {.result = STOCK_FAILED};
    (void)snprintf(url, sizeof url, "%s", path);
    for (int left = 10; left > 0; left--) {
        (void)snprintf(gz, sizeof gz, "%.240s%s", url, left <= 5 ? ".gz" : "");
        if (tasmota_attempt(d, dev, false, gz, &done))
            break;
        if (done.error == -100 || done.error == -107)
            rename_image(path, "minimal", url, sizeof url);
    }
    return done;
}

struct stock_done stock_tasmota_esp32(const struct daemon *d, const struct stock_device *dev,
                                      const char *path)
{
    struct stock_done done = {.result = STOCK_FAILED};
    for (int left = 5; left > 0; left--)
        if (tasmota_attempt(d, dev, true, path, &done))
            break;
    return done;
}

struct stock_done stock_tasmota_safeboot(const struct daemon *d, const struct stock_device *dev,
                                         const char *path)
{
    char url[256];
    rename_image(path, "safeboot", url, sizeof url);
    return stock_tasmota_esp32(d, dev, url);
}

/* ---- sketches ----------------------------------------------------------------------------- */

#define ACCEPT "Accept-Encoding: identity;q=1,chunked;q=0.1,*;q=0\r\n"

static struct stock_request httpclient(bool esp32, const char *path)
{
    return (struct stock_request){
        .path = path,
        .version = "1.1",
        .after = esp32 ? "User-Agent: ESP32HTTPClient\r\nConnection: keep-alive\r\n" ACCEPT
                       : "User-Agent: ESP8266HTTPClient\r\n" ACCEPT
                         "Connection: keep-alive\r\nContent-Length: 0\r\n"};
}

bool stock_httpclient_text(struct stock_wire *w, const struct daemon *d, bool esp32,
                           const char *path, char *out, size_t room)
{
    const struct stock_request r = httpclient(esp32, path);
    struct img text = {.n = 0};
    stock_send(w, d, &r);
    bool ok = stock_head(w, false) && w->status == 200 && w->length >= 0 &&
              (size_t)w->length < room && stock_value(w, "Transfer-Encoding") == NULL &&
              stock_body(w, (size_t)w->length, 0, 0, &text);
    (void)snprintf(out, room, "%.*s", ok ? (int)text.n : 0, ok ? (const char *)text.data : "");
    img_free(&text);
    return ok;
}

long stock_httpclient_drop(const struct daemon *d, const char *path)
{
    const int window = 5840; /* four segments: all that an ESP8266 holds */
    const struct stock_request r = httpclient(false, path);
    struct stock_wire w = {.fd = raw_connect(d)};
    (void)setsockopt(w.fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
    stock_send(&w, d, &r);
    (void)stock_head(&w, false);
    long status = w.status;
    stock_close(&w);
    return status;
}

struct stock_done stock_version_sketch(const struct daemon *d, const struct stock_device *dev,
                                       const char *base, const char *word, long fw_version)
{
    char path[256];
    struct stock_wire w = {.fd = -1};
    struct stock_done done = {.result = STOCK_FAILED, .why = "", .requests = 1};
    (void)snprintf(path, sizeof path, "%s%s.version", base, word);
    bool ok = stock_httpclient_text(&w, d, false, path, done.said, sizeof done.said);
    done.status = w.status;
    stock_close(&w);
    if (!ok) {
        (void)fail(&done, 1, "Firmware version check failed");
        return done;
    }
    if (strtol(done.said, NULL, 10) <= fw_version) { /* String.toInt() */
        done.result = STOCK_NO_UPDATE;
        return done;
    }
    char told[sizeof done.said];
    memcpy(told, done.said, sizeof told);
    (void)snprintf(path, sizeof path, "%s%s.bin", base, word);
    done = stock_esp8266(d, dev, path);
    memcpy(done.said, told, sizeof told);
    done.requests = 2;
    return done;
}
