/* SPDX-License-Identifier: MIT
 * Owns the order and the pace in which old things go. */
#include "fleet/retention.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "fleet/audit.h"
#include "fleet/blob.h"
#include "fleet/build.h"
#include "fleet/channel.h"
#include "fleet/device.h"
#include "fleet/prune.h"
#include "fleet/report.h"
#include "fleet/transfer.h"
#include "fleet/update.h"

#define DAY_S 86400
#define STEP_MS 1000     /* between two steps of a pass */
#define FIRST_PASS_S 60  /* a start has other things to do */
#define SLOW_STEP_MS 100 /* a step that took longer was too large for this disk */
#define QUICK_STEP_MS 25 /* one that took less may be larger */

/* ---- one step ----------------------------------------------------------------------------- */

/* Updates one by one, because the transfers of one alone may be more than a step should delete. */
static enum otad_err prune_updates(struct db *db, struct prune *p, struct otad_errinfo *ei)
{
    enum otad_err err = OTAD_E_OK;
    for (int64_t left = p->rows; left > 0 && !p->done && err == OTAD_E_OK; left--) {
        struct prune at = *p;
        int64_t id = 0, transfers = 0;
        err = update_next_old(db, &at, &id, ei);
        if (err == OTAD_E_OK && id != 0)
            err = transfer_delete_some(db, id, left, &transfers, ei);
        left -= transfers;
        if (err != OTAD_E_OK || left <= 0)
            return err; /* this update is looked at again */
        if (id != 0)
            err = update_delete(db, id, ei);
        if (err != OTAD_E_OK)
            return err;
        at.gone += id != 0;
        *p = at;
    }
    return err;
}

/* Whether somebody still wants the build's image, however old it is. */
static enum otad_err is_wanted(struct db *db, const struct build *b, bool *wanted,
                               struct otad_errinfo *ei)
{
    enum otad_err err = channel_wants(db, b, wanted, ei);
    if (err == OTAD_E_OK && !*wanted)
        err = device_any_pinned(db, b->seq, wanted, ei);
    if (err == OTAD_E_OK && !*wanted)
        err = update_any_open(db, b->seq, wanted, ei);
    return err;
}

static enum otad_err let_go(struct db *db, const struct build *b, int64_t now_s,
                            struct otad_errinfo *ei)
{
    enum otad_err err = build_prune(db, b->seq, now_s, ei);
    return err == OTAD_E_OK ? blob_prune(db, b->image, now_s, ei) : err;
}

/* @param p  before_s is not used: the number of newer builds decides */
static enum otad_err prune_builds(struct db *db, int64_t keep, int64_t now_s, struct prune *p,
                                  struct otad_errinfo *ei)
{
    enum otad_err err = OTAD_E_OK;
    for (int64_t left = p->rows; left > 0 && err == OTAD_E_OK; left--) {
        struct build b;
        bool wanted = false;
        err = build_find_surplus(db, p->after_id, keep, &b, ei);
        if (err == OTAD_E_NOENT) {
            p->done = true;
            return OTAD_E_OK;
        }
        if (err == OTAD_E_OK)
            err = is_wanted(db, &b, &wanted, ei);
        if (err == OTAD_E_OK && !wanted)
            err = let_go(db, &b, now_s, ei);
        if (err != OTAD_E_OK)
            return err;
        p->after_id = b.seq;
        p->gone += !wanted;
    }
    return err;
}

static enum otad_err prune_chunks(struct db *db, struct prune *p, struct otad_errinfo *ei)
{
    int64_t gone = 0;
    enum otad_err err = blob_prune_chunks(db, RETENTION_CHUNKS, &gone, ei);
    p->gone += gone;
    p->done = gone < RETENTION_CHUNKS;
    return err;
}

/* How many days (or builds) the phase's rows stay; 0 = for ever. */
static int64_t limit_of(const struct retention_limits *l, enum retention_phase phase)
{
    const int64_t limits[RETENTION_DONE] = {
        [RETENTION_TRANSFERS] = l->history_days, [RETENTION_REPORTS] = l->history_days,
        [RETENTION_UPDATES] = l->updates_days,   [RETENTION_AUDIT] = l->audit_days,
        [RETENTION_BUILDS] = l->builds,          [RETENTION_CHUNKS_GO] = 1, /* always */
    };
    return limits[phase];
}

static enum otad_err run_phase(struct db *db, enum retention_phase phase, int64_t limit,
                               int64_t now_s, struct prune *p, struct otad_errinfo *ei)
{
    switch (phase) {
    case RETENTION_TRANSFERS:
        return transfer_prune(db, p, ei);
    case RETENTION_REPORTS:
        return report_prune(db, p, ei);
    case RETENTION_UPDATES:
        return prune_updates(db, p, ei);
    case RETENTION_AUDIT:
        return audit_prune(db, p, ei);
    case RETENTION_BUILDS:
        return prune_builds(db, limit, now_s, p, ei);
    case RETENTION_CHUNKS_GO:
        return prune_chunks(db, p, ei);
    case RETENTION_DONE:
    default:
        p->done = true;
        return OTAD_E_OK;
    }
}

enum otad_err retention_step(struct db *db, const struct retention_limits *limits, int64_t now_s,
                             int64_t rows, struct retention_pass *pass, struct otad_errinfo *ei)
{
    struct retention_pass next = *pass;
    enum otad_err err = OTAD_E_OK;
    int64_t gone = 0;
    /* A phase that had nothing to delete costs no step of its own. */
    while (next.phase != RETENTION_DONE && gone == 0 && err == OTAD_E_OK) {
        int64_t limit = limit_of(limits, next.phase);
        struct prune p = {.before_s = now_s - limit * DAY_S,
                          .rows = rows,
                          .after_s = next.after_s,
                          .after_id = next.after_id,
                          .done = limit == 0};
        if (limit > 0)
            err = run_phase(db, next.phase, limit, now_s, &p, ei);
        gone = p.gone;
        next.gone[next.phase] += p.gone;
        next.after_s = p.done ? 0 : p.after_s;
        next.after_id = p.done ? 0 : p.after_id;
        if (!p.done)
            break;
        next.phase++;
    }
    if (err == OTAD_E_OK)
        *pass = next;
    return err;
}

/* ---- when --------------------------------------------------------------------------------- */

struct retention {
    struct write_job job; /* first: the writer knows only this */
    struct otad *otad;
    atomic_bool queued; /* while true, all below is the writer's */
    struct retention_limits limits;
    struct retention_pass pass; /* as committed */
    struct retention_pass next; /* as the job left it */
    int64_t rows;
    int64_t took_ms;
    int64_t due_ms; /* of the next step, monotonic */
};

static int64_t now_ms(const struct retention *r)
{
    return clock_mono_ms(&r->otad->clock);
}

static enum otad_err run(struct write_job *job, struct db *db, struct otad_errinfo *ei)
{
    struct retention *r = (struct retention *)job;
    int64_t start = now_ms(r);
    r->next = r->pass; /* it may run twice */
    enum otad_err err =
        retention_step(db, &r->limits, clock_wall_s(&r->otad->clock), r->rows, &r->next, ei);
    r->took_ms = now_ms(r) - start;
    return err;
}

static void adapt(struct retention *r)
{
    if (r->took_ms > SLOW_STEP_MS)
        r->rows /= 2;
    else if (r->took_ms < QUICK_STEP_MS)
        r->rows *= 2;
    if (r->rows > RETENTION_ROWS)
        r->rows = RETENTION_ROWS;
    if (r->rows < RETENTION_ROWS_MIN)
        r->rows = RETENTION_ROWS_MIN;
}

static void end_pass(struct retention *r)
{
    const int64_t *gone = r->pass.gone;
    int64_t sum = 0;
    for (int i = 0; i < RETENTION_DONE; i++)
        sum += gone[i];
    if (sum > 0)
        log_info(r->otad->log, "retention.done",
                 "transfers=%" PRId64 " reports=%" PRId64 " updates=%" PRId64 " audit=%" PRId64
                 " builds=%" PRId64 " chunks=%" PRId64,
                 gone[RETENTION_TRANSFERS], gone[RETENTION_REPORTS], gone[RETENTION_UPDATES],
                 gone[RETENTION_AUDIT], gone[RETENTION_BUILDS], gone[RETENTION_CHUNKS_GO]);
    r->pass = (struct retention_pass){.phase = RETENTION_TRANSFERS};
    r->due_ms = now_ms(r) + 1000 * otad_config_int(r->otad, &r->otad->config.retention_interval_s);
}

static void done(struct write_job *job, enum otad_err err, const struct otad_errinfo *ei)
{
    struct retention *r = (struct retention *)job;
    r->due_ms = now_ms(r) + STEP_MS;
    if (err == OTAD_E_OK)
        r->pass = r->next;
    else
        log_warn(r->otad->log, "retention.step", "error='%s'", ei->msg);
    adapt(r);
    if (err != OTAD_E_OK || r->pass.phase == RETENTION_DONE)
        end_pass(r); /* after an error the next pass tries again */
    atomic_store(&r->queued, false);
}

struct retention *retention_new(struct otad *otad)
{
    struct retention *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    int64_t first_s = otad_config_int(otad, &otad->config.retention_interval_s);
    r->job = (struct write_job){.run = run, .done = done};
    r->otad = otad;
    r->rows = RETENTION_ROWS;
    r->due_ms = now_ms(r) + 1000 * (first_s < FIRST_PASS_S ? first_s : FIRST_PASS_S);
    return r;
}

static bool writer_is_busy(struct otad *o)
{
    size_t queued;
    int64_t commit_ms;
    writer_stats(o->writer, &queued, &commit_ms);
    return queued > 0;
}

int64_t retention_tick(struct retention *r)
{
    struct otad *o = r->otad;
    if (atomic_load(&r->queued))
        return STEP_MS;
    int64_t left_ms = r->due_ms - now_ms(r);
    if (left_ms > 0)
        return left_ms;
    if (writer_is_busy(o))
        return STEP_MS;
    r->limits = (struct retention_limits){
        .history_days = otad_config_int(o, &o->config.history_days),
        .updates_days = otad_config_int(o, &o->config.updates_days),
        .audit_days = otad_config_int(o, &o->config.audit_days),
        .builds = otad_config_int(o, &o->config.builds_per_product),
    };
    atomic_store(&r->queued, true);
    if (writer_submit(o->writer, &r->job, NULL) != OTAD_E_OK)
        atomic_store(&r->queued, false); /* it has filled up meanwhile: at the next tick */
    return STEP_MS;
}

void retention_free(struct retention **retention)
{
    free(*retention);
    *retention = NULL;
}
