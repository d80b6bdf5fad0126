/* SPDX-License-Identifier: MIT
 * Owns images in memory and the thread that reads them. */
#include "fleet/blob_cache.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fleet/blob.h"

enum blob_state { BLOB_LOADING, BLOB_READY };

struct waiter {
    blob_ready ready;
    void *arg;
    struct waiter *next;
};

/* Everything in it is under the cache's lock; data and size are constant once READY. */
struct blob {
    struct blob_cache *cache;
    int64_t image;
    enum blob_state state;
    size_t shares;
    void *data;
    size_t size;
    struct waiter *waiters;
    struct blob *prev, *next; /* all blobs, most recently used first */
    struct blob *queue_next;  /* waiting for the loader */
};

struct blob_cache {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool closing;
    struct db_pool *readers;
    struct log *log;
    size_t budget, used;
    struct blob ring; /* head of the list of all blobs */
    struct blob *queue;
};

/* ---- reading ------------------------------------------------------------------------------ */

/* A sealed mapping can't be changed by anybody, ourselves included. @return NULL on failure. */
static void *seal(int fd, size_t size)
{
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
        return NULL;
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    return map == MAP_FAILED ? NULL : map;
}

static enum otad_err fill(struct db *db, int64_t image, int fd, size_t size,
                          struct otad_errinfo *ei)
{
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return otad_fail(ei, OTAD_E_NOMEM, "No memory to map an image of %zu bytes", size);
    enum otad_err err = blob_read(db, image, map, size, ei);
    (void)munmap(map, size);
    return err;
}

static enum otad_err load(struct blob_cache *cache, int64_t image, void **data, size_t *out_size,
                          struct otad_errinfo *ei)
{
    struct db *db;
    int64_t size;
    enum otad_err err = db_pool_get(cache->readers, &db, ei);
    if (err == OTAD_E_OK)
        err = blob_size(db, image, &size, ei);
    if (err != OTAD_E_OK)
        return err;
    int fd = memfd_create("otad-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, size) != 0)
        err = otad_fail(ei, OTAD_E_NOMEM, "No memory for an image of %lld bytes", (long long)size);
    if (err == OTAD_E_OK)
        err = fill(db, image, fd, (size_t)size, ei);
    if (err == OTAD_E_OK) {
        *data = seal(fd, (size_t)size);
        *out_size = (size_t)size;
        if (*data == NULL)
            err = otad_fail(ei, OTAD_E_NOMEM, "Can't seal an image in memory");
    }
    if (fd >= 0)
        (void)close(fd);
    return err;
}

/* ---- the list ----------------------------------------------------------------------------- */

static void list_remove(struct blob *b)
{
    b->prev->next = b->next;
    b->next->prev = b->prev;
}

static void list_to_front(struct blob_cache *cache, struct blob *b)
{
    b->next = cache->ring.next;
    b->prev = &cache->ring;
    b->next->prev = b->prev->next = b;
}

static struct blob *find(struct blob_cache *cache, int64_t image)
{
    for (struct blob *b = cache->ring.next; b != &cache->ring; b = b->next)
        if (b->image == image)
            return b;
    return NULL;
}

static void drop(struct blob_cache *cache, struct blob *b)
{
    list_remove(b);
    if (b->data != NULL)
        (void)munmap(b->data, b->size);
    cache->used -= b->size;
    free(b);
}

/* Under the lock: lets go of what nobody is being sent until the rest fits. */
static void evict(struct blob_cache *cache)
{
    for (struct blob *prev, *b = cache->ring.prev; b != &cache->ring; b = prev) {
        prev = b->prev;
        if (cache->used <= cache->budget)
            return;
        if (b->state == BLOB_READY && b->shares == 0)
            drop(cache, b);
    }
}

/* ---- the loader --------------------------------------------------------------------------- */

static struct blob *next_job(struct blob_cache *cache)
{
    (void)pthread_mutex_lock(&cache->lock);
    while (cache->queue == NULL && !cache->closing)
        (void)pthread_cond_wait(&cache->wake, &cache->lock);
    struct blob *b = cache->queue;
    if (b != NULL)
        cache->queue = b->queue_next;
    (void)pthread_mutex_unlock(&cache->lock);
    return b;
}

static void finish(struct blob_cache *cache, struct blob *b, void *data, size_t size,
                   enum otad_err err)
{
    (void)pthread_mutex_lock(&cache->lock);
    struct waiter *waiters = b->waiters;
    b->waiters = NULL;
    for (struct waiter *w = waiters; w != NULL && err == OTAD_E_OK; w = w->next)
        b->shares++;
    struct blob *shared = err == OTAD_E_OK ? b : NULL;
    if (shared != NULL) {
        b->data = data;
        b->size = size;
        b->state = BLOB_READY;
        cache->used += size;
        evict(cache);
    } else {
        drop(cache, b);
    }
    (void)pthread_mutex_unlock(&cache->lock);
    while (waiters != NULL) {
        struct waiter *w = waiters;
        waiters = w->next;
        w->ready(w->arg, shared, err);
        free(w);
    }
}

static void *work(void *arg)
{
    struct blob_cache *cache = arg;
    for (struct blob *b = next_job(cache); b != NULL; b = next_job(cache)) {
        struct otad_errinfo ei = {.code = OTAD_E_OK};
        void *data = NULL;
        size_t size = 0;
        enum otad_err err = load(cache, b->image, &data, &size, &ei);
        if (err != OTAD_E_OK)
            log_err(cache->log, "image.load", "image=%lld error='%s'", (long long)b->image, ei.msg);
        finish(cache, b, data, size, err);
    }
    return NULL;
}

struct blob_cache *blob_cache_new(struct db_pool *readers, size_t budget_bytes, struct log *log)
{
    struct blob_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        return NULL;
    cache->readers = readers;
    cache->budget = budget_bytes;
    cache->log = log;
    cache->ring.next = cache->ring.prev = &cache->ring;
    (void)pthread_mutex_init(&cache->lock, NULL);
    (void)pthread_cond_init(&cache->wake, NULL);
    if (pthread_create(&cache->thread, NULL, work, cache) != 0) {
        free(cache);
        return NULL;
    }
    return cache;
}

void blob_cache_set_budget(struct blob_cache *cache, size_t budget_bytes)
{
    (void)pthread_mutex_lock(&cache->lock);
    cache->budget = budget_bytes;
    evict(cache);
    (void)pthread_mutex_unlock(&cache->lock);
}

void blob_cache_free(struct blob_cache **out)
{
    struct blob_cache *cache = *out;
    if (cache == NULL)
        return;
    (void)pthread_mutex_lock(&cache->lock);
    cache->closing = true;
    (void)pthread_cond_signal(&cache->wake);
    (void)pthread_mutex_unlock(&cache->lock);
    (void)pthread_join(cache->thread, NULL);
    while (cache->ring.next != &cache->ring)
        drop(cache, cache->ring.next); /* NOLINT(clang-analyzer-unix.Malloc): it unlinks first */
    (void)pthread_cond_destroy(&cache->wake);
    (void)pthread_mutex_destroy(&cache->lock);
    free(cache);
    *out = NULL;
}

/* ---- shares ------------------------------------------------------------------------------- */

/* Under the lock. @return NULL when out of memory. */
static struct blob *enqueue(struct blob_cache *cache, int64_t image)
{
    struct blob *b = calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    b->cache = cache;
    b->image = image;
    list_to_front(cache, b);
    struct blob **end = &cache->queue;
    while (*end != NULL)
        end = &(*end)->queue_next;
    *end = b;
    (void)pthread_cond_signal(&cache->wake);
    return b;
}

static enum otad_err wait_for(struct blob_cache *cache, struct blob *b, int64_t image,
                              blob_ready ready, void *arg)
{
    struct waiter *w = malloc(sizeof *w);
    if (w != NULL && b == NULL)
        b = enqueue(cache, image);
    if (w == NULL || b == NULL) {
        free(w);
        return OTAD_E_NOMEM;
    }
    *w = (struct waiter){ready, arg, b->waiters};
    b->waiters = w;
    return OTAD_PENDING;
}

/* Under the lock. */
static struct blob *share(struct blob_cache *cache, struct blob *b)
{
    if (b == NULL || b->state != BLOB_READY)
        return NULL;
    b->shares++;
    list_remove(b);
    list_to_front(cache, b);
    return b;
}

struct blob *blob_get_cached(struct blob_cache *cache, int64_t image)
{
    (void)pthread_mutex_lock(&cache->lock);
    struct blob *b = share(cache, find(cache, image));
    (void)pthread_mutex_unlock(&cache->lock);
    return b;
}

enum otad_err blob_get(struct blob_cache *cache, int64_t image, struct blob **out, blob_ready ready,
                       void *arg)
{
    (void)pthread_mutex_lock(&cache->lock);
    struct blob *b = find(cache, image), *ready_now = share(cache, b);
    enum otad_err err = OTAD_E_OK;
    if (ready_now != NULL)
        *out = ready_now;
    else
        err = wait_for(cache, b, image, ready, arg);
    (void)pthread_mutex_unlock(&cache->lock);
    return err;
}

const void *blob_data(const struct blob *blob)
{
    return blob->data;
}

size_t blob_bytes(const struct blob *blob)
{
    return blob->size;
}

void blob_release(void *arg)
{
    struct blob *b = arg;
    if (b == NULL)
        return;
    struct blob_cache *cache = b->cache;
    (void)pthread_mutex_lock(&cache->lock);
    b->shares--;
    evict(cache);
    (void)pthread_mutex_unlock(&cache->lock);
}
