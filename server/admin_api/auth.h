/* SPDX-License-Identifier: MIT
 * Who is calling: by the key of a request, or by its session cookie. */
#ifndef OTAD_ADMIN_API_AUTH_H
#define OTAD_ADMIN_API_AUTH_H

#include "fleet/session.h"
#include "http/request.h"

#define AUTH_COOKIE "otad_session"

/** Copies the value of the session cookie, "" when the request has an Authorization header (which
 *  then counts) or no such cookie. */
void auth_cookie(struct http_req *req, char out[SESSION_TEXT]);

/** Finds the key that a request came with, or the one of its session. expires_at_s is 0 with a
 *  key. Doesn't look at the route, nor at X-Otad-CSRF.
 *  @return OTAD_E_OK, OTAD_E_UNAUTHORIZED with words, or a database error */
enum otad_err auth_read(struct http_req *req, struct session *out, struct otad_errinfo *ei);

#endif
