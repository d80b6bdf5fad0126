/* SPDX-License-Identifier: MIT
 * Owns the automatic stop of channels. */
#include "fleet/outcome.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fleet/audit.h"
#include "fleet/channel.h"
#include "fleet/product.h"
#include "fleet/story.h"
#include "fleet/update_step.h"

#define CHANNELS_MAX 32 /* of one build; further ones wait for the next failure */

/* A device counts once, a network that counts once too. */
#define COUNTED "CASE WHEN d.origin = '' THEN 'device ' || d.id ELSE d.origin END"
static const char sql_count[] =
    "SELECT count(DISTINCT CASE WHEN u.state <> 'installed' THEN " COUNTED " END),"
    " count(DISTINCT CASE WHEN u.state = 'installed' THEN " COUNTED " END)"
    " FROM \"update\" AS u JOIN device AS d ON d.id = u.device WHERE u.build = :build"
    " AND u.state IN ('failed', 'rolled_back', 'attempts_exhausted', 'installed')"
    " AND u.cause <> 'superseded' AND substr(u.cause, 1, 5) <> '" STORY_PUSH "'"
    " AND u.updated_at_s > :after AND d.first_seen_s < :released";

struct stop {
    struct channel channels[CHANNELS_MAX];
    size_t n;
    const struct update *u;
    const struct product *product;
};

/* Those that may have to stop now. */
static enum otad_err collect(void *arg, const struct channel *c)
{
    struct stop *s = arg;
    int64_t window_s = s->product->policy.stop_window_s;
    bool points = c->app == s->u->build || c->fs == s->u->build;
    if (points && !c->paused && s->u->updated_at_s - c->released_at_s < window_s &&
        s->n < CHANNELS_MAX)
        s->channels[s->n++] = *c;
    return OTAD_E_OK;
}

static enum otad_err count(struct db *db, const struct update *u, const struct channel *c,
                           int64_t *failed, int64_t *installed, struct otad_errinfo *ei)
{
    int64_t after_s =
        c->counted_from_s >= c->released_at_s ? c->counted_from_s : c->released_at_s - 1;
    struct db_q q = db_query(db, sql_count);
    db_bind_int(&q, ":build", u->build);
    db_bind_int(&q, ":after", after_s);
    db_bind_int(&q, ":released", c->released_at_s);
    *failed = *installed = 0;
    if (db_step(&q)) {
        *failed = db_int(&q, 0);
        *installed = db_int(&q, 1);
    }
    return db_end(&q, ei);
}

static enum otad_err stop(struct db *db, const struct stop *s, const struct channel *c,
                          const char *reason, struct batch *batch, struct otad_errinfo *ei)
{
    struct audit a = {.at_s = s->u->updated_at_s, .who = "otad", .address = "local"};
    (void)snprintf(a.action, sizeof a.action, "channel.stop");
    (void)snprintf(a.product, sizeof a.product, "%s", s->product->slug);
    (void)snprintf(a.object, sizeof a.object, "%s", c->name);
    (void)snprintf(a.detail, sizeof a.detail, "%s", reason);
    enum otad_err err = channel_stop(db, s->product->id, c->name, reason, s->u->updated_at_s, ei);
    if (err == OTAD_E_OK)
        batch_channel(batch, s->u, c->name, reason);
    return err == OTAD_E_OK ? audit_add(db, &a, ei) : err;
}

static enum otad_err check(struct db *db, const struct stop *s, const struct channel *c,
                           struct batch *batch, struct otad_errinfo *ei)
{
    const struct product_policy *policy = &s->product->policy;
    int64_t failed, installed;
    char reason[160];
    enum otad_err err = count(db, s->u, c, &failed, &installed, ei);
    if (err != OTAD_E_OK || failed < policy->stop_failures ||
        failed * 100 < policy->stop_percent * (failed + installed))
        return err;
    (void)snprintf(reason, sizeof reason,
                   "%" PRId64 " of %" PRId64 " devices failed with version %.64s", failed,
                   failed + installed, s->u->to_version);
    return stop(db, s, c, reason, batch, ei);
}

static enum otad_err check_channels(struct db *db, const struct update *u, struct batch *batch,
                                    struct otad_errinfo *ei)
{
    struct product product;
    struct stop s = {.u = u, .product = &product};
    enum otad_err err = product_find_id(db, u->product, &product, ei);
    if (err == OTAD_E_OK)
        err = channel_list(db, u->product, collect, &s, ei);
    for (size_t i = 0; i < s.n && err == OTAD_E_OK; i++)
        err = check(db, &s, &s.channels[i], batch, ei);
    return err;
}

enum otad_err outcome_save(struct db *db, const struct update *u, const struct update *before,
                           struct batch *batch, struct otad_errinfo *ei)
{
    enum otad_err err = update_save(db, u, ei);
    if (err != OTAD_E_OK)
        return err;
    if (u->state != before->state || strcmp(u->cause, before->cause) != 0) {
        batch_update(batch, u);
        err = update_step_add(db, u, ei);
    }
    if (err != OTAD_E_OK || story_is_failure(before) || !story_is_failure(u))
        return err;
    return check_channels(db, u, batch, ei);
}

enum otad_err outcome_begin(struct db *db, const struct device *d, const struct build *b,
                            enum update_state state, int64_t now_s, struct update *out,
                            struct batch *batch, struct otad_errinfo *ei)
{
    *out = (struct update){.product = d->product,
                           .device = d->id,
                           .mac = d->mac,
                           .build = b->seq,
                           .build_id = b->id,
                           .state = state,
                           .created_at_s = now_s,
                           .updated_at_s = now_s};
    (void)snprintf(out->from_version, sizeof out->from_version, "%s", d->last.version);
    (void)snprintf(out->from_md5, sizeof out->from_md5, "%s", d->last.md5);
    (void)snprintf(out->to_version, sizeof out->to_version, "%s", b->version);
    enum otad_err err = update_insert(db, out, ei);
    if (err == OTAD_E_OK)
        err = update_step_add(db, out, ei);
    if (err == OTAD_E_OK)
        batch_update(batch, out);
    return err;
}
