/* SPDX-License-Identifier: MIT
 * Owns the state machine of updates: which fact moves which state. */
#include "fleet/ledger.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "fleet/batch.h"
#include "fleet/blob.h"
#include "fleet/overlay.h"
#include "fleet/product.h"
#include "fleet/update.h"

#define OPEN_MAX 8 /* open updates of one device: one app, one fs, and what a restart left */

/* What every step of a fold works on. */
struct fold {
    struct db *db;
    struct batch *batch; /* what to tell once it is durable, or NULL */
    struct otad_errinfo *ei;
};

static enum otad_err set_state(const struct fold *f, struct update *u, enum update_state state,
                               const char *cause, const char *detail, int64_t now_s)
{
    bool news = u->state != state || strcmp(u->cause, cause) != 0;
    u->state = state;
    (void)snprintf(u->cause, sizeof u->cause, "%s", cause);
    (void)snprintf(u->detail, sizeof u->detail, "%s", detail);
    u->updated_at_s = now_s;
    enum otad_err err = update_save(f->db, u, f->ei);
    if (err == OTAD_E_OK && news)
        batch_update(f->batch, u);
    return err;
}

/* Whether a device that says this runs that build. */
static enum otad_err runs_build(struct db *db, const struct build *b, const struct fact *fact,
                                enum reason *same, struct otad_errinfo *ei)
{
    char md5[2 * OTAD_MD5_LEN + 1], sha256[2 * OTAD_SHA256_LEN + 1], also[BLOB_IDENTITIES_MAX];
    enum otad_err err = blob_identities(db, b->image, also, ei);
    if (err != OTAD_E_OK)
        return err;
    hex_encode(b->md5, sizeof b->md5, md5);
    hex_encode(b->sha256, sizeof b->sha256, sha256);
    const struct identity image = {
        .version = b->version, .md5 = md5, .sha256 = sha256, .also = also};
    const struct running running = {
        .version = fact->said.version, .md5 = fact->said.md5, .sha256 = fact->said.sha256};
    *same = identity_match(&image, &running, fact->mode);
    return OTAD_E_OK;
}

/* A device that comes back running the build of an open update has installed it. */
static enum otad_err settle_installed(const struct fold *f, int64_t device, const struct fact *fact)
{
    struct db *db = f->db;
    struct otad_errinfo *ei = f->ei;
    struct update open[OPEN_MAX];
    size_t n;
    enum otad_err err = update_open(db, device, open, OPEN_MAX, &n, ei);
    for (size_t i = 0; i < n && err == OTAD_E_OK; i++) {
        struct build b;
        enum reason same = REASON_NONE;
        err = build_find_seq(db, open[i].build, &b, ei);
        if (err == OTAD_E_OK && (b.kind == BUILD_FS) == (fact->mode == MODE_FS))
            err = runs_build(db, &b, fact, &same, ei);
        if (err == OTAD_E_OK && same != REASON_NONE)
            err = set_state(f, &open[i], UPDATE_INSTALLED, "", reason_name(same), fact->said.at_s);
    }
    return err;
}

static enum otad_err write_checkin(const struct fold *f, const struct fact *fact)
{
    int64_t device;
    struct device_facts said = fact->said;
    if (fact->mode == MODE_FS)
        said.version[0] = '\0'; /* it is the filesystem's: the sketch's stays known */
    enum otad_err err = device_seen(f->db, fact->product, fact->mac, &said, &device, f->ei);
    if (err != OTAD_E_OK)
        return err;
    batch_checkins(f->batch, fact->product, said.at_s, fact->count);
    return settle_installed(f, device, fact);
}

/* Another build of the same kind is on its way: the older stories have ended. */
static enum otad_err supersede(const struct fold *f, int64_t device, const struct build *b,
                               int64_t now_s)
{
    struct db *db = f->db;
    struct otad_errinfo *ei = f->ei;
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
        err = set_state(f, &open[i], UPDATE_FAILED, "superseded",
                        "another build was offered before this one was seen running", now_s);
        if (err == OTAD_E_OK)
            err = transfer_supersede(db, open[i].id, now_s, ei);
    }
    return err;
}

/* Continues the story of this device and build, or starts it. */
static enum otad_err open_update(const struct fold *f, const struct device *d,
                                 const struct build *b, int64_t now_s, struct update *u)
{
    enum otad_err err = update_newest(f->db, d->id, b->seq, u, f->ei);
    if (err == OTAD_E_OK && u->state != UPDATE_INSTALLED)
        return set_state(f, u, UPDATE_IN_PROGRESS, "", "", now_s);
    if (err != OTAD_E_OK && err != OTAD_E_NOENT)
        return err;
    *u = (struct update){.product = d->product,
                         .device = d->id,
                         .mac = d->mac,
                         .build = b->seq,
                         .build_id = b->id,
                         .state = UPDATE_IN_PROGRESS,
                         .created_at_s = now_s,
                         .updated_at_s = now_s};
    (void)snprintf(u->from_version, sizeof u->from_version, "%s", d->last.version);
    (void)snprintf(u->to_version, sizeof u->to_version, "%s", b->version);
    err = update_insert(f->db, u, f->ei);
    if (err == OTAD_E_OK)
        batch_update(f->batch, u);
    return err;
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
    t.ended_at_s = 0;
    return transfer_save(db, &t, &arrived, ei);
}

static enum otad_err begin_transfer(struct db *db, const struct update *u, const struct fact *fact,
                                    struct otad_errinfo *ei)
{
    struct transfer t = fact->transfer;
    t.update = u->id;
    enum otad_err err = transfer_supersede(db, u->id, t.started_at_s, ei);
    return err == OTAD_E_OK ? transfer_insert(db, &t, ei) : err;
}

static enum otad_err write_serve(const struct fold *f, const struct fact *fact)
{
    struct db *db = f->db;
    struct otad_errinfo *ei = f->ei;
    struct device d;
    struct build b;
    struct update u;
    int64_t now_s = fact->transfer.started_at_s;
    enum otad_err err = device_find(db, fact->product, fact->mac, &d, ei);
    if (err == OTAD_E_OK)
        err = build_find_seq(db, fact->build, &b, ei);
    if (err == OTAD_E_OK)
        err = supersede(f, d.id, &b, now_s);
    if (err == OTAD_E_OK)
        err = open_update(f, &d, &b, now_s, &u);
    if (err != OTAD_E_OK)
        return err;
    err = fact->first > 0 ? continue_transfer(db, &u, fact, ei) : OTAD_E_NOENT;
    return err == OTAD_E_NOENT ? begin_transfer(db, &u, fact, ei) : err;
}

/* Adds what one request brought to its transfer, and says how that stands now. */
static void fold_end(struct transfer *t, struct intervals *arrived, const struct fact *fact,
                     int64_t others)
{
    const struct transfer *end = &fact->transfer;
    bool superseded = t->state == TRANSFER_ABORTED; /* while this request was on its way */
    if (end->bytes_acked > 0) /* a set that is full counts too little, never too much */
        (void)intervals_add(arrived, fact->first, fact->first + end->bytes_acked - 1);
    t->bytes_acked = intervals_bytes(arrived);
    t->bytes_per_s = end->bytes_per_s;
    if (t->bytes_acked >= t->size_bytes) {
        t->state = TRANSFER_SENT;
        t->cause[0] = t->detail[0] = '\0';
        t->ended_at_s = end->ended_at_s;
    } else if (!superseded && end->state == TRANSFER_ABORTED && others == 0) {
        t->state = TRANSFER_ABORTED;
        (void)snprintf(t->cause, sizeof t->cause, "%s", end->cause);
        (void)snprintf(t->detail, sizeof t->detail, "%s", end->detail);
        t->ended_at_s = end->ended_at_s;
    } else if (!superseded && end->state == TRANSFER_ABORTED) {
        t->resumed++; /* it was, before we knew */
    }
}

static enum otad_err count_attempt(struct db *db, int64_t update, int64_t now_s,
                                   struct otad_errinfo *ei)
{
    struct update u;
    enum otad_err err = update_find(db, update, &u, ei);
    if (err != OTAD_E_OK)
        return err;
    u.attempts++; /* a whole image: what didn't arrive completely is no attempt */
    u.updated_at_s = now_s;
    return update_save(db, &u, ei);
}

static enum otad_err write_end(struct db *db, const struct fact *fact, struct otad_errinfo *ei)
{
    struct transfer t;
    struct intervals arrived;
    int64_t id = fact->transfer.id, others = 0;
    enum otad_err err = transfer_part_end(db, id, &id, &others, ei);
    if (err == OTAD_E_OK)
        err = transfer_find(db, id, &t, ei);
    if (err == OTAD_E_OK)
        err = transfer_arrived(db, id, &arrived, ei);
    if (err != OTAD_E_OK || t.state == TRANSFER_SENT)
        return err;
    fold_end(&t, &arrived, fact, others);
    err = transfer_save(db, &t, &arrived, ei);
    if (err != OTAD_E_OK || t.state != TRANSFER_SENT)
        return err;
    return count_attempt(db, t.update, t.ended_at_s, ei);
}

enum otad_err ledger_write(struct db *db, const struct fact *fact, struct batch *batch,
                           struct otad_errinfo *ei)
{
    const struct fold f = {.db = db, .batch = batch, .ei = ei};
    switch (fact->kind) {
    case FACT_ANONYMOUS:
        return product_count_anonymous(db, fact->product, fact->count, ei);
    case FACT_CHECKIN:
        return write_checkin(&f, fact);
    case FACT_SERVE:
        return write_serve(&f, fact);
    case FACT_END:
        break;
    }
    return write_end(db, fact, ei);
}
