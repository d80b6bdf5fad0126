/* SPDX-License-Identifier: MIT
 * Owns group commit. */
#include "db/writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

struct writer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct write_job *head, *tail;
    size_t queued, queue_max;
    bool kicked, closing;
    int64_t interval_ms;
    int64_t commit_ms;
    struct db *db;
    struct write_facts facts;
    struct log *log;
};

/* Waits for work and takes all of it. @return false when closing and nothing is left. */
static bool take_all(struct writer *w, struct write_job **jobs)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += w->interval_ms / 1000;
    until.tv_nsec += w->interval_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_mutex_lock(&w->lock);
    int rc = 0;
    while (w->head == NULL && !w->kicked && !w->closing && rc == 0)
        rc = pthread_cond_timedwait(&w->wake, &w->lock, &until);
    *jobs = w->head;
    w->head = w->tail = NULL;
    w->queued = 0;
    w->kicked = false;
    bool more = *jobs != NULL || !w->closing;
    (void)pthread_mutex_unlock(&w->lock);
    return more;
}

static void run_job(struct writer *w, struct write_job *job)
{
    job->ei = (struct otad_errinfo){.code = OTAD_E_OK};
    job->err = db_savepoint(w->db, &job->ei);
    if (job->err != OTAD_E_OK)
        return;
    job->err = job->run(job, w->db, &job->ei);
    if (job->err == OTAD_E_OK)
        job->err = db_release(w->db, &job->ei);
    if (job->err != OTAD_E_OK)
        db_rollback_savepoint(w->db);
}

/* Folds gathered facts in. A fold that fails must not take the jobs with it. */
static enum otad_err fold_facts(struct writer *w, struct otad_errinfo *ei)
{
    enum otad_err err = db_savepoint(w->db, ei);
    if (err == OTAD_E_OK)
        err = w->facts.fold(w->facts.arg, w->db, ei);
    if (err == OTAD_E_OK)
        err = db_release(w->db, ei);
    if (err != OTAD_E_OK) {
        db_rollback_savepoint(w->db);
        log_err(w->log, "writer.fold", "error='%s'", ei->msg);
    }
    return err;
}

/* Folds, then runs the jobs. On some errors (a full disk) SQLite ends the whole transaction: then
 * nothing of the group is left, nothing more of it may run, and that error is the group's. */
static enum otad_err run_group(struct writer *w, struct write_job *jobs, bool *folded,
                               struct otad_errinfo *ei)
{
    struct otad_errinfo fold = {.code = OTAD_E_OK};
    enum otad_err err = fold_facts(w, &fold);
    const struct otad_errinfo *last = &fold;
    *folded = err == OTAD_E_OK;
    for (struct write_job *job = jobs; job != NULL && db_in_transaction(w->db); job = job->next) {
        run_job(w, job);
        err = job->err;
        last = &job->ei;
    }
    if (db_in_transaction(w->db))
        return OTAD_E_OK;
    *ei = *last;
    return err != OTAD_E_OK ? err : otad_fail(ei, OTAD_E_DB, "The transaction ended by itself");
}

/* @return OTAD_E_OK when everything that ran is on the disk. */
static enum otad_err commit_group(struct writer *w, struct write_job *jobs, bool *folded,
                                  struct otad_errinfo *ei)
{
    enum otad_err err = db_begin(w->db, ei);
    if (err != OTAD_E_OK)
        return err;
    err = run_group(w, jobs, folded, ei);
    if (err == OTAD_E_OK)
        err = db_commit(w->db, ei);
    if (err != OTAD_E_OK)
        db_rollback(w->db);
    return err;
}

static void complete(struct writer *w, struct write_job *jobs, enum otad_err group,
                     const struct otad_errinfo *ei)
{
    while (jobs != NULL) {
        struct write_job *job = jobs;
        jobs = job->next;
        if (group != OTAD_E_OK && job->err == OTAD_E_OK)
            job->ei = *ei;
        enum otad_err err = job->err != OTAD_E_OK ? job->err : group;
        job->done(job, err, &job->ei);
    }
    if (group != OTAD_E_OK)
        log_err(w->log, "writer.commit", "error='%s'", ei->msg);
}

static void *work(void *arg)
{
    struct writer *w = arg;
    struct write_job *jobs;
    for (bool more = true; more;) {
        more = take_all(w, &jobs);
        if (jobs == NULL && !w->facts.any(w->facts.arg))
            continue;
        int64_t start = clock_mono_ms(&(struct clock){0});
        struct otad_errinfo ei = {.code = OTAD_E_OK};
        bool folded = false;
        for (struct write_job *job = jobs; job != NULL; job = job->next)
            job->err = OTAD_E_OK;
        enum otad_err err = commit_group(w, jobs, &folded, &ei);
        w->facts.settle(w->facts.arg, folded && err == OTAD_E_OK);
        complete(w, jobs, err, &ei);
        (void)pthread_mutex_lock(&w->lock);
        w->commit_ms = clock_mono_ms(&(struct clock){0}) - start;
        (void)pthread_mutex_unlock(&w->lock);
    }
    return NULL;
}

static void init_sync(struct writer *w)
{
    pthread_condattr_t attr;
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
}

struct writer *writer_new(struct db *db, struct write_facts facts, size_t queue_max,
                          int64_t interval_ms, struct log *log)
{
    struct writer *w = calloc(1, sizeof *w);
    if (w == NULL)
        return NULL;
    w->db = db;
    w->facts = facts;
    w->queue_max = queue_max;
    w->interval_ms = interval_ms;
    w->log = log;
    init_sync(w);
    if (pthread_create(&w->thread, NULL, work, w) != 0) {
        free(w);
        return NULL;
    }
    return w;
}

enum otad_err writer_submit(struct writer *w, struct write_job *job, struct otad_errinfo *ei)
{
    job->next = NULL;
    (void)pthread_mutex_lock(&w->lock);
    bool full = w->closing || w->queued >= w->queue_max;
    if (!full) {
        *(w->tail != NULL ? &w->tail->next : &w->head) = job;
        w->tail = job;
        w->queued++;
        (void)pthread_cond_signal(&w->wake);
    }
    (void)pthread_mutex_unlock(&w->lock);
    if (!full)
        return OTAD_E_OK;
    (void)otad_fail(ei, OTAD_E_BUSY, "Too many changes are waiting to be written");
    return otad_hint(ei, "Nothing was changed. Try again in a second.");
}

void writer_kick(struct writer *w)
{
    (void)pthread_mutex_lock(&w->lock);
    w->kicked = true;
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
}

void writer_free(struct writer **w)
{
    if (*w == NULL)
        return;
    (void)pthread_mutex_lock(&(*w)->lock);
    (*w)->closing = true;
    (void)pthread_cond_signal(&(*w)->wake);
    (void)pthread_mutex_unlock(&(*w)->lock);
    (void)pthread_join((*w)->thread, NULL);
    (void)pthread_cond_destroy(&(*w)->wake);
    (void)pthread_mutex_destroy(&(*w)->lock);
    db_close(&(*w)->db);
    free(*w);
    *w = NULL;
}

void writer_stats(struct writer *w, size_t *queued, int64_t *commit_ms)
{
    (void)pthread_mutex_lock(&w->lock);
    *queued = w->queued;
    *commit_ms = w->commit_ms;
    (void)pthread_mutex_unlock(&w->lock);
}
