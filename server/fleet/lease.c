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
    int64_t end;        /* the byte behind all that arrived without a hole */
    int64_t offered;    /* the same of what is on its way; counts while something is */
    int32_t open;       /* gifts on their way */
    int32_t running;    /* downloads begun at byte 0 and not finished */
    int64_t expires_ms; /* monotonic */
};

#define GIVEN_MAX 4 /* builds one client may be in the middle of */

struct lease {
    struct lease_key key;
    struct given given[GIVEN_MAX];
    int64_t doubt_ms; /* there were more: nothing is resumed until then */
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

static bool is_live(const struct given *g, int64_t now_ms)
{
    return g->build != 0 && now_ms < g->expires_ms;
}

static int64_t last_use(const struct lease *lease)
{
    int64_t ms = lease->doubt_ms;
    for (size_t i = 0; i < GIVEN_MAX; i++)
        if (lease->given[i].build != 0 && lease->given[i].expires_ms > ms)
            ms = lease->given[i].expires_ms;
    return ms;
}

/* Under the lock. @return the lease of that key, else NULL and *oldest the place to take. */
static struct lease *find(struct leases *l, const struct lease_key *key, struct lease **oldest)
{
    struct lease *set = &l->places[hash(key) % l->sets * WAYS];
    *oldest = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (last_use(&set[i]) > 0 && same_key(&set[i].key, key))
            return &set[i];
        if (last_use(&set[i]) < last_use(*oldest))
            *oldest = &set[i];
    }
    return NULL;
}

static struct given *given_of(struct lease *lease, int64_t build)
{
    for (size_t i = 0; i < GIVEN_MAX; i++)
        if (lease->given[i].build == build)
            return &lease->given[i];
    return NULL;
}

/* What nobody can be in the middle of any more makes way for something new. */
static void forget_finished(struct lease *lease, int64_t now_ms)
{
    for (size_t i = 0; i < GIVEN_MAX; i++) {
        struct given *g = &lease->given[i];
        if (!is_live(g, now_ms) || (g->running == 0 && g->open == 0))
            *g = (struct given){.build = 0};
    }
}

/* A place for a build that wasn't given yet. */
static struct given *start(struct lease *lease, const struct lease_gift *gift)
{
    forget_finished(lease, gift->now_ms);
    struct given *g = given_of(lease, 0);
    if (g == NULL) { /* too many to tell apart */
        g = &lease->given[0];
        for (size_t i = 1; i < GIVEN_MAX; i++)
            if (lease->given[i].expires_ms < g->expires_ms)
                g = &lease->given[i];
        if (g->expires_ms > lease->doubt_ms)
            lease->doubt_ms = g->expires_ms;
    }
    *g = (struct given){.build = gift->build};
    return g;
}

static void give(struct given *g, const struct lease_gift *gift, bool shared)
{
    int64_t reach = g->open > 0 && g->offered > g->end ? g->offered : g->end;
    g->expires_ms = gift->now_ms + gift->life_ms;
    if (gift->head) { /* it may have any part of what it asks about */
        g->end = gift->last + 1;
        return;
    }
    if (gift->first == 0)
        g->running = shared ? g->running + 1 : 1; /* one device has one download at a time */
    if (gift->first <= reach && gift->last >= reach)
        reach = gift->last + 1;
    g->offered = reach;
    g->open++;
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
    struct given *g = given_of(lease, gift->build);
    if (g == NULL || !is_live(g, gift->now_ms)) {
        if (g != NULL)
            *g = (struct given){.build = 0};
        g = start(lease, gift);
    }
    give(g, gift, key->mac == 0);
    (void)pthread_mutex_unlock(&l->lock);
}

void leases_taken(struct leases *l, const struct lease_key *key, int64_t build, int64_t first,
                  int64_t bytes, bool whole)
{
    struct lease *oldest;
    (void)pthread_mutex_lock(&l->lock);
    struct lease *lease = find(l, key, &oldest);
    struct given *g = lease != NULL ? given_of(lease, build) : NULL;
    if (g != NULL) {
        if (first <= g->end && first + bytes > g->end)
            g->end = first + bytes;
        if (g->open > 0)
            g->open--;
        if (whole && g->running > 0)
            g->running--;
    }
    (void)pthread_mutex_unlock(&l->lock);
}

int64_t leases_resume(struct leases *l, const struct lease_key *key, int64_t first, int64_t now_ms)
{
    struct lease *oldest;
    int64_t build = 0;
    (void)pthread_mutex_lock(&l->lock);
    const struct lease *lease = find(l, key, &oldest);
    size_t n = 0;
    for (size_t i = 0; lease != NULL && i < GIVEN_MAX; i++) {
        const struct given *g = &lease->given[i];
        int64_t reach = g->open > 0 && g->offered > g->end ? g->offered : g->end;
        if (!is_live(g, now_ms) || first > reach)
            continue;
        build = g->build;
        n++;
    }
    bool doubt = lease != NULL && now_ms < lease->doubt_ms;
    (void)pthread_mutex_unlock(&l->lock);
    return n == 1 && !doubt ? build : 0;
}
