/* SPDX-License-Identifier: MIT
 * Owns /products/{product}/keys: what its devices carry. */
#include <stdio.h>

#include "admin_api/admin_api.h"
#include "admin_api/change.h"
#include "admin_api/list.h"
#include "admin_api/shapes.h"
#include "base/json.h"

static enum otad_err add(void *arg, const struct product_key *k)
{
    return list_add(arg, shape_product_key(k));
}

enum otad_err admin_product_keys_list(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {NULL};
    struct list list;
    struct product p;
    struct db *db;
    enum otad_err err = list_begin(req, known, &list, ei);
    if (err == OTAD_E_OK)
        err = otad_reader(http_req_app(req), &db, ei);
    if (err == OTAD_E_OK)
        err = product_find(db, http_req_param(req, "product"), &p, ei);
    if (err == OTAD_E_OK)
        err = product_key_list(db, p.id, add, &list, ei);
    return list_send(req, &list, err);
}

static enum otad_err create(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    struct product_key k = {.product = c->product.id, .created_at_s = c->now_s};
    char text[PRODUCT_KEY_LEN + 1];
    const char *name;
    enum otad_err err = json_get_str(c->body, "name", OTAD_NAME_MAX, true, &name, ei);
    if (err == OTAD_E_OK)
        err = product_key_set_name(&k, name, ei);
    if (err == OTAD_E_OK)
        err = product_key_create(db, &k, text, ei);
    if (err != OTAD_E_OK)
        return err;
    (void)snprintf(c->audit.object, sizeof c->audit.object, "%s", k.name);
    c->status = 201;
    c->result = shape_product_key(&k);
    if (json_object_set_new(c->result, "key", json_string(text)) != 0)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    return OTAD_E_OK;
}

enum otad_err admin_product_keys_create(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {"name", NULL};
    return change_submit(req, "product_key.create", create, known, ei);
}

static enum otad_err revoke(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    return product_key_revoke(db, c->product.id, c->name, c->now_s, ei);
}

enum otad_err admin_product_key_revoke(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {NULL};
    return change_submit(req, "product_key.revoke", revoke, known, ei);
}
