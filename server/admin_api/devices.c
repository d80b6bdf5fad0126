/* SPDX-License-Identifier: MIT
 * Owns /products/{product}/devices. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_api/admin_api.h"
#include "admin_api/list.h"
#include "admin_api/push_password.h"
#include "admin_api/shapes.h"
#include "admin_api/target.h"
#include "base/json.h"
#include "base/mac.h"
#include "fleet/ledger.h"
#include "http/reply.h"

static enum otad_err read_mac(const char *text, uint64_t *out, struct otad_errinfo *ei)
{
    if (mac_parse(text, out))
        return OTAD_E_OK;
    (void)otad_fail(ei, OTAD_E_NOENT, "'%.40s' is no MAC address", text);
    return otad_hint(ei, "12 hex digits, with or without ':' or '-': 30:AE:A4:84:36:F0");
}

/* ---- list --------------------------------------------------------------------------------- */

struct listing {
    struct list list;
    struct db *db;
    struct product product;
    struct device_filter filter;
    struct otad_errinfo *ei;
};

static bool by_mac(const struct device_filter *f)
{
    return f->sort == DEVICE_BY_MAC || f->sort == DEVICE_BY_MAC_DOWN;
}

static enum otad_err add(void *arg, const struct device *d)
{
    struct listing *l = arg;
    if (!list_has_room(&l->list))
        return OTAD_E_OK;
    (void)snprintf(l->list.next, sizeof l->list.next, "%" PRId64 ".%" PRId64,
                   by_mac(&l->filter) ? (int64_t)d->mac : d->last.at_s, d->id);
    return list_add(&l->list, shape_device(l->db, l->product.slug, d, l->ei));
}

/* The cursor: "last_seen.id" or "mac.id" of the last row shown. */
static enum otad_err read_cursor(const struct list *list, struct device_filter *f,
                                 struct otad_errinfo *ei)
{
    device_list_begin(f);
    if (list->cursor == NULL)
        return OTAD_E_OK;
    char *end;
    f->after = strtoll(list->cursor, &end, 10);
    if (*end == '.')
        f->after_id = strtoll(end + 1, &end, 10);
    if (list->cursor[0] == '\0' || *end != '\0')
        return otad_fail(ei, OTAD_E_INVALID,
                         "'cursor' must be what an earlier answer gave as 'next'");
    return OTAD_E_OK;
}

static enum otad_err read_sort(const char *text, enum device_sort *out, struct otad_errinfo *ei)
{
    static const char *const words[] = {
        [DEVICE_SEEN_LAST] = "-last_seen",
        [DEVICE_SEEN_FIRST] = "last_seen",
        [DEVICE_BY_MAC] = "mac",
        [DEVICE_BY_MAC_DOWN] = "-mac",
    };
    for (size_t i = 0; text != NULL && i < OTAD_COUNT(words); i++)
        if (strcmp(text, words[i]) == 0) {
            *out = (enum device_sort)i;
            return OTAD_E_OK;
        }
    return text == NULL
               ? OTAD_E_OK
               : otad_fail(ei, OTAD_E_INVALID, "'sort' must be last_seen, -last_seen, mac or -mac");
}

/* "none" is a device that was never offered anything. */
static enum otad_err read_state(const char *text, const char **out, struct otad_errinfo *ei)
{
    enum update_state state;
    if (text == NULL)
        return OTAD_E_OK;
    *out = strcmp(text, "none") == 0 ? "" : text;
    return **out == '\0' || update_state_parse(text, &state)
               ? OTAD_E_OK
               : otad_fail(ei, OTAD_E_INVALID,
                           "'state' must be none, pending, in_progress, sent, installed, failed, "
                           "rolled_back or attempts_exhausted");
}

/* Part of a MAC in any spelling becomes uppercase hex digits without separators. */
static enum otad_err read_q(const char *text, char out[13], struct otad_errinfo *ei)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        if (*text == ':' || *text == '-')
            continue;
        if (!isxdigit((unsigned char)*text) || n == 12)
            return otad_fail(ei, OTAD_E_INVALID, "'q' must be a MAC address or a part of one");
        out[n++] = (char)toupper((unsigned char)*text);
    }
    out[n] = '\0';
    return OTAD_E_OK;
}

static enum otad_err list(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {"version", "q", "state", "sort", NULL};
    struct listing l = {.filter.version = http_req_query(req, "version"), .ei = ei};
    char q[13];
    enum otad_err err = list_begin(req, known, &l.list, ei);
    if (err == OTAD_E_OK)
        err = read_sort(http_req_query(req, "sort"), &l.filter.sort, ei);
    if (err == OTAD_E_OK)
        err = read_state(http_req_query(req, "state"), &l.filter.state, ei);
    if (err == OTAD_E_OK)
        err = read_cursor(&l.list, &l.filter, ei);
    if (err == OTAD_E_OK && http_req_query(req, "q") != NULL) {
        err = read_q(http_req_query(req, "q"), q, ei);
        l.filter.q = q;
    }
    if (err == OTAD_E_OK)
        err = otad_reader(http_req_app(req), &l.db, ei);
    if (err == OTAD_E_OK)
        err = product_find(l.db, http_req_param(req, "product"), &l.product, ei);
    l.filter.product = l.product.id;
    l.filter.limit = l.list.limit + 1;
    if (err == OTAD_E_OK)
        err = device_list(l.db, &l.filter, add, &l, ei);
    return list_send(req, &l.list, err);
}

enum otad_err admin_devices_list(struct http_req *req, struct otad_errinfo *ei)
{
    return fresh_read(req, list, ei);
}

/* ---- one device --------------------------------------------------------------------------- */

static enum otad_err read(struct http_req *req, struct otad_errinfo *ei)
{
    struct db *db;
    struct product p;
    struct device d;
    uint64_t mac;
    enum otad_err err = read_mac(http_req_param(req, "mac"), &mac, ei);
    if (err == OTAD_E_OK)
        err = otad_reader(http_req_app(req), &db, ei);
    if (err == OTAD_E_OK)
        err = product_find(db, http_req_param(req, "product"), &p, ei);
    if (err == OTAD_E_OK)
        err = device_find(db, p.id, mac, &d, ei);
    return err == OTAD_E_OK ? http_reply_json(req, 200, shape_device(db, p.slug, &d, ei)) : err;
}

enum otad_err admin_device_read(struct http_req *req, struct otad_errinfo *ei)
{
    return fresh_read(req, read, ei);
}

/* "pin": a build's id, or null to follow the channel again. */
static enum otad_err set_pin(struct change *c, struct db *db, struct device *d,
                             struct otad_errinfo *ei)
{
    const char *text;
    int64_t id;
    struct build b;
    if (json_object_get(c->body, "pin") == NULL)
        return OTAD_E_OK;
    enum otad_err err = json_get_str(c->body, "pin", 32, false, &text, ei);
    if (err != OTAD_E_OK)
        return err;
    const int64_t pinned = d->pin;
    d->pin = 0;
    if (text == NULL)
        return pinned != 0 ? ledger_unwant(db, d, pinned, c->now_s, &c->batch, ei) : OTAD_E_OK;
    if (!build_id_parse(text, &id))
        return otad_fail(ei, OTAD_E_INVALID, "'pin' must be a build's id in quotes, or null");
    err = build_find(db, c->product.id, id, &b, ei);
    if (err != OTAD_E_OK)
        return err;
    if (b.kind != BUILD_APP || b.withdrawn_at_s != 0)
        return otad_fail(ei, OTAD_E_CONFLICT, "Build %s %s", b.version,
                         b.kind != BUILD_APP ? "is no application: only those can be pinned"
                                             : "was withdrawn");
    d->pin = b.seq;
    if (pinned != 0 && pinned != b.seq)
        err = ledger_unwant(db, d, pinned, c->now_s, &c->batch, ei);
    if (err != OTAD_E_OK)
        return err;
    struct update u;
    /* A pin is an order: what the device failed with before is forgiven. */
    return strcmp(d->last.version, b.version) != 0
               ? ledger_want(db, d, &b, c->now_s, &u, &c->batch, ei)
               : OTAD_E_OK;
}

/* "channel": a name, or "" for the product's default. */
static enum otad_err set_channel(struct change *c, struct db *db, struct device *d,
                                 struct otad_errinfo *ei)
{
    const char *name;
    struct channel channel;
    enum otad_err err = json_get_str(c->body, "channel", 256, false, &name, ei);
    if (err != OTAD_E_OK || name == NULL)
        return err;
    if (name[0] != '\0')
        err = channel_find(db, c->product.id, name, &channel, ei);
    if (err == OTAD_E_OK)
        (void)snprintf(d->channel, sizeof d->channel, "%s", name);
    return err;
}

static enum otad_err change(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    struct device d;
    const char *note;
    enum otad_err err = target_device(c, db, &d, ei);
    if (err == OTAD_E_OK)
        err = set_pin(c, db, &d, ei);
    if (err == OTAD_E_OK)
        err = set_channel(c, db, &d, ei);
    if (err == OTAD_E_OK)
        err = json_get_bool(c->body, "held", &d.held, ei);
    if (err == OTAD_E_OK)
        err = json_get_bool(c->body, "blocked", &d.blocked, ei);
    if (err == OTAD_E_OK)
        err = json_get_str(c->body, "note", OTAD_NOTES_MAX, false, &note, ei);
    if (err == OTAD_E_OK && note != NULL)
        (void)snprintf(d.note, sizeof d.note, "%s", note);
    if (err == OTAD_E_OK)
        err = device_save(db, &d, ei);
    if (err == OTAD_E_OK)
        err = change_push_password(c, db, d.mac, ei);
    if (err != OTAD_E_OK)
        return err;
    c->result = shape_device(db, c->product.slug, &d, ei);
    return c->result != NULL ? OTAD_E_OK : OTAD_E_NOMEM;
}

enum otad_err admin_device_change(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {"pin",  "channel",       "held", "blocked",
                                        "note", "push_password", NULL};
    return change_submit(req, "device.change", change, known, ei);
}

static enum otad_err forget(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    struct device d;
    enum otad_err err = target_device(c, db, &d, ei);
    return err == OTAD_E_OK ? device_delete(db, d.id, ei) : err;
}

enum otad_err admin_device_forget(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {NULL};
    return change_submit(req, "device.forget", forget, known, ei);
}

/* ---- try again ---------------------------------------------------------------------------- */

static enum otad_err retry(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    struct device d;
    struct build b;
    struct update u;
    bool fs = false;
    enum otad_err err = target_kind(c, &fs, ei);
    if (err == OTAD_E_OK)
        err = target_device(c, db, &d, ei);
    if (err == OTAD_E_OK)
        err = target_build(c, db, &d, fs, &b, ei);
    if (err == OTAD_E_OK && !fs && strcmp(d.last.version, b.version) == 0)
        err = otad_fail(ei, OTAD_E_CONFLICT, "The device runs %s already", b.version);
    if (err == OTAD_E_OK)
        err = ledger_want(db, &d, &b, c->now_s, &u, &c->batch, ei);
    if (err != OTAD_E_OK)
        return err;
    c->result = shape_device(db, c->product.slug, &d, ei);
    return c->result != NULL ? OTAD_E_OK : OTAD_E_NOMEM;
}

enum otad_err admin_device_retry(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {"kind", NULL};
    return change_submit(req, "device.retry", retry, known, ei);
}
