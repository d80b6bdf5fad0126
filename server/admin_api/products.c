/* SPDX-License-Identifier: MIT
 * Owns /products and /products/{product}. */
#include <stdio.h>
#include <string.h>

#include "admin_api/admin_api.h"
#include "admin_api/change.h"
#include "admin_api/list.h"
#include "admin_api/push_password.h"
#include "admin_api/shapes.h"
#include "base/json.h"
#include "fleet/blob.h"
#include "fleet/channel.h"
#include "http/reply.h"
#include "image/image.h"

/* ---- reads -------------------------------------------------------------------------------- */

struct listing {
    struct list list;
    struct db *db;
    int64_t only; /* product id a key is bound to, 0 = all */
    struct otad_errinfo *ei;
};

static enum otad_err add(void *arg, const struct product *p)
{
    struct listing *l = arg;
    if (l->only != 0 && p->id != l->only)
        return OTAD_E_OK;
    if (!list_has_room(&l->list))
        return OTAD_E_OK;
    (void)snprintf(l->list.next, sizeof l->list.next, "%s", p->slug);
    return list_add(&l->list, shape_product(l->db, p, l->ei));
}

enum otad_err admin_products_list(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {NULL};
    struct listing l = {.only = http_req_who(req)->product, .ei = ei};
    enum otad_err err = list_begin(req, known, &l.list, ei);
    if (err == OTAD_E_OK)
        err = otad_reader(http_req_app(req), &l.db, ei);
    /* A bound key sees one product: all must be looked at to find it. */
    if (err == OTAD_E_OK)
        err = product_list(l.db, l.list.cursor != NULL ? l.list.cursor : "",
                           l.only != 0 ? INT64_MAX : l.list.limit + 1, add, &l, ei);
    return list_send(req, &l.list, err);
}

enum otad_err admin_product_read(struct http_req *req, struct otad_errinfo *ei)
{
    struct db *db;
    struct product p;
    enum otad_err err = otad_reader(http_req_app(req), &db, ei);
    if (err == OTAD_E_OK)
        err = product_find(db, http_req_param(req, "product"), &p, ei);
    return err == OTAD_E_OK ? http_reply_json(req, 200, shape_product(db, &p, ei)) : err;
}

/* ---- changes ------------------------------------------------------------------------------ */

static enum otad_err create(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    const char *slug, *name;
    struct product p = {.created_at_s = c->now_s,
                        .max_devices = otad_config_int(c->otad, &c->otad->config.max_devices)};
    enum otad_err err = json_get_str(c->body, "slug", 256, true, &slug, ei);
    if (err == OTAD_E_OK)
        err = json_get_str(c->body, "name", OTAD_NAME_MAX, false, &name, ei);
    if (err != OTAD_E_OK)
        return err;
    if (!product_slug_is_valid(slug)) {
        (void)otad_fail(ei, OTAD_E_INVALID, "'%.80s' can't be a product's slug", slug);
        return otad_hint(ei, "1 to 63 characters of a-z, 0-9, '.', '_', '-'; the first a letter or "
                             "digit. It stands in the URLs devices use.");
    }
    (void)snprintf(p.slug, sizeof p.slug, "%s", slug);
    (void)snprintf(p.name, sizeof p.name, "%s", name != NULL ? name : slug);
    err = product_create(db, &p, ei);
    if (err == OTAD_E_OK)
        err = channel_ensure(db, p.id, "stable", ei);
    if (err == OTAD_E_OK)
        err = product_find(db, p.slug, &p, ei);
    if (err != OTAD_E_OK)
        return err;
    (void)snprintf(c->audit.object, sizeof c->audit.object, "%s", p.slug);
    c->status = 201;
    c->result = shape_product(db, &p, ei);
    return c->result != NULL ? OTAD_E_OK : OTAD_E_NOMEM;
}

enum otad_err admin_products_create(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {"slug", "name", NULL};
    return change_submit(req, "product.create", create, known, ei);
}

static enum otad_err set_chip(struct product *p, const char *chip, struct otad_errinfo *ei)
{
    if (chip[0] != '\0' && image_chip_from_name(chip) == IMAGE_CHIP_UNKNOWN) {
        (void)otad_fail(ei, OTAD_E_INVALID, "'%.40s' is no chip otad knows", chip);
        return otad_hint(ei,
                         "ESP8266, ESP32, ESP32-S2, ESP32-S3, ESP32-C3, ESP32-C6, …; empty: the "
                         "next build sets it.");
    }
    (void)snprintf(p->chip, sizeof p->chip, "%s", chip);
    return OTAD_E_OK;
}

static enum otad_err set_default_channel(struct db *db, struct product *p, const char *name,
                                         struct otad_errinfo *ei)
{
    struct channel c;
    enum otad_err err = channel_find(db, p->id, name, &c, ei);
    if (err == OTAD_E_OK)
        (void)snprintf(p->default_channel, sizeof p->default_channel, "%s", c.name);
    return err;
}

static enum otad_err set_access(json_t *body, struct product *p, struct otad_errinfo *ei)
{
    const char *access, *client;
    enum otad_err err = json_get_str(body, "access", 32, false, &access, ei);
    if (err == OTAD_E_OK)
        err = json_get_str(body, "client", 32, false, &client, ei);
    if (err != OTAD_E_OK)
        return err;
    if (access != NULL && !product_access_parse(access, &p->access))
        return otad_fail(ei, OTAD_E_INVALID, "'access' must be open or key");
    if (client != NULL && !product_client_parse(client, &p->client))
        return otad_fail(ei, OTAD_E_INVALID, "'client' must be tasmota or empty");
    return OTAD_E_OK;
}

static enum otad_err set_policy(json_t *body, struct product_policy *policy,
                                struct otad_errinfo *ei)
{
    const struct {
        const char *key;
        int64_t min, max;
        int64_t *value;
    } rows[] = {
        {"attempts",          1,  1000,     &policy->attempts_max     },
        {"attempts_window_s", 60, 31536000, &policy->attempts_window_s},
        {"patience_s",        1,  31536000, &policy->patience_s       },
        {"stop_failures",     1,  1000000,  &policy->stop_failures    },
        {"stop_percent",      1,  100,      &policy->stop_percent     },
        {"stop_window_s",     0,  31536000, &policy->stop_window_s    },
    };
    enum otad_err err = OTAD_E_OK;
    for (size_t i = 0; i < OTAD_COUNT(rows) && err == OTAD_E_OK; i++)
        err = json_get_int(body, rows[i].key, rows[i].min, rows[i].max, false, rows[i].value, ei);
    return err;
}

static enum otad_err change(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    struct product p = c->product;
    const char *name, *chip, *channel;
    enum otad_err err = json_get_str(c->body, "name", OTAD_NAME_MAX, false, &name, ei);
    if (err == OTAD_E_OK && name != NULL)
        (void)snprintf(p.name, sizeof p.name, "%s", name);
    if (err == OTAD_E_OK)
        err = json_get_str(c->body, "chip", 64, false, &chip, ei);
    if (err == OTAD_E_OK && chip != NULL)
        err = set_chip(&p, chip, ei);
    if (err == OTAD_E_OK)
        err = json_get_str(c->body, "default_channel", 256, false, &channel, ei);
    if (err == OTAD_E_OK && channel != NULL)
        err = set_default_channel(db, &p, channel, ei);
    if (err == OTAD_E_OK)
        err = json_get_bool(c->body, "disabled", &p.disabled, ei);
    if (err == OTAD_E_OK)
        err = json_get_int(c->body, "max_devices", 1, 10000000, false, &p.max_devices, ei);
    if (err == OTAD_E_OK)
        err = set_access(c->body, &p, ei);
    if (err == OTAD_E_OK)
        err = set_policy(c->body, &p.policy, ei);
    if (err == OTAD_E_OK)
        err = product_save(db, &p, ei);
    if (err == OTAD_E_OK)
        err = change_push_password(c, db, 0, ei);
    if (err != OTAD_E_OK)
        return err;
    c->result = shape_product(db, &p, ei);
    return c->result != NULL ? OTAD_E_OK : OTAD_E_NOMEM;
}

enum otad_err admin_product_change(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {
        "name",          "chip",         "default_channel", "disabled",          "max_devices",
        "access",        "client",       "attempts",        "attempts_window_s", "patience_s",
        "stop_failures", "stop_percent", "stop_window_s",   "push_password",     NULL};
    return change_submit(req, "product.change", change, known, ei);
}

static enum otad_err stop_at_first(void *arg, const struct build *b)
{
    (void)b;
    *(bool *)arg = true;
    return OTAD_E_OK;
}

static enum otad_err drop(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    bool has_builds = false;
    enum otad_err err = build_list(db, c->product.id, 0, 1, stop_at_first, &has_builds, ei);
    if (err != OTAD_E_OK)
        return err;
    if (!c->force && (has_builds || c->product.device_count > 0)) {
        (void)otad_fail(ei, OTAD_E_CONFLICT, "Product %s is not empty: it has %s and %lld devices",
                        c->product.slug, has_builds ? "builds" : "no builds",
                        (long long)c->product.device_count);
        return otad_hint(ei, "To delete it with its builds, devices and their history, add "
                             "?force=true.");
    }
    err = product_delete(db, c->product.id, ei);
    return err == OTAD_E_OK && has_builds ? blob_drop_unused(db, 0, ei) : err;
}

enum otad_err admin_product_delete(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {NULL};
    return change_submit(req, "product.delete", drop, known, ei);
}
