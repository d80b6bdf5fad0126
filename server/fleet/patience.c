/* SPDX-License-Identifier: MIT
 * Owns the judgement of silence. */
#include "fleet/patience.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "fleet/ledger_transfer.h"
#include "fleet/outcome.h"
#include "fleet/story.h"
#include "fleet/transfer.h"

#define EVERY_MS 1000
#define SHARE 50 /* of the time, one part: a look at many waiting updates costs the writer */
#define BATCH 50 /* of each kind in one transaction: reports wait for it */

static enum otad_err end_idle(struct db *db, struct transfer *t, int64_t now_s,
                              struct otad_errinfo *ei)
{
    struct intervals arrived;
    struct update u;
    enum otad_err err = transfer_arrived(db, t->id, &arrived, ei);
    if (err != OTAD_E_OK)
        return err;
    t->state = TRANSFER_ABORTED;
    (void)snprintf(t->cause, sizeof t->cause, "stalled");
    (void)snprintf(t->detail, sizeof t->detail, "no further part was asked for in %" PRId64 " s",
                   now_s - t->idle_since_s);
    t->ended_at_s = now_s;
    t->idle_since_s = 0;
    err = transfer_save(db, t, &arrived, ei);
    if (err == OTAD_E_OK)
        err = update_find(db, t->update, &u, ei);
    if (err != OTAD_E_OK)
        return err;
    story_broke(&u, t->size_bytes > 0 ? t->bytes_acked * 100 / t->size_bytes : 0, t->detail, now_s);
    return update_save(db, &u, ei);
}

static enum otad_err judge_idle(struct db *db, int64_t now_s, int64_t stall_s, bool *more,
                                struct otad_errinfo *ei)
{
    struct transfer idle[BATCH];
    size_t n;
    enum otad_err err = transfer_idle(db, now_s - stall_s, idle, BATCH, &n, ei);
    for (size_t i = 0; i < n && err == OTAD_E_OK; i++)
        err = end_idle(db, &idle[i], now_s, ei);
    *more = *more || n == BATCH;
    return err;
}

/* The same turn in the story of each. */
static enum otad_err turn_each(struct db *db, struct update updates[], size_t n,
                               void (*turn)(struct update *u, int64_t at_s), int64_t now_s,
                               struct batch *batch, struct otad_errinfo *ei)
{
    enum otad_err err = OTAD_E_OK;
    for (size_t i = 0; i < n && err == OTAD_E_OK; i++) {
        const struct update before = updates[i];
        turn(&updates[i], now_s);
        err = outcome_save(db, &updates[i], &before, batch, ei);
    }
    return err;
}

static void went_silent(struct update *u, int64_t at_s)
{
    story_silent(u, u->device_seen_s, at_s);
}

static enum otad_err judge_silent(struct db *db, int64_t now_s, bool *more, struct batch *batch,
                                  struct otad_errinfo *ei)
{
    struct update silent[BATCH];
    size_t n;
    enum otad_err err = update_silent(db, now_s, 0, silent, BATCH, &n, ei);
    *more = *more || n == BATCH;
    return err == OTAD_E_OK ? turn_each(db, silent, n, went_silent, now_s, batch, ei) : err;
}

static enum otad_err judge_stayed_away(struct db *db, int64_t now_s, bool *more,
                                       struct batch *batch, struct otad_errinfo *ei)
{
    struct update away[BATCH];
    size_t n;
    enum otad_err err = update_stayed_away(db, now_s - STORY_POLL_S, away, BATCH, &n, ei);
    *more = *more || n == BATCH;
    return err == OTAD_E_OK ? turn_each(db, away, n, story_stayed_away, now_s, batch, ei) : err;
}

static enum otad_err judge_filesystems(struct db *db, int64_t now_s, bool *more,
                                       struct batch *batch, struct otad_errinfo *ei)
{
    struct update seen[BATCH];
    size_t n;
    enum otad_err err = update_fs_seen(db, seen, BATCH, &n, ei);
    *more = *more || n == BATCH;
    return err == OTAD_E_OK ? turn_each(db, seen, n, story_fs_seen, now_s, batch, ei) : err;
}

enum otad_err patience_judge(struct db *db, int64_t now_s, int64_t stall_s, bool *more,
                             struct batch *batch, struct otad_errinfo *ei)
{
    *more = false;
    enum otad_err err = judge_idle(db, now_s, stall_s, more, ei);
    if (err == OTAD_E_OK)
        err = judge_stayed_away(db, now_s, more, batch, ei);
    if (err == OTAD_E_OK)
        err = judge_filesystems(db, now_s, more, batch, ei);
    return err == OTAD_E_OK ? judge_silent(db, now_s, more, batch, ei) : err;
}

/* ---- while the daemon runs ---------------------------------------------------------------- */

struct patience {
    struct write_job job; /* first: the writer knows only this */
    struct otad *otad;
    atomic_bool queued;
    bool more;
    struct batch batch;
    bool left_open;          /* downloads of the daemon before */
    int64_t before;          /* ids of those are below */
    int64_t due_ms, took_ms; /* monotonic */
};

static enum otad_err run(struct write_job *job, struct db *db, struct otad_errinfo *ei)
{
    struct patience *p = (struct patience *)job;
    struct otad *o = p->otad;
    int64_t start_ms = clock_mono_ms(&o->clock);
    batch_forget(&p->batch); /* it may run again */
    int64_t stall_s = otad_config_int(o, &o->config.stall_timeout_s);
    int64_t now_s = clock_wall_s(&o->clock);
    enum otad_err err = patience_judge(db, now_s, stall_s, &p->more, &p->batch, ei);
    if (err == OTAD_E_OK && p->left_open)
        err = patience_close(db, p->before, now_s, ei);
    if (err == OTAD_E_OK)
        err = batch_write(&p->batch, db, ei);
    p->took_ms = clock_mono_ms(&o->clock) - start_ms;
    return err;
}

static void done(struct write_job *job, enum otad_err err, const struct otad_errinfo *ei)
{
    struct patience *p = (struct patience *)job;
    int64_t pause_ms = p->more && err == OTAD_E_OK ? 0 : EVERY_MS;
    if (pause_ms < SHARE * p->took_ms)
        pause_ms = SHARE * p->took_ms;
    if (err == OTAD_E_OK) {
        p->left_open = false;
        batch_tell(&p->batch, p->otad->events);
    } else {
        log_warn(p->otad->log, "patience", "error='%s'", ei->msg);
    }
    p->due_ms = clock_mono_ms(&p->otad->clock) + pause_ms;
    atomic_store(&p->queued, false);
}

enum otad_err patience_close(struct db *db, int64_t before, int64_t now_s, struct otad_errinfo *ei)
{
    enum otad_err err = ledger_close_pushes(db, before, now_s, ei);
    return err != OTAD_E_OK ? err
                            : transfer_abort_open(db, before, "server_shutdown",
                                                  "otad ended before the download did", now_s, ei);
}

struct patience *patience_new(struct otad *otad, bool left_open)
{
    struct patience *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->job = (struct write_job){.run = run, .done = done};
    p->otad = otad;
    p->left_open = left_open;
    p->before = transfer_new_id(clock_wall_ms(&otad->clock));
    p->due_ms = clock_mono_ms(&otad->clock) + EVERY_MS;
    return p;
}

int64_t patience_tick(struct patience *p)
{
    if (atomic_load(&p->queued))
        return EVERY_MS;
    int64_t left_ms = p->due_ms - clock_mono_ms(&p->otad->clock);
    if (left_ms > 0)
        return left_ms;
    atomic_store(&p->queued, true);
    if (writer_submit(p->otad->writer, &p->job, NULL) != OTAD_E_OK)
        atomic_store(&p->queued, false); /* it is full: at the next tick */
    return EVERY_MS;
}

void patience_free(struct patience **patience)
{
    if (*patience != NULL)
        batch_free(&(*patience)->batch);
    free(*patience);
    *patience = NULL;
}
