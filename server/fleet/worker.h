/* SPDX-License-Identifier: MIT
 * One background thread for work that would hold up an HTTP thread: uploads being taken in, reads
 * over whole tables. One job after the other. */
#ifndef OTAD_FLEET_WORKER_H
#define OTAD_FLEET_WORKER_H

#include <stdbool.h>

#include "otad/err.h"

/** Embedded as the first member of the caller's struct; must live until run() was called. */
struct worker_job {
    /** Runs once, on the worker thread. @param closing  the daemon ends: refuse with OTAD_E_BUSY */
    void (*run)(struct worker_job *job, bool closing);
    struct worker_job *next; /* private */
};

/** Opaque, thread-safe. */
struct worker;

/** Starts the thread. @return NULL on failure */
struct worker *worker_new(void);

/** Finishes the job at work, runs the others with closing set, ends the thread. Later jobs are
 *  refused. */
void worker_stop(struct worker *worker);

/** Stops if that wasn't done yet, frees, sets NULL. Nobody may submit any more. */
void worker_free(struct worker **worker);

/** Queues a job. @return OTAD_E_BUSY when closing; then run() is not called */
enum otad_err worker_submit(struct worker *worker, struct worker_job *job,
                            struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
