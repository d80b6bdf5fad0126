/* SPDX-License-Identifier: MIT
 * Owns the re-enactment of esp_https_ota, of what resumes like it (curl, wget), and of clients that
 * read something small first (ESPHome, esp32FOTA) or nothing of ours at all (the S3 sketch). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "support/stock.h"

#define IDF_AGENT "User-Agent: ESP32 HTTP Client/1.0\r\n"
#define IDF_FIRST_READ 1024 /* image header and descriptor must come with the first read */

static struct stock_done failed(long status, const char *why)
{
    return (struct stock_done){
        .result = STOCK_FAILED, .error = 1, .why = why, .status = status, .requests = 1};
}

static void succeed(struct stock_done *done, enum stock_result result)
{
    done->result = result;
    done->error = 0;
    done->why = "";
}

static void copy(const struct img *from, struct img *to)
{
    if (from != NULL && from->n > 0)
        img_put(to, from->data, from->n);
}

/* Where the body of a 206 starts, and how long the whole is. */
static bool content_range(const struct stock_wire *w, size_t *first, size_t *total)
{
    const char *text = stock_value(w, "Content-Range");
    size_t last;
    return text != NULL && sscanf(text, "bytes %zu-%zu/%zu", first, &last, total) == 3;
}

/* Reads the body behind what is there already, up to stop_at bytes of the whole. */
static bool take(struct stock_wire *w, size_t stop_at, struct img *image)
{
    size_t n = w->length > 0 ? (size_t)w->length : 0;
    bool cut = stop_at > 0 && image->n + n > stop_at;
    return stock_body(w, cut ? stop_at - image->n : n, 0, 0, image) && !cut;
}

/* ---- esp_https_ota ------------------------------------------------------------------------ */

static void idf_send(struct stock_wire *w, const struct daemon *d, const char *method,
                     const char *path, const char *range)
{
    char after[96] = "";
    if (range != NULL)
        (void)snprintf(after, sizeof after, "Range: %s\r\n", range);
    stock_send(
        w, d,
        &(struct stock_request){
            .method = method, .path = path, .version = "1.1", .before = IDF_AGENT, .after = after});
    (void)stock_head(w, strcmp(method, "HEAD") == 0);
}

static void idf_judge(struct stock_done *done, bool complete)
{
    done->why = "the download broke off";
    if (!complete)
        return;
    done->why = "Complete headers were not received";
    if (done->image.n < IDF_FIRST_READ)
        return;
    done->why = "no application";
    if (done->image.data[0] != 0xE9)
        return;
    succeed(done, STOCK_INSTALLED);
}

struct stock_done stock_idf(const struct daemon *d, const char *path, const struct img *have,
                            size_t stop_at)
{
    char range[64];
    struct stock_wire w = {.fd = -1};
    struct stock_done done = failed(0, "HTTP status");
    size_t first = 0, total;
    (void)snprintf(range, sizeof range, "bytes=%zu-", have != NULL ? have->n : 0);
    idf_send(&w, d, "GET", path, have != NULL ? range : NULL);
    if (have != NULL && w.status == 206 && content_range(&w, &first, &total) && first == have->n) {
        copy(have, &done.image);
    } else if (have != NULL && (w.status == 200 || w.status == 416)) {
        stock_close(&w); /* no range after all: from the start, on a new connection */
        idf_send(&w, d, "GET", path, NULL);
        done.requests++;
    }
    done.status = w.status;
    done.at_once = w.at_once;
    if (w.status == 304)
        succeed(&done, STOCK_NO_UPDATE);
    else if (w.status > 0 && w.status < 400)
        idf_judge(&done, take(&w, stop_at, &done.image));
    stock_close(&w);
    return done;
}

/* The whole length: of a HEAD, else of the first byte's Content-Range. 0: unknown. */
static size_t idf_length(struct stock_wire *w, const struct daemon *d, const char *path,
                         struct stock_done *done)
{
    size_t first, total = 0;
    struct img byte = {.n = 0};
    idf_send(w, d, "HEAD", path, NULL);
    if (w->status == 200 && w->length > 0)
        return (size_t)w->length;
    if (w->status == 304)
        return 0;
    done->requests++;
    idf_send(w, d, "GET", path, "bytes=0-0");
    bool ok = w->status == 206 && content_range(w, &first, &total) && take(w, 0, &byte);
    img_free(&byte);
    return ok ? total : 0;
}

/* The last part is open-ended; an image smaller than a part is asked for with one byte too much. */
static void idf_range(size_t at, size_t total, size_t part, char range[64])
{
    if (at > 0 && total - at <= part)
        (void)snprintf(range, 64, "bytes=%zu-", at);
    else
        (void)snprintf(range, 64, "bytes=%zu-%zu", at,
                       total > part ? at + part - 1 : total /* its quirk */);
}

struct stock_done stock_idf_partial(const struct daemon *d, const char *path, size_t part,
                                    bool reconnect)
{
    char range[64];
    struct stock_wire w = {.fd = -1};
    struct stock_done done = failed(0, "no length");
    size_t total = idf_length(&w, d, path, &done);
    bool complete = total > 0;
    if (w.status == 304)
        succeed(&done, STOCK_NO_UPDATE);
    done.at_once = true;
    while (complete && done.image.n < total) {
        if (reconnect)
            stock_close(&w);
        idf_range(done.image.n, total, part, range);
        idf_send(&w, d, "GET", path, range);
        done.requests++;
        done.at_once &= w.at_once;
        /* It takes any status below 400, and whatever comes for the part it asked for. */
        complete = w.status > 0 && w.status < 400 && w.length > 0 && take(&w, 0, &done.image);
    }
    if (total > 0)
        idf_judge(&done, complete);
    done.status = w.status;
    stock_close(&w);
    return done;
}

/* ---- curl, wget --------------------------------------------------------------------------- */

static void tool_send(struct stock_wire *w, const struct daemon *d, enum stock_tool tool,
                      const char *path, size_t from)
{
    static const char *const lines[] = {
        [STOCK_CURL] = "User-Agent: curl/7.88.1\r\nAccept: */*\r\n",
        [STOCK_WGET] = "User-Agent: Wget/1.21.3\r\nAccept: */*\r\n"
                       "Accept-Encoding: identity\r\nConnection: Keep-Alive\r\n"};
    char headers[256], range[64] = "";
    if (from > 0)
        (void)snprintf(range, sizeof range, "Range: bytes=%zu-\r\n", from);
    (void)snprintf(headers, sizeof headers, "%s%s", range, lines[tool]);
    stock_send(w, d, &(struct stock_request){.path = path, .version = "1.1", .after = headers});
    (void)stock_head(w, false);
}

struct stock_done stock_download(const struct daemon *d, enum stock_tool tool, const char *path,
                                 const struct img *have, size_t stop_at)
{
    struct stock_wire w = {.fd = -1};
    struct stock_done done = failed(0, "HTTP status");
    size_t from = have != NULL ? have->n : 0, first = 0, total = 0;
    tool_send(&w, d, tool, path, from);
    done.status = w.status;
    done.at_once = w.at_once;
    bool resumed = w.status == 206 && content_range(&w, &first, &total) && first == from;
    if (w.status == 200 && from > 0 && tool == STOCK_CURL) {
        done.why = "HTTP server doesn't seem to support byte ranges. Cannot resume.";
    } else if (w.status == 200 || resumed) {
        if (resumed)
            copy(have, &done.image);
        done.why = "the transfer broke off";
        if (take(&w, stop_at, &done.image))
            succeed(&done, STOCK_INSTALLED);
    } else if (w.status == 416) {
        done.why = "nothing to do, or nothing to resume";
    }
    stock_close(&w);
    return done;
}

/* ---- the S3 sketch ------------------------------------------------------------------------ */

static void s3_flash(struct stock_wire *w, struct stock_done *done)
{
    const char *type = stock_value_exact(w, "Content-Type");
    const char *length = stock_value_exact(w, "Content-Length");
    done->why = "no 200 of HTTP/1.1";
    if (strncmp(w->head, "HTTP/1.1", 8) != 0 || w->status != 200)
        return;
    done->why = "There was no content in the response";
    if (length == NULL || w->length <= 0 || type == NULL ||
        strcmp(type, "application/octet-stream") != 0)
        return;
    done->at_once = w->at_once;
    done->why = "the download broke off";
    if (!stock_body(w, (size_t)w->length, 0, 0, &done->image) || done->image.data[0] != 0xE9)
        return;
    succeed(done, STOCK_INSTALLED);
}

struct stock_done stock_aws_s3(const struct daemon *d, const char *path)
{
    struct stock_wire w = {.fd = -1};
    struct stock_done done = failed(0, "the headers were late, or came in pieces");
    stock_send(&w, d,
               &(struct stock_request){.path = path,
                                       .version = "1.1",
                                       .bare_host = true,
                                       .after = "Cache-Control: no-cache\r\n"
                                                "Connection: close\r\n"});
    test_sleep_ms(STOCK_AT_ONCE_MS);
    if (stock_head_in_one(&w, false))
        s3_flash(&w, &done);
    done.status = w.status;
    stock_close(&w);
    return done;
}

/* ---- ESPHome ------------------------------------------------------------------------------ */

static void esphome_send(struct stock_wire *w, const struct daemon *d, bool esp32, const char *path)
{
    static const char agent[] = "User-Agent: ESPHome/2026.8.0 (https://esphome.io)\r\n";
    static const char arduino[] = "User-Agent: ESPHome/2026.8.0 (https://esphome.io)\r\n"
                                  "Accept-Encoding: identity;q=1,chunked;q=0.1,*;q=0\r\n"
                                  "Connection: keep-alive\r\nContent-Length: 0\r\n";
    stock_send(w, d,
               &(struct stock_request){.path = path,
                                       .version = "1.1",
                                       .before = esp32 ? agent : NULL,
                                       .after = esp32 ? NULL : arduino});
    (void)stock_head(w, false);
}

/* The first 32 bytes; they are compared as lowercase text. */
static bool esphome_md5(const struct daemon *d, bool esp32, const char *path, char md5[33])
{
    struct img text = {.n = 0};
    struct stock_wire w = {.fd = -1};
    esphome_send(&w, d, esp32, path);
    bool ok = w.status == 200 && w.length >= 32 && w.at_once && stock_body(&w, 32, 0, 0, &text);
    (void)snprintf(md5, 33, "%.32s", ok ? (const char *)text.data : "");
    img_free(&text);
    stock_close(&w);
    return ok;
}

struct stock_done stock_esphome(const struct daemon *d, bool esp32, const char *md5_path,
                                const char *path)
{
    char want[33], found[33];
    struct stock_wire w = {.fd = -1};
    struct stock_done done = failed(0, "MD5_INVALID");
    if (!esphome_md5(d, esp32, md5_path, want))
        return done;
    esphome_send(&w, d, esp32, path);
    done.requests = 2;
    done.status = w.status;
    done.at_once = w.at_once;
    done.why = "CONNECTION_ERROR";
    if (w.status == 200 && w.length > 0 && take(&w, 0, &done.image)) {
        stock_md5(&done.image, found);
        done.why = "MD5_MISMATCH";
        if (strncmp(want, found, 32) == 0)
            succeed(&done, STOCK_INSTALLED);
    }
    stock_close(&w);
    return done;
}

/* ---- esp32FOTA ---------------------------------------------------------------------------- */

#define FOTA_JSON_MAX 2048

static void fota_get(struct stock_wire *w, const struct daemon *d, const char *path)
{
    stock_send(
        w, d,
        &(struct stock_request){.path = path,
                                .version = "1.1",
                                .after = "User-Agent: ESP32HTTPClient\r\nConnection: keep-alive\r\n"
                                         "Accept-Encoding: identity;q=1,chunked;q=0.1,*;q=0\r\n"});
    (void)stock_head(w, false);
}

static bool is_newer(const char *a, const char *b)
{
    int x[3] = {0}, y[3] = {0};
    (void)sscanf(a, "%d.%d.%d", &x[0], &x[1], &x[2]);
    (void)sscanf(b, "%d.%d.%d", &y[0], &y[1], &y[2]);
    for (int i = 0; i < 3; i++)
        if (x[i] != y[i])
            return x[i] > y[i];
    return false;
}

/* Reads the manifest. @return the path of its url when there is a newer version, or "" */
static void fota_manifest(const struct daemon *d, const char *path, const char *type,
                          const char *version, struct stock_done *done, char url[256])
{
    struct img text = {.n = 0};
    struct stock_wire w = {.fd = -1};
    fota_get(&w, d, path);
    url[0] = '\0';
    done->status = w.status;
    bool ok = w.status == 200 && w.length > 0 && w.length < FOTA_JSON_MAX && take(&w, 0, &text);
    json_t *json = ok ? json_loadb((const char *)text.data, text.n, 0, NULL) : NULL;
    const char *its_type = json_string_value(json_object_get(json, "type"));
    const char *its_version = json_string_value(json_object_get(json, "version"));
    const char *its_url = json_string_value(json_object_get(json, "url"));
    done->why = "no manifest";
    if (its_type != NULL && its_version != NULL && its_url != NULL) {
        const char *host = strstr(its_url, "://");
        const char *at = host != NULL ? strchr(host + 3, '/') : NULL;
        if (strcmp(its_type, type) != 0 || !is_newer(its_version, version))
            succeed(done, STOCK_NO_UPDATE);
        else if (at != NULL)
            (void)snprintf(url, 256, "%s", at);
        (void)snprintf(done->said, sizeof done->said, "%s", its_version);
    }
    json_decref(json);
    img_free(&text);
    stock_close(&w);
}

struct stock_done stock_esp32fota(const struct daemon *d, const char *path, const char *type,
                                  const char *version)
{
    char url[256];
    struct stock_wire w = {.fd = -1};
    struct stock_done done = failed(0, "");
    fota_manifest(d, path, type, version, &done, url);
    if (url[0] == '\0')
        return done;
    fota_get(&w, d, url);
    done.requests = 2;
    done.status = w.status;
    done.at_once = w.at_once;
    done.why = "HTTP status";
    if (w.status == 200 && w.length > 0) {
        done.why = "the download broke off";
        if (take(&w, 0, &done.image) && done.image.data[0] == 0xE9)
            succeed(&done, STOCK_INSTALLED);
    }
    stock_close(&w);
    return done;
}
