/* SPDX-License-Identifier: MIT
 * The background thread: one job after the other, none forgotten. */
#include <pthread.h>
#include <semaphore.h>

#include "fleet/worker.h"
#include "support/store.h"

struct job {
    struct worker_job job;
    int n;
    bool closing;
    sem_t *started, *go; /* NULL: doesn't wait */
    sem_t done;
};

static int order[64], n_order; /* written by the worker only */

static void run(struct worker_job *job, bool closing)
{
    struct job *j = (struct job *)job;
    if (j->started != NULL) {
        (void)sem_post(j->started);
        (void)sem_wait(j->go);
    }
    if (n_order < 64) /* before a stop begins, any number of late jobs may run */
        order[n_order++] = j->n;
    j->closing = closing;
    (void)sem_post(&j->done);
}

static void init(struct job *j, int n)
{
    *j = (struct job){.job = {.run = run}, .n = n};
    (void)sem_init(&j->done, 0, 0);
}

START_TEST(jobs_run_once_in_order)
{
    struct worker *w = worker_new();
    struct job jobs[20];
    n_order = 0;
    for (int i = 0; i < 20; i++) {
        init(&jobs[i], i);
        OK(worker_submit(w, &jobs[i].job, EI));
    }
    for (int i = 0; i < 20; i++)
        (void)sem_wait(&jobs[i].done);
    worker_free(&w);
    ck_assert_ptr_null(w);
    worker_free(&w);
    ck_assert_int_eq(n_order, 20);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(order[i], i);
        ck_assert(!jobs[i].closing);
    }
}
END_TEST

static void *stop(void *arg)
{
    worker_stop(arg);
    return NULL;
}

START_TEST(closing_finishes_one_and_tells_the_others)
{
    struct worker *w = worker_new();
    struct job jobs[4], late;
    sem_t started, go;
    pthread_t stopper;
    (void)sem_init(&started, 0, 0);
    (void)sem_init(&go, 0, 0);
    for (int i = 0; i < 4; i++)
        init(&jobs[i], i);
    jobs[0].started = &started;
    jobs[0].go = &go;
    for (int i = 0; i < 4; i++)
        OK(worker_submit(w, &jobs[i].job, EI));
    (void)sem_wait(&started);
    ck_assert_int_eq(pthread_create(&stopper, NULL, stop, w), 0);
    init(&late, 9);
    while (worker_submit(w, &late.job, EI) == OTAD_E_OK) { /* until the stop has begun */
        (void)sem_post(&go);
        (void)sem_wait(&late.done);
        init(&late, 9);
    }
    HOLDS(store_ei.msg, "shutting down");
    (void)sem_post(&go);
    (void)pthread_join(stopper, NULL);
    for (int i = 0; i < 4; i++)
        ck_assert_msg(sem_trywait(&jobs[i].done) == 0, "job %d was forgotten", i);
    ck_assert(!jobs[0].closing);
    FAILS(OTAD_E_BUSY, worker_submit(w, &late.job, EI));
    worker_free(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("worker");
    TCase *t = tcase_create("worker");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, jobs_run_once_in_order);
    tcase_add_test(t, closing_finishes_one_and_tells_the_others);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
