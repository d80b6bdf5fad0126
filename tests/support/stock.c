/* SPDX-License-Identifier: MIT
 * Owns the wire of the stock clients: how they write a request and read an answer. */
#include "support/stock.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <check.h>
#include <openssl/evp.h>

#include "support/unit.h"

/* ---- requests ----------------------------------------------------------------------------- */

/* ArduinoHttpClient prints a request word by word, and each print is a segment. */
static void send_dribbling(int fd, const char *text)
{
    const int yes = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    while (*text != '\0') {
        size_t n = strcspn(text, " \n");
        n += text[n] != '\0';
        raw_send(fd, text, n);
        test_sleep_ms(2);
        text += n;
    }
}

void stock_send(struct stock_wire *w, const struct daemon *d, const struct stock_request *r)
{
    char text[3072], port[8] = "";
    if (!r->bare_host)
        (void)snprintf(port, sizeof port, ":%u", (unsigned)d->port);
    int n = snprintf(text, sizeof text, "%s %s HTTP/%s\r\n%sHost: 127.0.0.1%s\r\n%s\r\n",
                     r->method != NULL ? r->method : "GET", r->path, r->version,
                     r->before != NULL ? r->before : "", port, r->after != NULL ? r->after : "");
    ck_assert(n > 0 && (size_t)n < sizeof text);
    if (w->fd < 0)
        w->fd = raw_connect(d);
    if (r->dribble)
        send_dribbling(w->fd, text);
    else
        raw_send(w->fd, text, (size_t)n);
}

void stock_close(struct stock_wire *w)
{
    if (w->fd >= 0)
        (void)close(w->fd);
    w->fd = -1;
    w->n = w->used = 0;
}

/* ---- answers ------------------------------------------------------------------------------ */

static bool more(struct stock_wire *w, int flags)
{
    memmove(w->in, w->in + w->used, w->n - w->used);
    w->n -= w->used;
    w->used = 0;
    ssize_t got = w->n < sizeof w->in ? recv(w->fd, w->in + w->n, sizeof w->in - w->n, flags) : 0;
    w->n += got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* Bytes of the head that is there as a whole, else 0. */
static size_t head_bytes(const struct stock_wire *w)
{
    const char *at = w->in + w->used;
    const char *end = memmem(at, w->n - w->used, "\r\n\r\n", 4);
    return end != NULL ? (size_t)(end - at) + 4 : 0;
}

/* Takes the head out of what was read. */
static bool parse_head(struct stock_wire *w)
{
    size_t n = head_bytes(w);
    w->status = 0;
    w->length = -1;
    w->head[0] = '\0';
    if (n == 0 || n >= sizeof w->head)
        return false;
    memcpy(w->head, w->in + w->used, n);
    w->head[n] = '\0';
    w->used += n;
    if (strncmp(w->head, "HTTP/1.", 7) == 0)
        w->status = strtol(w->head + 8, NULL, 10);
    const char *length = stock_value(w, "Content-Length");
    if (length != NULL)
        w->length = strtoll(length, NULL, 10);
    return w->status != 0;
}

bool stock_head(struct stock_wire *w, bool head_only)
{
    unsigned reads = 0;
    for (; head_bytes(w) == 0; reads++)
        if (!more(w, 0))
            return false;
    if (!parse_head(w))
        return false;
    bool body = !head_only && w->status != 304 && w->length > 0;
    w->at_once = reads <= 1 && (!body || w->n > w->used);
    return true;
}

bool stock_head_in_one(struct stock_wire *w, bool waits)
{
    return more(w, waits ? 0 : MSG_DONTWAIT) && head_bytes(w) > 0 && stock_head(w, false);
}

/* The next header line that has this name. @return its value's start, or NULL */
static const char *find_line(const char *at, const char *name, bool exact, size_t *n)
{
    size_t len = strlen(name);
    for (at = strchr(at, '\n'); at != NULL; at = strchr(at, '\n')) {
        at++;
        if ((exact ? strncmp(at, name, len) : strncasecmp(at, name, len)) != 0 || at[len] != ':')
            continue;
        at += len + 1;
        if (exact && *at != ' ')
            continue;
        at += exact ? 1 : strspn(at, " \t");
        *n = strcspn(at, "\r\n");
        return at;
    }
    return NULL;
}

static const char *value(const struct stock_wire *w, const char *name, bool exact)
{
    static char values[4][512];
    static unsigned turn;
    size_t n, used = 0;
    char *out = values[turn++ % 4];
    for (const char *at = w->head; (at = find_line(at, name, exact, &n)) != NULL;) {
        int put = snprintf(out + used, sizeof values[0] - used, "%s%.*s", used > 0 ? "," : "",
                           (int)n, at);
        used += put > 0 ? (size_t)put : 0;
        ck_assert_uint_lt(used, sizeof values[0]);
    }
    return find_line(w->head, name, exact, &n) != NULL ? out : NULL;
}

const char *stock_value(const struct stock_wire *w, const char *name)
{
    return value(w, name, false);
}

const char *stock_value_exact(const struct stock_wire *w, const char *name)
{
    return value(w, name, true);
}

bool stock_body(struct stock_wire *w, size_t n, size_t piece, int64_t pause_ms, struct img *out)
{
    while (n > 0) {
        if (w->n == w->used && !more(w, 0))
            return false;
        size_t now = w->n - w->used < n ? w->n - w->used : n;
        now = piece > 0 && piece < now ? piece : now;
        img_put(out, w->in + w->used, now);
        w->used += now;
        n -= now;
        if (pause_ms > 0)
            test_sleep_ms(pause_ms);
    }
    return true;
}

bool stock_peek(struct stock_wire *w, uint8_t *byte)
{
    if (w->n == w->used && !more(w, MSG_DONTWAIT))
        return false;
    *byte = (uint8_t)w->in[w->used];
    return true;
}

void stock_free(struct stock_done *done)
{
    img_free(&done->image);
}

/* ---- digests ------------------------------------------------------------------------------ */

static size_t digest(const char *kind, const struct img *img, unsigned char sum[EVP_MAX_MD_SIZE])
{
    unsigned n = 0;
    ck_assert_int_eq(EVP_Digest(img->data, img->n, sum, &n, EVP_get_digestbyname(kind), NULL), 1);
    return n;
}

static void digest_hex(const char *kind, const struct img *img, char *hex)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    size_t n = digest(kind, img, sum);
    for (size_t i = 0; i < n; i++)
        (void)sprintf(hex + 2 * i, "%02x", sum[i]);
}

void stock_md5(const struct img *img, char hex[33])
{
    digest_hex("MD5", img, hex);
}

void stock_sha256(const struct img *img, char hex[65])
{
    digest_hex("SHA256", img, hex);
}

void stock_sha256_base64(const struct img *img, char text[45])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    (void)EVP_EncodeBlock((unsigned char *)text, sum, (int)digest("SHA256", img, sum));
}

/* ---- captures ----------------------------------------------------------------------------- */

static char *read_capture(const char *name)
{
    char path[160];
    static char text[2048];
    (void)snprintf(path, sizeof path, "tests/data/captures/%s.http", name);
    FILE *f = fopen(path, "re");
    ck_assert_msg(f != NULL, "%s can't be read: run tests from the top folder", path);
    size_t n = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    text[n] = '\0';
    return text;
}

size_t stock_capture(const struct daemon *d, const char *name, const char *path, char *out,
                     size_t room)
{
    char *text = read_capture(name);
    char *target = strchr(text, ' ') + 1;
    size_t target_n = strcspn(target, " ");
    char *host = strstr(text, "\r\nHost: ");
    ck_assert_ptr_nonnull(host);
    host += strlen("\r\nHost: ");
    int n = snprintf(out, room, "%.*s%.*s%.*s%s%s", (int)(target - text), text,
                     path != NULL ? (int)strlen(path) : (int)target_n, path != NULL ? path : target,
                     (int)(host - target - (int)target_n), target + target_n, d->address,
                     host + strcspn(host, "\r"));
    ck_assert(n > 0 && (size_t)n < room);
    return (size_t)n;
}

void stock_check_wire(const char *what, const struct reply *r, bool http10)
{
    char line[96];
    ck_assert_msg(strncmp(r->head, "HTTP/1.1 ", 9) == 0, "%s: %s", what, r->head);
    ck_assert_msg(strlen(r->head) < STOCK_HEAD_MAX, "%s: %zu bytes of head", what, strlen(r->head));
    ck_assert_msg(reply_header_count(r, "Content-Length") == 1, "%s: %s", what, r->head);
    (void)snprintf(line, sizeof line, "Content-Length: %zu", r->n);
    ck_assert_msg(reply_has_line(r, line), "%s: no '%s' in %s", what, line, r->head);
    ck_assert_msg(reply_header_count(r, "Transfer-Encoding") == 0, "%s: %s", what, r->head);
    ck_assert_msg(reply_header_count(r, "Content-Encoding") == 0, "%s: %s", what, r->head);
    ck_assert_msg(reply_header_count(r, "Location") == 0, "%s: %s", what, r->head);
    ck_assert_msg(reply_header_count(r, "x-MD5") <= 1, "%s: %s", what, r->head);
    ck_assert_msg(r->status < 300 || r->n == 0, "%s: a body of %zu bytes", what, r->n);
    if (http10) {
        ck_assert_msg(reply_has_line(r, "Connection: close"), "%s: %s", what, r->head);
        ck_assert_msg(reply_header_count(r, "Connection") == 1, "%s: %s", what, r->head);
        ck_assert_msg(r->closed, "%s: the connection stays open", what);
    }
}
