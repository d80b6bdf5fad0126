/* SPDX-License-Identifier: MIT
 * fleet: thousands of simulated devices in one process, each a real client core with a boot record
 * of its own, against one server. Some break connections, some never apply what they took, some go
 * back. Every turn of a device is a start, one round, and what a restart would do then. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "otad_client.h"

enum { SLOT_MAX = 4 << 20, THREADS_MAX = 480, BUCKETS = 32, PERCENT = 100 };

enum profile { GOOD, NEVER_APPLIES, GOES_BACK, PROFILES };

struct device {
    uint8_t record[OTAC_RECORD_SIZE], before[OTAC_RECORD_SIZE]; /* stored; before the update */
    bool has_record, had_record;
    bool updated; /* runs the new image */
    bool gone_back;
    enum profile profile;
    char mac[18];
};

struct fleet {
    struct device *devices;
    unsigned count, threads, seconds, rounds;
    unsigned drop_pct, never_pct, back_pct;
    uint16_t port;
    const char *product;
    int64_t until_us;
    atomic_uint next;
    uint64_t check_ins, updates, drops, bytes, failures[-OTAC_E_RECORD_IO + 1], latency[BUCKETS];
};

/* One thread, the port of the device whose turn it is. */
struct worker {
    struct fleet *fleet;
    struct device *device;
    unsigned number;
    int sock;
    int64_t drop_after; /* bytes until the connection breaks; -1: it doesn't */
    uint64_t random;
    uint8_t *slot;
    EVP_MD_CTX *sha256, *md5;
    uint64_t check_ins, updates, drops, bytes, failures[-OTAC_E_RECORD_IO + 1], latency[BUCKETS];
};

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static uint32_t next_random(struct worker *w) /* xorshift64 */
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (uint32_t)(w->random >> 32);
}

/* ---- the port ------------------------------------------------------------------------------ */

/* From an address of its own for each thread, so that ports don't run out. */
static int net_connect(void *ctx, const char *host, uint16_t port)
{
    struct worker *w = ctx;
    const struct timeval patience = {.tv_sec = 30};
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    const int on = 1;
    from.sin_addr.s_addr = htonl(0x7f010000u + 2 + w->number);
    to.sin_port = htons(port);
    (void)inet_pton(AF_INET, host, &to.sin_addr);
    w->sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (w->sock < 0)
        return OTAC_E_CONNECT;
    (void)setsockopt(w->sock, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    (void)setsockopt(w->sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (bind(w->sock, (struct sockaddr *)&from, sizeof from) == 0 &&
        connect(w->sock, (struct sockaddr *)&to, sizeof to) == 0) {
        const bool drops = next_random(w) % PERCENT < w->fleet->drop_pct;
        w->drop_after = drops ? (int64_t)(next_random(w) % 100000) : -1;
        return OTAC_OK;
    }
    (void)close(w->sock);
    return OTAC_E_CONNECT;
}

static int net_send(void *ctx, const void *data, size_t n)
{
    struct worker *w = ctx;
    const char *at = data;
    for (ssize_t sent; n > 0; at += sent, n -= (size_t)sent)
        if ((sent = send(w->sock, at, n, MSG_NOSIGNAL)) <= 0)
            return OTAC_E_CONN_LOST;
    return OTAC_OK;
}

static int net_recv(void *ctx, void *buf, size_t n)
{
    struct worker *w = ctx;
    ssize_t got = recv(w->sock, buf, n, 0);
    if (got < 0)
        return errno == EAGAIN ? OTAC_E_TIMEOUT : OTAC_E_CONN_LOST;
    w->bytes += (uint64_t)got;
    if (w->drop_after >= 0 && (w->drop_after -= got) < 0) {
        w->drops++;
        return OTAC_E_CONN_LOST;
    }
    return (int)got;
}

static void net_close(void *ctx)
{
    struct worker *w = ctx;
    (void)close(w->sock);
}

static int slot_begin(void *ctx, unsigned slot, uint32_t size)
{
    (void)ctx;
    (void)slot;
    return size <= SLOT_MAX ? OTAC_OK : OTAC_E_NO_SPACE;
}

static int slot_write(void *ctx, unsigned slot, uint32_t offset, const void *data, size_t n)
{
    struct worker *w = ctx;
    (void)slot;
    memcpy(w->slot + offset, data, n);
    return OTAC_OK;
}

static int slot_finish(void *ctx, unsigned slot)
{
    (void)ctx;
    (void)slot;
    return OTAC_OK;
}

static int slot_read(void *ctx, unsigned slot, uint32_t offset, void *buf, size_t n)
{
    struct worker *w = ctx;
    (void)slot;
    memcpy(buf, w->slot + offset, n);
    return OTAC_OK;
}

static int record_load(void *ctx, void *buf, size_t n)
{
    struct worker *w = ctx;
    if (!w->device->has_record)
        return 0;
    memcpy(buf, w->device->record, n);
    return (int)n;
}

static int record_save(void *ctx, const void *data, size_t n)
{
    struct worker *w = ctx;
    memcpy(w->device->record, data, n);
    w->device->has_record = true;
    return OTAC_OK;
}

static int hash_begin(void *ctx)
{
    struct worker *w = ctx;
    bool ok = EVP_DigestInit_ex(w->sha256, EVP_sha256(), NULL) == 1 &&
              EVP_DigestInit_ex(w->md5, EVP_md5(), NULL) == 1;
    return ok ? OTAC_OK : OTAC_E_HASH;
}

static int hash_update(void *ctx, const void *data, size_t n)
{
    struct worker *w = ctx;
    bool ok = EVP_DigestUpdate(w->sha256, data, n) == 1 && EVP_DigestUpdate(w->md5, data, n) == 1;
    return ok ? OTAC_OK : OTAC_E_HASH;
}

static int hash_finish(void *ctx, uint8_t sha256[32], uint8_t md5[16])
{
    struct worker *w = ctx;
    bool ok = EVP_DigestFinal_ex(w->sha256, sha256, NULL) == 1 &&
              EVP_DigestFinal_ex(w->md5, md5, NULL) == 1;
    return ok ? OTAC_OK : OTAC_E_HASH;
}

static uint32_t clock_ms(void *ctx)
{
    (void)ctx;
    return (uint32_t)(now_us() / 1000);
}

static void sleep_ms(void *ctx, uint32_t ms)
{
    (void)ctx;
    (void)ms;
}

static uint32_t random_32(void *ctx)
{
    return next_random(ctx);
}

static void on_event(void *ctx, enum otac_event event, int64_t value)
{
    struct worker *w = ctx;
    (void)value;
    w->check_ins += event == OTAC_EV_ANSWER;
}

/* ---- one turn of a device ------------------------------------------------------------------ */

static void count_latency(struct worker *w, int64_t us)
{
    unsigned bucket = 0;
    while (us > 1 && bucket < BUCKETS - 1) {
        us >>= 1;
        bucket++;
    }
    w->latency[bucket]++;
}

/* The restart behind an update: into the new image, or not. */
static void restart(struct device *d)
{
    if (d->profile == NEVER_APPLIES) {
        memcpy(d->record, d->before, sizeof d->record);
        d->has_record = d->had_record;
    } else {
        d->updated = true;
    }
}

/* It ran the new image for one round, and was not content. */
static void go_back(struct device *d)
{
    memcpy(d->record, d->before, sizeof d->record);
    d->has_record = d->had_record;
    d->updated = false;
    d->gone_back = true;
}

static void take_turn(struct worker *w, const struct otac_port *port)
{
    struct device *d = w->device;
    struct otac client;
    uint8_t work[1024];
    const struct otac_config config = {.host = "127.0.0.1",
                                       .port = w->fleet->port,
                                       .product = w->fleet->product,
                                       .mac = d->mac,
                                       .version = d->updated ? "2.0.0" : "1.0.0",
                                       .family = "ESP8266",
                                       .chip = "ESP8266",
                                       .slot_size = SLOT_MAX};
    if (!d->updated) {
        memcpy(d->before, d->record, sizeof d->before);
        d->had_record = d->has_record;
    }
    const int64_t since = now_us();
    int rc = otac_init(&client, &config, port, work, sizeof work);
    if (rc == OTAC_OK)
        rc = otac_update(&client);
    count_latency(w, now_us() - since);
    if (rc < 0 && rc >= OTAC_E_RECORD_IO)
        w->failures[-rc]++;
    if (rc == OTAC_UPDATED) {
        w->updates++;
        restart(d);
    } else if (d->updated && d->profile == GOES_BACK && rc == OTAC_UP_TO_DATE) {
        go_back(d);
    }
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct fleet *f = w->fleet;
    const struct otac_port port = {.ctx = w,
                                   .connect = net_connect,
                                   .send = net_send,
                                   .recv = net_recv,
                                   .close = net_close,
                                   .slot_begin = slot_begin,
                                   .slot_write = slot_write,
                                   .slot_finish = slot_finish,
                                   .slot_read = slot_read,
                                   .record_load = record_load,
                                   .record_save = record_save,
                                   .hash_begin = hash_begin,
                                   .hash_update = hash_update,
                                   .hash_finish = hash_finish,
                                   .clock_ms = clock_ms,
                                   .sleep_ms = sleep_ms,
                                   .random = random_32,
                                   .log = on_event};
    for (;;) {
        const unsigned turn = atomic_fetch_add(&f->next, 1);
        if (turn >= f->count * f->rounds || now_us() >= f->until_us)
            break;
        w->device = &f->devices[turn % f->count];
        take_turn(w, &port);
    }
    return NULL;
}

/* ---- the fleet ----------------------------------------------------------------------------- */

static void add_up(struct fleet *f, const struct worker *w)
{
    f->check_ins += w->check_ins;
    f->updates += w->updates;
    f->drops += w->drops;
    f->bytes += w->bytes;
    for (size_t i = 0; i < sizeof f->failures / sizeof f->failures[0]; i++)
        f->failures[i] += w->failures[i];
    for (unsigned i = 0; i < BUCKETS; i++)
        f->latency[i] += w->latency[i];
}

static bool make_worker(struct worker *w, struct fleet *f, unsigned number)
{
    *w = (struct worker){.fleet = f,
                         .number = number,
                         .random = 0x9e3779b97f4a7c15u * (number + 1),
                         .slot = malloc(SLOT_MAX),
                         .sha256 = EVP_MD_CTX_new(),
                         .md5 = EVP_MD_CTX_new()};
    return w->slot != NULL && w->sha256 != NULL && w->md5 != NULL;
}

static void make_devices(struct fleet *f)
{
    for (unsigned i = 0; i < f->count; i++) {
        struct device *d = &f->devices[i];
        const unsigned draw = i % PERCENT;
        d->profile = draw < f->never_pct                 ? NEVER_APPLIES
                     : draw < f->never_pct + f->back_pct ? GOES_BACK
                                                         : GOOD;
        (void)snprintf(d->mac, sizeof d->mac, "5C:CF:7F:%02X:%02X:%02X", (i >> 16) & 0xff,
                       (i >> 8) & 0xff, i & 0xff);
    }
}

/* A round at a time, so that no device has two turns at once. */
static bool run(struct fleet *f)
{
    static struct worker workers[THREADS_MAX];
    static pthread_t threads[THREADS_MAX];
    const unsigned rounds = f->rounds;
    for (unsigned i = 0; i < f->threads; i++)
        if (!make_worker(&workers[i], f, i))
            return false;
    f->rounds = 1;
    for (unsigned round = 0; round < rounds; round++) {
        unsigned started = 0;
        atomic_store(&f->next, 0);
        while (started < f->threads &&
               pthread_create(&threads[started], NULL, work, &workers[started]) == 0)
            started++;
        for (unsigned i = 0; i < started; i++)
            (void)pthread_join(threads[i], NULL);
        if (started == 0)
            return false;
    }
    for (unsigned i = 0; i < f->threads; i++) {
        add_up(f, &workers[i]);
        free(workers[i].slot);
        EVP_MD_CTX_free(workers[i].sha256);
        EVP_MD_CTX_free(workers[i].md5);
    }
    return true;
}

/* Upper bound of the bucket that holds the percentile, in milliseconds. */
static double latency_ms(const struct fleet *f, unsigned percent)
{
    uint64_t all = 0, below = 0;
    unsigned i = 0;
    for (unsigned k = 0; k < BUCKETS; k++)
        all += f->latency[k];
    for (; i < BUCKETS - 1; i++)
        if ((below += f->latency[i]) * PERCENT >= all * percent)
            break;
    return (double)(UINT64_C(2) << i) / 1000;
}

static int report(const struct fleet *f, double seconds)
{
    unsigned now[PROFILES] = {0}, all[PROFILES] = {0}, back = 0;
    for (unsigned i = 0; i < f->count; i++) {
        const struct device *d = &f->devices[i];
        all[d->profile]++;
        now[d->profile] += d->updated;
        back += d->gone_back;
    }
    printf("fleet devices=%u threads=%u seconds=%.1f check_ins=%" PRIu64 " updates=%" PRIu64
           " dropped=%" PRIu64 " mbytes=%.0f\n",
           f->count, f->threads, seconds, f->check_ins, f->updates, f->drops,
           (double)f->bytes / 1e6);
    printf("fleet rounds_per_s=%.0f p50_ms=%.1f p99_ms=%.1f\n",
           (double)(f->count * f->rounds) / seconds, latency_ms(f, 50), latency_ms(f, 99));
    printf("fleet good=%u updated=%u never=%u back=%u gone_back=%u\n", all[GOOD], now[GOOD],
           all[NEVER_APPLIES], all[GOES_BACK], back);
    for (size_t i = 0; i < sizeof f->failures / sizeof f->failures[0]; i++)
        if (f->failures[i] != 0)
            printf("fleet error=%s times=%" PRIu64 "\n", otac_err_word(-(int)i), f->failures[i]);
    return now[GOOD] == all[GOOD] ? EXIT_SUCCESS : EXIT_FAILURE;
}

static unsigned number_of(const char *text, unsigned max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*end != '\0' || end == text || value > max) {
        fprintf(stderr, "fleet: '%s' is no number up to %u\n", text, max);
        exit(2);
    }
    return (unsigned)value;
}

static const char usage[] =
    "usage: fleet [options] PORT PRODUCT\n"
    "  -n N  devices (2000)        -t N  at work at a time (64)   -s S  at most so long (60)\n"
    "  -r N  turns of each (6)     -d P  connections that break, in percent (0)\n"
    "  -x P  devices that never apply an update, in percent (0)\n"
    "  -b P  devices that run it once and go back, in percent (0)\n"
    "exit status 1: a device that should have been updated was not\n";

int main(int argc, char **argv)
{
    static struct fleet f = {.count = 2000, .threads = 64, .seconds = 60, .rounds = 6};
    int option;
    while ((option = getopt(argc, argv, "n:t:s:r:d:x:b:")) != -1) {
        switch (option) {
        case 'n':
            f.count = number_of(optarg, 1 << 24);
            break;
        case 't':
            f.threads = number_of(optarg, THREADS_MAX);
            break;
        case 's':
            f.seconds = number_of(optarg, 86400);
            break;
        case 'r':
            f.rounds = number_of(optarg, 1000);
            break;
        case 'd':
            f.drop_pct = number_of(optarg, PERCENT);
            break;
        case 'x':
            f.never_pct = number_of(optarg, PERCENT);
            break;
        case 'b':
            f.back_pct = number_of(optarg, PERCENT);
            break;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (argc - optind != 2 || f.count == 0 || f.threads == 0) {
        fputs(usage, stderr);
        return 2;
    }
    f.port = (uint16_t)number_of(argv[optind], UINT16_MAX);
    f.product = argv[optind + 1];
    f.devices = calloc(f.count, sizeof *f.devices);
    if (f.devices == NULL)
        return 2;
    make_devices(&f);
    const unsigned rounds = f.rounds;
    const int64_t since = now_us();
    f.until_us = since + f.seconds * INT64_C(1000000);
    bool ran = run(&f);
    f.rounds = rounds;
    int code = ran ? report(&f, (double)(now_us() - since) / 1e6) : 2;
    free(f.devices);
    return code;
}
