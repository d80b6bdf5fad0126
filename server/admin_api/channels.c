/* SPDX-License-Identifier: MIT
 * Owns /products/{product}/channels. */
#include <string.h>

#include "admin_api/admin_api.h"
#include "admin_api/change.h"
#include "admin_api/list.h"
#include "admin_api/shapes.h"
#include "base/json.h"
#include "http/reply.h"

struct listing {
    struct list list;
    struct db *db;
    struct product product;
    struct otad_errinfo *ei;
};

static enum otad_err add(void *arg, const struct channel *c)
{
    struct listing *l = arg;
    return list_add(&l->list, shape_channel(l->db, l->product.slug, c, l->ei));
}

static enum otad_err list(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {NULL};
    struct listing l = {.ei = ei};
    enum otad_err err = list_begin(req, known, &l.list, ei);
    if (err == OTAD_E_OK)
        err = otad_reader(http_req_app(req), &l.db, ei);
    if (err == OTAD_E_OK)
        err = product_find(l.db, http_req_param(req, "product"), &l.product, ei);
    if (err == OTAD_E_OK)
        err = channel_list(l.db, l.product.id, add, &l, ei);
    return list_send(req, &l.list, err);
}

/* A channel may just have stopped by itself. */
enum otad_err admin_channels_list(struct http_req *req, struct otad_errinfo *ei)
{
    return fresh_read(req, list, ei);
}

static enum otad_err read(struct http_req *req, struct otad_errinfo *ei)
{
    struct db *db;
    struct product p;
    struct channel c;
    enum otad_err err = otad_reader(http_req_app(req), &db, ei);
    if (err == OTAD_E_OK)
        err = product_find(db, http_req_param(req, "product"), &p, ei);
    if (err == OTAD_E_OK)
        err = channel_find(db, p.id, http_req_param(req, "channel"), &c, ei);
    return err == OTAD_E_OK ? http_reply_json(req, 200, shape_channel(db, p.slug, &c, ei)) : err;
}

enum otad_err admin_channel_read(struct http_req *req, struct otad_errinfo *ei)
{
    return fresh_read(req, read, ei);
}

static enum otad_err reply_channel(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    struct channel channel;
    enum otad_err err = channel_find(db, c->product.id, c->name, &channel, ei);
    if (err != OTAD_E_OK)
        return err;
    c->result = shape_channel(db, c->product.slug, &channel, ei);
    return c->result != NULL ? OTAD_E_OK : OTAD_E_NOMEM;
}

static enum otad_err point(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    const char *text;
    int64_t id;
    struct build b;
    enum otad_err err = json_get_str(c->body, "build", 32, true, &text, ei);
    if (err != OTAD_E_OK)
        return err;
    if (!channel_name_is_valid(c->name))
        return otad_fail(ei, OTAD_E_INVALID,
                         "'%.40s' can't be a channel's name: 1 to 32 characters "
                         "of a-z, 0-9, '.', '_', '-'",
                         c->name);
    if (!build_id_parse(text, &id))
        return otad_fail(ei, OTAD_E_INVALID, "'build' must be a build's id in quotes");
    err = build_find(db, c->product.id, id, &b, ei);
    if (err == OTAD_E_OK && b.withdrawn_at_s != 0)
        err = otad_fail(ei, OTAD_E_CONFLICT, "Build %s was withdrawn", b.version);
    if (err == OTAD_E_OK && b.forced && c->role < HTTP_ACCESS_ADMIN)
        err = otad_fail(ei, OTAD_E_FORBIDDEN,
                        "Build %s was forced in: only an admin's key may release it", b.version);
    if (err == OTAD_E_OK)
        err = channel_release(db, c->product.id, c->name, &b, c->now_s, ei);
    return err == OTAD_E_OK ? reply_channel(c, db, ei) : err;
}

enum otad_err admin_channel_change(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {"build", NULL};
    return change_submit(req, "channel.release", point, known, ei);
}

static enum otad_err undo(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    const char *text;
    enum build_kind kind = BUILD_APP;
    int64_t to;
    enum otad_err err = json_get_str(c->body, "kind", 16, false, &text, ei);
    if (err != OTAD_E_OK)
        return err;
    if (text != NULL && (!build_kind_parse(text, &kind) || kind == BUILD_FACTORY))
        return otad_fail(ei, OTAD_E_INVALID, "'kind' must be app or fs");
    err = channel_undo(db, c->product.id, c->name, kind, c->now_s, &to, ei);
    return err == OTAD_E_OK ? reply_channel(c, db, ei) : err;
}

enum otad_err admin_channel_undo(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {"kind", NULL};
    return change_submit(req, "channel.undo", undo, known, ei);
}

static enum otad_err set_paused(struct change *c, struct db *db, bool paused,
                                struct otad_errinfo *ei)
{
    struct channel channel;
    enum otad_err err = channel_find(db, c->product.id, c->name, &channel, ei);
    if (err == OTAD_E_OK)
        err = channel_set_paused(db, c->product.id, c->name, paused, c->now_s, ei);
    return err == OTAD_E_OK ? reply_channel(c, db, ei) : err;
}

static enum otad_err pause(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    return set_paused(c, db, true, ei);
}

static enum otad_err resume(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    return set_paused(c, db, false, ei);
}

enum otad_err admin_channel_pause(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {NULL};
    return change_submit(req, "channel.pause", pause, known, ei);
}

enum otad_err admin_channel_resume(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {NULL};
    return change_submit(req, "channel.resume", resume, known, ei);
}
