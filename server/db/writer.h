/* SPDX-License-Identifier: MIT
 * The one thread that writes while the daemon runs: takes what is queued, commits it as one
 * transaction, then completes the waiters (group commit). */
#ifndef OTAD_DB_WRITER_H
#define OTAD_DB_WRITER_H

#include <stdbool.h>

#include "base/log.h"
#include "db/db.h"

/** A change that somebody waits for. Embedded in the caller's own struct. */
struct write_job {
    /** Makes the change, on the writer thread, inside a transaction. An error undoes this job
     *  alone. May run a second time when the commit of its group failed. */
    enum otad_err (*run)(struct write_job *job, struct db *db, struct otad_errinfo *ei);
    /** Told once, on the writer thread, after the sync returned (or the job failed). The job
     *  belongs to the callee again. Must not block. */
    void (*done)(struct write_job *job, enum otad_err err, const struct otad_errinfo *ei);
    struct write_job *next; /* private */
    enum otad_err err;      /* private */
    struct otad_errinfo ei; /* private */
};

/** Facts nobody waits for. The writer folds them in before the jobs of the same transaction, at
 *  least every interval, so a job can rest on every fact noted before it was queued. */
struct write_facts {
    /** Whether anything has gathered: an idle daemon starts no transactions. */
    bool (*any)(void *arg);
    /** Writes what has gathered. Runs in a savepoint. */
    enum otad_err (*fold)(void *arg, struct db *db, struct otad_errinfo *ei);
    /** After the commit: true = durable, forget them; false = keep for the next fold. */
    void (*settle)(void *arg, bool durable);
    void *arg;
};

/** Opaque. */
struct writer;

/** Starts the thread. Takes over *db (the daemon's only write connection).
 *  @param queue_max     jobs that may wait
 *  @param interval_ms   longest time between two folds
 *  @return NULL when out of memory or threads */
struct writer *writer_new(struct db *db, struct write_facts facts, size_t queue_max,
                          int64_t interval_ms, struct log *log);

/** Queues a job. @return OTAD_E_OK, or OTAD_E_BUSY when the queue is full or closing: then `done`
 *  is not called. Thread-safe. */
enum otad_err writer_submit(struct writer *w, struct write_job *job,
                            struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Asks for a fold soon instead of at the interval. Thread-safe, cheap. */
void writer_kick(struct writer *w);

/** Commits everything queued, ends the thread, closes the connection, sets *w to NULL. */
void writer_free(struct writer **w);

/** Jobs waiting now, and how long the last commit took, for health reports. */
void writer_stats(struct writer *w, size_t *queued, int64_t *commit_ms);

#endif
