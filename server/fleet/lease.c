/* SPDX-License-Identifier: MIT
 * Owns the table of leases: sets of a few places, the oldest of a full set makes way. */
#include "fleet/lease.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

#define WAYS 4

/* A build somebody was given parts of. */
struct given {
    int64_t build;      /* 0 = none */
    int64_t end;        /* the byte behind all that was given without a hole */
    int64_t running;    /* downloads begun and not finished */
    int64_t expires_ms; /* monotonic */
};

struct lease {
    struct lease_key key;
    struct given now;
    struct given before; /* of a shared key: another client may still be at it */
};

struct leases {
    pthread_mutex_t lock;
    size_t sets;
    struct lease places[];
};

struct lease_key lease_key(int64_t product, uint64_t mac, bool fs, const char *address,
                           const char *agent)
{
    struct lease_key key = {.product = product, .mac = mac, .fs = fs};
    uint8_t sha256[OTAD_SHA256_LEN];
    char text[256];
    if (mac != 0)
        return key;
    int n = snprintf(text, sizeof text, "%s %s", address, agent);
    size_t len = n < (int)sizeof text ? (size_t)n : sizeof text - 1;
    if (digest_sha256(text, len, sha256) == OTAD_E_OK)
        memcpy(key.who, sha256, sizeof key.who);
    return key;
}

struct leases *leases_new(size_t capacity)
{
    size_t sets = capacity / WAYS + 1;
    struct leases *l = calloc(1, sizeof *l + sets * WAYS * sizeof l->places[0]);
    if (l == NULL)
        return NULL;
    l->sets = sets;
    (void)pthread_mutex_init(&l->lock, NULL);
    return l;
}

void leases_free(struct leases **leases)
{
    if (*leases == NULL)
        return;
    (void)pthread_mutex_destroy(&(*leases)->lock);
    free(*leases);
    *leases = NULL;
}

static uint64_t hash(const struct lease_key *key)
{
    uint64_t who;
    memcpy(&who, key->who, sizeof who);
    uint64_t h = key->mac ^ who ^ (uint64_t)key->product << 48 ^ (uint64_t)key->fs << 47;
    h *= 0x9E3779B97F4A7C15ULL;
    return h >> 24;
}

static bool same_key(const struct lease_key *a, const struct lease_key *b)
{
    return a->product == b->product && a->mac == b->mac && a->fs == b->fs &&
           memcmp(a->who, b->who, sizeof a->who) == 0;
}

/* Under the lock. @return the lease of that key, else NULL and *oldest the place to take. */
static struct lease *find(struct leases *l, const struct lease_key *key, struct lease **oldest)
{
    struct lease *set = &l->places[hash(key) % l->sets * WAYS];
    *oldest = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].now.build != 0 && same_key(&set[i].key, key))
            return &set[i];
        if (set[i].now.expires_ms < (*oldest)->now.expires_ms)
            *oldest = &set[i];
    }
    return NULL;
}

static bool is_live(const struct given *g, int64_t now_ms)
{
    return g->build != 0 && now_ms < g->expires_ms;
}

/* Another part of what is being given. */
static void extend(struct given *g, const struct lease_gift *gift)
{
    if (gift->first == 0 && !gift->head)
        g->running++;
    if (gift->first <= g->end && gift->last >= g->end)
        g->end = gift->last + 1;
    g->expires_ms = gift->now_ms + gift->life_ms;
}

static void start(struct lease *lease, const struct lease_gift *gift)
{
    bool unfinished = is_live(&lease->now, gift->now_ms) && lease->now.running > 0;
    bool shared = lease->key.mac == 0;
    lease->before = unfinished && shared ? lease->now : (struct given){.build = 0};
    lease->now = (struct given){.build = gift->build};
    extend(&lease->now, gift);
    /* Whoever is in the middle of another image and only asks how long this one is must not
     * go on with it. */
    if (gift->head && unfinished)
        lease->now.end = 0;
}

void leases_give(struct leases *l, const struct lease_key *key, const struct lease_gift *gift)
{
    struct lease *oldest;
    (void)pthread_mutex_lock(&l->lock);
    struct lease *lease = find(l, key, &oldest);
    if (lease == NULL) {
        lease = oldest;
        *lease = (struct lease){.key = *key};
    }
    if (is_live(&lease->now, gift->now_ms) && lease->now.build == gift->build)
        extend(&lease->now, gift);
    else if (is_live(&lease->before, gift->now_ms) && lease->before.build == gift->build &&
             gift->first > 0)
        extend(&lease->before, gift);
    else
        start(lease, gift);
    (void)pthread_mutex_unlock(&l->lock);
}

void leases_finish(struct leases *l, const struct lease_key *key, int64_t build)
{
    struct lease *oldest;
    (void)pthread_mutex_lock(&l->lock);
    struct lease *lease = find(l, key, &oldest);
    struct given *g = lease == NULL                  ? NULL
                      : lease->now.build == build    ? &lease->now
                      : lease->before.build == build ? &lease->before
                                                     : NULL;
    if (g != NULL && g->running > 0)
        g->running--;
    if (g != NULL && g == &lease->before && g->running == 0)
        *g = (struct given){.build = 0};
    (void)pthread_mutex_unlock(&l->lock);
}

int64_t leases_resume(struct leases *l, const struct lease_key *key, int64_t first, int64_t now_ms)
{
    struct lease *oldest;
    int64_t build = 0;
    (void)pthread_mutex_lock(&l->lock);
    const struct lease *lease = find(l, key, &oldest);
    if (lease != NULL) {
        bool now = is_live(&lease->now, now_ms) && first <= lease->now.end;
        bool before = is_live(&lease->before, now_ms) && first <= lease->before.end;
        if (now != before)
            build = now ? lease->now.build : lease->before.build;
    }
    (void)pthread_mutex_unlock(&l->lock);
    return build;
}
