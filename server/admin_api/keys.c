/* SPDX-License-Identifier: MIT
 * Owns /keys. */
#include <stdio.h>
#include <string.h>

#include "admin_api/admin_api.h"
#include "admin_api/change.h"
#include "admin_api/list.h"
#include "admin_api/shapes.h"
#include "base/json.h"

static enum otad_err add(void *arg, const struct key *k)
{
    return list_add(arg, shape_key(k));
}

enum otad_err admin_keys_list(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {NULL};
    struct list list;
    struct db *db;
    enum otad_err err = list_begin(req, known, &list, ei);
    if (err == OTAD_E_OK)
        err = otad_reader(http_req_app(req), &db, ei);
    if (err == OTAD_E_OK)
        err = key_list(db, add, &list, ei);
    return list_send(req, &list, err);
}

static enum otad_err create(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    struct key k = {.created_at_s = c->now_s};
    struct product p;
    char text[KEY_TEXT];
    const char *name, *role, *slug;
    enum otad_err err = json_get_str(c->body, "name", OTAD_NAME_MAX, true, &name, ei);
    if (err == OTAD_E_OK)
        err = json_get_str(c->body, "role", 32, true, &role, ei);
    if (err == OTAD_E_OK)
        err = json_get_str(c->body, "product", OTAD_SLUG_MAX, false, &slug, ei);
    if (err != OTAD_E_OK)
        return err;
    if (!key_role_parse(role, &k.role))
        return otad_fail(ei, OTAD_E_INVALID, "'role' must be viewer, publisher or admin");
    err = key_set_name(&k, name, ei);
    if (err == OTAD_E_OK && slug != NULL)
        err = product_find(db, slug, &p, ei);
    if (err != OTAD_E_OK)
        return err;
    k.product = slug != NULL ? p.id : 0;
    (void)snprintf(k.product_slug, sizeof k.product_slug, "%s", slug != NULL ? slug : "");
    err = key_create(db, &k, text, ei);
    if (err != OTAD_E_OK)
        return err;
    (void)snprintf(c->audit.object, sizeof c->audit.object, "%s", k.name);
    c->status = 201;
    c->result = shape_key(&k);
    if (json_object_set_new(c->result, "key", json_string(text)) != 0)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    return OTAD_E_OK;
}

enum otad_err admin_keys_create(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {"name", "role", "product", NULL};
    return change_submit(req, "key.create", create, known, ei);
}

static enum otad_err revoke(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    return key_revoke(db, c->name, c->now_s, ei);
}

enum otad_err admin_key_revoke(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {NULL};
    return change_submit(req, "key.revoke", revoke, known, ei);
}
