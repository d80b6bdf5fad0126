/* SPDX-License-Identifier: MIT
 * Owns how black-box tests speak HTTP. */
#include "support/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <check.h>
#include <curl/curl.h>

/* ---- answers ------------------------------------------------------------------------------ */

void reply_free(struct reply *r)
{
    free(r->head);
    free(r->body);
    json_decref(r->json);
    *r = (struct reply){.status = 0};
}

/* Walks over the header lines; *at starts as r->head. @return the next line's length, 0 at the end
 */
static size_t next_line(const char **at, const char **line)
{
    const char *end = strchr(*at, '\n');
    if (end == NULL)
        return 0;
    *at = *line = end + 1;
    return strcspn(*line, "\r\n");
}

static bool line_is(const char *line, size_t n, const char *name)
{
    size_t len = strlen(name);
    return n > len && strncasecmp(line, name, len) == 0 && line[len] == ':';
}

const char *reply_header(const struct reply *r, const char *name)
{
    static _Thread_local char value[4][1024]; /* crash tests ask from many threads */
    static _Thread_local unsigned slot;
    const char *at = r->head != NULL ? r->head : "", *line;
    for (size_t n = next_line(&at, &line); n > 0; n = next_line(&at, &line))
        if (line_is(line, n, name)) {
            const char *text = line + strlen(name) + 1;
            n -= strlen(name) + 1;
            for (; n > 0 && *text == ' '; text++, n--)
                continue;
            slot = (slot + 1) % 4;
            (void)snprintf(value[slot], sizeof value[slot], "%.*s", (int)n, text);
            return value[slot];
        }
    return NULL;
}

size_t reply_header_count(const struct reply *r, const char *name)
{
    const char *at = r->head != NULL ? r->head : "", *line;
    size_t count = 0;
    for (size_t n = next_line(&at, &line); n > 0; n = next_line(&at, &line))
        count += line_is(line, n, name);
    return count;
}

bool reply_has_line(const struct reply *r, const char *want)
{
    const char *at = r->head != NULL ? r->head : "", *line;
    for (size_t n = next_line(&at, &line); n > 0; n = next_line(&at, &line))
        if (n == strlen(want) && memcmp(line, want, n) == 0)
            return true;
    return false;
}

json_t *json_at(json_t *json, const char *path)
{
    while (json != NULL && *path != '\0') {
        char name[64];
        size_t n = strcspn(path, ".");
        (void)snprintf(name, sizeof name, "%.*s", (int)n, path);
        json = json_is_array(json) ? json_array_get(json, strtoul(name, NULL, 10))
                                   : json_object_get(json, name);
        path += n + (path[n] == '.');
    }
    return json;
}

json_t *reply_at(const struct reply *r, const char *path)
{
    return json_at(r->json, path);
}

const char *reply_text(const struct reply *r, const char *path)
{
    json_t *value = reply_at(r, path);
    return json_is_string(value) ? json_string_value(value) : "(none)";
}

int64_t reply_number(const struct reply *r, const char *path)
{
    json_t *value = reply_at(r, path);
    return json_is_integer(value) ? json_integer_value(value) : INT64_MIN;
}

static void parse_json(struct reply *r)
{
    const char *type = reply_header(r, "Content-Type");
    if (type != NULL && strncmp(type, "application/json", 16) == 0 && r->n > 0)
        r->json = json_loadb(r->body, r->n, 0, NULL);
}

/* ---- with libcurl ------------------------------------------------------------------------- */

struct sink {
    char *data;
    size_t n;
};

static size_t collect(char *data, size_t size, size_t n, void *arg)
{
    struct sink *s = arg;
    n *= size;
    char *grown = realloc(s->data, s->n + n + 1);
    if (grown == NULL)
        return 0;
    memcpy(grown + s->n, data, n);
    s->data = grown;
    s->n += n;
    grown[s->n] = '\0';
    return n;
}

/* Every status line starts a new head: that of "100 Continue" is thrown away. */
static size_t collect_head(char *data, size_t size, size_t n, void *arg)
{
    struct sink *s = arg;
    if (n * size > 5 && memcmp(data, "HTTP/", 5) == 0)
        s->n = 0;
    return collect(data, size, n, arg);
}

static struct reply perform(CURL *curl, const struct daemon *d, const char *path,
                            struct curl_slist *headers)
{
    char url[1024];
    struct sink head = {NULL, 0}, body = {NULL, 0};
    struct reply r = {.status = 0};
    (void)snprintf(url, sizeof url, "http://%s%s", d->address, path);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)DAEMON_PATIENCE_S * 8);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, collect_head);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, &head);
    CURLcode rc = curl_easy_perform(curl);
    if (rc == CURLE_OK)
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &r.status);
    r.head = head.data != NULL ? head.data : strdup("");
    r.body = body.data != NULL ? body.data : strdup("");
    r.n = body.n;
    parse_json(&r);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return r;
}

static struct curl_slist *add_key(struct curl_slist *list, const char *key)
{
    char line[256];
    if (key == NULL)
        return list;
    (void)snprintf(line, sizeof line, "Authorization: Bearer %s", key);
    return curl_slist_append(list, line);
}

static void set_body(CURL *curl, const struct call *c, struct curl_slist **list)
{
    char type[128];
    const char *data = c->json != NULL ? c->json : c->data;
    size_t n = c->json != NULL ? strlen(c->json) : c->n;
    if (data == NULL)
        return;
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)n);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, data);
    if (c->json != NULL || c->type != NULL) {
        (void)snprintf(type, sizeof type, "Content-Type: %s",
                       c->json != NULL ? "application/json" : c->type);
        *list = curl_slist_append(*list, type);
    }
    *list = curl_slist_append(*list, c->expect ? "Expect: 100-continue" : "Expect:");
}

struct reply call(const struct daemon *d, const char *method, const char *path, struct call c)
{
    CURL *curl = curl_easy_init();
    ck_assert_ptr_nonnull(curl);
    struct curl_slist *list = add_key(NULL, c.key);
    set_body(curl, &c, &list);
    for (const char *const *h = c.headers; h != NULL && *h != NULL; h++)
        list = curl_slist_append(list, *h);
    if (c.user != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        (void)curl_easy_setopt(curl, CURLOPT_USERPWD, c.user);
    }
    if (strcmp(method, "HEAD") == 0)
        (void)curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else
        (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    return perform(curl, d, path, list);
}

struct reply get(const struct daemon *d, const char *key, const char *path)
{
    return call(d, "GET", path, (struct call){.key = key});
}

struct reply send_json(const struct daemon *d, const char *key, const char *method,
                       const char *path, const char *json)
{
    return call(d, method, path, (struct call){.key = key, .json = json});
}

struct reply upload(const struct daemon *d, const char *key, const char *product_query,
                    const struct part *parts)
{
    char path[512];
    const char *query = strchr(product_query, '?');
    size_t n = query != NULL ? (size_t)(query - product_query) : strlen(product_query);
    (void)snprintf(path, sizeof path, "/api/v1/products/%.*s/builds%s", (int)n, product_query,
                   query != NULL ? query : "");
    CURL *curl = curl_easy_init();
    ck_assert_ptr_nonnull(curl);
    curl_mime *mime = curl_mime_init(curl);
    for (; parts->name != NULL; parts++) {
        curl_mimepart *p = curl_mime_addpart(mime);
        (void)curl_mime_name(p, parts->name);
        if (parts->filename != NULL)
            (void)curl_mime_filename(p, parts->filename);
        if (parts->data != NULL)
            (void)curl_mime_data(p, parts->data, parts->n);
        else
            (void)curl_mime_data(p, parts->text != NULL ? parts->text : "", CURL_ZERO_TERMINATED);
    }
    (void)curl_easy_setopt(curl, CURLOPT_MIMEPOST, mime);
    struct curl_slist *list = add_key(NULL, key);
    list = curl_slist_append(list, "X-Test: upload");
    struct reply r = perform(curl, d, path, list);
    curl_mime_free(mime);
    return r;
}

struct img image_of(const char *chip, uint64_t seed, size_t bytes)
{
    struct img img = {.n = 0};
    const struct img_spec spec = {.chip = chip, .seed = seed, .size_bytes = bytes};
    ck_assert(img_build_app(&spec, &img));
    return img;
}

void publish(const struct daemon *d, const char *key, const char *product, const char *version,
             const char *channel, uint64_t seed, char *id)
{
    struct img img = image_of("ESP8266", seed, 0);
    const struct part parts[] = {
        {.name = "file",    .filename = "Lamp.ino.bin", .data = img.data, .n = img.n},
        {.name = "version", .text = version},
        {.name = channel != NULL ? "channel" : "ignored",                 .text = channel},
        {.name = NULL }
    };
    struct reply r = upload(d, key, product, parts);
    ck_assert_msg(r.status == 201 || r.status == 200, "upload of %s: %ld %s", version, r.status,
                  r.body);
    if (id != NULL)
        (void)snprintf(id, 32, "%s", reply_text(&r, "id"));
    reply_free(&r);
    img_free(&img);
}

void make_product(const struct daemon *d, const char *key, const char *slug)
{
    char json[128];
    (void)snprintf(json, sizeof json, "{\"slug\":\"%s\"}", slug);
    struct reply r = send_json(d, key, "POST", "/api/v1/products", json);
    CK_STATUS(slug, r, 201);
    reply_free(&r);
    (void)snprintf(json, sizeof json, "/api/v1/products/%s", slug);
    r = send_json(d, key, "PATCH", json, "{\"attempts\":1000,\"stop_window_s\":0}");
    CK_STATUS(slug, r, 200);
    reply_free(&r);
}

/* ---- bytes -------------------------------------------------------------------------------- */

int raw_connect(const struct daemon *d)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(d->port)};
    const struct timeval patience = {.tv_sec = DAEMON_PATIENCE_S};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    ck_assert_msg(connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "connect: %s",
                  strerror(errno));
    return fd;
}

void raw_send(int fd, const void *data, size_t n)
{
    const char *at = data;
    while (n > 0) {
        ssize_t done = send(fd, at, n, MSG_NOSIGNAL);
        if (done <= 0)
            return; /* the server has closed: what it said before can still be read */
        at += done;
        n -= (size_t)done;
    }
}

/* What has been read of an answer so far. */
struct reading {
    char *data;
    size_t n, room;
    bool ended;
};

static bool read_more(int fd, struct reading *in)
{
    if (in->room - in->n < 65536) {
        in->room += 262144;
        in->data = realloc(in->data, in->room + 1);
        ck_assert_ptr_nonnull(in->data);
    }
    ssize_t got = recv(fd, in->data + in->n, in->room - in->n, 0);
    if (got > 0)
        in->n += (size_t)got;
    if (in->data != NULL)
        in->data[in->n] = '\0';
    in->ended |= got <= 0;
    return got > 0;
}

/* Offset of the body, or 0 while the head isn't complete. */
static size_t head_end(const struct reading *in)
{
    const char *end = in->data != NULL ? memmem(in->data, in->n, "\r\n\r\n", 4) : NULL;
    return end != NULL ? (size_t)(end - in->data) + 4 : 0;
}

struct reply raw_reply(int fd, bool head_only)
{
    struct reading in = {.n = 0};
    struct reply r = {.status = 0};
    while (head_end(&in) == 0 && read_more(fd, &in))
        continue;
    size_t body = head_end(&in);
    r.head = strndup(in.data != NULL ? in.data : "", body > 0 ? body : in.n);
    if (body > 0 && strncmp(r.head, "HTTP/1.", 7) == 0)
        r.status = strtol(r.head + 9, NULL, 10);
    const char *length = reply_header(&r, "Content-Length");
    size_t want = length != NULL && !head_only && r.status != 304 ? strtoul(length, NULL, 10) : 0;
    while (body > 0 && in.n < body + want && read_more(fd, &in))
        continue;
    r.n = in.n - body;
    r.body = malloc(r.n + 1);
    ck_assert(r.head != NULL && r.body != NULL);
    if (r.n > 0)
        memcpy(r.body, in.data + body, r.n);
    r.body[r.n] = '\0';
    r.closed = in.ended;
    free(in.data);
    parse_json(&r);
    return r;
}

bool raw_is_closed(int fd, int64_t within_ms)
{
    char byte;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, (int)within_ms) == 1 && recv(fd, &byte, 1, MSG_PEEK) <= 0;
}

struct reply raw_exchange(const struct daemon *d, const void *data, size_t n)
{
    int fd = raw_connect(d);
    raw_send(fd, data, n);
    struct reply r = raw_reply(fd, n > 5 && memcmp(data, "HEAD ", 5) == 0);
    r.closed |= raw_is_closed(fd, 200);
    (void)close(fd);
    return r;
}

struct reply raw_text(const struct daemon *d, const char *text)
{
    return raw_exchange(d, text, strlen(text));
}
