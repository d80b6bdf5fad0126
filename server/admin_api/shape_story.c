/* SPDX-License-Identifier: MIT
 * Owns the story of one update as JSON: its states, downloads and reports in the order of time. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_api/shapes.h"
#include "base/json.h"
#include "fleet/report.h"
#include "fleet/transfer.h"
#include "fleet/update_step.h"

#define ENTRY_TEXT 1600 /* a report's message may have 1 KiB */

struct entry {
    int64_t at_s;
    int order; /* within a second: what is cause before what follows from it */
    size_t n;  /* as they came */
    json_t *json;
};

struct story {
    struct entry *entries;
    size_t n, room;
};

static enum otad_err add(struct story *s, int64_t at_s, int order, const char *kind,
                         const char *text)
{
    if (s->n == s->room) {
        size_t room = s->room > 0 ? 2 * s->room : 16;
        struct entry *entries = realloc(s->entries, room * sizeof *entries);
        if (entries == NULL)
            return OTAD_E_NOMEM;
        s->entries = entries;
        s->room = room;
    }
    json_t *json =
        json_pack("{s:o, s:s, s:o}", "at", json_time(at_s), "kind", kind, "text", json_text(text));
    if (json == NULL)
        return OTAD_E_NOMEM;
    s->entries[s->n] = (struct entry){.at_s = at_s, .order = order, .n = s->n, .json = json};
    s->n++;
    return OTAD_E_OK;
}

static enum otad_err add_transfer(void *arg, const struct transfer *t)
{
    char text[ENTRY_TEXT];
    bool push = t->kind == TRANSFER_PUSH;
    const char *what = push ? "push" : "download";
    if (push)
        (void)snprintf(text, sizeof text, "push began: %" PRId64 " bytes to %s", t->size_bytes,
                       t->address);
    else
        (void)snprintf(text, sizeof text, "download began: %" PRId64 " bytes for %s (%s)",
                       t->size_bytes, t->address, t->client[0] ? t->client : "no User-Agent");
    enum otad_err err = add(arg, t->started_at_s, 0, what, text);
    if (err != OTAD_E_OK || t->ended_at_s == 0)
        return err;
    (void)snprintf(text, sizeof text, "%s %s%s%s at %" PRId64 " %%: %s", what,
                   transfer_state_name(t->state), t->cause[0] ? ", " : "", t->cause,
                   t->size_bytes > 0 ? t->bytes_acked * 100 / t->size_bytes : 0, t->detail);
    return add(arg, t->ended_at_s, 1, what, text);
}

static enum otad_err add_step(void *arg, const struct update_step *s)
{
    char text[ENTRY_TEXT];
    (void)snprintf(text, sizeof text, "%s%s%s%s%s", update_state_name(s->state),
                   s->cause[0] ? ", " : "", s->cause, s->detail[0] ? ": " : "", s->detail);
    return add(arg, s->at_s, 2, "state", text);
}

static enum otad_err add_report(void *arg, const struct report *r)
{
    char text[ENTRY_TEXT], code[32] = "";
    if (r->has_code)
        (void)snprintf(code, sizeof code, ", code %" PRId64, r->code);
    (void)snprintf(text, sizeof text, "the device reported %s%s%s%s", r->result, code,
                   r->message[0] ? ": " : "", r->message);
    return add(arg, r->at_s, 3, "report", text);
}

static int compare(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->at_s != y->at_s)
        return x->at_s < y->at_s ? -1 : 1;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return x->n < y->n ? -1 : 1;
}

static json_t *sorted(struct story *s)
{
    json_t *items = json_array();
    if (s->n > 1)
        qsort(s->entries, s->n, sizeof s->entries[0], compare);
    for (size_t i = 0; i < s->n; i++)
        (void)json_array_append_new(items, s->entries[i].json);
    free(s->entries);
    return items;
}

json_t *shape_story(struct db *db, int64_t update, struct otad_errinfo *ei)
{
    struct story s = {.entries = NULL};
    enum otad_err err = update_step_list(db, update, add_step, &s, ei);
    if (err == OTAD_E_OK)
        err = transfer_list(db, update, add_transfer, &s, ei);
    if (err == OTAD_E_OK)
        err = report_list(db, update, add_report, &s, ei);
    json_t *items = sorted(&s);
    if (err == OTAD_E_OK)
        return items;
    json_decref(items);
    return NULL;
}
