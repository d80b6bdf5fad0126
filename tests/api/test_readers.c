/* SPDX-License-Identifier: MIT
 * Two thousand slow readers at once, each as slow as Blynk Edgent on an ESP8266: 256 bytes every
 * 10 ms, and now and then a second of nothing while flash is erased. All must finish, with the
 * right bytes, and the ledger must know. One thread plays them all. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "otad/err.h"
#include "support/stock.h"
#include "support/unit.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define READERS 200
#else
#define READERS 2000
#endif
#define IMAGE_BYTES 300000
#define PER_ADDRESS 100 /* the server caps connections of one address at 512 */
#define PIECE 256       /* Edgent_ESP8266/OTA.h: so much, and then delay(10) */
#define TICK_MS 10
#define STALL_MS 1000
#define STALLS 2         /* of each reader, at places of its own */
#define OPENED_A_TICK 20 /* a site comes back after a power cut: all within a second */
#define WINDOW 5840      /* of an ESP8266: four segments */
#define OTHER_FDS 64     /* of this process, or of the daemon */
#define DEADLINE_S 55    /* 13.7 s at that pace; the rest is for machines that are busy */

static struct daemon d;
static char admin[DAEMON_KEY], url[256];
static struct img image;

/* One device. */
struct reader {
    int fd; /* -1: not opened yet, or done */
    char head[STOCK_HEAD_MAX];
    size_t head_n;
    bool in_body, readable, done;
    size_t got;              /* bytes of the image */
    size_t stall_at[STALLS]; /* in image bytes, ascending */
    unsigned stalls;
    int64_t next_ms; /* it doesn't read earlier */
};

/* All of them, and what became of them. */
struct site {
    struct reader *readers;
    int n, opened, finished, epoll;
    int64_t begun_ms;
};

static void setup(void)
{
    static const char *const flags[] = {"--devices-new-devices-per-hour", "1000000", NULL};
    const struct part parts[] = {
        {.name = "file", .filename = "x.bin", .data = NULL},
        FIELD("version", "2"), {.name = NULL }
    };
    struct part filled[OTAD_COUNT(parts)];
    daemon_start(&d, flags);
    daemon_key(&d, "root", "admin", NULL, admin);
    make_product(&d, admin, "lamp");
    image = image_of("ESP8266", 41, IMAGE_BYTES);
    memcpy(filled, parts, sizeof parts);
    filled[0].data = image.data;
    filled[0].n = image.n;
    struct reply r = upload(&d, admin, "lamp", filled);
    CK_STATUS("upload", r, 201);
    char where[128];
    (void)snprintf(where, sizeof where, "/api/v1/products/lamp/builds/%s/url",
                   reply_text(&r, "id"));
    reply_free(&r);
    r = send_json(&d, admin, "POST", where, "{}");
    CK_STATUS("url", r, 201);
    (void)snprintf(url, sizeof url, "%s", strstr(reply_text(&r, "url"), "/static/"));
    reply_free(&r);
}

static void teardown(void)
{
    img_free(&image);
    daemon_free(&d);
}

/* As many as the hard limit on open files lets both sides hold. */
static int how_many(void)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int n = limit.rlim_max < READERS + OTHER_FDS ? (int)limit.rlim_max - OTHER_FDS : READERS;
    printf("readers: %d of %d, %llu files may be open\n", n, READERS,
           (unsigned long long)limit.rlim_max);
    ck_assert_int_gt(n, 0);
    return n;
}

/* A connection from an address of its own, a hundred each. */
static int open_from(int number)
{
    const int window = WINDOW;
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl((127U << 24) | (2U << 16) | (unsigned)(number / PER_ADDRESS + 1));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(d.port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_msg(fd >= 0, "socket: %s", strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
    ck_assert_msg(bind(fd, (struct sockaddr *)&from, sizeof from) == 0, "bind: %s",
                  strerror(errno));
    ck_assert_msg(connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "connect %d: %s", number,
                  strerror(errno));
    return fd;
}

static void open_reader(struct site *s, int number, int64_t now_ms)
{
    char request[512];
    struct reader *r = &s->readers[number];
    int n = snprintf(request, sizeof request,
                     "GET %s&mac=5CCF7F%06X HTTP/1.0\r\nHost: 127.0.0.1\r\n"
                     "Connection: keep-alive\r\n\r\n",
                     url, (unsigned)number + 1);
    r->fd = open_from(number);
    raw_send(r->fd, request, (size_t)n);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET,
                                .data.u32 = (unsigned)number};
    ck_assert_int_eq(epoll_ctl(s->epoll, EPOLL_CTL_ADD, r->fd, &event), 0);
    r->next_ms = now_ms;
    for (unsigned i = 0; i < STALLS; i++) /* spread, so that some stall at every moment */
        r->stall_at[i] =
            (size_t)(number * 7919 % 100 + 100 * (int)i) * IMAGE_BYTES / (100 * STALLS);
}

static void close_reader(struct site *s, struct reader *r)
{
    (void)close(r->fd);
    r->fd = -1;
    r->done = true;
    s->finished++;
}

/* Behind the head come the image's bytes, in order. */
static void take_body(struct reader *r, int number, const char *bytes, size_t n)
{
    ck_assert_msg(r->got + n <= image.n, "reader %d: more than the image", number);
    ck_assert_msg(memcmp(image.data + r->got, bytes, n) == 0, "reader %d: wrong bytes behind %zu",
                  number, r->got);
    r->got += n;
}

static void take_head(struct reader *r, int number, const char *bytes, size_t n)
{
    char length[48];
    ck_assert_msg(r->head_n + n < sizeof r->head, "reader %d: head of over %zu bytes", number,
                  r->head_n);
    memcpy(r->head + r->head_n, bytes, n);
    r->head_n += n;
    r->head[r->head_n] = '\0';
    char *end = memmem(r->head, r->head_n, "\r\n\r\n", 4);
    if (end == NULL)
        return;
    (void)snprintf(length, sizeof length, "\r\nContent-Length: %zu\r\n", image.n);
    ck_assert_msg(strncmp(r->head, "HTTP/1.1 200 ", 13) == 0 && strstr(r->head, length) != NULL,
                  "reader %d: %.300s", number, r->head);
    r->in_body = true;
    take_body(r, number, end + 4, r->head_n - (size_t)(end + 4 - r->head));
}

static bool starts_stall(struct reader *r)
{
    if (r->stalls == STALLS || r->got < r->stall_at[r->stalls])
        return false;
    r->stalls++;
    return true;
}

/* One turn of its loop: at most what it could have read since its last turn. */
static void read_piece(struct site *s, int number, int64_t now_ms)
{
    char bytes[4 * PIECE];
    struct reader *r = &s->readers[number];
    int64_t turns = (now_ms - r->next_ms) / TICK_MS + 1;
    size_t want = PIECE * (size_t)(turns < 4 && r->in_body ? turns : 1);
    ssize_t got = recv(r->fd, bytes, want < sizeof bytes ? want : sizeof bytes, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        r->readable = false;
        return;
    }
    ck_assert_msg(got > 0, "reader %d: gone after %zu of %zu bytes: %s", number, r->got, image.n,
                  got < 0 ? strerror(errno) : "closed");
    (r->in_body ? take_body : take_head)(r, number, bytes, (size_t)got);
    r->next_ms = now_ms + (starts_stall(r) ? STALL_MS : TICK_MS);
    if (r->in_body && r->got == image.n)
        close_reader(s, r);
}

/* Marks whose sockets have something, until the next tick. */
static void wait_for_tick(struct site *s, int64_t until_ms)
{
    struct epoll_event events[512];
    for (int64_t left = until_ms - test_now_ms(); left > 0; left = until_ms - test_now_ms()) {
        int n = epoll_wait(s->epoll, events, OTAD_COUNT(events), (int)left);
        for (int i = 0; i < n; i++)
            s->readers[events[i].data.u32].readable = true;
    }
}

static void tick(struct site *s, int64_t now_ms)
{
    for (int i = 0; i < OPENED_A_TICK && s->opened < s->n; i++)
        open_reader(s, s->opened++, now_ms);
    for (int i = 0; i < s->opened; i++)
        if (!s->readers[i].done && s->readers[i].readable && s->readers[i].next_ms <= now_ms)
            read_piece(s, i, now_ms);
}

static void read_all_of_them(struct site *s)
{
    const char *more = getenv("CK_TIMEOUT_MULTIPLIER");
    int64_t patience_s = DEADLINE_S * (more != NULL ? atoi(more) : 1);
    int most = 0;
    s->begun_ms = test_now_ms();
    for (int64_t now = s->begun_ms; s->finished < s->n; now = test_now_ms()) {
        tick(s, now);
        most = s->opened - s->finished > most ? s->opened - s->finished : most;
        ck_assert_msg(now < s->begun_ms + patience_s * 1000, "%d of %d finished in %lld s",
                      s->finished, s->n, (long long)patience_s);
        wait_for_tick(s, now + TICK_MS);
    }
    printf("%d finished in %.1f s, up to %d at once\n", s->finished,
           (double)(test_now_ms() - s->begun_ms) / 1000, most);
}

/* Each is a device with one whole transfer; the last facts are written within a second or two. */
static void check_ledger(int n)
{
    static const char sent[] =
        "SELECT count(*) FROM transfer WHERE state = 'sent' AND bytes_acked ="
        " size_bytes";
    int64_t until = test_now_ms() + DAEMON_PATIENCE_S * 1000;
    while (daemon_sql(&d, sent) < n && test_now_ms() < until)
        test_sleep_ms(100);
    ck_assert_int_eq(daemon_sql(&d, sent), n);
    ck_assert_int_eq(daemon_sql(&d, "SELECT count(*) FROM device"), n);
}

START_TEST(slow_readers_that_stall_all_finish_with_the_right_bytes)
{
    struct site s = {.n = how_many(), .epoll = epoll_create1(EPOLL_CLOEXEC)};
    ck_assert_int_ge(s.epoll, 0);
    s.readers = calloc((size_t)s.n, sizeof *s.readers);
    ck_assert_ptr_nonnull(s.readers);
    read_all_of_them(&s);
    check_ledger(s.n);
    struct reply r = get(&d, NULL, "/healthz");
    CK_STATUS("afterwards", r, 200);
    reply_free(&r);
    free(s.readers);
    (void)close(s.epoll);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("readers");
    TCase *tc = tcase_create("readers");
    tcase_set_timeout(tc, 150);
    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_add_test(tc, slow_readers_that_stall_all_finish_with_the_right_bytes);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
