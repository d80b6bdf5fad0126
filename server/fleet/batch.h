/* SPDX-License-Identifier: MIT
 * What one fold changed, gathered while it runs: counted once at its end, and told to those who
 * watch once it is durable. */
#ifndef OTAD_FLEET_BATCH_H
#define OTAD_FLEET_BATCH_H

#include <stddef.h>

#include "fleet/events.h"
#include "fleet/stats.h"
#include "fleet/update.h"

/** {0} is an empty one. Used by one thread. */
struct batch {
    struct event *news;
    size_t n, room;
    struct stats_count *counts; /* one an hour and product */
    size_t n_counts, counts_room;
};

/** Notes the state that an update just got. What there is no memory for is neither told nor
 * counted: this is no evidence. Does nothing with batch NULL. */
void batch_update(struct batch *batch, const struct update *u);

/** Notes that a channel stopped by itself, because of the build of u. Does nothing with NULL. */
void batch_channel(struct batch *batch, const struct update *u, const char *channel,
                   const char *reason);

/** Counts n check-ins at a time. Does nothing with batch NULL. */
void batch_checkins(struct batch *batch, int64_t product, int64_t at_s, int64_t n);

/** Writes what was counted, in the transaction of what it is about: one row an hour and product
 *  instead of one a fact. */
enum otad_err batch_write(const struct batch *batch, struct db *db,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Publishes all, in the order noted, and empties the batch. With events NULL it only empties. */
void batch_tell(struct batch *batch, struct events *events);

/** Forgets all: the fold is to run again. */
void batch_forget(struct batch *batch);

/** Frees what a batch holds; it is empty then. */
void batch_free(struct batch *batch);

#endif
