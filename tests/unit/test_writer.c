/* SPDX-License-Identifier: MIT
 * Group commit: order, undoing one job alone, what a failed fold or commit leaves. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "db/writer.h"
#include "support/store.h"

/* What happened, in order; written by the writer's thread, read after it ended. */
static char story[512];
static atomic_int folds, any_facts, fold_fails, durable, kept;
static bool taken; /* by the fold of this group; the writer's thread only */
static struct store store;

static void note(const char *word)
{
    size_t n = strlen(story);
    (void)snprintf(story + n, sizeof story - n, "%s ", word);
}

static bool any(void *arg)
{
    (void)arg;
    return atomic_load(&any_facts) != 0;
}

static enum otad_err fold(void *arg, struct db *db, struct otad_errinfo *ei)
{
    (void)arg;
    (void)atomic_fetch_add(&folds, 1);
    if (atomic_load(&any_facts) == 0)
        return OTAD_E_OK;
    note("fold");
    taken = true;
    enum otad_err err = db_exec(db, "INSERT INTO t (n) VALUES (1000)", ei);
    if (err == OTAD_E_OK && atomic_load(&fold_fails) != 0)
        return otad_fail(ei, OTAD_E_DB, "fold");
    return err;
}

static void settle(void *arg, bool is_durable)
{
    (void)arg;
    if (!taken)
        return;
    taken = false;
    note(is_durable ? "settled" : "kept");
    (void)atomic_fetch_add(is_durable ? &durable : &kept, 1);
    if (is_durable)
        atomic_store(&any_facts, 0);
}

struct job {
    struct write_job job;
    int n;               /* row it writes */
    enum otad_err fail;  /* returned after the row was written */
    const char *sql;     /* instead of the row */
    sem_t *started, *go; /* NULL: doesn't wait */
    sem_t done;
    enum otad_err err;
    struct otad_errinfo ei;
    int64_t seen; /* rows another connection sees when done is called */
};

static enum otad_err run(struct write_job *job, struct db *db, struct otad_errinfo *ei)
{
    struct job *j = (struct job *)job;
    char word[16];
    (void)snprintf(word, sizeof word, "run%d", j->n);
    note(word);
    if (j->started != NULL) {
        (void)sem_post(j->started);
        (void)sem_wait(j->go);
    }
    if (j->sql != NULL)
        return db_exec(db, j->sql, ei);
    struct db_q q = db_query(db, "INSERT INTO t (n) VALUES (:n)");
    db_bind_int(&q, ":n", j->n);
    enum otad_err err = db_run(&q, ei);
    return err == OTAD_E_OK && j->fail != OTAD_E_OK ? otad_fail(ei, j->fail, "job %d", j->n) : err;
}

static void done(struct write_job *job, enum otad_err err, const struct otad_errinfo *ei)
{
    struct job *j = (struct job *)job;
    struct db *reader = NULL;
    char word[16];
    (void)snprintf(word, sizeof word, "done%d", j->n);
    note(word);
    j->err = err;
    j->ei = *ei;
    j->seen = -1;
    if (db_open(store.path, DB_READ, &reader, NULL) == OTAD_E_OK) {
        struct db_q q = db_query(reader, "SELECT count(*) FROM t WHERE n = :n");
        db_bind_int(&q, ":n", j->n);
        j->seen = db_step(&q) ? db_int(&q, 0) : -1;
        (void)db_end(&q, NULL);
        db_close(&reader);
    }
    (void)sem_post(&j->done);
}

static void job_init(struct job *j, int n)
{
    *j = (struct job){
        .job = {.run = run, .done = done},
          .n = n
    };
    (void)sem_init(&j->done, 0, 0);
}

static struct writer *start(size_t queue_max, int64_t interval_ms)
{
    store_file(&store);
    store_exec(store.db, "CREATE TABLE parent (n INTEGER PRIMARY KEY);"
                         "CREATE TABLE t (n INTEGER, b BLOB,"
                         " p INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)");
    story[0] = '\0';
    struct write_facts facts = {.any = any, .fold = fold, .settle = settle};
    struct writer *w = writer_new(store.db, facts, queue_max, interval_ms, &store.log);
    ck_assert_ptr_nonnull(w);
    store.db = NULL; /* the writer's now */
    return w;
}

static int64_t rows(void)
{
    struct db *reader = NULL;
    OK(db_open(store.path, DB_READ, &reader, EI));
    int64_t n = store_int(reader, "SELECT count(*) FROM t");
    db_close(&reader);
    return n;
}

/* Keeps the writer busy while others queue up; job 0 is the blocker. */
static sem_t started, go;
static void block(struct writer *w, struct job *blocker)
{
    (void)sem_init(&started, 0, 0);
    (void)sem_init(&go, 0, 0);
    job_init(blocker, 0);
    blocker->started = &started;
    blocker->go = &go;
    OK(writer_submit(w, &blocker->job, EI));
    (void)sem_wait(&started);
}

static void wait_until(atomic_int *counter, int want)
{
    for (int i = 0; i < 1000 && atomic_load(counter) < want; i++)
        (void)usleep(5000);
    ck_assert_int_ge(atomic_load(counter), want);
}

START_TEST(facts_come_first_then_jobs_in_order_then_answers)
{
    struct writer *w = start(100, 60000);
    struct job blocker, jobs[3];
    block(w, &blocker);
    for (int i = 0; i < 3; i++) {
        job_init(&jobs[i], i + 1);
        OK(writer_submit(w, &jobs[i].job, EI));
    }
    atomic_store(&any_facts, 1);
    (void)sem_post(&go);
    for (int i = 0; i < 3; i++)
        (void)sem_wait(&jobs[i].done);
    writer_free(&w);
    ck_assert_ptr_null(w);
    HOLDS(story, "fold run1 run2 run3 settled done1 done2 done3");
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(jobs[i].err, OTAD_E_OK);
        ck_assert_int_eq(jobs[i].seen, 1); /* durable before it was told */
    }
    store_close(&store);
}
END_TEST

START_TEST(failing_job_is_undone_alone)
{
    struct writer *w = start(100, 60000);
    struct job blocker, jobs[3];
    block(w, &blocker);
    for (int i = 0; i < 3; i++) {
        job_init(&jobs[i], i + 1);
        jobs[i].fail = i == 1 ? OTAD_E_RATE : OTAD_E_OK;
        OK(writer_submit(w, &jobs[i].job, EI));
    }
    (void)sem_post(&go);
    for (int i = 0; i < 3; i++)
        (void)sem_wait(&jobs[i].done);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(jobs[i].err, i == 1 ? OTAD_E_RATE : OTAD_E_OK);
        ck_assert_int_eq(jobs[i].seen, i == 1 ? 0 : 1);
    }
    ck_assert_str_eq(jobs[1].ei.msg, "job 2");
    writer_free(&w);
    store_close(&store);
}
END_TEST

START_TEST(full_queue_is_busy_and_never_told)
{
    struct writer *w = start(2, 60000);
    struct job blocker, jobs[3];
    size_t queued = 99;
    int64_t commit_ms = -1;
    block(w, &blocker);
    for (int i = 0; i < 3; i++)
        job_init(&jobs[i], i + 1);
    OK(writer_submit(w, &jobs[0].job, EI));
    OK(writer_submit(w, &jobs[1].job, EI));
    FAILS(OTAD_E_BUSY, writer_submit(w, &jobs[2].job, EI));
    ck_assert_str_ne(store_ei.hint, "");
    writer_stats(w, &queued, &commit_ms);
    ck_assert_uint_eq(queued, 2);
    (void)sem_post(&go);
    (void)sem_wait(&jobs[1].done);
    OK(writer_submit(w, &jobs[2].job, EI)); /* there is room again */
    (void)sem_wait(&jobs[2].done);
    writer_free(&w);
    ck_assert_int_eq(rows(), 4);
    store_close(&store);
}
END_TEST

START_TEST(closing_writes_all_that_was_queued)
{
    struct writer *w = start(100, 60000);
    struct job jobs[50];
    atomic_store(&any_facts, 1);
    for (int i = 0; i < 50; i++) {
        job_init(&jobs[i], i + 1);
        OK(writer_submit(w, &jobs[i].job, EI));
    }
    writer_free(&w);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(sem_trywait(&jobs[i].done), 0);
        ck_assert_int_eq(jobs[i].err, OTAD_E_OK);
    }
    ck_assert_int_eq(rows(), 51);
    ck_assert_int_eq(atomic_load(&any_facts), 0);
    store_close(&store);
}
END_TEST

START_TEST(closing_without_jobs_folds_what_is_left)
{
    struct writer *w = start(100, 60000);
    atomic_store(&any_facts, 1);
    writer_free(&w);
    ck_assert_str_eq(story, "fold settled ");
    ck_assert_int_eq(rows(), 1);
    store_close(&store);
}
END_TEST

START_TEST(failed_fold_keeps_its_facts_and_harms_no_job)
{
    struct writer *w = start(100, 60000);
    struct job job;
    job_init(&job, 1);
    atomic_store(&fold_fails, 1);
    atomic_store(&any_facts, 1);
    OK(writer_submit(w, &job.job, EI));
    (void)sem_wait(&job.done);
    ck_assert_int_eq(job.err, OTAD_E_OK);
    ck_assert_int_eq(rows(), 1); /* the job's; the half-written fold is gone */
    ck_assert_int_ge(atomic_load(&kept), 1);
    ck_assert_int_eq(atomic_load(&durable), 0);
    atomic_store(&fold_fails, 0);
    writer_kick(w);
    wait_until(&durable, 1);
    ck_assert_int_eq(rows(), 2);
    writer_free(&w);
    store_close(&store);
}
END_TEST

START_TEST(failed_commit_is_told_to_all_and_leaves_nothing)
{
    struct writer *w = start(100, 60000);
    struct job blocker, jobs[3];
    block(w, &blocker);
    for (int i = 0; i < 3; i++) {
        job_init(&jobs[i], i + 1);
        OK(writer_submit(w, &jobs[i].job, EI));
    }
    jobs[1].sql = "INSERT INTO t (n, p) VALUES (2, 99)"; /* fails only at the commit */
    jobs[2].fail = OTAD_E_RATE;
    atomic_store(&any_facts, 1);
    (void)sem_post(&go);
    for (int i = 0; i < 3; i++)
        (void)sem_wait(&jobs[i].done);
    ck_assert_int_eq(jobs[0].err, OTAD_E_CONFLICT);
    ck_assert_int_eq(jobs[1].err, OTAD_E_CONFLICT);
    HOLDS(jobs[0].ei.msg, "FOREIGN KEY");
    ck_assert_int_eq(jobs[2].err, OTAD_E_RATE); /* it keeps its own reason */
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(jobs[i].seen, 0);
    HOLDS(story, "run3 kept");
    writer_free(&w);
    ck_assert_int_eq(rows(), 2); /* the blocker's, and the facts at last */
    store_close(&store);
}
END_TEST

/* SQLite ends the whole transaction when the disk is full: what is told must fit what is there. */
START_TEST(full_disk_in_one_job_lies_to_no_other)
{
    struct writer *w = start(100, 60000);
    struct job blocker, limit, jobs[4];
    job_init(&limit, 50);
    limit.sql = "PRAGMA max_page_count=150";
    OK(writer_submit(w, &limit.job, EI));
    (void)sem_wait(&limit.done);
    block(w, &blocker);
    for (int i = 0; i < 4; i++) {
        job_init(&jobs[i], i + 1);
        OK(writer_submit(w, &jobs[i].job, EI));
    }
    jobs[1].sql = "INSERT INTO t (n, b) VALUES (2, zeroblob(50000000))";
    (void)sem_post(&go);
    for (int i = 0; i < 4; i++)
        (void)sem_wait(&jobs[i].done);
    ck_assert_int_eq(jobs[1].err, OTAD_E_NOSPACE);
    for (int i = 0; i < 4; i++)
        ck_assert_msg(jobs[i].seen == (jobs[i].err == OTAD_E_OK), "job %d: told %s, there: %d",
                      i + 1, otad_err_name(jobs[i].err), (int)jobs[i].seen);
    writer_free(&w);
    store_close(&store);
}
END_TEST

START_TEST(idle_writer_starts_no_transaction)
{
    struct writer *w = start(100, 2);
    (void)usleep(50000);
    writer_kick(w);
    (void)usleep(20000);
    writer_free(&w);
    ck_assert_int_eq(atomic_load(&folds), 0);
    store_close(&store);
}
END_TEST

START_TEST(facts_are_folded_within_the_interval)
{
    struct writer *w = start(100, 20);
    atomic_store(&any_facts, 1);
    wait_until(&durable, 1);
    writer_free(&w);
    store_close(&store);
}
END_TEST

START_TEST(kick_does_not_wait_for_the_interval)
{
    struct writer *w = start(100, 60000);
    atomic_store(&any_facts, 1);
    writer_kick(w);
    wait_until(&durable, 1);
    writer_free(&w);
    store_close(&store);
}
END_TEST

struct crowd {
    struct writer *w;
    struct job jobs[25];
    int first;
};

static void *submit_many(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < 25; i++) {
        job_init(&c->jobs[i], c->first + i);
        if (writer_submit(c->w, &c->jobs[i].job, NULL) != OTAD_E_OK)
            c->jobs[i].err = OTAD_E_BUSY;
        if (i % 5 == 0)
            writer_kick(c->w);
    }
    return NULL;
}

START_TEST(many_threads_lose_nothing)
{
    static struct crowd crowds[4];
    pthread_t threads[4];
    struct writer *w = start(1000, 5);
    for (int i = 0; i < 4; i++) {
        crowds[i] = (struct crowd){.w = w, .first = 10 + i * 25};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, submit_many, &crowds[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    writer_free(&w);
    ck_assert_int_eq(rows(), 100);
    store_close(&store);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("writer");
    TCase *t = tcase_create("groups");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, facts_come_first_then_jobs_in_order_then_answers);
    tcase_add_test(t, failing_job_is_undone_alone);
    tcase_add_test(t, full_queue_is_busy_and_never_told);
    tcase_add_test(t, failed_fold_keeps_its_facts_and_harms_no_job);
    tcase_add_test(t, failed_commit_is_told_to_all_and_leaves_nothing);
    tcase_add_test(t, full_disk_in_one_job_lies_to_no_other);
    suite_add_tcase(s, t);
    t = tcase_create("life");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, closing_writes_all_that_was_queued);
    tcase_add_test(t, closing_without_jobs_folds_what_is_left);
    tcase_add_test(t, idle_writer_starts_no_transaction);
    tcase_add_test(t, facts_are_folded_within_the_interval);
    tcase_add_test(t, kick_does_not_wait_for_the_interval);
    tcase_add_test(t, many_threads_lose_nothing);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
