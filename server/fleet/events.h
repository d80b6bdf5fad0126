/* SPDX-License-Identifier: MIT
 * What happens now, for those who watch: a ring of the newest events. Not evidence: that is in the
 * ledger. What must be durable is published after its commit. */
#ifndef OTAD_FLEET_EVENTS_H
#define OTAD_FLEET_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "otad/limits.h"

#define EVENTS_MAX 4096         /* the ring's places; 1.7 MiB */
#define EVENT_PROGRESS_MS 1000  /* at most one report of progress a transfer in this time */
#define EVENTS_SECOND (1 << 20) /* ids begin with the second of the start, times this */

enum event_kind {
    EVENT_CHECK_IN, /* a registered device asked; version */
    EVENT_TRANSFER, /* a request for an image began (state downloading), went on, or ended */
    EVENT_UPDATE,   /* an update has another state; update, build, state, cause, text */
    EVENT_CHANGE,   /* somebody changed something: cause is the action, text the object */
    EVENT_PUSH,   /* a step of a push: cause is the step, state running, ok or failed, text what was
                     seen; transfer, update, build, version */
    EVENT_CHANNEL /* a channel stopped by itself: text is its name and why; build, version */
};
#define EVENT_KINDS (EVENT_CHANNEL + 1)

/** One event. What a kind doesn't have is 0 or "". */
struct event {
    uint64_t id; /* set when published */
    enum event_kind kind;
    bool progress;   /* EVENT_TRANSFER: may be left out when another came shortly before */
    int64_t product; /* 0 = of no product */
    char slug[OTAD_SLUG_MAX + 1]; /* "": the reader finds it by the number */
    uint64_t mac;
    int64_t update;
    int64_t transfer;
    int64_t build; /* public id */
    char version[OTAD_VERSION_MAX + 1];
    char state[24];
    char cause[40];
    char text[160];
    int64_t bytes, size; /* EVENT_TRANSFER: taken by this request so far, of the image */
    int64_t at_s;
};

const char *event_kind_name(enum event_kind kind);

/** Opaque, thread-safe. */
struct events;

/** An empty ring. Ids grow from the clock's present second times EVENTS_SECOND: those of a later
 *  start are larger, unless the wall clock was set back in between.
 *  @param clock  borrowed; its monotonic time spaces progress
 *  @return NULL when out of memory */
struct events *events_new(const struct clock *clock);
void events_free(struct events **events);

/** Whom to tell that something was published: called on the publishing thread, so it must be
 *  quick and take no lock. NULL ends it; no call is under way when this returns. */
void events_set_listener(struct events *events, void (*news)(void *arg), void *arg);

/** Adds a copy. Takes a moment, never waits for a reader: the oldest event goes. With events NULL
 *  nothing happens. */
void events_publish(struct events *events, const struct event *event);

/** What a reader wants to see. */
struct events_filter {
    int64_t product;    /* 0 = of every product */
    bool only_products; /* leave out what belongs to no product */
    uint64_t mac;       /* 0 = of every device, and what is about none */
};

/** Id of the newest event; before the first one, the id it will come after. */
uint64_t events_newest(struct events *events);

/** Copies the next event behind the cursor that passes the filter, oldest first. Looks at a bounded
 *  number of events: *cursor moves behind those looked at, also when none passed.
 *  @param lost  set when events behind the cursor are gone from the ring, or the cursor is none of
 *               this ring's; the cursor then goes on with the oldest (or newest) there is.
 * Unchanged else.
 *  @return EVENTS_FOUND (*out was written), EVENTS_MORE (call again), EVENTS_NONE (all seen) */
enum events_next { EVENTS_NONE, EVENTS_FOUND, EVENTS_MORE };
enum events_next events_after(struct events *events, uint64_t *cursor,
                              const struct events_filter *filter, struct event *out, bool *lost);

#endif
