/* SPDX-License-Identifier: MIT
 * Sessions of people who signed in with a browser: a random cookie in place of an API key, for a
 * while. Kept only as its SHA-256. Owns the table `session`. */
#ifndef OTAD_FLEET_SESSION_H
#define OTAD_FLEET_SESSION_H

#include <stdbool.h>

#include "fleet/key.h"

#define SESSION_TEXT 65     /* 64 hex digits and NUL */
#define SESSION_CSRF 33     /* 32 hex digits and NUL */
#define SESSIONS_PER_KEY 64 /* in force at a time: one more ends the oldest */

struct session {
    struct key key; /* its rights are the key's, now */
    int64_t expires_at_s;
};

/** Begins a session of a key, and lets go of some that have expired.
 *  @param text  receives the cookie's value, the only time it is known
 *  @return OTAD_E_OK, OTAD_E_INTERNAL (no randomness), or a database error */
enum otad_err session_create(struct db *db, const struct key *key, int64_t now_s,
                             int64_t expires_at_s, char text[SESSION_TEXT],
                             struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Finds the session in force, of a key in force, that a cookie's value belongs to.
 *  @return OTAD_E_OK, OTAD_E_UNAUTHORIZED with words, or a database error */
enum otad_err session_check(struct db *db, const char *text, int64_t now_s, struct session *out,
                            struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Ends a session; one that is not there is no error. */
enum otad_err session_end(struct db *db, const char *text, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** What a page must send with each change, to show that it can read this server's answers: made of
 *  the cookie's value, which scripts can't read. @return OTAD_E_OK, OTAD_E_INTERNAL */
enum otad_err session_csrf(const char *text, char out[SESSION_CSRF]) OTAD_MUSTCHECK;

#endif
