/* SPDX-License-Identifier: MIT
 * Owns the counters of first check-ins, one an address and hour. */
#include "fleet/admission.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 4096 /* addresses; two that share a slot push each other out, to both's favour */
#define HOUR_MS 3600000

struct counter {
    char address[46];
    int64_t since_ms;
    int64_t n;
};

struct admission {
    pthread_mutex_t lock;
    struct counter counters[SLOTS];
};

struct admission *admission_new(void)
{
    struct admission *a = calloc(1, sizeof *a);
    if (a != NULL)
        (void)pthread_mutex_init(&a->lock, NULL);
    return a;
}

void admission_free(struct admission **admission)
{
    if (*admission != NULL)
        (void)pthread_mutex_destroy(&(*admission)->lock);
    free(*admission);
    *admission = NULL;
}

static size_t slot_of(const char *address)
{
    uint64_t h = 1469598103934665603ULL; /* FNV-1a */
    for (; *address != '\0'; address++)
        h = (h ^ (unsigned char)*address) * 1099511628211ULL;
    return h % SLOTS;
}

bool admission_take(struct admission *a, const char *address, int64_t per_hour, int64_t now_ms)
{
    (void)pthread_mutex_lock(&a->lock);
    struct counter *c = &a->counters[slot_of(address)];
    if (strcmp(c->address, address) != 0 || now_ms - c->since_ms >= HOUR_MS) {
        (void)snprintf(c->address, sizeof c->address, "%s", address);
        c->since_ms = now_ms;
        c->n = 0;
    }
    bool ok = c->n < per_hour;
    c->n += ok;
    (void)pthread_mutex_unlock(&a->lock);
    return ok;
}
