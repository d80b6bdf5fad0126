/* SPDX-License-Identifier: MIT
 * The context that main makes once and hands down: nothing below it reads a global. */
#ifndef OTAD_FLEET_OTAD_H
#define OTAD_FLEET_OTAD_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "db/pool.h"
#include "db/writer.h"
#include "fleet/seal.h"
#include "fleet/token.h"

struct overlay;
struct blob_cache;
struct worker;
struct admission;
struct leases;
struct events;
struct answer_cache;
struct discovery;
struct pusher;

/** All parts are thread-safe; each lives until the threads that use it have ended. */
struct otad {
    struct log *log;
    struct clock clock;
    const char *data_dir;
    const char *version;  /* of otad */
    int64_t started_at_s; /* wall clock */
    struct db_pool *readers;
    struct writer *writer;
    struct overlay *overlay;
    struct blob_cache *blobs;
    struct worker *worker;
    struct admission *admission;
    struct leases *leases;
    struct events *events;
    struct answer_cache *answers;
    struct discovery *discovery;    /* NULL = it is off */
    struct pusher *pusher;          /* NULL = it is off */
    uint8_t seal_key[SEAL_KEY_LEN]; /* passwords of devices are sealed with it */
    uint8_t url_key[TOKEN_KEY_LEN]; /* tokens of /static URLs are made with it */
    _Atomic int64_t
        key_refused_ms;           /* monotonic: a missing product key was last logged, 0 = never */
    pthread_rwlock_t config_lock; /* a reload writes, everybody else reads */
    struct config config;
};

/** One number of the configuration as it is now, e.g. otad_config_int(o,
 * &o->config.image_max_bytes). */
int64_t otad_config_int(struct otad *o, const int64_t *field);

/** Copies a text of the configuration as it is now, e.g. o->config.public_url. */
void otad_config_text(struct otad *o, const char *field, char out[OPTION_TEXT_MAX]);

/** The calling thread's read connection. */
enum otad_err otad_reader(struct otad *o, struct db **out, struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
