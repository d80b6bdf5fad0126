/* SPDX-License-Identifier: MIT
 * fleet: many simulated devices against one server, each the device client's core, each with the
 * fault it was born with. Ends when every device has come to an end, and says for each what the
 * server's ledger must say. */
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/fleet_device.h"

#define THREADS_MAX 1024
#define ROUNDS_MAX 60
#define ERRORS_MAX 512 /* numbers of the client's errors, negated */

static const char usage[] =
    "Usage: fleet [options] -p PORT -i IMAGE PRODUCT\n"
    "  -n N        devices (1000)\n"
    "  -j N        at the server at the same time (256)\n"
    "  -w MS       between two rounds of a device, half to one and a half times (400)\n"
    "  -f LIST     share of devices with a fault, in percent: "
    "drop=5,power=5,flash=2,old=2,silent=1\n"
    "  -t FILE     one line a device: MAC, the state its update must have, its fault\n";

struct work {
    struct fleet fleet;
    uint8_t *image;
    struct fleet_device *devices;
    unsigned n, threads, wait_ms;
    unsigned percent[FLEET_FAULT_N];
    const char *truth;

    pthread_mutex_t lock;
    pthread_cond_t due, led; /* one thread waits for the next device, the others for that place */
    bool leader;
    struct due {
        uint64_t at_ms;
        unsigned device;
    } * heap; /* the next due first */
    unsigned heap_n, busy;
    unsigned ends[FLEET_GONE + 1], wrong, stuck;
    uint64_t rounds, errors[ERRORS_MAX];
};

static uint64_t now_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void die(const char *what)
{
    (void)fprintf(stderr, "fleet: %s\n", what);
    exit(2);
}

/* ---- who is due ---------------------------------------------------------------------------- */

static void swap(struct due *a, struct due *b)
{
    struct due c = *a;
    *a = *b;
    *b = c;
}

static void push(struct work *w, unsigned device, uint64_t at_ms)
{
    unsigned i = w->heap_n++;
    w->heap[i] = (struct due){at_ms, device};
    for (; i > 0 && w->heap[(i - 1) / 2].at_ms > w->heap[i].at_ms; i = (i - 1) / 2)
        swap(&w->heap[i], &w->heap[(i - 1) / 2]);
}

static unsigned pop(struct work *w)
{
    unsigned device = w->heap[0].device;
    w->heap[0] = w->heap[--w->heap_n];
    for (unsigned i = 0, least = 0;; i = least) {
        for (unsigned child = 2 * i + 1; child <= 2 * i + 2 && child < w->heap_n; child++)
            if (w->heap[child].at_ms < w->heap[least].at_ms)
                least = child;
        if (least == i)
            return device;
        swap(&w->heap[i], &w->heap[least]);
    }
}

static void wait_until(struct work *w, uint64_t at_ms)
{
    const struct timespec until = {(time_t)(at_ms / 1000), (long)(at_ms % 1000) * 1000000};
    if (w->leader) {
        (void)pthread_cond_wait(&w->led, &w->lock);
        return;
    }
    w->leader = true;
    (void)pthread_cond_timedwait(&w->due, &w->lock, &until);
    w->leader = false;
    (void)pthread_cond_signal(&w->led);
}

/* Waits for a device that is due. @return false when all have come to an end */
static bool take(struct work *w, unsigned *device)
{
    while (w->heap_n > 0 || w->busy > 0) {
        uint64_t now = now_ms();
        if (w->heap_n > 0 && w->heap[0].at_ms <= now) {
            *device = pop(w);
            w->busy++;
            return true;
        }
        wait_until(w, w->heap_n > 0 ? w->heap[0].at_ms : now + 1000);
    }
    (void)pthread_cond_broadcast(&w->led);
    return false;
}

/* ---- running ------------------------------------------------------------------------------- */

static void note(struct work *w, unsigned device, enum fleet_end end, int error)
{
    struct fleet_device *d = &w->devices[device];
    w->busy--;
    w->rounds++;
    if (error < 0 && -error < ERRORS_MAX)
        w->errors[-error]++;
    if (end == FLEET_GOES_ON && d->rounds < ROUNDS_MAX) {
        d->rng = d->rng * 1664525u + 1013904223u;
        push(w, device, now_ms() + w->wait_ms / 2 + (d->rng >> 8) % (w->wait_ms + 1));
        if (w->heap[0].device == device)
            (void)pthread_cond_signal(&w->due);
        return;
    }
    w->ends[end]++;
    w->stuck += end == FLEET_GOES_ON;
    w->wrong += d->wrong;
    if (w->heap_n == 0 && w->busy == 0)
        (void)pthread_cond_signal(&w->due);
}

static void *run(void *arg)
{
    struct work *w = arg;
    unsigned device;
    (void)pthread_mutex_lock(&w->lock);
    while (take(w, &device)) {
        (void)pthread_mutex_unlock(&w->lock);
        int error;
        enum fleet_end end = fleet_device_round(&w->devices[device], &error);
        (void)pthread_mutex_lock(&w->lock);
        note(w, device, end, error);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void run_all(struct work *w)
{
    pthread_t threads[THREADS_MAX];
    pthread_condattr_t attr;
    pthread_attr_t small;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->due, &attr);
    (void)pthread_cond_init(&w->led, NULL);
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_attr_init(&small);
    (void)pthread_attr_setstacksize(&small, 256 * 1024);
    for (unsigned i = 0; i < w->threads; i++)
        if (pthread_create(&threads[i], &small, run, w) != 0)
            die("no threads left: choose a smaller -j");
    for (unsigned i = 0; i < w->threads; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_attr_destroy(&small);
    (void)pthread_condattr_destroy(&attr);
    (void)pthread_cond_destroy(&w->due);
    (void)pthread_cond_destroy(&w->led);
    (void)pthread_mutex_destroy(&w->lock);
}

/* ---- the fleet ----------------------------------------------------------------------------- */

/* The first devices of each hundred have the faults, so that a share is exact. */
static enum fleet_fault fault_of(const struct work *w, unsigned device)
{
    unsigned at = device % 100;
    for (unsigned fault = FLEET_NONE + 1; fault < FLEET_FAULT_N; fault++) {
        if (at < w->percent[fault])
            return (enum fleet_fault)fault;
        at -= w->percent[fault];
    }
    return FLEET_NONE;
}

static void make_devices(struct work *w)
{
    w->devices = calloc(w->n, sizeof *w->devices);
    w->heap = calloc(w->n, sizeof *w->heap);
    if (w->devices == NULL || w->heap == NULL)
        die("out of memory");
    uint64_t now = now_ms();
    for (unsigned i = 0; i < w->n; i++) {
        fleet_device_init(&w->devices[i], &w->fleet, i + 1, fault_of(w, i));
        push(w, i, now);
    }
}

static void read_faults(struct work *w, char *list)
{
    unsigned all = 0;
    for (char *save, *item = strtok_r(list, ",", &save); item != NULL;
         item = strtok_r(NULL, ",", &save)) {
        char *value = strchr(item, '=');
        unsigned fault = FLEET_NONE + 1;
        if (value != NULL)
            *value++ = '\0';
        while (fault < FLEET_FAULT_N && strcmp(item, fleet_fault_word[fault]) != 0)
            fault++;
        if (value == NULL || fault == FLEET_FAULT_N)
            die("-f takes a list like drop=5,power=5,flash=2,old=2,silent=1");
        w->percent[fault] = (unsigned)strtoul(value, NULL, 10);
        all += w->percent[fault];
    }
    if (all > 100)
        die("the shares of -f are more than 100 percent");
}

static void read_image(struct work *w, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL || fseek(f, 0, SEEK_END) != 0)
        die("the image can't be read");
    long n = ftell(f);
    rewind(f);
    uint8_t *image = n > 0 && n <= INT32_MAX ? malloc((size_t)n) : NULL;
    if (image == NULL || fread(image, 1, (size_t)n, f) != (size_t)n)
        die("the image can't be read");
    (void)fclose(f);
    w->fleet.image = w->image = image;
    w->fleet.image_n = (uint32_t)n;
}

static void write_truth(const struct work *w)
{
    FILE *f = fopen(w->truth, "w");
    if (f == NULL)
        die("the file of -t can't be written");
    for (unsigned i = 0; i < w->n; i++) {
        enum fleet_fault fault = w->devices[i].fault;
        (void)fprintf(f, "%s %s %s\n", w->devices[i].mac, fleet_fate[fault],
                      fleet_fault_word[fault]);
    }
    if (fclose(f) != 0)
        die("the file of -t can't be written");
}

static void print_result(const struct work *w, double seconds)
{
    uint64_t received = 0;
    for (unsigned i = 0; i < w->n; i++)
        received += w->devices[i].received;
    printf("fleet devices=%u seconds=%.1f rounds=%" PRIu64 " rounds_s=%.0f mb_s=%.1f installed=%u "
           "held=%u gone=%u stuck=%u wrong=%u",
           w->n, seconds, w->rounds, (double)w->rounds / seconds, (double)received / 1e6 / seconds,
           w->ends[FLEET_INSTALLED], w->ends[FLEET_HELD], w->ends[FLEET_GONE], w->stuck, w->wrong);
    for (int i = 0; i < ERRORS_MAX; i++)
        if (w->errors[i] > 0)
            printf(" %s=%" PRIu64, otac_err_word(-i), w->errors[i]);
    printf("\n");
}

int main(int argc, char **argv)
{
    struct work w = {.fleet = {.host = "127.0.0.1"}, .n = 1000, .threads = 256, .wait_ms = 400};
    int option;
    while ((option = getopt(argc, argv, "n:j:w:f:t:p:i:")) != -1) {
        switch (option) {
        case 'n':
            w.n = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'j':
            w.threads = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'w':
            w.wait_ms = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'f':
            read_faults(&w, optarg);
            break;
        case 't':
            w.truth = optarg;
            break;
        case 'p':
            w.fleet.port = (uint16_t)strtoul(optarg, NULL, 10);
            break;
        case 'i':
            read_image(&w, optarg);
            break;
        default:
            die(usage);
        }
    }
    if (optind + 1 != argc || w.fleet.port == 0 || w.fleet.image == NULL || w.n == 0 ||
        w.n > 0xffff00 || w.threads == 0 || w.threads > THREADS_MAX)
        die(usage);
    w.fleet.product = argv[optind];
    make_devices(&w);
    uint64_t began = now_ms();
    run_all(&w);
    print_result(&w, (double)(now_ms() - began) / 1000);
    if (w.truth != NULL)
        write_truth(&w);
    free(w.devices);
    free(w.heap);
    free(w.image);
    return w.stuck > 0 || w.wrong > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
