/* SPDX-License-Identifier: MIT
 * Owns the queue of unflushed facts: sharded by MAC, so that HTTP threads rarely meet. */
#include "fleet/overlay.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/batch.h"
#include "fleet/ledger.h"

#define SHARDS 16
#define BUCKETS 1024 /* of each shard */

/* A device with facts that wait or are being committed. */
struct slot {
    int64_t product;
    uint64_t mac;
    struct fact *last; /* waiting, fit to be replaced; NULL once it is being committed */
    size_t n;
    size_t transfers; /* of these, beginnings and ends of transfers */
    struct slot *next;
};

struct shard {
    pthread_mutex_t lock;
    struct fact *head, *tail; /* waiting */
    struct fact *taken;       /* being committed */
    struct slot *buckets[BUCKETS];
};

struct overlay {
    struct shard shards[SHARDS];
    atomic_size_t n;
    size_t max;
    atomic_size_t dropped; /* facts, since the start */
    atomic_size_t commits;
    _Atomic(struct writer *) writer;
    struct events *events; /* or NULL */
    struct batch batch;    /* the writer's: what the last fold changed, until it is durable */
    struct log *log;
};

struct overlay *overlay_new(size_t max_facts, struct log *log)
{
    struct overlay *o = calloc(1, sizeof *o);
    if (o == NULL)
        return NULL;
    o->max = max_facts;
    o->log = log;
    for (size_t i = 0; i < SHARDS; i++)
        (void)pthread_mutex_init(&o->shards[i].lock, NULL);
    return o;
}

static void free_facts(struct fact *list)
{
    while (list != NULL) {
        struct fact *next = list->next;
        free(list);
        list = next;
    }
}

void overlay_free(struct overlay **overlay)
{
    struct overlay *o = *overlay;
    if (o == NULL)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &o->shards[i];
        free_facts(s->head);
        free_facts(s->taken);
        for (size_t b = 0; b < BUCKETS; b++)
            for (struct slot *next, *at = s->buckets[b]; at != NULL; at = next) {
                next = at->next;
                free(at);
            }
        (void)pthread_mutex_destroy(&s->lock);
    }
    batch_free(&o->batch);
    free(o);
    *overlay = NULL;
}

void overlay_set_writer(struct overlay *overlay, struct writer *writer)
{
    atomic_store(&overlay->writer, writer);
}

void overlay_set_events(struct overlay *overlay, struct events *events)
{
    overlay->events = events;
}

static uint64_t mix(int64_t product, uint64_t mac)
{
    return (mac ^ (uint64_t)product << 48) * 0x9E3779B97F4A7C15ULL;
}

static struct shard *find_shard(struct overlay *o, int64_t product, uint64_t mac)
{
    return &o->shards[mix(product, mac) >> 60];
}

/* The place that points to the device's slot, or to the NULL where it belongs. */
static struct slot **find_slot(struct shard *s, int64_t product, uint64_t mac)
{
    struct slot **at = &s->buckets[(mix(product, mac) >> 40) % BUCKETS];
    while (*at != NULL && ((*at)->product != product || (*at)->mac != mac))
        at = &(*at)->next;
    return at;
}

/* Whether the new fact can take the place of the waiting one: only the latest of a run counts. */
static bool replaces(const struct fact *last, const struct fact *fact)
{
    if (last == NULL || last->kind != fact->kind || last->mode != fact->mode ||
        last->ask != fact->ask)
        return false;
    if (fact->kind == FACT_PROGRESS)
        return fact->transfer.id == last->transfer.id;
    return fact->kind == FACT_ANONYMOUS ||
           (fact->kind == FACT_CHECKIN &&
            /* a later one that says less must not wipe out what the earlier said */
            (fact->said.version[0] != '\0' || last->said.version[0] == '\0') &&
            (fact->said.md5[0] != '\0' || last->said.md5[0] == '\0'));
}

static void keep_text(char *text, const char *before, size_t room)
{
    if (text[0] == '\0')
        memcpy(text, before, room);
}

/* What the later check-in doesn't say stays as it was said: the same rule as device_seen()'s. */
static void keep_said(struct device_facts *said, const struct device_facts *before)
{
    keep_text(said->version, before->version, sizeof said->version);
    keep_text(said->chip, before->chip, sizeof said->chip);
    keep_text(said->md5, before->md5, sizeof said->md5);
    keep_text(said->sha256, before->sha256, sizeof said->sha256);
    if (said->free_space < 0)
        said->free_space = before->free_space;
    if (said->chip_size < 0)
        said->chip_size = before->chip_size;
}

static void replace(struct fact *last, const struct fact *fact)
{
    struct device_facts before = {.at_s = 0};
    if (fact->kind == FACT_CHECKIN)
        before = last->said;
    struct fact *next = last->next;
    int64_t count = last->count + fact->count;
    *last = *fact;
    last->next = next;
    last->count = count;
    if (fact->kind == FACT_CHECKIN)
        keep_said(&last->said, &before);
}

static bool is_transfers(const struct fact *fact)
{
    return fact->kind == FACT_SERVE || fact->kind == FACT_END;
}

/* Under the shard's lock. @return false when out of memory. */
static bool append(struct shard *s, const struct fact *fact)
{
    struct slot **at = find_slot(s, fact->product, fact->mac);
    struct fact *copy = malloc(sizeof *copy);
    if (*at == NULL)
        *at = calloc(1, sizeof **at);
    if (copy == NULL || *at == NULL) {
        free(copy);
        if (*at != NULL && (*at)->n == 0) {
            free(*at);
            *at = NULL;
        }
        return false;
    }
    *copy = *fact;
    copy->next = NULL;
    if (s->tail != NULL)
        s->tail->next = copy;
    else
        s->head = copy;
    s->tail = copy;
    (*at)->product = fact->product;
    (*at)->mac = fact->mac;
    (*at)->last = copy;
    (*at)->n++;
    (*at)->transfers += is_transfers(fact);
    return true;
}

static void tell_transfer(struct event *event, const struct fact *fact)
{
    const struct transfer *t = &fact->transfer;
    event->kind = EVENT_TRANSFER;
    event->transfer = t->id;
    event->bytes = t->bytes_acked;
    event->size = t->size_bytes;
    event->at_s = fact->at_s;
    (void)snprintf(event->state, sizeof event->state, "%s", transfer_state_name(t->state));
    (void)snprintf(event->cause, sizeof event->cause, "%s", t->cause);
}

/* Tells those who watch what was noted. Its effect on the ledger is told after the commit. */
static void tell(struct events *events, const struct fact *fact)
{
    struct event event = {
        .kind = EVENT_CHECK_IN, .product = fact->product, .mac = fact->mac, .at_s = 0};
    if (events == NULL || fact->kind == FACT_ANONYMOUS)
        return;
    if (fact->kind == FACT_CHECKIN) {
        event.at_s = fact->said.at_s;
        (void)snprintf(event.version, sizeof event.version, "%s", fact->said.version);
    } else {
        tell_transfer(&event, fact);
        event.progress = fact->kind == FACT_PROGRESS;
    }
    events_publish(events, &event);
}

bool overlay_note(struct overlay *o, const struct fact *fact)
{
    bool cheap =
        fact->kind == FACT_ANONYMOUS || fact->kind == FACT_CHECKIN || fact->kind == FACT_PROGRESS;
    struct shard *s = find_shard(o, fact->product, fact->mac);
    bool kept = true, room = atomic_load(&o->n) < (cheap ? o->max : 2 * o->max);
    (void)pthread_mutex_lock(&s->lock);
    struct slot *slot = *find_slot(s, fact->product, fact->mac);
    if (slot != NULL && replaces(slot->last, fact)) {
        replace(slot->last, fact);
    } else {
        kept = room && append(s, fact);
        if (kept)
            (void)atomic_fetch_add(&o->n, 1);
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (!kept && atomic_fetch_add(&o->dropped, 1) % 1000 == 0)
        log_warn(o->log, "overlay.full",
                 "dropped=%zu hint='the disk is too slow for so many devices at once; what they "
                 "got is not all recorded'",
                 atomic_load(&o->dropped));
    struct writer *writer = atomic_load(&o->writer);
    if (kept && !cheap && writer != NULL)
        writer_kick(writer);
    if (kept)
        tell(o->events, fact);
    return kept;
}

bool overlay_knows(struct overlay *o, int64_t product, uint64_t mac)
{
    struct shard *s = find_shard(o, product, mac);
    (void)pthread_mutex_lock(&s->lock);
    bool known = *find_slot(s, product, mac) != NULL;
    (void)pthread_mutex_unlock(&s->lock);
    return known;
}

bool overlay_unsettled(struct overlay *o, int64_t product, uint64_t mac)
{
    struct shard *s = find_shard(o, product, mac);
    (void)pthread_mutex_lock(&s->lock);
    const struct slot *slot = *find_slot(s, product, mac);
    bool unsettled = slot != NULL && slot->transfers > 0;
    (void)pthread_mutex_unlock(&s->lock);
    return unsettled;
}

size_t overlay_commits(struct overlay *o)
{
    return atomic_load(&o->commits);
}

bool overlay_crowded(struct overlay *o)
{
    return atomic_load(&o->n) > o->max / 2;
}

bool overlay_any(struct overlay *o)
{
    return atomic_load(&o->n) > 0;
}

/* ---- the writer's side -------------------------------------------------------------------- */

static bool any(void *arg)
{
    return overlay_any(arg);
}

static void take(struct shard *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->taken = s->head;
    s->head = s->tail = NULL;
    for (struct fact *f = s->taken; f != NULL; f = f->next) {
        struct slot *slot = *find_slot(s, f->product, f->mac);
        if (slot != NULL)
            slot->last = NULL;
    }
    (void)pthread_mutex_unlock(&s->lock);
}

static enum otad_err fold(void *arg, struct db *db, struct otad_errinfo *ei)
{
    struct overlay *o = arg;
    enum otad_err err = OTAD_E_OK;
    batch_forget(&o->batch);
    for (size_t i = 0; i < SHARDS; i++)
        take(&o->shards[i]);
    for (size_t i = 0; i < SHARDS; i++)
        for (struct fact *f = o->shards[i].taken; f != NULL && err == OTAD_E_OK; f = f->next) {
            err = ledger_write(db, f, &o->batch, ei);
            /* Its product or build may be gone by now; such a fact must not hold up the others. */
            if (err == OTAD_E_CONFLICT || err == OTAD_E_NOENT) {
                log_debug(o->log, "overlay.dropped", "reason='%s'", ei->msg);
                err = OTAD_E_OK;
            }
        }
    return err == OTAD_E_OK ? batch_write(&o->batch, db, ei) : err;
}

static void put_back(struct shard *s)
{
    struct fact *last = s->taken;
    while (last != NULL && last->next != NULL)
        last = last->next;
    if (last == NULL)
        return;
    last->next = s->head;
    if (s->head == NULL)
        s->tail = last;
    s->head = s->taken;
}

static size_t forget(struct shard *s)
{
    size_t n = 0;
    for (struct fact *f = s->taken; f != NULL; f = f->next, n++) {
        struct slot **at = find_slot(s, f->product, f->mac);
        if (*at != NULL)
            (*at)->transfers -= is_transfers(f);
        if (*at != NULL && --(*at)->n == 0) {
            struct slot *gone = *at;
            *at = gone->next;
            free(gone);
        }
    }
    free_facts(s->taken);
    return n;
}

static void settle(void *arg, bool durable)
{
    struct overlay *o = arg;
    if (durable)
        (void)atomic_fetch_add(&o->commits, 1); /* before anything is forgotten */
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &o->shards[i];
        (void)pthread_mutex_lock(&s->lock);
        if (durable)
            (void)atomic_fetch_sub(&o->n, forget(s));
        else
            put_back(s);
        s->taken = NULL;
        (void)pthread_mutex_unlock(&s->lock);
    }
    if (durable) /* not before: who is told may look at once, and a power cut takes nothing back */
        batch_tell(&o->batch, o->events);
}

struct write_facts overlay_facts(struct overlay *overlay)
{
    return (struct write_facts){.any = any, .fold = fold, .settle = settle, .arg = overlay};
}
