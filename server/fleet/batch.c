/* SPDX-License-Identifier: MIT
 * Owns what a fold gathers. */
#include "fleet/batch.h"

#include <stdio.h>
#include <stdlib.h>

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

void batch_update(struct batch *b, const struct update *u)
{
    struct event *event = b != NULL ? add(b) : NULL;
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

void batch_tell(struct batch *b, struct events *events)
{
    for (size_t i = 0; i < b->n; i++)
        events_publish(events, &b->news[i]);
    batch_forget(b);
}

void batch_forget(struct batch *b)
{
    b->n = 0;
}

void batch_free(struct batch *b)
{
    free(b->news);
    *b = (struct batch){.news = NULL};
}
