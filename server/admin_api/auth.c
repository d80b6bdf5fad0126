/* SPDX-License-Identifier: MIT
 * Owns the check of API keys. */
#include <stdio.h>

#include "admin_api/admin_api.h"
#include "base/credentials.h"
#include "fleet/key.h"
#include "fleet/otad.h"
#include "fleet/product.h"
#include "http/request.h"

static enum otad_err no_key(struct otad_errinfo *ei)
{
    (void)otad_fail(ei, OTAD_E_UNAUTHORIZED, "An API key is needed here");
    return otad_hint(ei,
                     "Make one on the server: otad key create --data-dir DIR --name NAME --role "
                     "publisher; then pass it: -H \"Authorization: Bearer $KEY\"");
}

/* The route's product must be the key's. */
static enum otad_err check_binding(struct http_req *req, struct db *db, const struct key *key,
                                   enum http_access needed, struct otad_errinfo *ei)
{
    const char *slug = http_req_param(req, "product");
    if (key->product == 0)
        return OTAD_E_OK;
    if (slug[0] == '\0' && needed < HTTP_ACCESS_ADMIN)
        return OTAD_E_OK; /* the handler shows only what the key may see */
    struct product p;
    if (slug[0] != '\0' && product_find(db, slug, &p, NULL) == OTAD_E_OK && p.id == key->product)
        return OTAD_E_OK;
    return otad_fail(ei, OTAD_E_FORBIDDEN, "The key '%s' is only for the product %s", key->name,
                     key->product_slug);
}

enum otad_err admin_authorise(struct http_req *req, enum http_access needed, struct http_who *who,
                              struct otad_errinfo *ei)
{
    static const enum http_access roles[] = {0, HTTP_ACCESS_VIEWER, HTTP_ACCESS_PUBLISHER,
                                             HTTP_ACCESS_ADMIN};
    char secret[CREDENTIALS_MAX];
    struct db *db;
    struct key key;
    const char *header = http_req_header(req, "Authorization");
    if (header == NULL || !credentials_secret(header, secret))
        return no_key(ei);
    enum otad_err err = otad_reader(http_req_app(req), &db, ei);
    if (err == OTAD_E_OK)
        err = key_check(db, secret, &key, ei);
    if (err != OTAD_E_OK)
        return err;
    if (roles[key.role] < needed) {
        (void)otad_fail(ei, OTAD_E_FORBIDDEN, "The key '%s' has the role %s; this needs %s",
                        key.name, key_role_name(key.role),
                        needed == HTTP_ACCESS_ADMIN ? "admin" : "publisher");
        return otad_hint(ei, "Use a key with that role: otad key create … --role %s",
                         needed == HTTP_ACCESS_ADMIN ? "admin" : "publisher");
    }
    (void)snprintf(who->name, sizeof who->name, "%s", key.name);
    who->role = roles[key.role];
    who->product = key.product;
    return check_binding(req, db, &key, needed, ei);
}
