/* SPDX-License-Identifier: MIT
 * Passwords of devices with ArduinoOTA, of a product or of one device. Owns the table
 * `push_password`. */
#ifndef OTAD_FLEET_PUSH_PASSWORD_H
#define OTAD_FLEET_PUSH_PASSWORD_H

#include <stdbool.h>

#include "db/db.h"
#include "fleet/seal.h"

#define PUSH_PASSWORD_MAX 64 /* bytes */

/** Stores a password, or with NULL or "" forgets it.  @param mac  0 = the product's
 *  @return OTAD_E_OK, OTAD_E_INTERNAL (sealing failed), or a database error */
enum otad_err push_password_set(struct db *db, const uint8_t key[SEAL_KEY_LEN], int64_t product,
                                uint64_t mac, const char *password,
                                struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** The device's own, else the product's, else "".
 *  @return OTAD_E_OK, OTAD_E_CONFLICT (with words) when it was sealed with another secret, or a
 *  database error */
enum otad_err push_password_get(struct db *db, const uint8_t key[SEAL_KEY_LEN], int64_t product,
                                uint64_t mac, char out[PUSH_PASSWORD_MAX + 1],
                                struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Whether that very one is set. */
enum otad_err push_password_is_set(struct db *db, int64_t product, uint64_t mac, bool *out,
                                   struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
