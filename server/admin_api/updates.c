/* SPDX-License-Identifier: MIT
 * Owns /products/{product}/updates: the ledger. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_api/admin_api.h"
#include "admin_api/change.h"
#include "admin_api/list.h"
#include "admin_api/shapes.h"
#include "admin_api/updates_csv.h"
#include "base/clock.h"
#include "base/mac.h"
#include "http/reply.h"

struct listing {
    struct list list;
    struct db *db;
    struct product product;
    struct update_filter filter;
    bool csv;
    struct otad_errinfo *ei;
};

static bool by_change(const struct update_filter *f)
{
    return f->sort == UPDATE_CHANGED_LAST || f->sort == UPDATE_CHANGED_FIRST;
}

static enum otad_err add(void *arg, const struct update *u)
{
    struct listing *l = arg;
    if (!list_has_room(&l->list))
        return OTAD_E_OK;
    if (by_change(&l->filter))
        (void)snprintf(l->list.next, sizeof l->list.next, "%" PRId64 ".%" PRId64, u->updated_at_s,
                       u->id);
    else
        (void)snprintf(l->list.next, sizeof l->list.next, "%" PRId64, u->id);
    return list_add(&l->list, shape_update(l->db, l->product.slug, u, l->ei));
}

/* The cursor is the id of the last row shown, or "updated_at.id" when that is the order. */
static enum otad_err read_cursor(const struct list *list, struct update_filter *f,
                                 struct otad_errinfo *ei)
{
    update_first(f);
    if (!by_change(f))
        return list_cursor_number(list, f->after_id, &f->after_id, ei);
    if (list->cursor == NULL)
        return OTAD_E_OK;
    char *end;
    f->after_s = strtoll(list->cursor, &end, 10);
    bool two = end != list->cursor && *end == '.';
    if (two)
        f->after_id = strtoll(end + 1, &end, 10);
    if (!two || *end != '\0')
        return otad_fail(ei, OTAD_E_INVALID,
                         "'cursor' must be what an earlier answer gave as 'next'");
    return OTAD_E_OK;
}

static enum otad_err read_time(const struct http_req *req, const char *key, int64_t *out,
                               struct otad_errinfo *ei)
{
    const char *text = http_req_query(req, key);
    if (text == NULL || clock_parse(text, out))
        return OTAD_E_OK;
    return otad_fail(ei, OTAD_E_INVALID, "'%s' must be a time like 2026-11-21T08:00:00Z", key);
}

static enum otad_err read_filter(const struct http_req *req, struct update_filter *f,
                                 struct otad_errinfo *ei)
{
    const char *mac = http_req_query(req, "mac"), *build = http_req_query(req, "build");
    enum update_state state;
    f->state = http_req_query(req, "state");
    f->cause = http_req_query(req, "cause");
    f->by_build = build != NULL;
    f->until_s = INT64_MAX;
    if (mac != NULL && !mac_parse(mac, &f->mac))
        return otad_fail(ei, OTAD_E_INVALID, "'%.40s' is no MAC address", mac);
    if (build != NULL && !build_id_parse(build, &f->build_id))
        return otad_fail(ei, OTAD_E_INVALID, "'%.40s' is no build id", build);
    if (f->state != NULL && !update_state_parse(f->state, &state)) {
        (void)otad_fail(ei, OTAD_E_INVALID, "'%.40s' is no state of an update", f->state);
        return otad_hint(ei, "pending, in_progress, sent, installed, failed, rolled_back, "
                             "attempts_exhausted");
    }
    enum otad_err err = read_time(req, "since", &f->since_s, ei);
    return err == OTAD_E_OK ? read_time(req, "until", &f->until_s, ei) : err;
}

static enum otad_err read_sort(struct http_req *req, struct update_filter *f,
                               struct otad_errinfo *ei)
{
    const char *sort = http_req_query(req, "sort");
    if (sort == NULL || update_sort_parse(sort, &f->sort))
        return OTAD_E_OK;
    (void)otad_fail(ei, OTAD_E_INVALID, "'%.40s' is no order of updates", sort);
    return otad_hint(ei, "-id (newest first), id, -updated_at, updated_at");
}

/* `format` has the last word; without it, a client that takes CSV and no JSON gets CSV. */
static enum otad_err read_format(struct http_req *req, bool *csv, struct otad_errinfo *ei)
{
    const char *format = http_req_query(req, "format"), *accept = http_req_header(req, "Accept");
    *csv = accept != NULL && strcasestr(accept, "text/csv") != NULL &&
           strcasestr(accept, "json") == NULL;
    if (format != NULL)
        *csv = strcmp(format, "csv") == 0;
    if (format != NULL && !*csv && strcmp(format, "json") != 0)
        return otad_fail(ei, OTAD_E_INVALID, "'format' must be json or csv");
    if (*csv && (http_req_query(req, "limit") != NULL || http_req_query(req, "cursor") != NULL))
        return otad_fail(ei, OTAD_E_INVALID,
                         "A CSV file has no pages: 'limit' and 'cursor' are for JSON");
    return OTAD_E_OK;
}

static enum otad_err read_query(struct http_req *req, struct listing *l, struct otad_errinfo *ei)
{
    static const char *const known[] = {"mac",   "build", "state",  "cause", "since",
                                        "until", "sort",  "format", NULL};
    enum otad_err err = list_begin(req, known, &l->list, ei);
    if (err == OTAD_E_OK)
        err = read_filter(req, &l->filter, ei);
    if (err == OTAD_E_OK)
        err = read_sort(req, &l->filter, ei);
    if (err == OTAD_E_OK)
        err = read_format(req, &l->csv, ei);
    l->filter.limit = l->list.limit + 1;
    return err == OTAD_E_OK ? read_cursor(&l->list, &l->filter, ei) : err;
}

static enum otad_err list(struct http_req *req, struct otad_errinfo *ei)
{
    struct listing l = {.ei = ei};
    enum otad_err err = read_query(req, &l, ei);
    if (err == OTAD_E_OK)
        err = otad_reader(http_req_app(req), &l.db, ei);
    if (err == OTAD_E_OK)
        err = product_find(l.db, http_req_param(req, "product"), &l.product, ei);
    l.filter.product = l.product.id;
    if (err == OTAD_E_OK && l.csv) {
        json_decref(l.list.items);
        return updates_csv(req, &l.product, &l.filter, ei);
    }
    if (err == OTAD_E_OK)
        err = update_list(l.db, &l.filter, add, &l, ei);
    return list_send(req, &l.list, err);
}

enum otad_err admin_updates_list(struct http_req *req, struct otad_errinfo *ei)
{
    return fresh_read(req, list, ei);
}

static enum otad_err read(struct http_req *req, struct otad_errinfo *ei)
{
    struct db *db;
    struct product p;
    struct update u;
    int64_t id;
    if (!build_id_parse(http_req_param(req, "update"), &id))
        return otad_fail(ei, OTAD_E_NOENT, "There is no such update");
    enum otad_err err = otad_reader(http_req_app(req), &db, ei);
    if (err == OTAD_E_OK)
        err = product_find(db, http_req_param(req, "product"), &p, ei);
    if (err == OTAD_E_OK)
        err = update_find(db, id, &u, ei);
    if (err == OTAD_E_OK && u.product != p.id)
        err = otad_fail(ei, OTAD_E_NOENT, "There is no such update");
    if (err != OTAD_E_OK)
        return err;
    json_t *shape = shape_update(db, p.slug, &u, ei);
    json_t *story = shape != NULL ? shape_story(db, u.id, ei) : NULL;
    if (story == NULL || json_object_set_new(shape, "story", story) != 0) {
        json_decref(shape);
        shape = NULL;
    }
    return http_reply_json(req, 200, shape);
}

enum otad_err admin_update_read(struct http_req *req, struct otad_errinfo *ei)
{
    return fresh_read(req, read, ei);
}
