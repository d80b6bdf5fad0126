/* SPDX-License-Identifier: MIT
 * Owns the folding of check-ins: what a device says, and what that means for its update. */
#include "fleet/ledger.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "fleet/batch.h"
#include "fleet/blob.h"
#include "fleet/checkin.h"
#include "fleet/ledger_transfer.h"
#include "fleet/outcome.h"
#include "fleet/product.h"
#include "fleet/story.h"
#include "fleet/transfer.h"
#include "fleet/variants.h"

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

static struct story_checkin what_it_says(const struct update *u, const struct fact *fact,
                                         enum reason same, int64_t attempts_max)
{
    const struct device_facts *said = &fact->said;
    bool before = checkin_is_before(u->from_version, u->from_md5, said);
    return (struct story_checkin){
        .same = same,
        .known = said->version[0] != '\0' || before,
        .as_before = before,
        .poll = fact->ask == ASK_NUMBER && said->version[0] == '\0',
        .asks_image = fact->ask == ASK_IMAGE && fact->mode != MODE_VERSION,
        .filesystem = fact->mode == MODE_FS && said->version[0] == '\0',
        .version = said->version,
        .attempts_max = attempts_max,
        .last_seen_s = u->device_seen_s,
        .at_s = said->at_s,
    };
}

/* A device that got the image and reports an MD5 nobody knows may have patched it. */
static bool got_it_and_is_unknown(const struct update *u, const struct fact *fact)
{
    return fact->mode != MODE_FS && fact->said.md5[0] != '\0' && u->attempts > 0 &&
           strcmp(fact->said.md5, u->from_md5) != 0;
}

static enum otad_err look_closer(struct db *db, const struct build *b, const struct fact *fact,
                                 enum reason *same, struct otad_errinfo *ei)
{
    bool learned;
    enum otad_err err = variants_learn(db, b, &learned, ei);
    return err == OTAD_E_OK && learned ? runs_build(db, b, fact, same, ei) : err;
}

/* What the check-in means for the device's newest update of that kind. */
static enum otad_err judge(struct db *db, struct update *u, const struct fact *fact,
                           struct batch *batch, struct otad_errinfo *ei)
{
    struct build b;
    struct product p;
    enum reason same = REASON_NONE;
    if (u->state == UPDATE_INSTALLED && strcmp(fact->said.version, u->to_version) == 0)
        return OTAD_E_OK; /* most check-ins end here */
    enum otad_err err = build_find_seq(db, u->build, &b, ei);
    if (err == OTAD_E_OK)
        err = runs_build(db, &b, fact, &same, ei);
    if (err == OTAD_E_OK && same == REASON_NONE && got_it_and_is_unknown(u, fact))
        err = look_closer(db, &b, fact, &same, ei);
    if (err == OTAD_E_OK)
        err = product_find_id(db, u->product, &p, ei);
    if (err == OTAD_E_OK)
        err = ledger_transfer_seen(db, u, fact, same != REASON_NONE, ei);
    if (err != OTAD_E_OK)
        return err;
    const struct update before = *u;
    const struct story_checkin c = what_it_says(u, fact, same, p.policy.attempts_max);
    return story_checked_in(u, &c) ? outcome_save(db, u, &before, batch, ei) : OTAD_E_OK;
}

static enum otad_err write_checkin(struct db *db, const struct fact *fact, struct batch *batch,
                                   struct otad_errinfo *ei)
{
    struct update u;
    int64_t device;
    struct device_facts said = fact->said;
    enum build_kind kind = fact->mode == MODE_FS ? BUILD_FS : BUILD_APP;
    if (fact->mode == MODE_FS)
        said.version[0] = '\0'; /* it is the filesystem's: the sketch's stays known */
    enum otad_err found = update_newest_kind(db, fact->product, fact->mac, kind, &u, ei);
    if (found != OTAD_E_OK && found != OTAD_E_NOENT)
        return found;
    enum otad_err err = device_seen(db, fact->product, fact->mac, &said, &device, ei);
    if (err != OTAD_E_OK)
        return err;
    batch_checkins(batch, fact->product, said.at_s, fact->count);
    return found == OTAD_E_OK ? judge(db, &u, fact, batch, ei) : OTAD_E_OK;
}

enum otad_err ledger_want(struct db *db, const struct device *d, const struct build *b,
                          int64_t now_s, struct update *out, struct batch *batch,
                          struct otad_errinfo *ei)
{
    enum otad_err err = update_newest(db, d->id, b->seq, out, ei);
    if (err == OTAD_E_OK && out->state != UPDATE_INSTALLED) {
        const struct update before = *out;
        story_wanted(out, now_s);
        err = transfer_forgive(db, out->id, ei);
        return err != OTAD_E_OK ? err : outcome_save(db, out, &before, batch, ei);
    }
    if (err != OTAD_E_OK && err != OTAD_E_NOENT)
        return err;
    return outcome_begin(db, d, b, UPDATE_PENDING, now_s, out, batch, ei);
}

enum otad_err ledger_unwant(struct db *db, const struct device *d, int64_t build, int64_t now_s,
                            struct batch *batch, struct otad_errinfo *ei)
{
    struct update u;
    enum otad_err err = update_newest(db, d->id, build, &u, ei);
    if (err != OTAD_E_OK || u.state != UPDATE_PENDING)
        return err == OTAD_E_NOENT ? OTAD_E_OK : err;
    const struct update before = u;
    story_unwanted(&u, now_s);
    return outcome_save(db, &u, &before, batch, ei);
}

enum otad_err ledger_write(struct db *db, const struct fact *fact, struct batch *batch,
                           struct otad_errinfo *ei)
{
    switch (fact->kind) {
    case FACT_ANONYMOUS:
        return product_count_anonymous(db, fact->product, fact->count, ei);
    case FACT_CHECKIN:
        return write_checkin(db, fact, batch, ei);
    case FACT_SERVE:
        return ledger_transfer_begin(db, fact, batch, ei);
    case FACT_PROGRESS:
    case FACT_END:
        break;
    }
    return ledger_transfer_go_on(db, fact, batch, ei);
}
