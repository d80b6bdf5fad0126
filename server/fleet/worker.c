/* SPDX-License-Identifier: MIT
 * Owns the background thread and its queue. */
#include "fleet/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_bool closing;
    struct worker_job *head, *tail;
};

/* Waits for a job. @return NULL when closing and nothing is left. */
static struct worker_job *next_job(struct worker *w)
{
    (void)pthread_mutex_lock(&w->lock);
    while (w->head == NULL && !w->closing)
        (void)pthread_cond_wait(&w->wake, &w->lock);
    struct worker_job *job = w->head;
    if (job != NULL)
        w->head = job->next;
    if (w->head == NULL)
        w->tail = NULL;
    (void)pthread_mutex_unlock(&w->lock);
    return job;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    for (struct worker_job *job = next_job(w); job != NULL; job = next_job(w))
        job->run(job, w->closing);
    return NULL;
}

struct worker *worker_new(void)
{
    struct worker *w = calloc(1, sizeof *w);
    if (w == NULL)
        return NULL;
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->wake, NULL);
    if (pthread_create(&w->thread, NULL, work, w) != 0) {
        free(w);
        return NULL;
    }
    return w;
}

void worker_stop(struct worker *w)
{
    (void)pthread_mutex_lock(&w->lock);
    bool stopped = w->closing;
    w->closing = true;
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
    if (!stopped)
        (void)pthread_join(w->thread, NULL);
}

void worker_free(struct worker **worker)
{
    struct worker *w = *worker;
    if (w == NULL)
        return;
    worker_stop(w);
    (void)pthread_cond_destroy(&w->wake);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
    *worker = NULL;
}

enum otad_err worker_submit(struct worker *w, struct worker_job *job, struct otad_errinfo *ei)
{
    job->next = NULL;
    (void)pthread_mutex_lock(&w->lock);
    bool closing = w->closing;
    if (!closing) {
        if (w->tail != NULL)
            w->tail->next = job;
        else
            w->head = job;
        w->tail = job;
        (void)pthread_cond_signal(&w->wake);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return closing ? otad_fail(ei, OTAD_E_BUSY, "otad is shutting down") : OTAD_E_OK;
}
