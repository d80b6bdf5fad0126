/* SPDX-License-Identifier: MIT
 * Owns the daemon's pushes: their queue, their threads, and what of them goes into the ledger. */
#include "push/jobs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/address.h"
#include "fleet/blob.h"
#include "fleet/events.h"
#include "fleet/overlay.h"
#include "fleet/push_step.h"
#include "fleet/transfer.h"

#define THREADS_MAX 64
#define RETRY_MS 100 /* when the writer's queue is full */

enum job_state { JOB_RESERVED, JOB_WAITING, JOB_RUNNING };

struct push_job {
    struct pusher *pusher;
    enum job_state state;
    struct push_order order;
    struct push_live live;
    atomic_bool cancel;
    char last_step[16]; /* whose end is written with the job's */
    int64_t began_ms;   /* unix milliseconds */
    struct push_job *next;
};

struct pusher {
    struct otad *otad;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct push_job *jobs; /* all, oldest last */
    size_t n;
    pthread_t threads[THREADS_MAX];
    size_t n_threads, idle;
    bool stopping;
};

struct pusher *pusher_new(struct otad *otad)
{
    struct pusher *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->otad = otad;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->wake, NULL);
    return p;
}

void pusher_free(struct pusher **pusher)
{
    struct pusher *p = *pusher;
    if (p == NULL)
        return;
    while (p->jobs != NULL) { /* reserved by a change that never ended */
        struct push_job *next = p->jobs->next;
        free(p->jobs);
        p->jobs = next;
    }
    (void)pthread_cond_destroy(&p->wake);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
    *pusher = NULL;
}

void pusher_limits(struct otad *o, struct net_list *networks, uint16_t *first, uint16_t *last)
{
    networks->n = 0;
    (void)pthread_rwlock_rdlock(&o->config_lock);
    for (size_t i = 0; i < o->config.push_networks.n; i++)
        if (net_parse(o->config.push_networks.items[i], &networks->items[networks->n]))
            networks->n++;
    if (!address_ports(o->config.push_ports, first, last)) /* the option takes nothing else */
        *first = *last = 0;
    (void)pthread_rwlock_unlock(&o->config_lock);
}

/* ---- places ------------------------------------------------------------------------------- */

static struct push_job *find(const struct pusher *p, int64_t transfer)
{
    struct push_job *job = p->jobs;
    while (job != NULL && (job->state == JOB_RESERVED || job->order.transfer != transfer))
        job = job->next;
    return job;
}

static enum otad_err has_room(const struct pusher *p, int64_t product, uint64_t mac,
                              struct otad_errinfo *ei)
{
    for (const struct push_job *job = p->jobs; job != NULL; job = job->next)
        if (job->order.product == product && job->order.mac == mac) {
            (void)otad_fail(ei, OTAD_E_CONFLICT, "A push to this device is under way");
            return otad_hint(ei, "Wait until it has ended, or DELETE it.");
        }
    if (p->stopping)
        return otad_fail(ei, OTAD_E_BUSY, "otad is ending");
    if (p->n < PUSH_WAITING_MAX + (size_t)p->otad->config.pushes_max)
        return OTAD_E_OK;
    (void)otad_fail(ei, OTAD_E_BUSY, "%d pushes wait for their turn already", PUSH_WAITING_MAX);
    return otad_hint(ei, "Try again in a minute. push.concurrent_max says how many run at a time.");
}

enum otad_err pusher_reserve(struct pusher *p, int64_t product, uint64_t mac, struct push_job **out,
                             struct otad_errinfo *ei)
{
    struct push_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    job->pusher = p;
    job->order.product = product;
    job->order.mac = mac;
    (void)pthread_mutex_lock(&p->lock);
    enum otad_err err = has_room(p, product, mac, ei);
    if (err == OTAD_E_OK) {
        job->next = p->jobs;
        p->jobs = job;
        p->n++;
    }
    (void)pthread_mutex_unlock(&p->lock);
    if (err == OTAD_E_OK)
        *out = job;
    else
        free(job);
    return err;
}

void pusher_give_back(struct pusher *p, struct push_job *job)
{
    (void)pthread_mutex_lock(&p->lock);
    struct push_job **at = &p->jobs;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    p->n--;
    (void)pthread_mutex_unlock(&p->lock);
    explicit_bzero(&job->order, sizeof job->order); /* it holds a password */
    free(job);
}

bool pusher_look(struct pusher *p, int64_t transfer, struct push_live *out)
{
    (void)pthread_mutex_lock(&p->lock);
    const struct push_job *job = find(p, transfer);
    if (job != NULL)
        *out = job->live;
    (void)pthread_mutex_unlock(&p->lock);
    return job != NULL;
}

bool pusher_cancel(struct pusher *p, int64_t transfer)
{
    (void)pthread_mutex_lock(&p->lock);
    struct push_job *job = find(p, transfer);
    if (job != NULL)
        atomic_store(&job->cancel, true);
    (void)pthread_mutex_unlock(&p->lock);
    return job != NULL;
}

/* ---- what goes to the writer -------------------------------------------------------------- */

/* The end of a step, or of the whole push. */
struct note {
    struct write_job write; /* first: the writer knows only this */
    struct push_job *job;   /* given back when the note is durable; NULL = it goes on */
    struct push_step_row step;
    char causes[PUSH_CAUSES_MAX];
};

static enum otad_err write_note(struct write_job *write, struct db *db, struct otad_errinfo *ei)
{
    const struct note *n = (const struct note *)write;
    enum otad_err err = OTAD_E_OK;
    if (n->step.step[0] != '\0')
        err = push_step_add(db, &n->step, ei);
    if (err == OTAD_E_OK && n->causes[0] != '\0')
        err = transfer_set_causes(db, n->step.transfer, n->causes, ei);
    /* The device may have been forgotten meanwhile, with all its history. */
    return err == OTAD_E_CONFLICT ? OTAD_E_OK : err;
}

static void noted(struct write_job *write, enum otad_err err, const struct otad_errinfo *ei)
{
    struct note *n = (struct note *)write;
    (void)err; /* the writer has logged it */
    (void)ei;
    if (n->job != NULL)
        pusher_give_back(n->job->pusher, n->job);
    free(n);
}

static void nap(void)
{
    const struct timespec t = {.tv_nsec = RETRY_MS * 1000000L};
    (void)nanosleep(&t, NULL);
}

/* Hands a note to the writer, however long its queue is. */
static void submit(struct otad *o, struct note *n)
{
    n->write = (struct write_job){.run = write_note, .done = noted};
    while (writer_submit(o->writer, &n->write, NULL) != OTAD_E_OK)
        nap();
}

static void publish(struct push_job *job, const char *step, const char *outcome, const char *detail)
{
    const struct push_order *order = &job->order;
    struct otad *o = job->pusher->otad;
    struct event event = {.kind = EVENT_PUSH,
                          .product = order->product,
                          .mac = order->mac,
                          .update = order->update,
                          .transfer = order->transfer,
                          .build = order->build_id,
                          .at_s = clock_wall_s(&o->clock)};
    (void)snprintf(event.version, sizeof event.version, "%s", order->version);
    (void)snprintf(event.cause, sizeof event.cause, "%s", step);
    (void)snprintf(event.state, sizeof event.state, "%s", outcome);
    (void)snprintf(event.text, sizeof event.text, "%.159s", detail);
    events_publish(o->events, &event);
}

static void note_fact(struct push_job *job, enum fact_kind kind, const struct transfer *t)
{
    const struct push_order *order = &job->order;
    struct fact fact = {.kind = kind, .product = order->product, .mac = order->mac, .transfer = *t};
    fact.transfer.id = order->transfer;
    fact.transfer.size_bytes = order->size_bytes;
    fact.at_s = clock_wall_s(&job->pusher->otad->clock);
    (void)overlay_note(job->pusher->otad->overlay, &fact);
}

/* ---- one push ----------------------------------------------------------------------------- */

static void set_live(struct push_job *job, const struct push_news *news, bool begins)
{
    (void)pthread_mutex_lock(&job->pusher->lock);
    job->live.step = news->step;
    if (begins)
        job->live.began_at_ms = job->began_ms + news->at_ms;
    job->live.tries = news->tries;
    job->live.bytes_acked = news->bytes_acked;
    job->live.bytes_per_s = news->bytes_per_s;
    (void)pthread_mutex_unlock(&job->pusher->lock);
}

static void step_ended(struct push_job *job, const struct push_news *news)
{
    struct note *n = calloc(1, sizeof *n);
    const char *step = push_step_name(news->step), *outcome = push_outcome_name(news->outcome);
    if (n != NULL) {
        n->step = (struct push_step_row){.transfer = job->order.transfer,
                                         .ok = news->outcome == PUSH_OK,
                                         .began_at_ms = job->live.began_at_ms,
                                         .ended_at_ms = job->began_ms + news->at_ms,
                                         .tries = news->step == PUSH_INVITE ? news->tries : 0};
        (void)snprintf(n->step.step, sizeof n->step.step, "%s", step);
        (void)snprintf(n->step.detail, sizeof n->step.detail, "%s", news->detail);
        submit(job->pusher->otad, n);
    }
    publish(job, step, outcome, news->detail);
}

static void on_news(void *arg, const struct push_news *news)
{
    struct push_job *job = arg;
    bool begins =
        news->outcome == PUSH_RUNNING && strcmp(job->last_step, push_step_name(news->step)) != 0;
    if (news->outcome != PUSH_RUNNING) {
        step_ended(job, news);
        return;
    }
    set_live(job, news, begins);
    if (begins) {
        (void)snprintf(job->last_step, sizeof job->last_step, "%s", push_step_name(news->step));
        publish(job, job->last_step, "running", "");
    }
    if (news->step == PUSH_SENDING && news->bytes_acked > 0) {
        const struct transfer t = {.bytes_acked = news->bytes_acked,
                                   .bytes_per_s = news->bytes_per_s};
        note_fact(job, FACT_PROGRESS, &t);
    }
}

/* Reads the image; the daemon's cache is for devices that ask. */
static uint8_t *load(struct push_job *job, struct otad_errinfo *ei)
{
    struct db *db;
    size_t size = (size_t)job->order.size_bytes;
    uint8_t *image = malloc(size > 0 ? size : 1);
    if (image != NULL && otad_reader(job->pusher->otad, &db, ei) == OTAD_E_OK &&
        blob_read(db, job->order.image, image, size, ei) == OTAD_E_OK)
        return image;
    if (image == NULL)
        (void)otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    free(image);
    return NULL;
}

static void run(struct push_job *job, const uint8_t *image, struct push_result *result)
{
    struct otad *o = job->pusher->otad;
    const struct push_order *order = &job->order;
    struct net_list networks;
    uint16_t first = 0, last = 0;
    pusher_limits(o, &networks, &first, &last);
    const struct push push = {.host = order->host,
                              .port = order->port,
                              .esp32 = order->esp32,
                              .fs = order->fs,
                              .mac = order->mac,
                              .password = order->password,
                              .filename = order->filename,
                              .image = image,
                              .size_bytes = (size_t)order->size_bytes,
                              .free_space = order->free_space,
                              .networks = &networks,
                              .listen_first = first,
                              .listen_last = last,
                              .cancel = &job->cancel,
                              .patience_ms = order->patience_ms};
    push_run(&push, on_news, job, result);
}

static bool is_stopping(struct pusher *p)
{
    (void)pthread_mutex_lock(&p->lock);
    bool stopping = p->stopping;
    (void)pthread_mutex_unlock(&p->lock);
    return stopping;
}

/* What the transfer's end says. */
static void note_end(struct push_job *job, const struct push_result *result)
{
    struct pusher *p = job->pusher;
    struct transfer t = {.state = result->ok ? TRANSFER_SENT : TRANSFER_ABORTED,
                         .bytes_acked = result->bytes_acked,
                         .bytes_per_s = result->bytes_per_s,
                         .ended_at_s = clock_wall_s(&p->otad->clock)};
    bool stopping = !result->ok && result->cause == PUSH_CAUSE_CANCELLED && is_stopping(p);
    (void)snprintf(t.cause, sizeof t.cause, "%s",
                   stopping ? "interrupted" : push_cause_name(result->cause));
    (void)snprintf(t.detail, sizeof t.detail, "%s",
                   stopping ? "otad ended before the push did" : result->detail);
    note_fact(job, FACT_END, &t);
}

static void push_one(struct push_job *job)
{
    struct otad *o = job->pusher->otad;
    struct push_result result = {.cause = PUSH_CAUSE_FAILED};
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    struct note *end = calloc(1, sizeof *end);
    uint8_t *image = end != NULL ? load(job, &ei) : NULL;
    job->began_ms = clock_wall_ms(&o->clock);
    if (image != NULL)
        run(job, image, &result);
    else
        (void)snprintf(result.detail, sizeof result.detail, "the image can't be read: %.200s",
                       ei.msg);
    free(image);
    note_end(job, &result);
    log_info(o->log, "push.end", "transfer=%lld ok=%d step=%s cause='%s' detail='%s'",
             (long long)job->order.transfer, (int)result.ok, push_step_name(result.step),
             push_cause_name(result.cause), result.detail);
    if (end == NULL) {
        pusher_give_back(job->pusher, job);
        return;
    }
    end->job = job;
    end->step.transfer = job->order.transfer;
    (void)snprintf(end->causes, sizeof end->causes, "%s", result.causes);
    submit(o, end);
}

/* ---- threads ------------------------------------------------------------------------------ */

/* The oldest that waits. Under the lock. */
static struct push_job *next_waiting(const struct pusher *p)
{
    struct push_job *found = NULL;
    for (struct push_job *job = p->jobs; job != NULL; job = job->next)
        if (job->state == JOB_WAITING)
            found = job;
    return found;
}

static void *work(void *arg)
{
    struct pusher *p = arg;
    (void)pthread_mutex_lock(&p->lock);
    for (;;) {
        struct push_job *job = next_waiting(p);
        if (job != NULL) {
            job->state = JOB_RUNNING;
            job->live.waiting = false;
            (void)pthread_mutex_unlock(&p->lock);
            push_one(job);
            (void)pthread_mutex_lock(&p->lock);
        } else if (p->stopping) {
            break;
        } else {
            p->idle++;
            (void)pthread_cond_wait(&p->wake, &p->lock);
            p->idle--;
        }
    }
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

void pusher_start(struct pusher *p, struct push_job *job, const struct push_order *order)
{
    (void)pthread_mutex_lock(&p->lock);
    job->order = *order;
    job->live = (struct push_live){.waiting = true, .began_at_ms = clock_wall_ms(&p->otad->clock)};
    job->state = JOB_WAITING;
    if (p->stopping)
        atomic_store(&job->cancel, true);
    size_t most = (size_t)p->otad->config.pushes_max;
    if (p->idle == 0 && p->n_threads < most && p->n_threads < THREADS_MAX &&
        pthread_create(&p->threads[p->n_threads], NULL, work, p) == 0)
        p->n_threads++;
    (void)pthread_cond_signal(&p->wake);
    (void)pthread_mutex_unlock(&p->lock);
}

void pusher_stop(struct pusher *p)
{
    (void)pthread_mutex_lock(&p->lock);
    p->stopping = true;
    for (struct push_job *job = p->jobs; job != NULL; job = job->next)
        atomic_store(&job->cancel, true);
    (void)pthread_cond_broadcast(&p->wake);
    (void)pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->n_threads; i++)
        (void)pthread_join(p->threads[i], NULL);
    p->n_threads = 0;
}
