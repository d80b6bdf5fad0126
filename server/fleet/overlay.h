/* SPDX-License-Identifier: MIT
 * Facts that are not on the disk yet: noted by HTTP threads in no time, written by the writer
 * soon after, in order for each device. */
#ifndef OTAD_FLEET_OVERLAY_H
#define OTAD_FLEET_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/writer.h"
#include "fleet/decide.h"
#include "fleet/device.h"
#include "fleet/events.h"
#include "fleet/transfer.h"

enum fact_kind {
    FACT_ANONYMOUS, /* a check-in without a device: only counted */
    FACT_CHECKIN,
    FACT_SERVE,    /* a build was offered: a transfer began */
    FACT_PROGRESS, /* so much of it has arrived */
    FACT_END       /* the transfer ended */
};

/** What a check-in asked for. */
enum fact_ask {
    ASK_IMAGE,
    ASK_NUMBER, /* only the number of what there is, as sketches do before they ask for the image */
    ASK_OTHER,  /* its version, a description, … */
    ASK_NOTHING /* sidecars: no check-in at all */
};

/** One thing that happened. Which members count depends on the kind. */
struct fact {
    enum fact_kind kind;
    int64_t product;
    uint64_t mac; /* 0 with FACT_ANONYMOUS */
    enum checkin_mode mode;
    union {
        struct device_facts said; /* FACT_CHECKIN */
        struct transfer transfer; /* of a transfer's; its `update` is filled in by the fold */
    };
    enum fact_ask ask; /* FACT_CHECKIN */
    int64_t build;     /* FACT_SERVE: seq */
    int64_t first;     /* of a transfer's: the first byte this request was given */
    bool by_token;     /* FACT_SERVE, FACT_END: the URL's token was the decision */
    int64_t count;     /* FACT_ANONYMOUS, FACT_CHECKIN: how many */
    int64_t at_s;      /* of a transfer's: when */
    struct fact *next; /* private */
};

/** Opaque, thread-safe. */
struct overlay;

/** @param max_facts  more than these are not taken: check-ins are then dropped, transfers kept up
 *                    to twice as many
 *  @return NULL when out of memory */
struct overlay *overlay_new(size_t max_facts, struct log *log);
void overlay_free(struct overlay **overlay);

/** What the writer calls. */
struct write_facts overlay_facts(struct overlay *overlay);

/** Whom to wake when a fact should reach the disk at once; before that, facts wait. */
void overlay_set_writer(struct overlay *overlay, struct writer *writer);

/** Where facts are published when they are noted, and what they changed in the ledger after its
 *  commit. Before anybody else uses the overlay; without it nothing is published. */
void overlay_set_events(struct overlay *overlay, struct events *events);

/** Copies *fact. A check-in replaces the device's last one when nothing happened in between.
 *  @return false when it was dropped because too much is waiting */
bool overlay_note(struct overlay *overlay, const struct fact *fact);

/** Whether facts of this device wait to be written. */
bool overlay_knows(struct overlay *overlay, int64_t product, uint64_t mac);

/** Whether facts of this device's downloads wait to be written: then what is stored is not yet what
 *  a decision about it must go by. */
bool overlay_unsettled(struct overlay *overlay, int64_t product, uint64_t mac);

/** Counts commits. When it has moved between two looks, what was read in between may be older than
 *  what overlay_unsettled() then doesn't know any more. */
size_t overlay_commits(struct overlay *overlay);

/** Whether so much waits that whoever notes more should wait for the writer first. Those that do
 *  keep it from being dropped. */
bool overlay_crowded(struct overlay *overlay);

/** Whether anything waits to be written. */
bool overlay_any(struct overlay *overlay);

#endif
