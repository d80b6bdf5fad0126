/* SPDX-License-Identifier: MIT
 * What one fold changed, gathered while it runs: told to those who watch once it is durable. */
#ifndef OTAD_FLEET_BATCH_H
#define OTAD_FLEET_BATCH_H

#include <stddef.h>

#include "fleet/events.h"
#include "fleet/update.h"

/** {0} is an empty one. Used by one thread. */
struct batch {
    struct event *news;
    size_t n, room;
};

/** Notes the state that an update just got. An update nobody has room for isn't told: events are
 *  no evidence. Does nothing with batch NULL. */
void batch_update(struct batch *batch, const struct update *u);

/** Publishes all, in the order noted, and empties the batch. With events NULL it only empties. */
void batch_tell(struct batch *batch, struct events *events);

/** Forgets all: the fold is to run again. */
void batch_forget(struct batch *batch);

/** Frees what a batch holds; it is empty then. */
void batch_free(struct batch *batch);

#endif
