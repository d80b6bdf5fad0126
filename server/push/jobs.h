/* SPDX-License-Identifier: MIT
 * Pushes that the daemon makes: a few at a time, one a device, each in the ledger step by step. */
#ifndef OTAD_PUSH_JOBS_H
#define OTAD_PUSH_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "fleet/otad.h"
#include "fleet/push_password.h"
#include "otad/limits.h"
#include "push/push.h"

#define PUSH_WAITING_MAX 64 /* jobs that wait for their turn */
#define PUSH_HOST_MAX 128

/** What is to be pushed. Its transfer is in the ledger already. */
struct push_order {
    int64_t transfer, update;
    int64_t product;
    uint64_t mac;
    int64_t build_id;
    int64_t image; /* row id */
    int64_t size_bytes;
    char version[OTAD_VERSION_MAX + 1];
    char filename[OTAD_FILENAME_MAX + 1];
    char host[PUSH_HOST_MAX];
    uint16_t port; /* 0 = by the device's family */
    bool esp32, fs;
    char password[PUSH_PASSWORD_MAX + 1];
    int64_t free_space;  /* as the device last said, -1 = unknown */
    int64_t patience_ms; /* 0 = as each step deserves */
};

/** Where a push is that hasn't ended. */
struct push_live {
    bool waiting; /* for its turn */
    enum push_step step;
    int64_t began_at_ms; /* the step: unix milliseconds */
    int64_t tries;
    int64_t bytes_acked, bytes_per_s;
};

/** Opaque, thread-safe. */
struct pusher;
/** A place for one push, reserved and then used or given back. Opaque. */
struct push_job;

/** @return NULL when out of memory */
struct pusher *pusher_new(struct otad *otad);

/** Cancels what runs or waits; each is noted as interrupted. Blocks until all have ended, a second
 * or two. Nothing can be reserved any more. */
void pusher_stop(struct pusher *p);

/** Frees, sets NULL. After pusher_stop() and the writer's end. */
void pusher_free(struct pusher **p);

/** What the configuration allows now: further networks, and ports to be connected back to (0 =
 * any). */
void pusher_limits(struct otad *o, struct net_list *networks, uint16_t *first, uint16_t *last);

/** Takes a place for a device.
 *  @return OTAD_E_OK (the caller must start or give back *job), OTAD_E_CONFLICT (a push to it
 * runs), OTAD_E_BUSY (too many wait, or otad is ending), OTAD_E_NOMEM */
enum otad_err pusher_reserve(struct pusher *p, int64_t product, uint64_t mac, struct push_job **job,
                             struct otad_errinfo *ei) OTAD_MUSTCHECK;
void pusher_give_back(struct pusher *p, struct push_job *job);

/** Begins; the job is the pusher's again. Doesn't block. */
void pusher_start(struct pusher *p, struct push_job *job, const struct push_order *order);

/** @return whether that push (by its transfer) hasn't ended */
bool pusher_look(struct pusher *p, int64_t transfer, struct push_live *out);

/** Ends a push early. @return false when it has ended or is none */
bool pusher_cancel(struct pusher *p, int64_t transfer);

#endif
