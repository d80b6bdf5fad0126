/* SPDX-License-Identifier: MIT
 * Owns /events/recent: what happened before somebody looked, as far as the ring of events goes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_api/admin_api.h"
#include "admin_api/event_reader.h"
#include "admin_api/list.h"
#include "fleet/otad.h"

/* The last ones that passed: the newest is at (n - 1) % room. */
struct kept {
    struct event *events;
    size_t n, room;
};

/* -1: of every kind */
static enum otad_err read_kind(struct http_req *req, int *out, struct otad_errinfo *ei)
{
    const char *text = http_req_query(req, "kind");
    *out = -1;
    if (text == NULL)
        return OTAD_E_OK;
    for (int kind = 0; kind < EVENT_KINDS && *out < 0; kind++)
        if (strcmp(text, event_kind_name((enum event_kind)kind)) == 0)
            *out = kind;
    if (*out >= 0)
        return OTAD_E_OK;
    (void)otad_fail(ei, OTAD_E_INVALID, "'%.40s' is no kind of event", text);
    return otad_hint(ei, "Use check_in, transfer, update, change, push or channel.");
}

/* Keeps one more than the list takes, to know whether there are more. */
static void gather(struct event_reader *r, int kind, uint64_t before, struct kept *kept)
{
    uint64_t cursor = 0;
    struct event event;
    bool lost = false; /* all that is left is wanted */
    enum events_next found;
    do {
        found = events_after(r->otad->events, &cursor, &r->filter, &event, &lost);
        if (found == EVENTS_FOUND && event.id < before && (kind < 0 || (int)event.kind == kind))
            kept->events[kept->n++ % kept->room] = event;
    } while (found != EVENTS_NONE && cursor < before);
}

static json_t *shape(struct event_reader *r, const struct event *event)
{
    char id[24];
    json_t *out = event_reader_shape(r, event);
    (void)snprintf(id, sizeof id, "%" PRIu64, event->id);
    (void)json_object_set_new(out, "id", json_string(id));
    return out;
}

static enum otad_err fill(struct list *list, struct event_reader *r, const struct kept *kept)
{
    enum otad_err err = OTAD_E_OK;
    for (size_t i = kept->n; err == OTAD_E_OK && i > 0 && kept->n - i < kept->room; i--) {
        const struct event *event = &kept->events[(i - 1) % kept->room];
        if (!list_has_room(list))
            break;
        err = list_add(list, shape(r, event));
        (void)snprintf(list->next, sizeof list->next, "%" PRIu64, event->id);
    }
    return err;
}

static enum otad_err answer(struct http_req *req, struct list *list, struct otad_errinfo *ei)
{
    struct event_reader r;
    int64_t before;
    int kind;
    enum otad_err err = list_cursor_number(list, INT64_MAX, &before, ei);
    if (err == OTAD_E_OK)
        err = read_kind(req, &kind, ei);
    if (err == OTAD_E_OK)
        err = event_reader_begin(req, &r, ei);
    if (err != OTAD_E_OK)
        return err;
    struct kept kept = {.room = (size_t)list->limit + 1};
    kept.events = calloc(kept.room, sizeof *kept.events);
    if (kept.events == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    gather(&r, kind, (uint64_t)before, &kept);
    err = fill(list, &r, &kept);
    free(kept.events);
    return err;
}

enum otad_err admin_events_recent(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {"product", "mac", "kind", NULL};
    struct list list;
    enum otad_err err = list_begin(req, known, &list, ei);
    return err != OTAD_E_OK ? err : list_send(req, &list, answer(req, &list, ei));
}
