/* SPDX-License-Identifier: MIT
 * HTTP as it is on the wire: what is refused because it is ambiguous, what errors look like, and
 * what a connection survives. Requests are exact bytes on a socket. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "otad/err.h"
#include "support/http.h"
#include "support/unit.h"

static struct daemon d;
static char admin[DAEMON_KEY];

static void setup(void)
{
    daemon_start(&d, NULL);
    daemon_key(&d, "root", "admin", NULL, admin);
    make_product(&d, admin, "lamp");
    publish(&d, admin, "lamp", "2", NULL, 1, NULL);
}

static void teardown(void)
{
    daemon_free(&d);
}

#define LATEST "/fw/lamp/latest.version"
#define BUILDS "POST /api/v1/products/lamp/builds?version=9 HTTP/1.1\r\nHost: x\r\n@KEY"
#define PRODUCTS "POST /api/v1/products HTTP/1.1\r\nHost: x\r\n@KEY"
#define REPORT "POST /fw/lamp/30AEA4000001/report HTTP/1.1\r\nHost: x\r\n"

/* "@KEY" becomes the Authorization header; "@0" a NUL byte. */
static size_t fill(const char *from, char *out, size_t room)
{
    size_t n = 0;
    while (*from != '\0' && n + 128 < room) {
        if (strncmp(from, "@KEY", 4) == 0) {
            n += (size_t)sprintf(out + n, "Authorization: Bearer %s\r\n", admin);
            from += 4;
        } else if (strncmp(from, "@0", 2) == 0) {
            out[n++] = '\0';
            from += 2;
        } else {
            out[n++] = *from++;
        }
    }
    out[n] = '\0';
    return n;
}

static struct reply exchange(const char *request)
{
    char bytes[4096];
    return raw_exchange(&d, bytes, fill(request, bytes, sizeof bytes));
}

/* ---- refused ------------------------------------------------------------------------------ */

static const struct {
    const char *what, *request;
    int status;
    bool closes;
} rows[] = {
  /* framing that a proxy could read in another way */
    {"two Content-Lengths",
     "GET " LATEST " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",                           400,
     true                                                                                                                        },
    {"two equal Content-Lengths",
     "GET " LATEST " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",                           400,
     true                                                                                                                        },
    {"length with chunked",
     BUILDS "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",                                        400, true },
    {"chunked with length",
     BUILDS "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",                                        400, true },
    {"chunked in 1.0",
     "POST /api/v1/products/lamp/builds HTTP/1.0\r\nHost: x\r\n@KEY"
     "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",                                                                    400, true },
    {"two Transfer-Encodings",
     BUILDS "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",                               400, true },
    {"Transfer-Encoding: identity",
     BUILDS "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",                                           400, true },
    {"Transfer-Encoding: gzip, chunked", BUILDS "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
     400,                                                                                                                   true },
    {"a folded header",                  "GET " LATEST " HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n  2\r\n\r\n",                400, true },
    {"a folded Content-Length",
     "GET " LATEST " HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n 0\r\n\r\n",                                            400, true },
    {"a header folded by a tab",
     "GET " LATEST " HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n\t2\r\nX-B: 3\r\n\r\n",                                          400, true },
    {"two Hosts",                        "GET /api/v1/products HTTP/1.1\r\nHost: x\r\nHost: y\r\n@KEY\r\n",            400, true },
    {"two Hosts on a device path",       "GET " LATEST " HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",                      400,
     true                                                                                                                        },
    {"no Host on the API",               "GET /api/v1/products HTTP/1.1\r\n@KEY\r\n",                                  400, true },
    {"no Host on the API in 1.0",        "GET /api/v1/products HTTP/1.0\r\n@KEY\r\n",                                  200, true },
    {"no Host on a device path",         "GET " LATEST " HTTP/1.1\r\n\r\n",                                            200, false},
    {"a negative length",                BUILDS "Content-Length: -1\r\n\r\n",                                          400, true },
    {"a length in hex",                  BUILDS "Content-Length: 0x10\r\n\r\n",                                        400, true },
    {"a length list",                    BUILDS "Content-Length: 5, 5\r\n\r\nhello",                                   400, true },
    {"a length beyond 64 bits",          BUILDS "Content-Length: 99999999999999999999999\r\n\r\n",                     413,
     true                                                                                                                        },
 /* targets */
    {"%00",                              "GET /fw/lamp/latest%00.version HTTP/1.1\r\nHost: x\r\n\r\n",                 400, true },
    {"%00 in the query",                 "GET " LATEST "?mac=%00 HTTP/1.1\r\nHost: x\r\n\r\n",                         400, true },
    {"%2F",                              "GET /fw/lamp%2Flatest.version HTTP/1.1\r\nHost: x\r\n\r\n",                  400, true },
    {"%2f",                              "GET /fw/lamp%2flatest.version HTTP/1.1\r\nHost: x\r\n\r\n",                  400, true },
    {"%2F on the API",                   "GET /api/v1%2Fproducts HTTP/1.1\r\nHost: x\r\n@KEY\r\n",                     400, true },
    {"%0D%0A",                           "GET /fw/lamp/a%0D%0AX-Evil:1.bin HTTP/1.1\r\nHost: x\r\n\r\n",               400, true },
    {"%7F",                              "GET /fw/lamp/a%7F.bin HTTP/1.1\r\nHost: x\r\n\r\n",                          400, true },
    {"half an escape",                   "GET /fw/lamp/a%4 HTTP/1.1\r\nHost: x\r\n\r\n",                               400, true },
    {"a bad escape",                     "GET /fw/lamp/a%zz.bin HTTP/1.1\r\nHost: x\r\n\r\n",                          400, true },
    {"an empty segment",                 "GET /fw//lamp/latest HTTP/1.1\r\nHost: x\r\n\r\n",                           400, true },
    {"dot segments",                     "GET /fw/lamp/../lamp/latest HTTP/1.1\r\nHost: x\r\n\r\n",                    400, true },
    {"encoded dot segments",             "GET /fw/lamp/%2e%2e/latest HTTP/1.1\r\nHost: x\r\n\r\n",                     400, true },
    {"an encoded letter",                "GET /fw/l%61mp/latest.version HTTP/1.1\r\nHost: x\r\n\r\n",                  200, false},
    {"plus in a path is a plus",         "GET /fw/lamp/a+b.bin HTTP/1.1\r\nHost: x\r\n\r\n",                           404, false},
    {"bytes that are no UTF-8",          "GET /api/v1/products/%FF%FE HTTP/1.1\r\nHost: x\r\n@KEY\r\n",                404,
     false                                                                                                                       },
    {"raw bytes that are no UTF-8",      "GET /nothing/\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
     404,                                                                                                                   false},
 /* routes */
    {"an unknown path",                  "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n",                           404, false},
    {"the root",                         "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",                                  200, false},
    {"a folder that isn't there",        "GET /assets/ HTTP/1.1\r\nHost: localhost\r\n\r\n",                           400, true },
    {"an unknown method",                "BREW /api/v1/products HTTP/1.1\r\nHost: x\r\n@KEY\r\n",                      405, false},
    {"a method in lower case",           "get /api/v1/products HTTP/1.1\r\nHost: x\r\n@KEY\r\n",                       405, false},
    {"PUT to a device path",             "PUT /fw/lamp/latest HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
     405,                                                                                                                   false},
    {"DELETE of the list",               "DELETE /api/v1/products HTTP/1.1\r\nHost: x\r\n@KEY\r\n",                    405, false},
    {"GET of a report",                  "GET /fw/lamp/30AEA4000001/report HTTP/1.1\r\nHost: x\r\n\r\n",               405, false},
 /* bodies */
    {"an upload without length",         BUILDS "\r\n",                                                                411, false},
    {"a report without a body",          REPORT "\r\n",                                                                400, false},
    {"a chunked report",                 REPORT "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",                         411, true },
    {"chunked JSON",
     PRODUCTS "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",                         411,
     true                                                                                                                        },
    {"JSON of another type",             PRODUCTS "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
     415,                                                                                                                   false},
    {"JSON of no type",                  PRODUCTS "Content-Length: 2\r\n\r\n{}",                                       415, false},
    {"JSON with a charset",
     PRODUCTS "Content-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}",                          422,
     false                                                                                                                       },
    {"too much JSON",                    PRODUCTS "Content-Type: application/json\r\nContent-Length: 9999999\r\n\r\n",
     413,                                                                                                                   true },
    {"too long a report",                REPORT "Content-Length: 2000000\r\n\r\n",                                     413, true },
    {"a body where none belongs",
     "GET /api/v1/products HTTP/1.1\r\nHost: x\r\n@KEY"
     "Content-Length: 5\r\n\r\nhello",                                                                                 413, false},
    {"GET with an empty body",
     "GET /api/v1/products HTTP/1.1\r\nHost: x\r\n@KEY"
     "Content-Length: 0\r\n\r\n",                                                                                      200, false},
    {"broken JSON",                      PRODUCTS "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{[",     400,
     false                                                                                                                       },
    {"JSON that is a list",
     PRODUCTS "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n[]",                                         400, false},
    {"JSON with a key twice",
     PRODUCTS
     "Content-Type: application/json\r\nContent-Length: 23\r\n\r\n{\"slug\":\"a\",\"slug\":\"b\"}",                    400, false},
    {"JSON with a NUL",
     PRODUCTS
     "Content-Type: application/json\r\nContent-Length: 19\r\n\r\n{\"slug\":\"a\\u0000b\"}",                           400, false},
};

/* Errors of ours: JSON on the API, an empty body with a reason on device paths. */
static void check_error_shape(const char *what, const char *request, const struct reply *r)
{
    if (strstr(request, " /fw/") != NULL) {
        ck_assert_msg(r->n == 0 && reply_header(r, "X-Otad-Reason") != NULL, "%s: %s%s", what,
                      r->head, r->body);
        ck_assert_msg(reply_has_line(r, "Content-Length: 0"), "%s: %s", what, r->head);
        return;
    }
    ck_assert_msg(json_is_string(reply_at(r, "error.code")) &&
                      json_is_string(reply_at(r, "error.message")) &&
                      json_is_string(reply_at(r, "error.hint")),
                  "%s: %s%s", what, r->head, r->body);
    ck_assert_msg(json_object_size(r->json) == 1, "%s: %s", what, r->body);
    if (r->status == 401)
        ck_assert_ptr_nonnull(reply_header(r, "WWW-Authenticate"));
}

/* MHD answers these by itself, in HTML, before otad sees them: no stock client sends them. */
static bool is_mhds_own(const struct reply *r)
{
    const char *type = reply_header(r, "Content-Type");
    return r->n > 0 && r->json == NULL && (type == NULL || strncmp(type, "text/html", 9) == 0) &&
           strstr(r->body, "<html>") != NULL;
}

START_TEST(request_is_answered_as_it_deserves)
{
    struct reply r = exchange(rows[_i].request);
    CK_STATUS(rows[_i].what, r, rows[_i].status);
    ck_assert_msg(!rows[_i].closes || r.closed, "%s: the connection stays open", rows[_i].what);
    ck_assert_msg(rows[_i].closes || !r.closed, "%s: the connection is closed", rows[_i].what);
    if (r.status >= 400 && !is_mhds_own(&r))
        check_error_shape(rows[_i].what, rows[_i].request, &r);
    reply_free(&r);
}
END_TEST

/* The complete list of what MHD 0.9.75 says in HTML. Whatever else turns up here is a bug. */
static const struct {
    const char *what, *request;
    int status;
} html[] = {
    {"no version",                 "GET /fw/lamp/latest\r\n\r\n",                                  400},
    {"HTTP/2.0",                   "GET /fw/lamp/latest HTTP/2.0\r\nHost: x\r\n\r\n",              505},
    {"a header without colon",     "GET /fw/lamp/latest HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",  400},
    {"a length that is no number",
     "GET /fw/lamp/latest HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",                    400},
    {"a length beyond 64 bits",
     "GET /fw/lamp/latest HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413},
};

START_TEST(parse_error_of_mhd_is_html_and_closes)
{
    struct reply r = exchange(html[_i].request);
    ck_assert_msg(r.status == html[_i].status || r.status == 0, "%s: %s", html[_i].what, r.head);
    ck_assert_msg(r.status == 0 || r.n == 0 || is_mhds_own(&r), "%s: %s%s", html[_i].what, r.head,
                  r.body);
    ck_assert_msg(r.closed, "%s", html[_i].what);
    reply_free(&r);
}
END_TEST

START_TEST(mhds_own_answers_are_only_those_listed)
{
    for (size_t i = 0; i < OTAD_COUNT(rows); i++) {
        struct reply r = exchange(rows[i].request);
        bool length = strstr(rows[i].what, "length") != NULL &&
                      strstr(rows[i].request, "Content-Length: ") != NULL;
        ck_assert_msg(!is_mhds_own(&r) || length, "%s: %s", rows[i].what, r.body);
        reply_free(&r);
    }
}
END_TEST

START_TEST(head_that_is_too_long_is_431)
{
    char *request = malloc(40000);
    ck_assert_ptr_nonnull(request);
    int n = sprintf(request, "GET " LATEST " HTTP/1.1\r\nHost: x\r\n");
    while (n < 30000)
        n += sprintf(request + n, "X-Filler-%d: %0200d\r\n", n, 0);
    n += sprintf(request + n, "\r\n");
    struct reply r = raw_exchange(&d, request, (size_t)n);
    ck_assert_msg(r.status == 431 || r.status == 0, "%s", r.head);
    ck_assert(r.closed);
    reply_free(&r);
    r = get(&d, NULL, LATEST); /* and the server is well */
    CK_STATUS("after it", r, 200);
    reply_free(&r);
    free(request);
}
END_TEST

START_TEST(allow_lists_the_methods)
{
    static const struct {
        const char *path, *allow;
    } want[] = {
        {"/api/v1/products",                           "GET, POST"         },
        {"/api/v1/products/lamp",                      "GET, PATCH, DELETE"},
        {"/fw/lamp/latest",                            "GET, HEAD"         },
        {"/fw/lamp/30AEA4000001/report",               "POST"              },
        {"/api/v1/products/lamp/channels/stable/undo", "POST"              },
    };
    for (size_t i = 0; i < OTAD_COUNT(want); i++) {
        struct reply r = call(&d, "PUT", want[i].path, (struct call){.key = admin});
        CK_STATUS(want[i].path, r, 405);
        ck_assert_str_eq(reply_header(&r, "Allow"), want[i].allow);
        reply_free(&r);
    }
}
END_TEST

/* ---- connections -------------------------------------------------------------------------- */

START_TEST(pipelined_requests_are_answered_in_order)
{
    static const char three[] =
        "GET /fw/lamp/latest.version HTTP/1.1\r\nHost: x\r\n\r\n"
        "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
        "GET /fw/lamp/latest.md5 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    char all[8192];
    size_t n = 0;
    int fd = raw_connect(&d);
    raw_send(fd, three, sizeof three - 1);
    for (;;) {
        ssize_t got = recv(fd, all + n, sizeof all - 1 - n, 0);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    all[n] = '\0';
    const char *first = strstr(all, "HTTP/1.1 200");
    ck_assert_ptr_nonnull(first);
    const char *second = strstr(first, "HTTP/1.1 404");
    ck_assert_ptr_nonnull(second);
    ck_assert_ptr_nonnull(strstr(second, "HTTP/1.1 200"));
    (void)close(fd);
}
END_TEST

START_TEST(connection_serves_many_requests)
{
    static const char request[] = "GET /fw/lamp/latest HTTP/1.1\r\nHost: x\r\n\r\n";
    struct img img = image_of("ESP8266", 1, 0);
    int fd = raw_connect(&d);
    for (int i = 0; i < 50; i++) {
        raw_send(fd, request, sizeof request - 1);
        struct reply r = raw_reply(fd, false);
        CK_STATUS("kept", r, 200);
        ck_assert_uint_eq(r.n, img.n);
        ck_assert_mem_eq(r.body, img.data, img.n);
        ck_assert(!r.closed);
        reply_free(&r);
    }
    (void)close(fd);
    img_free(&img);
}
END_TEST

START_TEST(kept_connection_survives_refusals_with_small_bodies)
{
    static const char refused[] =
        "POST /api/v1/products HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 12\r\n\r\n{\"slug\":\"x\"}";
    static const char fine[] = "GET /fw/lamp/latest.version HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd = raw_connect(&d);
    for (int i = 0; i < 3; i++) {
        raw_send(fd, refused, sizeof refused - 1);
        struct reply r = raw_reply(fd, false);
        CK_STATUS("refused", r, 401);
        reply_free(&r);
        raw_send(fd, fine, sizeof fine - 1);
        r = raw_reply(fd, false);
        CK_STATUS("fine", r, 200);
        ck_assert_str_eq(r.body, "2");
        reply_free(&r);
    }
    (void)close(fd);
}
END_TEST

START_TEST(http10_keep_alive_is_closed_all_the_same)
{
    struct reply r = exchange("GET " LATEST " HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CK_STATUS("1.0", r, 200);
    ck_assert(reply_has_line(&r, "Connection: close"));
    ck_assert(r.closed);
    reply_free(&r);
    r = exchange("GET /api/v1/products HTTP/1.0\r\nHost: x\r\nConnection: Keep-Alive\r\n@KEY\r\n");
    CK_STATUS("1.0 API", r, 200);
    ck_assert(r.closed);
    reply_free(&r);
}
END_TEST

START_TEST(client_that_closes_its_half_gets_its_answer)
{
    static const char request[] = "GET /fw/lamp/latest HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd = raw_connect(&d);
    raw_send(fd, request, sizeof request - 1);
    (void)shutdown(fd, SHUT_WR);
    struct reply r = raw_reply(fd, false);
    CK_STATUS("half closed", r, 200);
    reply_free(&r);
    (void)close(fd);
}
END_TEST

START_TEST(head_that_never_ends_is_cut)
{
    static const char *const flags[] = {"--http-header-timeout-s", "1", "--http-idle-timeout-s",
                                        "5", NULL};
    struct daemon own = {.pid = 0};
    daemon_start(&own, flags);
    int silent = raw_connect(&own), dribbling = raw_connect(&own);
    raw_send(silent, "GET / HTTP/1.1\r\n", 16);
    bool cut = false;
    for (int i = 0; i < 300 && !cut; i++) { /* a byte now and then holds no connection open */
        raw_send(dribbling, "X", 1);
        cut = raw_is_closed(dribbling, 100);
    }
    ck_assert_msg(cut, "a dribbling head holds its connection");
    ck_assert_msg(raw_is_closed(silent, 30000), "a silent head holds its connection");
    (void)close(silent);
    (void)close(dribbling);
    daemon_free(&own);
}
END_TEST

START_TEST(one_address_holds_only_so_many_connections)
{
    static int fds[540]; /* 28 more than the limit */
    struct daemon own = {.pid = 0};
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    daemon_start(&own, NULL);
    for (size_t i = 0; i < OTAD_COUNT(fds); i++)
        fds[i] = raw_connect(&own);
    struct reply r = {.status = 0};
    size_t refused = 0;
    for (int tries = 0; tries < 200 && refused < 26; tries++) {
        refused = 0;
        for (size_t i = 0; i < OTAD_COUNT(fds); i++)
            refused += raw_is_closed(fds[i], 0);
        test_sleep_ms(20);
    }
    /* Two threads may let in one each while the other is counting. */
    ck_assert_msg(refused >= 26 && refused <= 28, "%zu of 28 were refused", refused);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(own.port);
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(other, (struct sockaddr *)&from, sizeof from), 0);
    ck_assert_int_eq(connect(other, (struct sockaddr *)&to, sizeof to), 0);
    raw_send(other, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 43);
    r = raw_reply(other, false);
    CK_STATUS("another address", r, 200);
    reply_free(&r);
    (void)close(other);
    for (size_t i = 0; i < OTAD_COUNT(fds); i++)
        (void)close(fds[i]);
    for (int i = 0; i < 200 && r.status != 200; i++) { /* and then there is room again */
        reply_free(&r);
        r = get(&own, NULL, "/healthz");
        test_sleep_ms(20);
    }
    CK_STATUS("afterwards", r, 200);
    reply_free(&r);
    daemon_free(&own);
}
END_TEST

START_TEST(answers_of_the_api_are_not_stored_by_caches)
{
    static const char *const paths[] = {"/api/v1/products", "/api/v1/keys", "/fw/lamp/latest",
                                        "/fw/lamp/latest.version"};
    for (size_t i = 0; i < OTAD_COUNT(paths); i++) {
        struct reply r = get(&d, admin, paths[i]);
        CK_STATUS(paths[i], r, 200);
        ck_assert_str_eq(reply_header(&r, "Cache-Control"), "no-store");
        reply_free(&r);
    }
}
END_TEST

START_TEST(healthz_is_open_and_json)
{
    struct reply r = get(&d, NULL, "/healthz");
    CK_STATUS("healthz", r, 200);
    CK_TEXT("healthz", r, "status", "ok");
    reply_free(&r);
    r = call(&d, "HEAD", "/healthz", (struct call){.key = NULL});
    CK_STATUS("HEAD", r, 200);
    reply_free(&r);
}
END_TEST

START_TEST(secrets_never_reach_the_log)
{
    static const char *const flags[] = {"--log-level", "debug", NULL};
    struct daemon own = {.pid = 0};
    char key[DAEMON_KEY];
    daemon_start(&own, flags);
    daemon_key(&own, "root", "admin", NULL, key);
    struct reply r = get(&own, key, "/api/v1/products?cursor=s3cret-token");
    CK_STATUS("list", r, 200);
    reply_free(&r);
    r = get(&own, NULL, "/fw/lamp/latest?token=s3cret-token");
    CK_STATUS("device", r, 404);
    reply_free(&r);
    r = raw_text(&own, "GET /x%0a%0dinjected HTTP/1.1\r\nHost: x\r\n\r\n");
    reply_free(&r);
    ck_assert(daemon_logged(&own, "/fw/lamp/latest", 10));
    char *log = daemon_log(&own);
    ck_assert_ptr_null(strstr(log, "s3cret-token"));
    ck_assert_ptr_null(strstr(log, key));
    ck_assert_ptr_null(strstr(log, "\ninjected"));
    free(log);
    daemon_free(&own);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("http");
    TCase *tc = tcase_create("http");
    tcase_set_timeout(tc, 300);
    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, request_is_answered_as_it_deserves, 0, (int)OTAD_COUNT(rows));
    tcase_add_loop_test(tc, parse_error_of_mhd_is_html_and_closes, 0, (int)OTAD_COUNT(html));
    tcase_add_test(tc, mhds_own_answers_are_only_those_listed);
    tcase_add_test(tc, head_that_is_too_long_is_431);
    tcase_add_test(tc, allow_lists_the_methods);
    tcase_add_test(tc, pipelined_requests_are_answered_in_order);
    tcase_add_test(tc, connection_serves_many_requests);
    tcase_add_test(tc, kept_connection_survives_refusals_with_small_bodies);
    tcase_add_test(tc, http10_keep_alive_is_closed_all_the_same);
    tcase_add_test(tc, client_that_closes_its_half_gets_its_answer);
    tcase_add_test(tc, head_that_never_ends_is_cut);
    tcase_add_test(tc, one_address_holds_only_so_many_connections);
    tcase_add_test(tc, answers_of_the_api_are_not_stored_by_caches);
    tcase_add_test(tc, healthz_is_open_and_json);
    tcase_add_test(tc, secrets_never_reach_the_log);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
