/* SPDX-License-Identifier: MIT
 * Owns /session: who signs in with a browser gives a key once, and has a cookie from then on. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin_api/admin_api.h"
#include "admin_api/auth.h"
#include "admin_api/change.h"
#include "base/json.h"
#include "http/reply.h"

/* @param cookie  the session's, or "" when it is a key's */
static json_t *shape(const struct session *s, const char *cookie)
{
    char csrf[SESSION_CSRF];
    if (cookie[0] != '\0' && session_csrf(cookie, csrf) != OTAD_E_OK)
        return NULL;
    return json_pack("{s:o, s:s, s:o, s:o, s:o}", "name", json_text(s->key.name), "role",
                     key_role_name(s->key.role), "product",
                     json_text(s->key.product != 0 ? s->key.product_slug : NULL), "csrf",
                     json_text(cookie[0] != '\0' ? csrf : NULL), "expires_at",
                     json_time(s->expires_at_s));
}

/* ---- sign in ------------------------------------------------------------------------------ */

static enum otad_err read_key(json_t *body, struct db *db, struct key *out, struct otad_errinfo *ei)
{
    const char *text;
    enum otad_err err = json_get_str(body, "key", 255, true, &text, ei);
    return err == OTAD_E_OK ? key_check(db, text, out, ei) : err;
}

/* SameSite=Strict: not even a link on another page brings it along. Secure where the client came by
 * TLS, for without TLS a browser would not send it back. */
static void set_cookie(struct change *c, const char *text, int64_t lifetime_s)
{
    (void)snprintf(c->set_cookie, sizeof c->set_cookie,
                   AUTH_COOKIE "=%s; Path=/; Max-Age=%" PRId64 "; HttpOnly; SameSite=Strict%s",
                   text, lifetime_s, c->https ? "; Secure" : "");
}

static enum otad_err create(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    struct session s = {.expires_at_s = 0};
    char text[SESSION_TEXT];
    int64_t lifetime_s = otad_config_int(c->otad, &c->otad->config.session_lifetime_s);
    enum otad_err err = read_key(c->body, db, &s.key, ei);
    if (err != OTAD_E_OK)
        return err;
    s.expires_at_s = c->now_s + lifetime_s;
    err = session_create(db, &s.key, c->now_s, s.expires_at_s, text, ei);
    if (err != OTAD_E_OK)
        return err;
    (void)snprintf(c->audit.who, sizeof c->audit.who, "%s", s.key.name);
    set_cookie(c, text, lifetime_s);
    c->status = 201;
    c->result = shape(&s, text);
    return c->result != NULL ? OTAD_E_OK : otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
}

/* The key is looked at before the writer hears of it: a wrong one must cost it nothing. */
enum otad_err admin_session_create(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {"key", NULL};
    json_t *body OTAD_AUTO(json_free) = NULL;
    struct key key;
    struct db *db;
    size_t n;
    const char *text = http_req_body(req, &n);
    enum otad_err err = json_read_object(n > 0 ? text : "{}", n > 0 ? n : 2, &body, ei);
    if (err == OTAD_E_OK)
        err = otad_reader(http_req_app(req), &db, ei);
    if (err == OTAD_E_OK)
        err = read_key(body, db, &key, ei);
    return err == OTAD_E_OK ? change_submit(req, "session.create", create, known, ei) : err;
}

/* ---- who, and sign out -------------------------------------------------------------------- */

enum otad_err admin_session_read(struct http_req *req, struct otad_errinfo *ei)
{
    struct session s;
    char cookie[SESSION_TEXT];
    enum otad_err err = auth_read(req, &s, ei);
    if (err != OTAD_E_OK)
        return err;
    auth_cookie(req, cookie);
    return http_reply_json(req, 200, shape(&s, cookie));
}

static enum otad_err end(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    if (c->session[0] == '\0')
        return otad_fail(ei, OTAD_E_CONFLICT, "This request came with a key, not with a session");
    set_cookie(c, "", 0);
    return session_end(db, c->session, ei);
}

enum otad_err admin_session_end(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {NULL};
    return change_submit(req, "session.end", end, known, ei);
}
