/* SPDX-License-Identifier: MIT
 * Owns the state machine of updates: which fact moves which state. */
#include "fleet/ledger.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "fleet/blob.h"
#include "fleet/overlay.h"
#include "fleet/product.h"
#include "fleet/update.h"

#define OPEN_MAX 8 /* open updates of one device: one app, one fs, and what a restart left */

static enum otad_err set_state(struct db *db, struct update *u, enum update_state state,
                               const char *cause, const char *detail, int64_t now_s,
                               struct otad_errinfo *ei)
{
    u->state = state;
    (void)snprintf(u->cause, sizeof u->cause, "%s", cause);
    (void)snprintf(u->detail, sizeof u->detail, "%s", detail);
    u->updated_at_s = now_s;
    return update_save(db, u, ei);
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
static enum otad_err settle_installed(struct db *db, int64_t device, const struct fact *fact,
                                      struct otad_errinfo *ei)
{
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
            err = set_state(db, &open[i], UPDATE_INSTALLED, "", reason_name(same), fact->said.at_s,
                            ei);
    }
    return err;
}

static enum otad_err write_checkin(struct db *db, const struct fact *fact, struct otad_errinfo *ei)
{
    int64_t device;
    struct device_facts said = fact->said;
    if (fact->mode == MODE_FS)
        said.version[0] = '\0'; /* it is the filesystem's: the sketch's stays known */
    enum otad_err err = device_seen(db, fact->product, fact->mac, &said, &device, ei);
    return err == OTAD_E_OK ? settle_installed(db, device, fact, ei) : err;
}

/* Another build of the same kind is on its way: the older stories have ended. */
static enum otad_err supersede(struct db *db, int64_t device, const struct build *b, int64_t now_s,
                               struct otad_errinfo *ei)
{
    struct update open[OPEN_MAX];
    size_t n;
    enum otad_err err = update_open(db, device, open, OPEN_MAX, &n, ei);
    for (size_t i = 0; i < n && err == OTAD_E_OK; i++) {
        struct build other;
        if (open[i].build == b->seq)
            continue;
        err = build_find_seq(db, open[i].build, &other, ei);
        if (err == OTAD_E_OK && other.kind == b->kind)
            err =
                set_state(db, &open[i], UPDATE_FAILED, "superseded",
                          "another build was offered before this one was seen running", now_s, ei);
    }
    return err;
}

/* Continues the story of this device and build, or starts it. */
static enum otad_err open_update(struct db *db, const struct device *d, const struct build *b,
                                 int64_t now_s, struct update *u, struct otad_errinfo *ei)
{
    enum otad_err err = update_newest(db, d->id, b->seq, u, ei);
    if (err == OTAD_E_OK && u->state != UPDATE_INSTALLED)
        return set_state(db, u, UPDATE_IN_PROGRESS, "", "", now_s, ei);
    if (err != OTAD_E_OK && err != OTAD_E_NOENT)
        return err;
    *u = (struct update){.product = d->product,
                         .device = d->id,
                         .build = b->seq,
                         .state = UPDATE_IN_PROGRESS,
                         .created_at_s = now_s};
    (void)snprintf(u->from_version, sizeof u->from_version, "%s", d->last.version);
    return update_insert(db, u, ei);
}

static enum otad_err write_serve(struct db *db, const struct fact *fact, struct otad_errinfo *ei)
{
    struct device d;
    struct build b;
    struct update u;
    struct transfer t = fact->transfer;
    enum otad_err err = device_find(db, fact->product, fact->mac, &d, ei);
    if (err == OTAD_E_OK)
        err = build_find_seq(db, fact->build, &b, ei);
    if (err == OTAD_E_OK)
        err = supersede(db, d.id, &b, t.started_at_s, ei);
    if (err == OTAD_E_OK)
        err = open_update(db, &d, &b, t.started_at_s, &u, ei);
    if (err != OTAD_E_OK)
        return err;
    t.update = u.id;
    return transfer_insert(db, &t, ei);
}

static enum otad_err write_end(struct db *db, const struct fact *fact, struct otad_errinfo *ei)
{
    struct transfer stored;
    struct update u;
    enum otad_err err = transfer_find(db, fact->transfer.id, &stored, ei);
    if (err == OTAD_E_OK)
        err = transfer_end(db, &fact->transfer, ei);
    if (err != OTAD_E_OK || fact->transfer.state != TRANSFER_SENT)
        return err;
    err = update_find(db, stored.update, &u, ei);
    if (err != OTAD_E_OK)
        return err;
    u.attempts++; /* a whole image: what didn't arrive completely is no attempt */
    u.updated_at_s = fact->transfer.ended_at_s;
    return update_save(db, &u, ei);
}

enum otad_err ledger_write(struct db *db, const struct fact *fact, struct otad_errinfo *ei)
{
    switch (fact->kind) {
    case FACT_ANONYMOUS:
        return product_count_anonymous(db, fact->product, fact->count, ei);
    case FACT_CHECKIN:
        return write_checkin(db, fact, ei);
    case FACT_SERVE:
        return write_serve(db, fact, ei);
    case FACT_END:
        break;
    }
    return write_end(db, fact, ei);
}
