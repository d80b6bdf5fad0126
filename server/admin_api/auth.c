/* SPDX-License-Identifier: MIT
 * Owns the check of API keys and session cookies. */
#include <stdio.h>

#include <string.h>

#include "admin_api/admin_api.h"
#include "admin_api/auth.h"
#include "base/credentials.h"
#include "base/digest.h"
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

void auth_cookie(struct http_req *req, char out[SESSION_TEXT])
{
    char value[CREDENTIALS_MAX];
    const char *header = http_req_header(req, "Cookie");
    out[0] = '\0';
    if (header != NULL && http_req_header(req, "Authorization") == NULL &&
        credentials_cookie(header, AUTH_COOKIE, value) && strlen(value) < SESSION_TEXT)
        memcpy(out, value, strlen(value) + 1);
}

enum otad_err auth_read(struct http_req *req, struct session *out, struct otad_errinfo *ei)
{
    char secret[CREDENTIALS_MAX], cookie[SESSION_TEXT];
    struct otad *o = http_req_app(req);
    struct db *db;
    const char *header = http_req_header(req, "Authorization");
    auth_cookie(req, cookie);
    if (cookie[0] == '\0' && (header == NULL || !credentials_secret(header, secret)))
        return no_key(ei);
    enum otad_err err = otad_reader(o, &db, ei);
    if (err != OTAD_E_OK)
        return err;
    if (cookie[0] != '\0')
        return session_check(db, cookie, clock_wall_s(&o->clock), out, ei);
    out->expires_at_s = 0;
    return key_check(db, secret, &out->key, ei);
}

/* A browser sends the cookie whoever made it ask. Only a page of ours can read what this header
 * must be. */
static enum otad_err check_csrf(struct http_req *req, struct otad_errinfo *ei)
{
    char cookie[SESSION_TEXT], want[SESSION_CSRF];
    auth_cookie(req, cookie);
    if (cookie[0] == '\0' || http_req_is_safe(req))
        return OTAD_E_OK;
    const char *header = http_req_header(req, "X-Otad-CSRF");
    if (header != NULL && session_csrf(cookie, want) == OTAD_E_OK &&
        strlen(header) == strlen(want) && digest_equal(header, want, strlen(want)))
        return OTAD_E_OK;
    (void)otad_fail(ei, OTAD_E_FORBIDDEN,
                    "A change that comes with a session cookie needs the header X-Otad-CSRF");
    return otad_hint(ei, "Its value is 'csrf' of GET /api/v1/session. Scripts use a key instead: "
                         "-H \"Authorization: Bearer $KEY\"");
}

enum otad_err admin_authorise(struct http_req *req, enum http_access needed, struct http_who *who,
                              struct otad_errinfo *ei)
{
    static const enum http_access roles[] = {0, HTTP_ACCESS_VIEWER, HTTP_ACCESS_PUBLISHER,
                                             HTTP_ACCESS_ADMIN};
    struct session session = {.expires_at_s = 0};
    struct db *db;
    const struct key *key = &session.key;
    enum otad_err err = auth_read(req, &session, ei);
    if (err == OTAD_E_OK)
        err = check_csrf(req, ei);
    if (err == OTAD_E_OK)
        err = otad_reader(http_req_app(req), &db, ei);
    if (err != OTAD_E_OK)
        return err;
    if (roles[key->role] < needed) {
        (void)otad_fail(ei, OTAD_E_FORBIDDEN, "The key '%s' has the role %s; this needs %s",
                        key->name, key_role_name(key->role),
                        needed == HTTP_ACCESS_ADMIN ? "admin" : "publisher");
        return otad_hint(ei, "Use a key with that role: otad key create … --role %s",
                         needed == HTTP_ACCESS_ADMIN ? "admin" : "publisher");
    }
    (void)snprintf(who->name, sizeof who->name, "%s", key->name);
    who->role = roles[key->role];
    who->product = key->product;
    return check_binding(req, db, key, needed, ei);
}
