/* SPDX-License-Identifier: MIT
 * Owns the re-enactment of Blynk's three downloaders. They are given a URL; none names itself. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "support/stock.h"

static struct stock_done failed(long status, const char *why)
{
    return (struct stock_done){
        .result = STOCK_FAILED, .error = 1, .why = why, .status = status, .requests = 1};
}

/* Update.writeStream(): an application, of this length, with this MD5 if there is one. */
static void flash(struct stock_wire *w, size_t piece, int64_t pause_ms, const char *md5,
                  struct stock_done *done)
{
    char found[33];
    *done = failed(w->status, "the download broke off");
    done->at_once = w->at_once;
    if (!stock_body(w, (size_t)w->length, piece, pause_ms, &done->image))
        return;
    stock_md5(&done->image, found);
    done->why = "no application";
    if (done->image.data[0] != 0xE9 && done->image.data[0] != 0x1F)
        return;
    done->why = "MD5";
    if (md5 != NULL && strcasecmp(md5, found) != 0)
        return;
    done->result = STOCK_INSTALLED;
    done->error = 0;
}

/* Edgent_ESP32/OTA.h: HTTPClient, status 200, Content-Length, x-MD5 if it has 32 characters. */
struct stock_done stock_edgent_esp32(const struct daemon *d, const char *path)
{
    struct stock_wire w = {.fd = -1};
    const struct stock_request r = {.path = path,
                                    .version = "1.1",
                                    .after =
                                        "User-Agent: ESP32HTTPClient\r\nConnection: keep-alive\r\n"
                                        "Accept-Encoding: identity;q=1,chunked;q=0.1,*;q=0\r\n"};
    stock_send(&w, d, &r);
    struct stock_done done = failed(0, "HTTP response is no 200");
    if (stock_head(&w, false) && w.status == 200) {
        const char *md5 = stock_value(&w, "x-MD5");
        done = failed(w.status, "Content-Length not defined");
        if (w.length > 0)
            flash(&w, 0, 0, md5 != NULL && strlen(md5) == 32 ? md5 : NULL, &done);
    }
    done.status = w.status;
    stock_close(&w);
    return done;
}

/* Edgent_ESP8266/OTA.h: a raw socket. Header lines are read only while there are any, the status
 * line is one of them, and the body goes 256 bytes at a time with 10 ms in between. */
struct stock_done stock_edgent_esp8266(const struct daemon *d, const char *path)
{
    struct stock_wire w = {.fd = -1};
    const struct stock_request r = {
        .path = path, .version = "1.0", .bare_host = true, .after = "Connection: keep-alive\r\n"};
    stock_send(&w, d, &r);
    struct stock_done done = failed(0, "the headers came in pieces");
    if (stock_head_in_one(&w, true)) {
        const char *md5 = stock_value(&w, "x-md5");
        done = failed(w.status, "content-length is 0");
        if (w.length > 0 && md5 != NULL && strlen(md5) != 32)
            done.why = "MD5 of another length";
        else if (w.length > 0)
            flash(&w, 256, 10, md5, &done);
    }
    done.status = w.status;
    stock_close(&w);
    return done;
}

/* BlynkHttpOTA.h over ArduinoHttpClient: `Content-Length: ` in that very spelling, 1024 at least;
 * x-sha256 in base64 or nothing. */
static void library_flash(struct stock_wire *w, struct stock_done *done)
{
    char found[45];
    const char *length = stock_value_exact(w, "Content-Length");
    const char *told = stock_value(w, "x-sha256");
    *done = failed(w->status, "Content-Length");
    if (length == NULL || w->length < 1024)
        return;
    done->why = "Invalid X-SHA256";
    if (told == NULL || strlen(told) != 44)
        return;
    done->why = "the download broke off";
    done->at_once = w->at_once;
    if (!stock_body(w, (size_t)w->length, 256, 0, &done->image))
        return;
    stock_sha256_base64(&done->image, found);
    done->why = "SHA-256 differs";
    if (strcmp(told, found) != 0)
        return;
    done->result = STOCK_INSTALLED;
    done->error = 0;
}

struct stock_done stock_edgent_library(const struct daemon *d, const char *path)
{
    struct stock_wire w = {.fd = -1};
    const struct stock_request r = {
        .path = path, .version = "1.1", .dribble = true, .after = "User-Agent: Arduino/2.2.0\r\n"};
    stock_send(&w, d, &r);
    struct stock_done done = failed(0, "no answer");
    if (stock_head(&w, false)) {
        done = failed(w.status, "HTTP status");
        if (w.status >= 200 && w.status <= 299 && stock_value(&w, "Transfer-Encoding") == NULL)
            library_flash(&w, &done);
    }
    done.status = w.status;
    stock_close(&w);
    return done;
}
