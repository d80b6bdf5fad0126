/* SPDX-License-Identifier: MIT
 * Images in memory: read once for all who wait, dropped least recently used first. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fleet/blob_cache.h"
#include "support/store.h"

#define SIZE 300000u /* two chunks */

struct world {
    struct store s;
    struct db_pool *pool;
    struct blob_cache *cache;
    int64_t images[5];
};

static void world(struct world *w, size_t budget)
{
    store_file(&w->s);
    for (unsigned i = 0; i < 5; i++)
        w->images[i] = store_image(w->s.db, i + 1, SIZE, "");
    w->pool = db_pool_new(w->s.path);
    w->cache = blob_cache_new(w->pool, budget, &w->s.log);
    ck_assert_ptr_nonnull(w->cache);
}

static void world_close(struct world *w)
{
    blob_cache_free(&w->cache);
    ck_assert_ptr_null(w->cache);
    db_pool_free(&w->pool);
    store_close(&w->s);
}

struct waiter {
    sem_t done;
    struct blob *blob;
    enum otad_err err;
    atomic_int calls;
};

static void ready(void *arg, struct blob *blob, enum otad_err err)
{
    struct waiter *w = arg;
    w->blob = blob;
    w->err = err;
    (void)atomic_fetch_add(&w->calls, 1);
    (void)sem_post(&w->done);
}

/* A share of an image, loaded if need be; NULL with *err when that fails. */
static struct blob *get(struct blob_cache *cache, int64_t image, enum otad_err *err)
{
    struct waiter w = {.blob = NULL};
    struct blob *blob = NULL;
    (void)sem_init(&w.done, 0, 0);
    *err = blob_get(cache, image, &blob, ready, &w);
    if (*err != OTAD_PENDING)
        return blob;
    (void)sem_wait(&w.done);
    ck_assert_int_eq(atomic_load(&w.calls), 1);
    *err = w.err;
    return w.blob;
}

static struct blob *get_ok(struct blob_cache *cache, int64_t image)
{
    enum otad_err err;
    struct blob *blob = get(cache, image, &err);
    ck_assert_int_eq(err, OTAD_E_OK);
    ck_assert_ptr_nonnull(blob);
    return blob;
}

static bool is_cached(struct world *w, unsigned i)
{
    struct blob *b = blob_get_cached(w->cache, w->images[i]);
    blob_release(b);
    return b != NULL;
}

START_TEST(image_is_loaded_then_at_hand)
{
    struct world w;
    struct blob *again = NULL;
    world(&w, 10 * SIZE);
    ck_assert_ptr_null(blob_get_cached(w.cache, w.images[0]));
    struct blob *b = get_ok(w.cache, w.images[0]);
    ck_assert_uint_eq(blob_bytes(b), SIZE);
    unsigned seed = 1;
    ck_assert_int_eq(memcmp(blob_data(b), &seed, sizeof seed), 0);
    ck_assert_int_eq(blob_get(w.cache, w.images[0], &again, NULL, NULL), OTAD_E_OK);
    ck_assert_ptr_eq(again, b);
    blob_release(again);
    blob_release(b);
    blob_release(NULL);
    ck_assert(is_cached(&w, 0));
    world_close(&w);
}
END_TEST

START_TEST(bytes_cannot_be_changed)
{
    struct world w;
    world(&w, 10 * SIZE);
    struct blob *b = get_ok(w.cache, w.images[0]);
    uintptr_t page = (uintptr_t)blob_data(b);
    ck_assert_int_ne(mprotect((void *)page, 4096, PROT_READ | PROT_WRITE), 0);
    blob_release(b);
    world_close(&w);
}
END_TEST

static const struct {
    const char *what;
    const char *sql; /* done to the database before */
    int64_t add;     /* to the image's id */
    enum otad_err want;
} fail_rows[] = {
    {"no such image", "SELECT 1",                                                     100, OTAD_E_NOENT},
    {"damaged",       "UPDATE image_chunk SET data = zeroblob(262144) WHERE seq = 0", 0,   OTAD_E_IO   },
    {"chunk missing", "DELETE FROM image_chunk WHERE seq = 1",                        0,   OTAD_E_IO   },
};

START_TEST(fail_row)
{
    struct world w;
    enum otad_err err;
    world(&w, 10 * SIZE);
    store_exec(w.s.db, fail_rows[_i].sql);
    for (int i = 0; i < 2; i++) { /* the second try is made, and fails alike */
        struct blob *b = get(w.cache, w.images[0] + fail_rows[_i].add, &err);
        ck_assert_msg(b == NULL && err == fail_rows[_i].want, "%s: %s", fail_rows[_i].what,
                      otad_err_name(err));
        ck_assert(blob_get_cached(w.cache, w.images[0] + fail_rows[_i].add) == NULL);
    }
    world_close(&w);
}
END_TEST

START_TEST(failed_load_is_tried_again)
{
    struct world w;
    enum otad_err err;
    world(&w, 10 * SIZE);
    store_exec(w.s.db, "UPDATE image_chunk SET seq = seq + 100 WHERE image = 1");
    ck_assert_ptr_null(get(w.cache, w.images[0], &err));
    store_exec(w.s.db, "UPDATE image_chunk SET seq = seq - 100 WHERE image = 1");
    blob_release(get_ok(w.cache, w.images[0]));
    world_close(&w);
}
END_TEST

START_TEST(least_recently_used_goes_first)
{
    struct world w;
    world(&w, 3 * SIZE);
    for (unsigned i = 0; i < 3; i++)
        blob_release(get_ok(w.cache, w.images[i]));
    ck_assert(is_cached(&w, 0)); /* which also makes it the latest */
    blob_release(get_ok(w.cache, w.images[3]));
    ck_assert(is_cached(&w, 0));
    ck_assert(!is_cached(&w, 1));
    ck_assert(is_cached(&w, 2));
    ck_assert(is_cached(&w, 3));
    world_close(&w);
}
END_TEST

START_TEST(images_being_sent_stay_whatever_the_budget)
{
    struct world w;
    struct blob *held[5];
    world(&w, SIZE / 2);
    for (unsigned i = 0; i < 5; i++)
        held[i] = get_ok(w.cache, w.images[i]);
    for (unsigned i = 0; i < 5; i++) {
        unsigned seed = i + 1;
        ck_assert(is_cached(&w, i));
        ck_assert_int_eq(memcmp(blob_data(held[i]), &seed, sizeof seed), 0);
    }
    struct blob *again = blob_get_cached(w.cache, w.images[0]);
    blob_release(held[0]);
    ck_assert(is_cached(&w, 0)); /* one share is still out */
    blob_release(again);
    ck_assert(!is_cached(&w, 0));
    for (unsigned i = 1; i < 5; i++)
        blob_release(held[i]);
    for (unsigned i = 0; i < 5; i++)
        ck_assert(!is_cached(&w, i));
    world_close(&w);
}
END_TEST

START_TEST(smaller_budget_counts_at_once)
{
    struct world w;
    world(&w, 10 * SIZE);
    for (unsigned i = 0; i < 5; i++)
        blob_release(get_ok(w.cache, w.images[i]));
    blob_cache_set_budget(w.cache, 2 * SIZE);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_msg(is_cached(&w, i) == (i >= 3), "image %u", i);
    world_close(&w);
}
END_TEST

#define WAITERS 50

START_TEST(many_who_wait_share_one_load)
{
    struct world w;
    static struct waiter waiters[WAITERS];
    struct blob *at_once[WAITERS] = {NULL}, *first = NULL;
    world(&w, 10 * SIZE);
    for (int i = 0; i < WAITERS; i++) {
        (void)sem_init(&waiters[i].done, 0, 0);
        waiters[i].err = OTAD_E_COUNT;
        if (blob_get(w.cache, w.images[0], &at_once[i], ready, &waiters[i]) == OTAD_E_OK)
            ready(&waiters[i], at_once[i], OTAD_E_OK); /* it was fast */
    }
    for (int i = 0; i < WAITERS; i++) {
        (void)sem_wait(&waiters[i].done);
        ck_assert_int_eq(waiters[i].err, OTAD_E_OK);
        ck_assert_int_eq(atomic_load(&waiters[i].calls), 1);
        first = first != NULL ? first : waiters[i].blob;
        ck_assert_ptr_eq(waiters[i].blob, first); /* the same mapping */
    }
    blob_cache_set_budget(w.cache, 1);
    for (int i = 0; i < WAITERS; i++) {
        ck_assert(is_cached(&w, 0)); /* until the last share is back */
        blob_release(waiters[i].blob);
    }
    ck_assert(!is_cached(&w, 0));
    world_close(&w);
}
END_TEST

START_TEST(many_who_wait_for_a_bad_one_are_all_told)
{
    struct world w;
    static struct waiter waiters[WAITERS];
    struct blob *out = NULL;
    world(&w, 10 * SIZE);
    for (int i = 0; i < WAITERS; i++) {
        (void)sem_init(&waiters[i].done, 0, 0);
        ck_assert_int_eq(blob_get(w.cache, 4711 + i % 2, &out, ready, &waiters[i]), OTAD_PENDING);
    }
    for (int i = 0; i < WAITERS; i++) {
        (void)sem_wait(&waiters[i].done);
        ck_assert_int_eq(waiters[i].err, OTAD_E_NOENT);
        ck_assert_ptr_null(waiters[i].blob);
    }
    world_close(&w);
}
END_TEST

static void *use(void *arg)
{
    struct world *w = arg;
    for (unsigned round = 0; round < 60; round++) {
        unsigned i = (round * 7 + (unsigned)(uintptr_t)pthread_self() / 4096) % 5, seed = i + 1;
        enum otad_err err;
        struct blob *b = get(w->cache, w->images[i], &err);
        if (b == NULL || memcmp(blob_data(b), &seed, sizeof seed) != 0)
            return w;
        blob_release(b);
    }
    return NULL;
}

START_TEST(threads_under_a_tight_budget_always_get_the_right_bytes)
{
    struct world w;
    pthread_t threads[4];
    world(&w, 2 * SIZE);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, use, &w), 0);
    for (size_t i = 0; i < 4; i++) {
        void *bad = NULL;
        (void)pthread_join(threads[i], &bad);
        ck_assert_ptr_null(bad);
    }
    world_close(&w);
}
END_TEST

START_TEST(closing_answers_who_still_waits)
{
    struct world w;
    static struct waiter waiters[5];
    struct blob *out = NULL;
    world(&w, 10 * SIZE);
    for (int i = 0; i < 5; i++) {
        (void)sem_init(&waiters[i].done, 0, 0);
        ck_assert_int_eq(blob_get(w.cache, 4711 + i, &out, ready, &waiters[i]), OTAD_PENDING);
    }
    blob_cache_free(&w.cache);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(sem_trywait(&waiters[i].done), 0);
    world_close(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("blob_cache");
    TCase *t = tcase_create("cache");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, image_is_loaded_then_at_hand);
    tcase_add_test(t, bytes_cannot_be_changed);
    tcase_add_loop_test(t, fail_row, 0, (int)OTAD_COUNT(fail_rows));
    tcase_add_test(t, failed_load_is_tried_again);
    tcase_add_test(t, least_recently_used_goes_first);
    tcase_add_test(t, images_being_sent_stay_whatever_the_budget);
    tcase_add_test(t, smaller_budget_counts_at_once);
    tcase_add_test(t, many_who_wait_share_one_load);
    tcase_add_test(t, many_who_wait_for_a_bad_one_are_all_told);
    tcase_add_test(t, threads_under_a_tight_budget_always_get_the_right_bytes);
    tcase_add_test(t, closing_answers_who_still_waits);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
