/* SPDX-License-Identifier: MIT
 * The end of the HTTP server while clients keep knocking: MHD aborts the process over what it
 * takes for impossible, so every order of events must be one it survives. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http/http.h"
#include "http/reply.h"
#include "support/unit.h"

#define KNOCKERS 4
#define ROUNDS 150 /* with MHD_quiesce_daemon() one in about fifty aborted */

static enum otad_err hello(struct http_req *req, struct otad_errinfo *ei)
{
    (void)ei;
    return http_reply_send(req, http_reply_copy("hello", 5), 200);
}

static const struct http_route rows[] = {
    {HTTP_GET, "/hello", HTTP_ACCESS_OPEN, HTTP_BODY_NONE, 0, hello, NULL},
};
static const char *const prefixes[] = {NULL};

static atomic_bool over;
static atomic_uint port, answered;

static int connect_now(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atomic_load(&port)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/* Connects, asks, reads, again and again, whether somebody listens or not. */
static void *knock(void *arg)
{
    static const char ask[] = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char answer[512];
    (void)arg;
    while (!atomic_load(&over)) {
        int fd = connect_now();
        if (fd < 0)
            continue;
        if (send(fd, ask, sizeof ask - 1, MSG_NOSIGNAL) > 0 &&
            recv(fd, answer, sizeof answer, 0) > 0)
            (void)atomic_fetch_add(&answered, 1);
        (void)close(fd);
    }
    return NULL;
}

/* @param held  receives a second descriptor of the listen socket, as systemd has one; or NULL */
static struct http *start(struct log *log, int *held)
{
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    const struct option_list address = {.n = 1, .items = {"127.0.0.1:0"}};
    const struct http_settings settings = {
        .routes = {rows,                   OTAD_COUNT(rows), prefixes},
        .log = log,
        .threads = 4,
        .connections_max = 1000,
        .connection_memory_bytes = 8192,
        .idle_timeout_s = 10,
        .limits = { .connections_per_address = 1000,
                   .header_timeout_s = 10,
                   .body_timeout_s = 10,
                   .stall_timeout_s = 10}
    };
    struct http *http = NULL;
    int fds[OPTION_LIST_MAX];
    size_t n;
    ck_assert_msg(http_listen(&address, fds, &n, &ei) == OTAD_E_OK, "%s", ei.msg);
    if (held != NULL)
        *held = dup(fds[0]);
    ck_assert_msg(http_start(&settings, fds, n, &http, &ei) == OTAD_E_OK, "%s", ei.msg);
    atomic_store(&port, (unsigned)atoi(strchr(http_address(http, 0), ':') + 1));
    return http;
}

static void wait_for_answers(unsigned more)
{
    unsigned want = atomic_load(&answered) + more;
    for (int i = 0; i < 20000 && atomic_load(&answered) < want; i++)
        (void)usleep(1000);
    ck_assert_uint_ge(atomic_load(&answered), want);
}

START_TEST(stop_under_new_connections_is_clean)
{
    struct log log;
    pthread_t knockers[KNOCKERS];
    log_init(&log, LOG_LEVEL_ERR, false);
    struct http *http = start(&log, NULL);
    for (int i = 0; i < KNOCKERS; i++)
        ck_assert_int_eq(pthread_create(&knockers[i], NULL, knock, NULL), 0);
    for (int i = 0; i < ROUNDS; i++) {
        if (http == NULL)
            http = start(&log, NULL);
        wait_for_answers(5);
        http_quiesce(http, 10);
        http_free(&http);
    }
    atomic_store(&over, true);
    for (int i = 0; i < KNOCKERS; i++)
        (void)pthread_join(knockers[i], NULL);
}
END_TEST

START_TEST(quiesced_server_refuses_new_clients)
{
    struct log log;
    log_init(&log, LOG_LEVEL_ERR, false);
    struct http *http = start(&log, NULL);
    int before = connect_now();
    ck_assert_int_ge(before, 0);
    http_quiesce(http, 1);
    ck_assert_int_eq(connect_now(), -1);
    http_quiesce(http, 1); /* again is nothing new */
    http_free(&http);
    (void)close(before);
}
END_TEST

static int64_t cpu_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Clients of a socket that systemd holds wait in its backlog for the next daemon; this one must
 * neither take them nor burn the processor over them while its last downloads end. */
START_TEST(quiesced_server_leaves_a_held_socket_alone)
{
    struct log log;
    char byte;
    int held = -1;
    log_init(&log, LOG_LEVEL_ERR, false);
    struct http *http = start(&log, &held);
    http_quiesce(http, 1);
    int late = connect_now();
    ck_assert_int_ge(late, 0);
    int64_t before = cpu_ms();
    (void)usleep(400000);
    ck_assert_int_lt(cpu_ms() - before, 200);
    http_free(&http);
    ck_assert_int_eq(recv(late, &byte, 1, MSG_DONTWAIT), -1);
    ck_assert_int_eq(errno, EAGAIN); /* still waiting, not reset */
    (void)close(late);
    (void)close(held);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("http_stop");
    TCase *tc = tcase_create("stop");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, quiesced_server_refuses_new_clients);
    tcase_add_test(tc, quiesced_server_leaves_a_held_socket_alone);
    tcase_add_test(tc, stop_under_new_connections_is_clean);
    suite_add_tcase(s, tc);
    return s;
}

OTAD_TEST_MAIN(make_suite)
