/* SPDX-License-Identifier: MIT
 * load: the clients of the benchmark. Sends what stock ESP8266 libraries send, checks every
 * answer, and prints how many there were. No library but libc, so that it stays cheap. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DEVICES 1000 /* MACs taken in turn */
#define THREADS_MAX 8
#define PARKED_RCVBUF 5840 /* the window of an ESP8266: four segments of 1460 */
#define PARKED_PER_ADDRESS 100
#define REQUEST_MAX 1024
#define HEAD_MAX 2048

/* What the clients say, taken from requests recorded from the real libraries. */
static const char version_request[] = "GET /fw/lamp/5ccf7fa0%04x.version HTTP/1.1\r\n"
                                      "Host: 127.0.0.1:%u\r\n"
                                      "User-Agent: ESP8266HTTPClient\r\n"
                                      "Accept-Encoding: identity;q=1,chunked;q=0.1,*;q=0\r\n"
                                      "Connection: keep-alive\r\n"
                                      "Content-Length: 0\r\n\r\n";
static const char image_request[] = "GET /fw/lamp/5ccf7fa0%04x.bin HTTP/1.1\r\n"
                                    "Host: 127.0.0.1:%u\r\n"
                                    "User-Agent: ESP8266HTTPClient\r\n"
                                    "Accept-Encoding: identity;q=1,chunked;q=0.1,*;q=0\r\n"
                                    "Connection: close\r\n"
                                    "Content-Length: 0\r\n\r\n";
static const char checkin_request[] = "GET /fw/lamp/latest HTTP/1.0\r\n"
                                      "Host: 127.0.0.1:%u\r\n"
                                      "User-Agent: ESP8266-http-Update\r\n"
                                      "Connection: close\r\n"
                                      "x-ESP8266-Chip-ID: 10597059\r\n"
                                      "x-ESP8266-STA-MAC: 5C:CF:7F:A0:%02X:%02X\r\n"
                                      "x-ESP8266-AP-MAC: 5E:CF:7F:A0:%02X:%02X\r\n"
                                      "x-ESP8266-free-space: 1695744\r\n"
                                      "x-ESP8266-sketch-size: 400000\r\n"
                                      "x-ESP8266-sketch-md5: a43ad019932b627ab90ee35a94a764ee\r\n"
                                      "x-ESP8266-chip-size: 4194304\r\n"
                                      "x-ESP8266-sdk-version: 2.2.2-dev(38a443e)\r\n"
                                      "x-ESP8266-mode: sketch\r\n"
                                      "x-ESP8266-version: 2\r\n"
                                      "Content-Length: 0\r\n\r\n";

struct kind {
    const char *name;
    bool keep; /* one connection for all requests, else a new one for each */
};

static const struct kind kinds[] = {
    {"version", true },
    {"checkin", false},
    {"image",   false},
    {"park",    false},
};

struct run {
    const struct kind *kind;
    unsigned port;
    unsigned status; /* what the answers must be */
    double seconds;  /* or, with requests > 0, until so many are answered */
    uint64_t requests;
    unsigned connections, threads;
};

/* One connection and the answer that arrives on it. */
struct slot {
    int fd;
    char head[HEAD_MAX];
    size_t head_n;
    bool in_body;
    uint64_t left; /* body bytes to come */
};

struct worker {
    const struct run *run;
    pthread_t thread;
    unsigned first, n; /* its slots */
    unsigned device;   /* whose turn it is */
    uint64_t answers, bytes, bad;
    double end;
};

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

/* ---- requests ----------------------------------------------------------------------------- */

static size_t write_request(const struct run *run, unsigned device, char out[REQUEST_MAX])
{
    unsigned high = device >> 8, low = device & 0xFF;
    int n;
    if (strcmp(run->kind->name, "checkin") == 0)
        n = snprintf(out, REQUEST_MAX, checkin_request, run->port, high, low, high, low);
    else if (run->kind->keep)
        n = snprintf(out, REQUEST_MAX, version_request, device, run->port);
    else
        n = snprintf(out, REQUEST_MAX, image_request, device, run->port);
    return (size_t)n;
}

/* @param from  last 16 bits of the source address in 127.0.0.0/8, 0 = any */
static int open_connection(const struct run *run, unsigned from, int rcvbuf)
{
    const int on = 1;
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)run->port)};
    struct sockaddr_in local = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (rcvbuf > 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
    if (from > 0) {
        local.sin_addr.s_addr = htonl((127U << 24) | (1U << 16) | from);
        (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(fd, (struct sockaddr *)&local, sizeof local) != 0)
            die("bind");
    }
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) != 0)
        die("connect");
    return fd;
}

static void send_request(struct worker *w, struct slot *s)
{
    char request[REQUEST_MAX];
    size_t n = write_request(w->run, w->device, request);
    w->device = (w->device + w->run->threads) % DEVICES;
    s->head_n = 0;
    s->in_body = false;
    if (send(s->fd, request, n, MSG_NOSIGNAL) != (ssize_t)n)
        die("send");
}

static void start_slot(struct worker *w, struct slot *s, int epoll)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
    s->fd = open_connection(w->run, 0, 0);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &event) != 0)
        die("epoll_ctl");
    send_request(w, s);
}

/* ---- answers ------------------------------------------------------------------------------ */

/* Judges a complete head. A 304 has no body, whatever its length says. */
static void judge_head(struct worker *w, struct slot *s)
{
    unsigned status = (unsigned)strtoul(s->head + 9, NULL, 10);
    const char *length = strcasestr(s->head, "\r\nContent-Length:");
    s->left = status != 304 && length != NULL ? strtoull(length + 17, NULL, 10) : 0;
    w->bad += status != w->run->status;
}

/* Takes n bytes that arrived. @return whether the answer is complete. */
static bool take(struct worker *w, struct slot *s, const char *data, size_t n)
{
    w->bytes += n;
    if (!s->in_body) {
        size_t room = HEAD_MAX - 1 - s->head_n, part = n < room ? n : room;
        memcpy(s->head + s->head_n, data, part);
        s->head[s->head_n + part] = '\0';
        const char *end = strstr(s->head, "\r\n\r\n");
        if (end == NULL) {
            s->head_n += part;
            return false;
        }
        size_t used = (size_t)(end + 4 - s->head) - s->head_n;
        s->in_body = true;
        judge_head(w, s);
        n -= used;
    }
    s->left -= n < s->left ? n : s->left;
    return s->left == 0;
}

/* A kept connection goes on with its next request, another one waits for the server to close it. */
static void on_readable(struct worker *w, struct slot *s, int epoll)
{
    static _Thread_local char data[256 * 1024];
    ssize_t n = recv(s->fd, data, sizeof data, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    bool complete = n > 0 && take(w, s, data, (size_t)n);
    if (n > 0 && (!complete || !w->run->kind->keep))
        return;
    if (complete) {
        w->answers++;
        send_request(w, s);
        return;
    }
    w->answers++;
    w->bad += !s->in_body || s->left > 0; /* closed too early */
    (void)close(s->fd);
    start_slot(w, s, epoll);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    const struct run *run = w->run;
    struct epoll_event events[64];
    struct slot *slots = calloc(w->n, sizeof *slots);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (slots == NULL || epoll < 0)
        die("start");
    double deadline = now() + run->seconds;
    for (unsigned i = 0; i < w->n; i++)
        start_slot(w, &slots[i], epoll);
    do {
        int n = epoll_wait(epoll, events, 64, 100);
        for (int i = 0; i < n; i++)
            on_readable(w, events[i].data.ptr, epoll);
        w->end = now();
    } while (run->requests > 0 ? w->answers < run->requests / run->threads : w->end < deadline);
    for (unsigned i = 0; i < w->n; i++)
        (void)close(slots[i].fd);
    (void)close(epoll);
    free(slots);
    return NULL;
}

/* ---- the two ways to run ------------------------------------------------------------------ */

/* Prints "ANSWERS SECONDS BYTES BAD". */
static int run_load(const struct run *run)
{
    struct worker workers[THREADS_MAX];
    double start = now(), end = start;
    uint64_t answers = 0, bytes = 0, bad = 0;
    for (unsigned i = 0; i < run->threads; i++) {
        workers[i] = (struct worker){.run = run, .n = run->connections / run->threads, .device = i};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            die("thread");
    }
    for (unsigned i = 0; i < run->threads; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        answers += workers[i].answers;
        bytes += workers[i].bytes;
        bad += workers[i].bad;
        end = workers[i].end > end ? workers[i].end : end;
    }
    printf("%" PRIu64 " %.6f %" PRIu64 " %" PRIu64 "\n", answers, end - start, bytes, bad);
    return EXIT_SUCCESS;
}

/* Requests the image on every connection, waits until each has sent something, prints "parked N"
 * and holds them, reading nothing, until standard input ends. */
static int run_park(const struct run *run)
{
    char byte, request[REQUEST_MAX];
    int *fds = calloc(run->connections, sizeof *fds);
    if (fds == NULL)
        die("start");
    for (unsigned i = 0; i < run->connections; i++) {
        size_t n = write_request(run, i % DEVICES, request);
        fds[i] = open_connection(run, 1 + i / PARKED_PER_ADDRESS, PARKED_RCVBUF);
        if (send(fds[i], request, n, MSG_NOSIGNAL) != (ssize_t)n)
            die("send");
    }
    for (unsigned i = 0; i < run->connections; i++)
        if (recv(fds[i], &byte, 1, MSG_PEEK) != 1)
            die("recv");
    printf("parked %u\n", run->connections);
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    free(fds);
    return EXIT_SUCCESS;
}

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

int main(int argc, char **argv)
{
    struct run run = {.status = 200, .seconds = 1, .connections = 32, .threads = 2};
    int option;
    while ((option = getopt(argc, argv, "s:d:n:c:t:")) != -1) {
        if (option == 's')
            run.status = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'd')
            run.seconds = strtod(optarg, NULL);
        else if (option == 'n')
            run.requests = strtoull(optarg, NULL, 10);
        else if (option == 'c')
            run.connections = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 't')
            run.threads = (unsigned)strtoul(optarg, NULL, 10);
        else
            return 2;
    }
    if (argc - optind == 2) {
        run.kind = find_kind(argv[optind]);
        run.port = (unsigned)strtoul(argv[optind + 1], NULL, 10);
    }
    if (run.kind == NULL || run.threads < 1 || run.threads > THREADS_MAX ||
        run.connections < run.threads) {
        fputs("usage: load [-s STATUS] [-d SECONDS | -n REQUESTS] [-c CONNECTIONS] [-t THREADS] "
              "version|checkin|image|park PORT\n",
              stderr);
        return 2;
    }
    return strcmp(run.kind->name, "park") == 0 ? run_park(&run) : run_load(&run);
}
