/* SPDX-License-Identifier: MIT
 * Owns the server of one image. Check's assertions are used only before its thread runs: what goes
 * wrong on a connection is the client's to notice. */
#include "support/image_server.h"

#include <check.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>

enum { HEAD_MAX = 1024, REQUEST_MAX = 4096, PATIENCE_S = 20, TLS_HELLO = 0x16 };

/* ---- bytes --------------------------------------------------------------------------------- */

struct peer {
    int fd;
    SSL *tls; /* or NULL */
};

static bool peer_write(const struct peer *p, const char *data, size_t n)
{
    while (n > 0) {
        size_t sent = 0;
        if (p->tls != NULL && SSL_write_ex(p->tls, data, n, &sent) != 1)
            return false;
        if (p->tls == NULL) {
            ssize_t rc = send(p->fd, data, n, MSG_NOSIGNAL);
            if (rc <= 0)
                return false;
            sent = (size_t)rc;
        }
        data += sent;
        n -= sent;
    }
    return true;
}

static size_t peer_read(const struct peer *p, char *buf, size_t room)
{
    size_t got = 0;
    if (p->tls != NULL)
        return SSL_read_ex(p->tls, buf, room, &got) == 1 ? got : 0;
    ssize_t rc = recv(p->fd, buf, room, 0);
    return rc > 0 ? (size_t)rc : 0;
}

static void wait_for_end(const struct peer *p)
{
    char rest[256];
    while (peer_read(p, rest, sizeof rest) > 0)
        continue;
}

/* Sends what is left to send, and lets the client go first: a close with bytes unread would be a
 * reset. */
static void peer_close(const struct peer *p, enum image_cut how)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (how == IMAGE_RESETS)
        (void)setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    else if (how != IMAGE_BREAKS && p->tls != NULL)
        (void)SSL_shutdown(p->tls);
    if (how != IMAGE_RESETS) {
        char rest[256];
        (void)shutdown(p->fd, SHUT_WR);
        while (recv(p->fd, rest, sizeof rest, 0) > 0)
            continue;
    }
}

/* ---- the request --------------------------------------------------------------------------- */

/* Reads a whole request into a text. @return false when none came */
static bool read_request(const struct peer *p, char text[REQUEST_MAX])
{
    size_t n = 0, want = 0;
    while (want == 0 || n < want) {
        size_t got = peer_read(p, text + n, REQUEST_MAX - 1 - n);
        if (got == 0)
            return false;
        n += got;
        text[n] = '\0';
        if (text[0] == TLS_HELLO)
            return true;
        const char *end = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");
        if (end == NULL)
            continue;
        want = (size_t)(end - text) + 4;
        if (length != NULL && length < end)
            want += strtoul(length + 16, NULL, 10);
    }
    return true;
}

/* ---- the answer ---------------------------------------------------------------------------- */

struct answer {
    char *data;
    size_t n, head_n;
};

static void write_hex(const EVP_MD *kind, const uint8_t *data, size_t n, char *out)
{
    uint8_t sum[EVP_MAX_MD_SIZE] = {0};
    unsigned sum_n = 0;
    (void)EVP_Digest(data, n, sum, &sum_n, kind, NULL);
    for (unsigned i = 0; i < sum_n; i++)
        (void)snprintf(out + (size_t)2 * i, 3, "%02x", sum[i]);
}

/* What is signed stands at struct otac_config. */
static void write_signature(const struct image_offer *o, char base64[128])
{
    uint8_t text[12 + 32 + 8] = "otad-image-1", signature[80];
    size_t n = sizeof signature;
    (void)EVP_Digest(o->image, o->n, text + 12, NULL, EVP_sha256(), NULL);
    text[12] ^= o->fault == IMAGE_OTHER_IMAGE;
    for (unsigned i = 0; i < 4; i++)
        text[51 - i] = (uint8_t)(o->counter >> (8 * i));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, o->key) != 1 ||
        EVP_DigestSign(ctx, signature, &n, text, sizeof text) != 1)
        n = 0;
    EVP_MD_CTX_free(ctx);
    (void)EVP_EncodeBlock((unsigned char *)base64, signature, (int)n);
}

static void add_line(struct answer *a, const char *name, const char *value)
{
    a->n += (size_t)snprintf(a->data + a->n, HEAD_MAX - a->n, "%s: %s\r\n", name, value);
}

static void add_signature(struct answer *a, const struct image_offer *o)
{
    char base64[128], counter[16];
    if (o->fault == IMAGE_UNSIGNED)
        return;
    write_signature(o, base64);
    add_line(a, "x-otad-signature", o->fault == IMAGE_NO_BASE64 ? "=no=" : base64);
    (void)snprintf(counter, sizeof counter, "%u", o->counter + (o->fault == IMAGE_OTHER_COUNTER));
    if (o->fault != IMAGE_HALF_SIGNED)
        add_line(a, "x-otad-counter", counter);
}

static void add_body(struct answer *a, const struct image_offer *o, size_t from)
{
    size_t n = o->n - from;
    const bool chunked = o->fault == IMAGE_CHUNKED;
    if (chunked)
        a->n += (size_t)snprintf(a->data + a->n, HEAD_MAX - a->n, "%zx\r\n", n);
    memcpy(a->data + a->n, o->image + from, n);
    if (o->fault == IMAGE_CHANGED)
        a->data[a->n + n / 2] ^= 1;
    if (o->fault == IMAGE_SHORT)
        n -= n / 4;
    a->n += n;
    if (o->fault == IMAGE_LONG || chunked) {
        memcpy(a->data + a->n, "\r\n0\r\n\r\n", 7);
        a->n += chunked ? 7 : 1;
    }
}

/* As the daemon writes it. from: first byte of a rest, 0: the whole image. */
static void write_image(struct answer *a, const struct image_offer *o, size_t from)
{
    char sha256[2 * 32 + 1], md5[2 * 16 + 1], text[96];
    write_hex(EVP_sha256(), o->image, o->n, sha256);
    write_hex(EVP_md5(), o->image, o->n, md5);
    a->n = (size_t)snprintf(a->data, HEAD_MAX, "HTTP/1.1 %s\r\n",
                            from > 0 ? "206 Partial Content" : "200 OK");
    (void)snprintf(text, sizeof text, "%zu", o->n - from);
    if (o->fault == IMAGE_CHUNKED)
        add_line(a, "Transfer-Encoding", "chunked");
    else
        add_line(a, "Content-Length", text);
    (void)snprintf(text, sizeof text, "bytes %zu-%zu/%zu", from, o->n - 1, o->n);
    if (from > 0)
        add_line(a, "Content-Range", text);
    (void)snprintf(text, sizeof text, "\"%s\"", sha256);
    add_line(a, "ETag", text);
    add_line(a, "x-MD5", md5);
    add_line(a, "x-version", o->version);
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)o->build);
    add_line(a, "x-otad-build", text);
    add_signature(a, o);
    memcpy(a->data + a->n, "\r\n", 2);
    a->n += 2;
    a->head_n = a->n;
    add_body(a, o, from);
}

static void write_text(struct answer *a, const char *text)
{
    a->head_n = a->n = (size_t)snprintf(a->data, HEAD_MAX, "%s", text);
}

static void count(struct image_server *s, unsigned *what)
{
    (void)pthread_mutex_lock(&s->lock);
    ++*what;
    (void)pthread_mutex_unlock(&s->lock);
}

static void take_report(struct image_server *s, const char *request)
{
    const char *mark = strchr(request, '?');
    const char *query = mark != NULL ? mark + 1 : "";
    (void)pthread_mutex_lock(&s->lock);
    (void)snprintf(s->seen.report, sizeof s->seen.report, "%.*s", (int)strcspn(query, " "), query);
    s->seen.reports++;
    (void)pthread_mutex_unlock(&s->lock);
}

static void write_offer(struct image_server *s, struct answer *a, const struct image_offer *o,
                        const char *request)
{
    char sha256[2 * 32 + 1], line[96];
    write_hex(EVP_sha256(), o->image, o->n, sha256);
    (void)snprintf(line, sizeof line, "If-Range: \"%s\"\r\n", sha256);
    const char *range = strstr(request, "Range: bytes=");
    size_t from = 0;
    if (range != NULL && strstr(request, line) != NULL)
        from = strtoul(range + 13, NULL, 10);
    if (from >= o->n)
        from = 0;
    count(s, from > 0 ? &s->seen.rests : &s->seen.wholes);
    write_image(a, o, from);
    (void)pthread_mutex_lock(&s->lock);
    s->seen.head_n = a->head_n;
    s->seen.rest_from = (uint32_t)from;
    (void)pthread_mutex_unlock(&s->lock);
}

/* @return how the connection ends */
static enum image_cut write_answer(struct image_server *s, struct answer *a,
                                   const struct image_offer *o, const char *request)
{
    char sha256[2 * 32 + 1], line[96];
    write_hex(EVP_sha256(), o->image, o->n, sha256);
    (void)snprintf(line, sizeof line, "If-None-Match: \"%s\"\r\n", sha256);
    if (o->fault == IMAGE_PORTAL) {
        write_text(a, "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>");
        return IMAGE_WHOLE;
    }
    if (strncmp(request, "POST ", 5) == 0) {
        take_report(s, request);
        write_text(a, "HTTP/1.1 204 No Content\r\n\r\n");
        return IMAGE_WHOLE;
    }
    if (request[0] == TLS_HELLO) {
        write_text(a, "HTTP/1.1 400 Bad Request\r\n\r\n");
        return IMAGE_WHOLE;
    }
    if (strstr(request, line) != NULL) {
        count(s, &s->seen.nothings);
        write_text(a, "HTTP/1.1 304 Not Modified\r\nX-Otad-Reason: same_content\r\n\r\n");
        return IMAGE_WHOLE;
    }
    if (o->fault == IMAGE_REDIRECT)
        write_text(a, "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
    else if (o->fault == IMAGE_NOT_HTTP)
        write_text(a, "SSH-2.0-OpenSSH_9.2p1\r\n");
    else if (o->fault == IMAGE_SILENT)
        write_text(a, "");
    else
        write_offer(s, a, o, request);
    if (o->cut != IMAGE_WHOLE && o->cut_at < a->n)
        a->n = o->cut_at;
    return o->cut;
}

/* ---- connections --------------------------------------------------------------------------- */

static void answer(struct image_server *s, const struct peer *p)
{
    char request[REQUEST_MAX];
    if (!read_request(p, request)) {
        peer_close(p, IMAGE_WHOLE);
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    const struct image_offer offer = s->offer;
    (void)pthread_mutex_unlock(&s->lock);
    struct answer a = {.data = malloc(HEAD_MAX + offer.n + 16)};
    if (a.data == NULL)
        return;
    enum image_cut cut = write_answer(s, &a, &offer, request);
    if (peer_write(p, a.data, a.n) && a.n == 0 && cut == IMAGE_WHOLE)
        wait_for_end(p);
    peer_close(p, cut);
    free(a.data);
}

static void serve_one(struct image_server *s, int fd)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct peer p = {.fd = fd};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (s->tls != NULL) {
        ERR_clear_error();
        p.tls = SSL_new(s->tls);
        if (p.tls == NULL || SSL_set_fd(p.tls, fd) != 1 || SSL_accept(p.tls) != 1)
            peer_close(&p, IMAGE_BREAKS); /* the client knows why */
        else
            answer(s, &p);
    } else {
        answer(s, &p);
    }
    SSL_free(p.tls);
    (void)close(fd);
}

static bool is_stopping(struct image_server *s)
{
    (void)pthread_mutex_lock(&s->lock);
    bool stopping = s->stopping;
    (void)pthread_mutex_unlock(&s->lock);
    return stopping;
}

static void *serve(void *arg)
{
    struct image_server *s = arg;
    sigset_t pipe_only; /* libssl writes without MSG_NOSIGNAL */
    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_only, NULL);
    while (!is_stopping(s)) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            serve_one(s, fd);
    }
    return NULL;
}

void image_server_start(struct image_server *s, SSL_CTX *tls)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;
    memset(s, 0, sizeof *s);
    s->tls = tls;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(s->fd, (const struct sockaddr *)&address, n), 0);
    ck_assert_int_eq(listen(s->fd, 8), 0);
    ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&address, &n), 0);
    s->port = ntohs(address.sin_port);
    ck_assert_int_eq(pthread_mutex_init(&s->lock, NULL), 0);
    ck_assert_int_eq(pthread_create(&s->thread, NULL, serve, s), 0);
}

void image_server_offer(struct image_server *s, const struct image_offer *offer)
{
    (void)pthread_mutex_lock(&s->lock);
    s->offer = *offer;
    (void)pthread_mutex_unlock(&s->lock);
}

struct image_seen image_server_seen(struct image_server *s)
{
    (void)pthread_mutex_lock(&s->lock);
    struct image_seen seen = s->seen;
    (void)pthread_mutex_unlock(&s->lock);
    return seen;
}

void image_server_stop(struct image_server *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->stopping = true;
    (void)pthread_mutex_unlock(&s->lock);
    (void)shutdown(s->fd, SHUT_RDWR); /* accept() returns */
    (void)pthread_join(s->thread, NULL);
    (void)close(s->fd);
    (void)pthread_mutex_destroy(&s->lock);
}
