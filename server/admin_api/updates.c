/* SPDX-License-Identifier: MIT
 * Owns /products/{product}/updates: the ledger. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin_api/admin_api.h"
#include "admin_api/change.h"
#include "admin_api/list.h"
#include "admin_api/shapes.h"
#include "base/clock.h"
#include "base/mac.h"
#include "http/reply.h"

struct listing {
    struct list list;
    struct db *db;
    struct product product;
    struct otad_errinfo *ei;
};

static enum otad_err add(void *arg, const struct update *u)
{
    struct listing *l = arg;
    if (!list_has_room(&l->list))
        return OTAD_E_OK;
    (void)snprintf(l->list.next, sizeof l->list.next, "%" PRId64, u->id);
    return list_add(&l->list, shape_update(l->db, l->product.slug, u, l->ei));
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

static enum otad_err list(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {"mac", "build", "state", "cause", "since", "until", NULL};
    struct listing l = {.ei = ei};
    struct update_filter f = {.product = 0};
    enum otad_err err = list_begin(req, known, &l.list, ei);
    if (err == OTAD_E_OK)
        err = read_filter(req, &f, ei);
    if (err == OTAD_E_OK)
        err = list_cursor_number(&l.list, INT64_MAX, &f.before, ei);
    if (err == OTAD_E_OK)
        err = otad_reader(http_req_app(req), &l.db, ei);
    if (err == OTAD_E_OK)
        err = product_find(l.db, http_req_param(req, "product"), &l.product, ei);
    f.product = l.product.id;
    f.limit = l.list.limit + 1;
    if (err == OTAD_E_OK)
        err = update_list(l.db, &f, add, &l, ei);
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
    return err == OTAD_E_OK ? http_reply_json(req, 200, shape_update(db, p.slug, &u, ei)) : err;
}

enum otad_err admin_update_read(struct http_req *req, struct otad_errinfo *ei)
{
    return fresh_read(req, read, ei);
}
