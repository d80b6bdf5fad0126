/* SPDX-License-Identifier: MIT
 * Server-sent events as a browser sees them: what is told, to whom, from where on, and how a stream
 * ends. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "otad/err.h"
#include "support/http.h"
#include "support/unit.h"

#define EVENTS "/api/v1/events"
#define STREAMS_MAX 6
#define MAC "30:AE:A4:00:00:01"

static struct daemon d;
static char admin[DAEMON_KEY], viewer[DAEMON_KEY], bound[DAEMON_KEY];

static void setup(void)
{
    static const char *const flags[] = {"--http-streams-max", "6", "--storage-flush-interval-ms",
                                        "20", NULL};
    daemon_start(&d, flags);
    daemon_key(&d, "root", "admin", NULL, admin);
    daemon_key(&d, "looker", "viewer", NULL, viewer);
    make_product(&d, admin, "lamp");
    make_product(&d, admin, "other");
    daemon_key(&d, "bound", "viewer", "lamp", bound);
    publish(&d, admin, "lamp", "1", NULL, 1, NULL);
    publish(&d, admin, "other", "1", NULL, 1, NULL);
}

static void teardown(void)
{
    daemon_free(&d);
}

/* ---- a stream ----------------------------------------------------------------------------- */

struct stream {
    int fd;
    char text[1 << 17];
    size_t n;
    bool closed;
};

static struct stream s, t;

/* Reads what there is within that time. @return whether anything came */
static bool pump(struct stream *from, int64_t ms)
{
    struct pollfd p = {.fd = from->fd, .events = POLLIN};
    if (from->closed || poll(&p, 1, (int)ms) <= 0)
        return false;
    ssize_t n = recv(from->fd, from->text + from->n, sizeof from->text - 1 - from->n, 0);
    from->closed = n <= 0;
    from->n += n > 0 ? (size_t)n : 0;
    from->text[from->n] = '\0';
    return n > 0;
}

static bool comes(struct stream *from, const char *text, int64_t ms)
{
    for (int64_t end = test_now_ms() + ms; strstr(from->text, text) == NULL;)
        if (from->closed || test_now_ms() > end)
            return false;
        else
            (void)pump(from, 50);
    return true;
}

#define COMES(from, wanted)                                                                        \
    ck_assert_msg(comes((from), (wanted), DAEMON_PATIENCE_S * 1000), "'%s' didn't come:\n%s",      \
                  (wanted), (from)->text)

static void open_with(struct stream *to, const char *key, const char *query, const char *header,
                      int receive_bytes)
{
    char request[512];
    *to = (struct stream){.fd = raw_connect(&d)};
    if (receive_bytes > 0)
        (void)setsockopt(to->fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    (void)snprintf(request, sizeof request,
                   "GET " EVENTS "%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n",
                   query, key, header);
    raw_send(to->fd, request, strlen(request));
    COMES(to, "\r\n\r\n");
}

static void open_stream(struct stream *to, const char *key, const char *query)
{
    open_with(to, key, query, "", 0);
    COMES(to, "\r\nContent-Type: text/event-stream\r\n");
    COMES(to, "retry: ");
}

static void close_stream(struct stream *from)
{
    (void)close(from->fd);
    from->fd = -1;
}

static void check_in(const char *product, const char *mac, const char *version)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/fw/%s/latest?mac=%s&version=%s", product, mac, version);
    struct reply r = get(&d, NULL, path);
    ck_assert(r.status == 200 || r.status == 304);
    reply_free(&r);
}

/* ---- what is told ------------------------------------------------------------------------- */

START_TEST(an_update_is_told_from_check_in_to_installed)
{
    open_stream(&s, viewer, "");
    ck_assert_ptr_null(strstr(s.text, "Content-Length"));
    check_in("lamp", MAC, "0");
    COMES(&s, "event: check_in\ndata: {\"kind\":\"check_in\"");
    COMES(&s, "\"product\":\"lamp\",\"mac\":\"" MAC "\",\"version\":\"0\"}\n\n");
    COMES(&s, "\"state\":\"downloading\",\"bytes\":0,");
    COMES(&s, "\"state\":\"sent\"");
    COMES(&s, "\"version\":\"1\",\"state\":\"in_progress\"}\n\n");
    check_in("lamp", MAC, "1");
    COMES(&s,
          "\"state\":\"installed\",\"text\":\"it says it runs the version of this build\"}\n\n");
    struct reply r = get(&d, viewer, "/api/v1/products/lamp/updates"); /* it was durable */
    CK_TEXT("the ledger", r, "items.0.state", "installed");
    reply_free(&r);
    close_stream(&s);
}
END_TEST

START_TEST(failed_by_report_is_told)
{
    check_in("lamp", "30:AE:A4:00:00:02", "0");
    open_stream(&s, viewer, "?product=lamp&mac=30aea4000002");
    struct reply r = send_json(&d, NULL, "POST", "/fw/lamp/30AEA4000002/report",
                               "{\"result\":\"failed\",\"code\":-7,\"message\":\"a \\\"b\\\"\"}");
    CK_STATUS("report", r, 204);
    reply_free(&r);
    COMES(&s, "\"state\":\"failed\",\"cause\":\"reported\","
              "\"text\":\"the device reported a failure, code -7: a \\\"b\\\"\"}\n\n");
    close_stream(&s);
}
END_TEST

START_TEST(changes_are_told_to_those_who_may_know)
{
    open_stream(&s, admin, "");
    open_stream(&t, viewer, "");
    struct reply r =
        send_json(&d, admin, "POST", "/api/v1/keys", "{\"name\":\"made\",\"role\":\"viewer\"}");
    CK_STATUS("key", r, 201);
    reply_free(&r);
    r = send_json(&d, admin, "POST", "/api/v1/products/lamp/channels/stable/pause", NULL);
    CK_STATUS("pause", r, 200);
    reply_free(&r);
    r = send_json(&d, admin, "POST", "/api/v1/products/lamp/channels/stable/resume", NULL);
    reply_free(&r);
    COMES(&s, "\"action\":\"channel.pause\",\"object\":\"stable\"}");
    ck_assert_ptr_nonnull(strstr(s.text, "\"action\":\"key.create\""));
    COMES(&t, "\"product\":\"lamp\",\"action\":\"channel.pause\"");
    ck_assert_ptr_null(strstr(t.text, "key.create"));
    close_stream(&s);
    close_stream(&t);
}
END_TEST

START_TEST(filters_and_bound_keys_narrow)
{
    open_stream(&s, bound, "");
    open_stream(&t, viewer, "?product=other");
    check_in("other", MAC, "1");
    check_in("lamp", MAC, "1");
    COMES(&s, "\"product\":\"lamp\"");
    COMES(&t, "\"product\":\"other\"");
    check_in("other", MAC, "1");
    check_in("lamp", "30:AE:A4:00:00:09", "1");
    COMES(&s, "30:AE:A4:00:00:09");
    ck_assert_ptr_null(strstr(s.text, "\"other\""));
    ck_assert_ptr_null(strstr(t.text, "\"lamp\""));
    close_stream(&s);
    close_stream(&t);
}
END_TEST

/* Whoever opens a page wants to know what was before, within what his key may see. */
START_TEST(what_was_before_is_listed)
{
    struct reply r =
        send_json(&d, admin, "POST", "/api/v1/keys", "{\"name\":\"late\",\"role\":\"viewer\"}");
    CK_STATUS("key", r, 201);
    reply_free(&r);
    open_stream(&s, admin, "");
    check_in("other", "30:AE:A4:00:00:21", "1");
    check_in("lamp", "30:AE:A4:00:00:22", "1");
    COMES(&s, "30:AE:A4:00:00:22");
    close_stream(&s);
    r = get(&d, admin, EVENTS "/recent?limit=2");
    CK_STATUS("recent", r, 200);
    CK_TEXT("the newest", r, "items.0.mac", "30:AE:A4:00:00:22");
    CK_TEXT("its product", r, "items.0.product", "lamp");
    CK_TEXT("the one before", r, "items.1.mac", "30:AE:A4:00:00:21");
    char path[96];
    (void)snprintf(path, sizeof path, EVENTS "/recent?limit=1&cursor=%s",
                   reply_text(&r, "items.0.id"));
    reply_free(&r);
    r = get(&d, admin, path);
    CK_TEXT("the second page", r, "items.0.mac", "30:AE:A4:00:00:21");
    ck_assert_ptr_nonnull(reply_text(&r, "next"));
    reply_free(&r);
    r = get(&d, admin, EVENTS "/recent?mac=30aea4000022");
    ck_assert_msg(json_array_size(reply_at(&r, "items")) == 1 && json_is_null(reply_at(&r, "next")),
                  "%s", r.body);
    reply_free(&r);
    r = get(&d, admin, EVENTS "/recent");
    ck_assert_ptr_nonnull(strstr(r.body, "key.create"));
    reply_free(&r);
    r = get(&d, viewer, EVENTS "/recent");
    ck_assert_ptr_null(strstr(r.body, "key.create"));
    ck_assert_ptr_nonnull(strstr(r.body, "\"other\""));
    reply_free(&r);
    r = get(&d, bound, EVENTS "/recent?limit=500");
    ck_assert_ptr_null(strstr(r.body, "\"other\""));
    ck_assert_ptr_nonnull(strstr(r.body, "30:AE:A4:00:00:22"));
    reply_free(&r);
}
END_TEST

static const struct {
    const char *what, *query;
    int status;
} refused[] = {
    {"no key",                        "",                      401},
    {"another product",               "?product=other",        403},
    {"no such product",               "?product=none",         404},
    {"no MAC",                        "?mac=kitchen",          422},
    {"an unknown filter",             "?colour=red",           422},
    {"no id",                         "?after=x",              422},
    {"a negative id",                 "?after=-1",             422},
    {"another product's recent ones", "/recent?product=other", 403},
    {"recent ones of no product",     "/recent?product=none",  404},
    {"recent ones of no MAC",         "/recent?mac=kitchen",   422},
    {"a stream's id for a list",      "/recent?after=1",       422},
    {"no cursor",                     "/recent?cursor=x",      422},
    {"no kind",                       "/recent?kind=party",    422},
    {"no limit",                      "/recent?limit=0",       422},
};

START_TEST(bad_requests_are_refused)
{
    const char *key = _i == 0 ? NULL : refused[_i].status == 403 ? bound : viewer;
    char path[96];
    (void)snprintf(path, sizeof path, EVENTS "%s", refused[_i].query);
    struct reply r = get(&d, key, path);
    CK_STATUS(refused[_i].what, r, refused[_i].status);
    ck_assert(json_is_string(reply_at(&r, "error.message")));
    reply_free(&r);
}
END_TEST

/* ---- from where on ------------------------------------------------------------------------ */

/* The last id of a stream's text. */
static void last_id(const struct stream *from, char out[32])
{
    const char *at = from->text;
    out[0] = '\0';
    while ((at = strstr(at, "id: ")) != NULL) {
        at += 4;
        (void)snprintf(out, 32, "%.*s", (int)strspn(at, "0123456789"), at);
    }
    ck_assert_str_ne(out, "");
}

START_TEST(reader_that_comes_back_misses_nothing)
{
    char id[32], header[64], query[64];
    open_stream(&s, viewer, "");
    close_stream(&s);
    last_id(&s, id);
    check_in("lamp", "30:AE:A4:00:00:03", "1");
    (void)snprintf(header, sizeof header, "Last-Event-ID: %s\r\n", id);
    (void)snprintf(query, sizeof query, "?after=%s", id);
    open_with(&s, viewer, "", header, 0);
    open_stream(&t, viewer, query);
    COMES(&s, "30:AE:A4:00:00:03");
    COMES(&t, "30:AE:A4:00:00:03");
    ck_assert_ptr_null(strstr(s.text, "event: lost"));
    close_stream(&s);
    close_stream(&t);
    open_stream(&s, viewer, "?after=17"); /* of another life */
    COMES(&s, "event: lost\ndata: {}\n\n");
    close_stream(&s);
}
END_TEST

/* Many check-ins of one device, as many as fill the ring. */
static void fill_ring(int n)
{
    static const char request[] =
        "GET /fw/lamp/latest?mac=30AEA4000004&version=1 HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd = raw_connect(&d);
    for (int i = 0; i < n; i++) {
        raw_send(fd, request, sizeof request - 1);
        struct reply r = raw_reply(fd, true);
        ck_assert_int_eq(r.status, 304);
        reply_free(&r);
    }
    (void)close(fd);
}

START_TEST(slow_reader_is_dropped_and_told_what_it_lost)
{
    char id[32], header[64];
    open_with(&s, viewer, "", "", 4096);
    COMES(&s, "retry: ");
    fill_ring(4096 + 3000); /* more than the ring and what lies in buffers */
    for (int64_t end = test_now_ms() + DAEMON_PATIENCE_S * 1000; test_now_ms() < end;)
        if (!pump(&s, 50) && (s.closed || strstr(s.text, "\r\n0\r\n\r\n") != NULL))
            break;
        else if (s.n > sizeof s.text / 2) { /* only the end counts */
            memmove(s.text, s.text + s.n / 2, s.n - s.n / 2 + 1);
            s.n -= s.n / 2;
        }
    ck_assert_msg(strstr(s.text, "\r\n0\r\n\r\n") != NULL, "it goes on");
    last_id(&s, id);
    close_stream(&s);
    (void)snprintf(header, sizeof header, "Last-Event-ID: %s\r\n", id);
    open_with(&s, viewer, "", header, 0);
    COMES(&s, "event: lost\ndata: {}\n\nid: ");
    close_stream(&s);
}
END_TEST

/* ---- how it ends -------------------------------------------------------------------------- */

START_TEST(heartbeat_keeps_it_open_and_ends_it_for_a_revoked_key)
{
    char key[DAEMON_KEY];
    daemon_key(&d, "brief", "viewer", NULL, key);
    open_stream(&s, viewer, "?mac=30AEA40000EE");
    open_stream(&t, key, "");
    struct reply r = send_json(&d, admin, "DELETE", "/api/v1/keys/brief", NULL);
    CK_STATUS("revoke", r, 204);
    reply_free(&r);
    s.n = 0;
    s.text[0] = '\0';
    ck_assert(comes(&s, ":\nid: ", 20000));
    ck_assert_ptr_null(strstr(s.text, "data:"));
    ck_assert(comes(&t, "\r\n0\r\n\r\n", 20000));
    close_stream(&s);
    close_stream(&t);
}
END_TEST

START_TEST(streams_are_counted_and_those_of_gone_clients_end)
{
    static struct stream many[STREAMS_MAX + 1];
    struct reply r = {.status = 0};
    int open = 0;
    for (int64_t end = test_now_ms() + 60000; open < STREAMS_MAX && test_now_ms() < end;) {
        open_with(&many[open], viewer, "", "", 0); /* those of earlier tests end by and by */
        if (strstr(many[open].text, " 200 ") != NULL) {
            open++;
            continue;
        }
        close_stream(&many[open]);
        test_sleep_ms(200);
    }
    ck_assert_int_eq(open, STREAMS_MAX);
    r = get(&d, viewer, EVENTS);
    CK_STATUS("one more", r, 503);
    ck_assert_ptr_nonnull(reply_header(&r, "Retry-After"));
    reply_free(&r);
    check_in("lamp", "30:AE:A4:00:00:05", "1");
    for (int i = 0; i < STREAMS_MAX; i++) {
        COMES(&many[i], "30:AE:A4:00:00:05");
        close_stream(&many[i]);
    }
    for (int64_t end = test_now_ms() + 60000; test_now_ms() < end; test_sleep_ms(100)) {
        check_in("lamp", "30:AE:A4:00:00:05", "1"); /* writing to them is how it is noticed */
        open_with(&s, viewer, "", "", 0);
        close_stream(&s);
        if (strstr(s.text, " 200 ") != NULL)
            return;
    }
    ck_abort_msg("the streams of gone clients stay open");
}
END_TEST

START_TEST(old_client_reads_until_the_connection_closes)
{
    char request[256];
    struct daemon own = {.pid = 0};
    char key[DAEMON_KEY];
    daemon_start(&own, NULL);
    daemon_key(&own, "root", "admin", NULL, key);
    s = (struct stream){.fd = raw_connect(&own)};
    (void)snprintf(request, sizeof request,
                   "GET " EVENTS " HTTP/1.0\r\nAuthorization: Bearer %s\r\n\r\n", key);
    raw_send(s.fd, request, strlen(request));
    COMES(&s, "retry: 2000\nid: ");
    ck_assert_ptr_null(strstr(s.text, "chunked"));
    make_product(&own, key, "lamp");
    COMES(&s, "\"action\":\"product.create\",\"object\":\"lamp\"}\n\n");
    int64_t begin = test_now_ms();
    daemon_stop(&own); /* an open stream neither holds it up nor aborts it */
    ck_assert_int_lt(test_now_ms() - begin, 20000);
    while (pump(&s, 1000))
        continue;
    ck_assert(s.closed);
    close_stream(&s);
    daemon_free(&own);
}
END_TEST

/* The daemon ends while streams come and go and events are published. */
START_TEST(stop_with_busy_streams_is_clean)
{
    static struct stream many[20];
    char key[DAEMON_KEY];
    for (int round = 0; round < 3; round++) {
        struct daemon saved = d;
        d = (struct daemon){.pid = 0};
        daemon_start(&d, NULL);
        daemon_key(&d, "root", "admin", NULL, key);
        make_product(&d, key, "lamp");
        for (size_t i = 0; i < OTAD_COUNT(many); i++)
            open_stream(&many[i], key, "");
        publish(&d, key, "lamp", "1", NULL, 1, NULL);
        fill_ring(300);
        for (size_t i = 0; i < OTAD_COUNT(many) / 2; i++)
            close_stream(&many[i]);
        daemon_stop(&d);
        for (size_t i = OTAD_COUNT(many) / 2; i < OTAD_COUNT(many); i++)
            close_stream(&many[i]);
        daemon_free(&d);
        d = saved;
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("events");
    TCase *tc = tcase_create("events");
    tcase_set_timeout(tc, 300);
    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_add_test(tc, an_update_is_told_from_check_in_to_installed);
    tcase_add_test(tc, failed_by_report_is_told);
    tcase_add_test(tc, changes_are_told_to_those_who_may_know);
    tcase_add_test(tc, filters_and_bound_keys_narrow);
    tcase_add_test(tc, what_was_before_is_listed);
    tcase_add_loop_test(tc, bad_requests_are_refused, 0, (int)OTAD_COUNT(refused));
    tcase_add_test(tc, streams_are_counted_and_those_of_gone_clients_end);
    tcase_add_test(tc, reader_that_comes_back_misses_nothing);
    tcase_add_test(tc, slow_reader_is_dropped_and_told_what_it_lost);
    tcase_add_test(tc, heartbeat_keeps_it_open_and_ends_it_for_a_revoked_key);
    tcase_add_test(tc, old_client_reads_until_the_connection_closes);
    tcase_add_test(tc, stop_with_busy_streams_is_clean);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
