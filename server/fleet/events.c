/* SPDX-License-Identifier: MIT
 * Owns the ring of events. One lock, held for the copy of one event at a time. */
#include "fleet/events.h"

#include <pthread.h>
#include <stdlib.h>

#define LOOK_MAX 256        /* events one call looks at: bounds how long it holds the lock */
#define PROGRESS_PLACES 512 /* two transfers in one place only report more often */

/* When a transfer last reported. */
struct progress {
    int64_t transfer;
    int64_t at_ms;
};

/* Holds the ids from `oldest` to `next` - 1, each in the place id % EVENTS_MAX. */
struct events {
    pthread_mutex_t lock;
    const struct clock *clock;
    uint64_t oldest, next;
    struct progress progress[PROGRESS_PLACES];
    pthread_rwlock_t listener_lock;
    void (*news)(void *arg);
    void *news_arg;
    struct event ring[EVENTS_MAX];
};

const char *event_kind_name(enum event_kind kind)
{
    static const char *const names[EVENT_KINDS] = {"check_in", "transfer", "update",
                                                   "change",   "push",     "channel"};
    return names[kind];
}

struct events *events_new(const struct clock *clock)
{
    struct events *e = calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    (void)pthread_mutex_init(&e->lock, NULL);
    (void)pthread_rwlock_init(&e->listener_lock, NULL);
    e->clock = clock;
    e->oldest = e->next = (uint64_t)clock_wall_s(clock) * EVENTS_SECOND + 1;
    return e;
}

void events_free(struct events **events)
{
    struct events *e = *events;
    if (e == NULL)
        return;
    (void)pthread_mutex_destroy(&e->lock);
    (void)pthread_rwlock_destroy(&e->listener_lock);
    free(e);
    *events = NULL;
}

void events_set_listener(struct events *e, void (*news)(void *arg), void *arg)
{
    (void)pthread_rwlock_wrlock(&e->listener_lock);
    e->news = news;
    e->news_arg = arg;
    (void)pthread_rwlock_unlock(&e->listener_lock);
}

/* Under the lock. Whether another report of this transfer would come too soon; the end of one, or
 * its begin, never does. */
static bool too_soon(struct events *e, const struct event *event)
{
    if (event->kind != EVENT_TRANSFER || event->transfer == 0)
        return false;
    int64_t now_ms = clock_mono_ms(e->clock);
    struct progress *last = &e->progress[(uint64_t)event->transfer % PROGRESS_PLACES];
    if (event->progress && last->transfer == event->transfer &&
        now_ms - last->at_ms < EVENT_PROGRESS_MS)
        return true;
    *last = (struct progress){.transfer = event->transfer, .at_ms = now_ms};
    return false;
}

static bool add(struct events *e, const struct event *event)
{
    (void)pthread_mutex_lock(&e->lock);
    bool fresh = !too_soon(e, event);
    if (fresh) {
        struct event *place = &e->ring[e->next % EVENTS_MAX];
        *place = *event;
        place->id = e->next++;
        if (e->next - e->oldest > EVENTS_MAX)
            e->oldest++;
    }
    (void)pthread_mutex_unlock(&e->lock);
    return fresh;
}

void events_publish(struct events *e, const struct event *event)
{
    if (e == NULL || !add(e, event))
        return;
    (void)pthread_rwlock_rdlock(&e->listener_lock);
    if (e->news != NULL)
        e->news(e->news_arg);
    (void)pthread_rwlock_unlock(&e->listener_lock);
}

uint64_t events_newest(struct events *e)
{
    (void)pthread_mutex_lock(&e->lock);
    uint64_t newest = e->next - 1;
    (void)pthread_mutex_unlock(&e->lock);
    return newest;
}

static bool passes(const struct events_filter *f, const struct event *event)
{
    return (f->product == 0 || event->product == f->product) &&
           (!f->only_products || event->product != 0) && (f->mac == 0 || event->mac == f->mac);
}

/* Under the lock. Puts a cursor that points at nothing we have to where there is something. */
static void settle(const struct events *e, uint64_t *cursor, bool *lost)
{
    if (*cursor < e->oldest - 1) {
        *cursor = e->oldest - 1;
        *lost = true;
    } else if (*cursor >= e->next) { /* of another life, before the clock was set back */
        *cursor = e->next - 1;
        *lost = true;
    }
}

enum events_next events_after(struct events *e, uint64_t *cursor,
                              const struct events_filter *filter, struct event *out, bool *lost)
{
    enum events_next next = EVENTS_MORE;
    (void)pthread_mutex_lock(&e->lock);
    settle(e, cursor, lost);
    for (int i = 0; i < LOOK_MAX && next == EVENTS_MORE; i++) {
        if (*cursor + 1 == e->next) {
            next = EVENTS_NONE;
            break;
        }
        const struct event *event = &e->ring[++*cursor % EVENTS_MAX];
        if (passes(filter, event)) {
            *out = *event;
            next = EVENTS_FOUND;
        }
    }
    (void)pthread_mutex_unlock(&e->lock);
    return next;
}
