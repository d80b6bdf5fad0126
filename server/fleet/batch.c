/* SPDX-License-Identifier: MIT
 * Owns what a fold gathers. */
#include "fleet/batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "fleet/story.h"

#define NEWS_MAX EVENTS_MAX /* more than the ring holds would push each other out */

static struct event *add(struct batch *b)
{
    if (b->n == b->room) {
        size_t room = b->room > 0 ? 2 * b->room : 64;
        struct event *news = room <= NEWS_MAX ? realloc(b->news, room * sizeof *news) : NULL;
        if (news == NULL)
            return NULL;
        b->news = news;
        b->room = room;
    }
    return &b->news[b->n++];
}

/* Facts come roughly in the order of time, so the row is one of the last. */
static struct stats_count *count(struct batch *b, int64_t product, int64_t at_s)
{
    int64_t start_s = at_s - at_s % STATS_HOUR_S;
    for (size_t i = b->n_counts; i > 0; i--)
        if (b->counts[i - 1].product == product && b->counts[i - 1].start_s == start_s)
            return &b->counts[i - 1];
    if (b->n_counts == b->counts_room) {
        size_t room = b->counts_room > 0 ? 2 * b->counts_room : 8;
        struct stats_count *counts = realloc(b->counts, room * sizeof *counts);
        if (counts == NULL)
            return NULL;
        b->counts = counts;
        b->counts_room = room;
    }
    struct stats_count *fresh = &b->counts[b->n_counts++];
    *fresh = (struct stats_count){.product = product, .start_s = start_s};
    return fresh;
}

void batch_checkins(struct batch *b, int64_t product, int64_t at_s, int64_t n)
{
    struct stats_count *c = b != NULL && n > 0 ? count(b, product, at_s) : NULL;
    if (c != NULL)
        c->checkins += n;
}

static void count_outcome(struct batch *b, const struct update *u)
{
    bool failed = story_is_failure(u);
    if (!failed && u->state != UPDATE_INSTALLED)
        return;
    struct stats_count *c = count(b, u->product, u->updated_at_s);
    if (c == NULL)
        return;
    if (failed)
        c->failed++;
    else
        c->installed++;
}

enum otad_err batch_write(const struct batch *b, struct db *db, struct otad_errinfo *ei)
{
    enum otad_err err = OTAD_E_OK;
    for (size_t i = 0; i < b->n_counts && err == OTAD_E_OK; i++)
        err = stats_add(db, &b->counts[i], ei);
    return err;
}

void batch_update(struct batch *b, const struct update *u)
{
    if (b == NULL)
        return;
    count_outcome(b, u);
    struct event *event = add(b);
    if (event == NULL)
        return;
    *event = (struct event){.kind = EVENT_UPDATE,
                            .product = u->product,
                            .mac = u->mac,
                            .update = u->id,
                            .build = u->build_id,
                            .at_s = u->updated_at_s};
    (void)snprintf(event->version, sizeof event->version, "%s", u->to_version);
    (void)snprintf(event->state, sizeof event->state, "%s", update_state_name(u->state));
    (void)snprintf(event->cause, sizeof event->cause, "%s", u->cause);
    (void)snprintf(event->text, sizeof event->text, "%.159s", u->detail);
}

void batch_channel(struct batch *b, const struct update *u, const char *channel, const char *reason)
{
    struct event *event = b != NULL ? add(b) : NULL;
    if (event == NULL)
        return;
    *event = (struct event){.kind = EVENT_CHANNEL,
                            .product = u->product,
                            .build = u->build_id,
                            .at_s = u->updated_at_s};
    (void)snprintf(event->state, sizeof event->state, "stopped");
    (void)snprintf(event->version, sizeof event->version, "%s", u->to_version);
    (void)snprintf(event->text, sizeof event->text, "%.32s: %.120s", channel, reason);
}

void batch_tell(struct batch *b, struct events *events)
{
    for (size_t i = 0; i < b->n; i++)
        events_publish(events, &b->news[i]);
    batch_forget(b);
}

void batch_forget(struct batch *b)
{
    b->n = b->n_counts = 0;
}

void batch_free(struct batch *b)
{
    free(b->news);
    free(b->counts);
    *b = (struct batch){.news = NULL};
}
