/* SPDX-License-Identifier: MIT
 * Owns the answers kept for some seconds. */
#include "fleet/answer_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct answer {
    char key[ANSWER_CACHE_KEY];
    char *text; /* NULL: a free place */
    int64_t at_ms;
};

struct answer_cache {
    pthread_mutex_t lock;
    struct answer answers[ANSWER_CACHE_MAX];
};

struct answer_cache *answer_cache_new(void)
{
    struct answer_cache *c = calloc(1, sizeof *c);
    if (c != NULL)
        (void)pthread_mutex_init(&c->lock, NULL);
    return c;
}

void answer_cache_free(struct answer_cache **cache)
{
    struct answer_cache *c = *cache;
    if (c == NULL)
        return;
    for (size_t i = 0; i < ANSWER_CACHE_MAX; i++)
        free(c->answers[i].text);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
    *cache = NULL;
}

/* Under the lock: the place of the key, else a free one, else the oldest. */
static struct answer *find(struct answer_cache *c, const char *key)
{
    struct answer *best = &c->answers[0];
    for (struct answer *a = c->answers; a < c->answers + ANSWER_CACHE_MAX; a++) {
        if (a->text != NULL && strcmp(a->key, key) == 0)
            return a;
        if (best->text != NULL && (a->text == NULL || a->at_ms < best->at_ms))
            best = a;
    }
    return best;
}

char *answer_cache_get(struct answer_cache *c, const char *key, int64_t now_ms)
{
    char *copy = NULL;
    (void)pthread_mutex_lock(&c->lock);
    const struct answer *a = find(c, key);
    if (a->text != NULL && strcmp(a->key, key) == 0 && now_ms - a->at_ms < ANSWER_CACHE_MS)
        copy = strdup(a->text);
    (void)pthread_mutex_unlock(&c->lock);
    return copy;
}

void answer_cache_put(struct answer_cache *c, const char *key, const char *text, int64_t now_ms)
{
    size_t n = strlen(key);
    char *copy = n < ANSWER_CACHE_KEY ? strdup(text) : NULL;
    if (copy == NULL)
        return;
    (void)pthread_mutex_lock(&c->lock);
    struct answer *a = find(c, key);
    free(a->text);
    a->text = copy;
    a->at_ms = now_ms;
    memcpy(a->key, key, n + 1);
    (void)pthread_mutex_unlock(&c->lock);
}
