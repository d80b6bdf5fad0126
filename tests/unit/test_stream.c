/* SPDX-License-Identifier: MIT
 * Streaming answers: whole, broken off, waiting, woken, counted, and at the end of the server. */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http.h"
#include "http/reply.h"
#include "http/stream.h"
#include "support/unit.h"

#define PIECE 10000
#define PIECES 300
#define THREADS 4
#define ROUNDS 30

/* One answer's source. */
struct source {
    char piece[PIECE];
    int left;
    enum http_stream_next then; /* when none is left */
};

static atomic_int opened, freed, tick, due_seen;

static void free_source(void *arg)
{
    (void)atomic_fetch_add(&freed, 1);
    free(arg);
}

static enum http_stream_next next(void *arg, bool due, const char **data, size_t *n)
{
    struct source *s = arg;
    if (due)
        (void)atomic_fetch_add(&due_seen, 1);
    if (s->left-- <= 0)
        return s->then;
    *data = s->piece;
    *n = sizeof s->piece;
    return HTTP_STREAM_DATA;
}

/* Tells every tick once, and a beat when due. */
static enum http_stream_next next_tick(void *arg, bool due, const char **data, size_t *n)
{
    struct source *s = arg;
    int now = atomic_load(&tick);
    if (now == s->left && !due)
        return HTTP_STREAM_WAIT;
    int length = snprintf(s->piece, sizeof s->piece, due ? "beat\n" : "tick %d\n", now);
    s->left = now;
    *data = s->piece;
    *n = (size_t)length;
    return HTTP_STREAM_DATA;
}

static enum otad_err reply(struct http_req *req, struct http_stream_source source, int left,
                           enum http_stream_next then, struct otad_errinfo *ei)
{
    struct http_reply *answer;
    struct source *s = calloc(1, sizeof *s);
    ck_assert_ptr_nonnull(s);
    memset(s->piece, 'x', sizeof s->piece);
    s->left = left;
    s->then = then;
    source.arg = s;
    source.free_arg = free_source;
    (void)atomic_fetch_add(&opened, 1);
    enum otad_err err = http_stream_reply(req, &source, &answer, ei);
    return err == OTAD_E_OK ? http_reply_send(req, answer, 200) : err;
}

static enum otad_err whole(struct http_req *req, struct otad_errinfo *ei)
{
    return reply(req, (struct http_stream_source){.next = next, .interval_s = 60}, PIECES,
                 HTTP_STREAM_END, ei);
}

static enum otad_err broken(struct http_req *req, struct otad_errinfo *ei)
{
    return reply(req, (struct http_stream_source){.next = next, .interval_s = 60}, 2,
                 HTTP_STREAM_CUT, ei);
}

static enum otad_err ticks(struct http_req *req, struct otad_errinfo *ei)
{
    return reply(req,
                 (struct http_stream_source){.next = next_tick, .interval_s = 60, .endless = true},
                 -1, HTTP_STREAM_WAIT, ei);
}

static enum otad_err beats(struct http_req *req, struct otad_errinfo *ei)
{
    return reply(req,
                 (struct http_stream_source){.next = next_tick, .interval_s = 1, .endless = true},
                 0, HTTP_STREAM_WAIT, ei);
}

static const struct http_route rows[] = {
    {HTTP_GET, "/whole",  HTTP_ACCESS_OPEN, HTTP_BODY_NONE, 0, whole,  NULL},
    {HTTP_GET, "/broken", HTTP_ACCESS_OPEN, HTTP_BODY_NONE, 0, broken, NULL},
    {HTTP_GET, "/ticks",  HTTP_ACCESS_OPEN, HTTP_BODY_NONE, 0, ticks,  NULL},
    {HTTP_GET, "/beats",  HTTP_ACCESS_OPEN, HTTP_BODY_NONE, 0, beats,  NULL},
};
static const char *const prefixes[] = {NULL};

static struct log log_to_stderr;
static struct http *http;
static atomic_uint port;

static void start(int64_t streams_max)
{
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    const struct option_list address = {.n = 1, .items = {"127.0.0.1:0"}};
    struct http_settings settings = {
        .routes = {rows, OTAD_COUNT(rows), prefixes},
        .log = &log_to_stderr,
        .threads = 2,
        .connections_max = 1000,
        .connection_memory_bytes = 4608,
        .idle_timeout_s = 30
    };
    settings.limits = (struct http_limits){.connections_per_address = 1000,
                                           .header_timeout_s = 10,
                                           .body_timeout_s = 10,
                                           .streams_max = streams_max};
    int fds[OPTION_LIST_MAX];
    size_t n;
    log_init(&log_to_stderr, LOG_LEVEL_ERR, false);
    ck_assert_msg(http_listen(&address, fds, &n, &ei) == OTAD_E_OK, "%s", ei.msg);
    ck_assert_msg(http_start(&settings, fds, n, &http, &ei) == OTAD_E_OK, "%s", ei.msg);
    const char *colon = strchr(http_address(http, 0), ':');
    atomic_store(&port, (unsigned)strtoul(colon + 1, NULL, 10));
}

static void stop(void)
{
    http_free(&http);
    ck_assert_int_eq(atomic_load(&opened), atomic_load(&freed));
}

/* @return a connection that has asked, or -1 */
static int ask(const char *path, int receive_bytes)
{
    char request[128];
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atomic_load(&port)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    if (receive_bytes > 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
        send(fd, request, (size_t)n, MSG_NOSIGNAL) == n)
        return fd;
    (void)close(fd);
    return -1;
}

static char text[PIECE * PIECES * 2];

/* Reads until the text holds that, or the connection closes, or nothing comes for 10 s.
 * @return whether it does */
static bool comes(int fd, const char *what)
{
    size_t n = strlen(text), from = 0; /* what was looked through is not looked through again */
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (strstr(text + from, what) == NULL) {
        ssize_t got =
            poll(&p, 1, 10000) > 0 ? recv(fd, text + n, sizeof text - 1 - n, MSG_DONTWAIT) : 0;
        if (got <= 0)
            return false;
        from = n > strlen(what) ? n - strlen(what) : 0;
        n += (size_t)got;
        text[n] = '\0';
    }
    return true;
}

static size_t count_x(void)
{
    size_t n = 0;
    for (const char *at = strstr(text, "\r\n\r\n"); at != NULL && *at != '\0'; at++)
        n += *at == 'x';
    return n;
}

START_TEST(whole_answer_comes_in_chunks)
{
    start(4);
    text[0] = '\0';
    int fd = ask("/whole", 0);
    ck_assert(comes(fd, "\r\n0\r\n\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "Transfer-Encoding: chunked\r\n"));
    ck_assert_uint_eq(count_x(), PIECE * PIECES);
    (void)close(fd);
    stop();
}
END_TEST

START_TEST(broken_answer_looks_broken)
{
    start(4);
    text[0] = '\0';
    int fd = ask("/broken", 0);
    ck_assert(!comes(fd, "\r\n0\r\n\r\n"));
    ck_assert_int_eq(recv(fd, text + strlen(text), 1, MSG_DONTWAIT), 0); /* closed, not silent */
    ck_assert_uint_eq(count_x(), 2 * PIECE);
    (void)close(fd);
    stop();
}
END_TEST

START_TEST(news_wake_what_waits)
{
    char want[32];
    start(4);
    text[0] = '\0';
    int fd = ask("/ticks", 0);
    for (int i = 0; i < 20; i++) {
        (void)snprintf(want, sizeof want, "tick %d\n", atomic_load(&tick));
        ck_assert_msg(comes(fd, want), "%s", want);
        (void)atomic_fetch_add(&tick, 1);
        http_streams_news(http);
    }
    ck_assert_uint_eq(http_streams(http), 1);
    (void)close(fd);
    stop();
}
END_TEST

START_TEST(interval_is_kept_without_news)
{
    start(4);
    text[0] = '\0';
    int fd = ask("/beats", 0);
    ck_assert(comes(fd, "beat\n"));
    text[0] = '\0';
    ck_assert(comes(fd, "beat\n"));
    (void)close(fd); /* it is noticed by writing to it */
    for (int i = 0; i < 100 && http_streams(http) > 0; i++)
        (void)usleep(100000);
    ck_assert_uint_eq(http_streams(http), 0);
    stop();
}
END_TEST

START_TEST(streams_are_counted)
{
    int fds[3];
    start(2);
    for (int i = 0; i < 3; i++) {
        text[0] = '\0';
        fds[i] = ask("/ticks", 0);
        ck_assert(comes(fds[i], "\r\n\r\n"));
        ck_assert_ptr_nonnull(strstr(text, i < 2 ? " 200 " : " 503 "));
    }
    ck_assert_ptr_nonnull(strstr(text, "\r\nRetry-After: "));
    for (int i = 0; i < 3; i++)
        (void)close(fds[i]);
    stop();
}
END_TEST

static void *quiesce(void *arg)
{
    http_quiesce(http, *(const int64_t *)arg);
    return NULL;
}

START_TEST(quiesce_ends_the_endless_and_waits_for_the_others)
{
    pthread_t thread;
    const int64_t grace_s = 20;
    start(4);
    int endless = ask("/ticks", 0), slow = ask("/whole", 4096);
    text[0] = '\0';
    ck_assert(comes(endless, "tick "));
    while (http_streams(http) < 2)
        (void)usleep(1000);
    ck_assert_int_eq(pthread_create(&thread, NULL, quiesce, (void *)(uintptr_t)&grace_s), 0);
    ck_assert(comes(endless, "\r\n0\r\n\r\n"));
    (void)usleep(300000);
    text[0] = '\0';
    ck_assert(comes(slow, "\r\n0\r\n\r\n")); /* whole, not cut to look whole */
    ck_assert_uint_eq(count_x(), PIECE * PIECES);
    (void)pthread_join(thread, NULL);
    (void)close(endless);
    (void)close(slow);
    stop();
}
END_TEST

START_TEST(stop_cuts_a_reader_that_takes_too_long)
{
    start(4);
    int slow = ask("/whole", 4096);
    while (http_streams(http) < 1)
        (void)usleep(1000);
    stop();
    text[0] = '\0';
    ck_assert(!comes(slow, "\r\n0\r\n\r\n"));
    (void)close(slow);
}
END_TEST

static atomic_bool over;

/* Opens streams, reads a bit, leaves. */
static void *come_and_go(void *arg)
{
    char some[512];
    (void)arg;
    while (!atomic_load(&over)) {
        int fd = ask("/ticks", 0);
        if (fd < 0)
            continue;
        (void)recv(fd, some, sizeof some, 0);
        (void)close(fd);
    }
    return NULL;
}

static void *publish(void *arg)
{
    for (int i = 0; i < 100; i++) {
        (void)atomic_fetch_add(&tick, 1);
        http_streams_news(arg);
        (void)usleep(1000);
    }
    return NULL;
}

START_TEST(stop_while_streams_come_and_go_is_clean)
{
    pthread_t threads[THREADS], publisher;
    start(1000);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
    for (int i = 0; i < ROUNDS; i++) {
        if (http == NULL)
            start(1000);
        ck_assert_int_eq(pthread_create(&publisher, NULL, publish, http), 0);
        (void)usleep(60000);
        if (i % 2)
            http_quiesce(http, 1);
        http_stop(http);
        (void)pthread_join(publisher, NULL); /* news after the end do no harm */
        http_free(&http);
    }
    atomic_store(&over, true);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&opened), atomic_load(&freed));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("stream");
    TCase *tc = tcase_create("stream");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, whole_answer_comes_in_chunks);
    tcase_add_test(tc, broken_answer_looks_broken);
    tcase_add_test(tc, news_wake_what_waits);
    tcase_add_test(tc, interval_is_kept_without_news);
    tcase_add_test(tc, streams_are_counted);
    tcase_add_test(tc, quiesce_ends_the_endless_and_waits_for_the_others);
    tcase_add_test(tc, stop_cuts_a_reader_that_takes_too_long);
    tcase_add_test(tc, stop_while_streams_come_and_go_is_clean);
    suite_add_tcase(s, tc);
    return s;
}

OTAD_TEST_MAIN(make_suite)
