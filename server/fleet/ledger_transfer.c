/* SPDX-License-Identifier: MIT
 * Owns how requests become transfers, and transfers attempts. */
#include "fleet/ledger_transfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fleet/outcome.h"
#include "fleet/product.h"
#include "fleet/push_step.h"
#include "fleet/story.h"

#define OPEN_MAX 8 /* open updates of one device: one app, one fs, and what a restart left */

/* ---- begin -------------------------------------------------------------------------------- */

/* Another build of the same kind is on its way: the older stories have ended. */
static enum otad_err supersede(struct db *db, int64_t device, const struct build *b, int64_t now_s,
                               struct batch *batch, struct otad_errinfo *ei)
{
    struct update open[OPEN_MAX];
    size_t n;
    enum otad_err err = update_open(db, device, open, OPEN_MAX, &n, ei);
    for (size_t i = 0; i < n && err == OTAD_E_OK; i++) {
        struct build other;
        if (open[i].build == b->seq)
            continue;
        err = build_find_seq(db, open[i].build, &other, ei);
        if (err != OTAD_E_OK || other.kind != b->kind)
            continue;
        const struct update before = open[i];
        story_superseded(&open[i], now_s);
        err = outcome_save(db, &open[i], &before, batch, ei);
        if (err == OTAD_E_OK)
            err = transfer_supersede(db, open[i].id, now_s, ei);
    }
    return err;
}

/* Continues the story of this device and build, or starts it. */
static enum otad_err open_update(struct db *db, const struct device *d, const struct build *b,
                                 const struct fact *fact, struct update *u, struct batch *batch,
                                 struct otad_errinfo *ei)
{
    int64_t now_s = fact->transfer.started_at_s;
    enum otad_err err = update_newest(db, d->id, b->seq, u, ei);
    if (err == OTAD_E_OK && u->state != UPDATE_INSTALLED) {
        const struct update before = *u;
        story_served(u, fact->by_token, now_s);
        return outcome_save(db, u, &before, batch, ei);
    }
    if (err != OTAD_E_OK && err != OTAD_E_NOENT)
        return err;
    return outcome_begin(db, d, b, UPDATE_IN_PROGRESS, now_s, u, batch, ei);
}

/* Another download of the same image goes on with what arrived by an earlier one.
 * @return OTAD_E_NOENT when there is none */
static enum otad_err continue_transfer(struct db *db, const struct update *u,
                                       const struct fact *fact, struct otad_errinfo *ei)
{
    struct transfer t;
    struct intervals arrived;
    enum otad_err err = transfer_newest_pull(db, u->id, &t, ei);
    if (err == OTAD_E_OK)
        err = transfer_arrived(db, t.id, &arrived, ei);
    if (err == OTAD_E_OK)
        err = transfer_part_begin(db, fact->transfer.id, t.id, ei);
    if (err != OTAD_E_OK || t.state == TRANSFER_SENT)
        return err;
    if (t.state == TRANSFER_ABORTED)
        t.resumed++;
    t.state = TRANSFER_DOWNLOADING;
    t.cause[0] = t.detail[0] = '\0';
    t.ended_at_s = t.idle_since_s = 0;
    return transfer_save(db, &t, &arrived, ei);
}

static enum otad_err begin_transfer(struct db *db, const struct update *u, const struct fact *fact,
                                    struct otad_errinfo *ei)
{
    struct transfer t = fact->transfer;
    t.update = u->id;
    t.counted = !fact->by_token;
    enum otad_err err = t.kind == TRANSFER_PUSH
                            ? OTAD_E_OK /* a download that runs ends by itself */
                            : transfer_supersede(db, u->id, t.started_at_s, ei);
    return err == OTAD_E_OK ? transfer_insert(db, &t, ei) : err;
}

enum otad_err ledger_transfer_begin(struct db *db, const struct fact *fact, struct batch *batch,
                                    struct otad_errinfo *ei)
{
    struct device d;
    struct build b;
    struct update u;
    enum otad_err err = device_find(db, fact->product, fact->mac, &d, ei);
    if (err == OTAD_E_OK)
        err = build_find_seq(db, fact->build, &b, ei);
    if (err == OTAD_E_OK)
        err = supersede(db, d.id, &b, fact->transfer.started_at_s, batch, ei);
    if (err == OTAD_E_OK)
        err = open_update(db, &d, &b, fact, &u, batch, ei);
    if (err != OTAD_E_OK)
        return err;
    err = fact->first > 0 ? continue_transfer(db, &u, fact, ei) : OTAD_E_NOENT;
    return err == OTAD_E_NOENT ? begin_transfer(db, &u, fact, ei) : err;
}

/* ---- progress and end --------------------------------------------------------------------- */

/* Adds what one request brought to its transfer. */
static void add_arrived(struct transfer *t, struct intervals *arrived, const struct fact *fact)
{
    int64_t bytes = fact->transfer.bytes_acked;
    if (bytes > 0) /* a set that is full counts too little, never too much */
        (void)intervals_add(arrived, fact->first, fact->first + bytes - 1);
    t->bytes_acked = intervals_bytes(arrived);
    t->bytes_per_s = fact->transfer.bytes_per_s;
}

/* Says how a transfer stands after one of its requests has ended. */
static void settle(struct transfer *t, const struct fact *fact, int64_t others)
{
    const struct transfer *end = &fact->transfer;
    bool superseded = t->state == TRANSFER_ABORTED; /* while this request was on its way */
    /* A device may have all of a push and still say that it isn't right. */
    bool refused = t->kind == TRANSFER_PUSH && end->state == TRANSFER_ABORTED;
    if (t->bytes_acked >= t->size_bytes && !refused) {
        t->state = TRANSFER_SENT;
        t->cause[0] = '\0';
        (void)snprintf(t->detail, sizeof t->detail, "%s", end->detail);
        t->ended_at_s = end->ended_at_s;
        t->idle_since_s = 0;
    } else if (superseded) {
        (void)snprintf(t->detail, sizeof t->detail, "%s", end->detail);
    } else if (end->state == TRANSFER_ABORTED && others == 0) {
        t->state = TRANSFER_ABORTED;
        (void)snprintf(t->cause, sizeof t->cause, "%s", end->cause);
        (void)snprintf(t->detail, sizeof t->detail, "%s", end->detail);
        t->ended_at_s = end->ended_at_s;
    } else if (end->state == TRANSFER_ABORTED) {
        t->resumed++; /* it was, before we knew */
    } else if (others == 0) {
        t->idle_since_s = end->ended_at_s; /* a part: more may follow */
    }
}

/* Whether the device ever says by itself what it runs. */
static enum otad_err checks_in(struct db *db, const struct fact *fact, bool *out,
                               struct otad_errinfo *ei)
{
    struct device d;
    enum otad_err err = device_find(db, fact->product, fact->mac, &d, ei);
    *out = err == OTAD_E_OK && d.last.at_s > 0;
    return err;
}

/* Attempts count only when the image went to where the device last checked in from. */
static enum otad_err count_attempt(struct db *db, struct transfer *t, const struct update *u,
                                   const struct fact *fact, struct otad_errinfo *ei)
{
    struct device d;
    enum otad_err err = device_find(db, fact->product, fact->mac, &d, ei);
    if (err == OTAD_E_OK && (d.id != u->device || strcmp(d.last.address, t->address) != 0))
        t->counted = false;
    return err;
}

static enum otad_err arrived_whole(struct db *db, struct transfer *t,
                                   const struct intervals *arrived, struct update *u,
                                   const struct fact *fact, struct batch *batch,
                                   struct otad_errinfo *ei)
{
    struct product p;
    int64_t attempts = 0;
    enum otad_err err = count_attempt(db, t, u, fact, ei);
    if (err == OTAD_E_OK)
        err = transfer_save(db, t, arrived, ei);
    if (err == OTAD_E_OK)
        err = product_find_id(db, u->product, &p, ei);
    if (err != OTAD_E_OK)
        return err;
    int64_t since_s = t->ended_at_s - p.policy.attempts_window_s;
    if (since_s < u->retried_at_s)
        since_s = u->retried_at_s;
    err = transfer_attempts(db, u->id, since_s, &attempts, ei);
    if (err != OTAD_E_OK)
        return err;
    const struct update before = *u;
    bool will_be_seen = true;
    if (t->kind == TRANSFER_PUSH)
        err = checks_in(db, fact, &will_be_seen, ei);
    if (err != OTAD_E_OK)
        return err;
    if (t->kind == TRANSFER_PUSH)
        story_confirmed(u, attempts, will_be_seen, t->ended_at_s);
    else
        story_arrived(u, attempts, t->ended_at_s);
    return outcome_save(db, u, &before, batch, ei);
}

static enum otad_err push_failed(struct db *db, const struct transfer *t, struct update *u,
                                 struct batch *batch, struct otad_errinfo *ei)
{
    const struct update before = *u;
    story_push_failed(u, t->cause, t->detail, t->ended_at_s);
    return outcome_save(db, u, &before, batch, ei);
}

static enum otad_err ended(struct db *db, struct transfer *t, const struct intervals *arrived,
                           const struct fact *fact, struct batch *batch, struct otad_errinfo *ei)
{
    struct update u;
    enum otad_err err = update_find(db, t->update, &u, ei);
    if (err != OTAD_E_OK)
        return err;
    if (t->state == TRANSFER_SENT)
        return arrived_whole(db, t, arrived, &u, fact, batch, ei);
    err = transfer_save(db, t, arrived, ei);
    if (err != OTAD_E_OK || t->state != TRANSFER_ABORTED || strcmp(t->cause, "superseded") == 0)
        return err;
    if (t->kind == TRANSFER_PUSH)
        return push_failed(db, t, &u, batch, ei);
    story_broke(&u, t->size_bytes > 0 ? t->bytes_acked * 100 / t->size_bytes : 0, t->detail,
                t->ended_at_s);
    return update_save(db, &u, ei);
}

enum otad_err ledger_transfer_go_on(struct db *db, const struct fact *fact, struct batch *batch,
                                    struct otad_errinfo *ei)
{
    struct transfer t;
    struct intervals arrived;
    int64_t id = fact->transfer.id, others = 0;
    bool final = fact->kind == FACT_END;
    enum otad_err err =
        final ? transfer_part_end(db, id, &id, &others, ei) : transfer_of_part(db, id, &id, ei);
    if (err == OTAD_E_OK)
        err = transfer_find(db, id, &t, ei);
    if (err == OTAD_E_OK)
        err = transfer_arrived(db, id, &arrived, ei);
    if (err != OTAD_E_OK || t.state == TRANSFER_SENT)
        return err;
    add_arrived(&t, &arrived, fact);
    if (!final)
        return transfer_save(db, &t, &arrived, ei);
    settle(&t, fact, others);
    return ended(db, &t, &arrived, fact, batch, ei);
}

/* ---- the next check-in -------------------------------------------------------------------- */

/* The last step of a push that got through, or of which the device only didn't say so: what it says
 * at its first check-in behind it that says anything. */
static enum otad_err came_back(struct db *db, const struct transfer *t, const struct fact *fact,
                               bool runs, struct otad_errinfo *ei)
{
    const struct device_facts *said = &fact->said;
    bool says = runs || said->version[0] != '\0' || said->md5[0] != '\0' || said->sha256[0] != '\0';
    bool through = t->state == TRANSFER_SENT || (strcmp(t->cause, "not_confirmed") == 0 && runs);
    struct push_step_row s = {.transfer = t->id,
                              .step = PUSH_STEP_CAME_BACK,
                              .ok = runs,
                              .began_at_ms = t->ended_at_s * 1000,
                              .ended_at_ms = said->at_s * 1000};
    if (t->kind != TRANSFER_PUSH || !says || !through)
        return OTAD_E_OK;
    (void)snprintf(s.detail, sizeof s.detail, "%" PRId64 " s later it checked in, running %s",
                   said->at_s - t->ended_at_s,
                   said->version[0] != '\0' ? said->version
                   : runs                   ? "this build"
                                            : "something else");
    return push_step_add_once(db, &s, ei);
}

enum otad_err ledger_transfer_seen(struct db *db, const struct update *u, const struct fact *fact,
                                   bool runs, struct otad_errinfo *ei)
{
    static const char words[] = "; next check-in after ";
    struct transfer t;
    struct intervals arrived;
    enum otad_err err = transfer_newest(db, u->id, &t, ei);
    if (err == OTAD_E_NOENT)
        return OTAD_E_OK;
    if (err != OTAD_E_OK || t.state == TRANSFER_DOWNLOADING || fact->said.at_s < t.ended_at_s)
        return err;
    err = came_back(db, &t, fact, runs, ei);
    if (err != OTAD_E_OK || strstr(t.detail, words) != NULL)
        return err;
    size_t n = strlen(t.detail);
    (void)snprintf(t.detail + n, sizeof t.detail - n, "%s%" PRId64 " s%s%s", words,
                   fact->said.at_s - t.ended_at_s,
                   fact->said.version[0] != '\0' ? ", running " : "", fact->said.version);
    err = transfer_arrived(db, t.id, &arrived, ei);
    return err == OTAD_E_OK ? transfer_save(db, &t, &arrived, ei) : err;
}

/* ---- what an end of the daemon left open ---------------------------------------------------- */

static enum otad_err close_push(struct db *db, struct transfer *t, int64_t now_s,
                                struct otad_errinfo *ei)
{
    struct update u;
    struct intervals arrived;
    t->state = TRANSFER_ABORTED;
    t->ended_at_s = now_s;
    (void)snprintf(t->cause, sizeof t->cause, "interrupted");
    (void)snprintf(t->detail, sizeof t->detail, "otad ended before the push did");
    enum otad_err err = transfer_arrived(db, t->id, &arrived, ei);
    if (err == OTAD_E_OK)
        err = transfer_save(db, t, &arrived, ei);
    if (err == OTAD_E_OK)
        err = update_find(db, t->update, &u, ei);
    return err == OTAD_E_OK ? push_failed(db, t, &u, NULL, ei) : err;
}

enum otad_err ledger_close_pushes(struct db *db, int64_t before, int64_t now_s,
                                  struct otad_errinfo *ei)
{
    struct transfer open[OPEN_MAX];
    size_t n = OPEN_MAX;
    enum otad_err err = OTAD_E_OK;
    while (err == OTAD_E_OK && n == OPEN_MAX) {
        err = transfer_open_pushes(db, before, open, OPEN_MAX, &n, ei);
        for (size_t i = 0; i < n && err == OTAD_E_OK; i++)
            err = close_push(db, &open[i], now_s, ei);
    }
    return err;
}
