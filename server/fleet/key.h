/* SPDX-License-Identifier: MIT
 * API keys: random 256-bit secrets, kept only as their SHA-256. Owns the table `api_key`. */
#ifndef OTAD_FLEET_KEY_H
#define OTAD_FLEET_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"
#include "otad/limits.h"

#define KEY_TEXT 70 /* "otad_", 64 hex digits, NUL */

enum key_role { KEY_VIEWER = 1, KEY_PUBLISHER, KEY_ADMIN };

struct key {
    int64_t id;
    char name[OTAD_NAME_MAX + 1];
    enum key_role role;
    int64_t product; /* 0 = every product */
    char product_slug[OTAD_SLUG_MAX + 1];
    char hint[12]; /* its first characters */
    int64_t created_at_s;
    int64_t revoked_at_s; /* 0 = in force */
};

const char *key_role_name(enum key_role role);
/** @return false, *out unchanged, for another word than viewer, publisher, admin. */
bool key_role_parse(const char *text, enum key_role *out);

/** Whether a text can be a key's name: 1 to OTAD_NAME_MAX bytes, without control characters, and
 *  without '/', because it stands in the path that revokes it.
 *  @return OTAD_E_OK, OTAD_E_INVALID with words */
enum otad_err key_name_check(const char *name, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Sets a key's name. @return OTAD_E_OK, or as key_name_check() */
enum otad_err key_set_name(struct key *k, const char *name, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Makes a key (k's name, role, product, created_at_s count).
 *  @param text  receives the key, the only time it is ever shown
 *  @return OTAD_E_CONFLICT when the name is taken */
enum otad_err key_create(struct db *db, struct key *k, char text[KEY_TEXT],
                         struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Finds the key in force that a secret belongs to. Takes the same time for every wrong secret of
 *  a length. @return OTAD_E_OK, OTAD_E_UNAUTHORIZED, or a database error */
enum otad_err key_check(struct db *db, const char *secret, struct key *out,
                        struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Reads a key by its row id. @return OTAD_E_OK, OTAD_E_NOENT when it is not there or revoked. */
enum otad_err key_find_in_force(struct db *db, int64_t id, struct key *out,
                                struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** @return OTAD_E_OK, OTAD_E_NOENT when no key in force has that name. */
enum otad_err key_revoke(struct db *db, const char *name, int64_t now_s,
                         struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** All keys, revoked ones too, oldest first. */
enum otad_err key_list(struct db *db, enum otad_err (*each)(void *arg, const struct key *k),
                       void *arg, struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
