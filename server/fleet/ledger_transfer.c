/* SPDX-License-Identifier: MIT
 * Owns how requests become transfers, and transfers attempts. */
#include "fleet/ledger_transfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fleet/outcome.h"
#include "fleet/product.h"
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
    enum otad_err err = transfer_newest(db, u->id, &t, ei);
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
    enum otad_err err = transfer_supersede(db, u->id, t.started_at_s, ei);
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
    if (t->bytes_acked >= t->size_bytes) {
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
    story_arrived(u, attempts, t->ended_at_s);
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

enum otad_err ledger_transfer_seen(struct db *db, const struct update *u, const struct fact *fact,
                                   struct otad_errinfo *ei)
{
    static const char words[] = "; next check-in after ";
    struct transfer t;
    struct intervals arrived;
    enum otad_err err = transfer_newest(db, u->id, &t, ei);
    if (err == OTAD_E_NOENT)
        return OTAD_E_OK;
    if (err != OTAD_E_OK || t.state == TRANSFER_DOWNLOADING || strstr(t.detail, words) != NULL ||
        fact->said.at_s < t.ended_at_s)
        return err;
    size_t n = strlen(t.detail);
    (void)snprintf(t.detail + n, sizeof t.detail - n, "%s%" PRId64 " s%s%s", words,
                   fact->said.at_s - t.ended_at_s,
                   fact->said.version[0] != '\0' ? ", running " : "", fact->said.version);
    err = transfer_arrived(db, t.id, &arrived, ei);
    return err == OTAD_E_OK ? transfer_save(db, &t, &arrived, ei) : err;
}
