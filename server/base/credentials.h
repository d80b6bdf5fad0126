/* SPDX-License-Identifier: MIT
 * Secrets in headers: of Authorization, of a cookie. */
#ifndef OTAD_BASE_CREDENTIALS_H
#define OTAD_BASE_CREDENTIALS_H

#include <stdbool.h>

#define CREDENTIALS_MAX 256

/** Takes the secret out of the value of an Authorization header: what follows `Bearer `, or the
 *  password of `Basic ` whatever its user name is (RFC 7617: base64 of user:password).
 *  @return false on another scheme, bad base64, no colon, or a secret of CREDENTIALS_MAX bytes or
 *          more; *out is then undefined */
bool credentials_secret(const char *header, char out[CREDENTIALS_MAX]);

/** Finds a cookie in the value of a Cookie header (RFC 6265, section 4.2.1: `a=1; b=2`); the first
 *  of that name counts.
 *  @return false when it isn't there, is empty, or has CREDENTIALS_MAX bytes or more */
bool credentials_cookie(const char *header, const char *name, char out[CREDENTIALS_MAX]);

#endif
