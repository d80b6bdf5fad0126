/* SPDX-License-Identifier: MIT
 * Fifty uploads of 4 MiB at once while fifty devices download: every hash is right, nothing is
 * answered 5xx, and check-ins stay quick (printed, not asserted: machines differ). */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#include "support/crashkit.h"
#include "support/http.h"
#include "support/unit.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UPLOADS 10 /* looking for races and leaks, many times slower */
#define DEVICES 10
#define PAUSE_MS 100
#else
#define UPLOADS 50
#define DEVICES 50
#define PAUSE_MS 0
#endif
#define PRODUCTS 2
#define IMAGE_BYTES (4u << 20)
#define PROBES_MAX 200000

/* The images the devices start with are as large as the others: fifty devices that fetch a small
 * one in a tight loop keep the ledger's writer so busy that uploads only crawl. */
static struct daemon d;
static char key[DAEMON_KEY];
static atomic_bool done;
static atomic_uint downloads, wrong, bad_status;
static atomic_long bad_example;

struct uploaded {
    unsigned number;
    pthread_t thread;
    char sha256[65], id[40];
    long status;
};

static const char *product_of(unsigned number)
{
    return number % PRODUCTS == 0 ? "even" : "odd";
}

static void *upload_one(void *arg)
{
    struct uploaded *u = arg;
    struct img image = {0};
    char version[24];
    const struct img_spec spec = {
        .chip = "ESP8266", .seed = 1000 + u->number, .size_bytes = IMAGE_BYTES, .flash_size = 0};
    if (!img_build_app(&spec, &image))
        abort();
    crash_sha256(image.data, image.n, u->sha256);
    (void)snprintf(version, sizeof version, "2.%u", u->number);
    const struct part parts[] = {
        {.name = "file",      .filename = "big.bin", .data = image.data, .n = image.n},
        {.name = "version", .text = version},
        {.name = NULL                  }
    };
    struct reply r = upload(&d, key, product_of(u->number), parts);
    u->status = r.status;
    (void)snprintf(u->id, sizeof u->id, "%s", reply_text(&r, "id"));
    if (r.status != 201)
        fprintf(stderr, "upload %u: %ld %.300s\n", u->number, r.status, r.body);
    else if (strcmp(reply_text(&r, "sha256"), u->sha256) != 0)
        (void)atomic_fetch_add(&wrong, 1);
    reply_free(&r);
    img_free(&image);
    return NULL;
}

/* The strong ETag is the image's SHA-256. */
static void *download_loop(void *arg)
{
    unsigned number = *(unsigned *)arg;
    char path[96], found[65];
    (void)snprintf(path, sizeof path, "/fw/%s/30AEA4%06X.bin", product_of(number), number + 1);
    while (!atomic_load(&done)) {
        struct reply r = get(&d, NULL, path);
        const char *etag = r.head != NULL ? strstr(r.head, "\nETag: \"") : NULL;
        if (r.status != 200) {
            (void)atomic_fetch_add(&bad_status, 1);
            atomic_store(&bad_example, r.status);
        } else {
            crash_sha256(r.body, r.n, found);
            if (etag == NULL || strncmp(etag + 8, found, 64) != 0)
                (void)atomic_fetch_add(&wrong, 1);
            (void)atomic_fetch_add(&downloads, 1);
        }
        reply_free(&r);
        test_sleep_ms(PAUSE_MS);
    }
    return NULL;
}

/* ---- how long a check-in takes meanwhile --------------------------------------------------- */

struct probe {
    pthread_t thread;
    double *ms;
    size_t n;
};

static size_t swallow(char *data, size_t size, size_t n, void *arg)
{
    (void)data;
    (void)arg;
    return size * n;
}

static void *probe_loop(void *arg)
{
    struct probe *p = arg;
    char url[128];
    CURL *curl = curl_easy_init();
    (void)snprintf(url, sizeof url, "http://%s/fw/even/30AEA4FF0001.version", d.address);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, swallow);
    while (!atomic_load(&done) && p->n < PROBES_MAX) {
        double seconds = 0;
        long status = 0;
        CURLcode rc = curl_easy_perform(curl);
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        (void)curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME, &seconds);
        if (rc != CURLE_OK || status != 200) {
            (void)atomic_fetch_add(&bad_status, 1);
            atomic_store(&bad_example, status);
        }
        p->ms[p->n++] = seconds * 1000;
        test_sleep_ms(2);
    }
    curl_easy_cleanup(curl);
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_probe(const char *what, struct probe *p)
{
    qsort(p->ms, p->n, sizeof *p->ms, by_size);
    if (p->n > 0)
        fprintf(stderr, "%s: %zu check-ins, p50 %.2f ms, p99 %.2f ms, max %.2f ms\n", what, p->n,
                p->ms[p->n / 2], p->ms[p->n * 99 / 100], p->ms[p->n - 1]);
}

static void probe_idle(void)
{
    struct probe p = {.ms = malloc(PROBES_MAX * sizeof(double))};
    ck_assert_ptr_nonnull(p.ms);
    atomic_store(&done, false);
    ck_assert_int_eq(pthread_create(&p.thread, NULL, probe_loop, &p), 0);
    test_sleep_ms(500);
    atomic_store(&done, true);
    (void)pthread_join(p.thread, NULL);
    print_probe("idle", &p);
    free(p.ms);
}

/* ---- the test ----------------------------------------------------------------------------- */

static void check_stored(const struct uploaded *u)
{
    char path[128], found[65];
    ck_assert_msg(u->status == 201, "upload %u: %ld", u->number, u->status);
    (void)snprintf(path, sizeof path, "/api/v1/products/%s/builds/%s/file", product_of(u->number),
                   u->id);
    struct reply r = get(&d, key, path);
    CK_STATUS(path, r, 200);
    crash_sha256(r.body, r.n, found);
    ck_assert_str_eq(found, u->sha256);
    reply_free(&r);
}

START_TEST(fifty_uploads_and_fifty_downloads_leave_every_hash_right)
{
    static struct uploaded uploads[UPLOADS];
    static unsigned numbers[DEVICES];
    static pthread_t devices[DEVICES];
    struct probe probe = {.ms = malloc(PROBES_MAX * sizeof(double))};
    ck_assert_ptr_nonnull(probe.ms);
    struct crash c = {.seed = 0};
    daemon_start(&d, (const char *const[]){"--devices-new-devices-per-hour", "1000",
                                           "--storage-upload-timeout-s", "600", NULL});
    daemon_key(&d, "k", "admin", NULL, key);
    for (unsigned i = 0; i < PRODUCTS; i++) {
        make_product(&d, key, product_of(i));
        struct uploaded first = {.number = UPLOADS + i};
        (void)upload_one(&first);
        ck_assert_int_eq(first.status, 201);
    }
    probe_idle();
    atomic_store(&done, false);
    int64_t start = test_now_ms();
    ck_assert_int_eq(pthread_create(&probe.thread, NULL, probe_loop, &probe), 0);
    for (unsigned i = 0; i < DEVICES; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&devices[i], NULL, download_loop, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < UPLOADS; i++) {
        uploads[i].number = i;
        ck_assert_int_eq(pthread_create(&uploads[i].thread, NULL, upload_one, &uploads[i]), 0);
    }
    for (unsigned i = 0; i < UPLOADS; i++)
        (void)pthread_join(uploads[i].thread, NULL);
    int64_t took = test_now_ms() - start;
    atomic_store(&done, true);
    for (unsigned i = 0; i < DEVICES; i++)
        (void)pthread_join(devices[i], NULL);
    (void)pthread_join(probe.thread, NULL);
    fprintf(stderr, "%u uploads of 4 MiB in %.1f s, %u downloads meanwhile\n", UPLOADS,
            (double)took / 1000, atomic_load(&downloads));
    print_probe("meanwhile", &probe);
    free(probe.ms);
    for (unsigned i = 0; i < UPLOADS; i++)
        check_stored(&uploads[i]);
    ck_assert_uint_eq(atomic_load(&wrong), 0);
    ck_assert_msg(atomic_load(&bad_status) == 0, "%u answers not 200, e.g. %ld",
                  atomic_load(&bad_status), atomic_load(&bad_example));
    ck_assert_uint_ge(atomic_load(&downloads), DEVICES);
    daemon_stop(&d);
    c.d = d;
    crash_check_database(&c);
    daemon_free(&d);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("parallel");
    TCase *t = tcase_create("uploads");
    tcase_set_timeout(t, 600);
    tcase_add_test(t, fifty_uploads_and_fifty_downloads_leave_every_hash_right);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(suite)
