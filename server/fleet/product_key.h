/* SPDX-License-Identifier: MIT
 * Product keys: random 256-bit secrets that devices of a product carry, kept only as their
 * SHA-256. Owns the table `product_key`; the hot path looks keys up in fleet/checkin.c. */
#ifndef OTAD_FLEET_PRODUCT_KEY_H
#define OTAD_FLEET_PRODUCT_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"
#include "otad/limits.h"

/** 43 characters of unpadded base64url: they stand in URLs as they are, Tasmota's OtaUrl has room
 *  for 150 characters, and older Arduino cores break the base64 of basic credentials into two
 *  lines, which no server can read, once user and key are longer than 54 bytes. */
#define PRODUCT_KEY_LEN 43

struct product_key {
    int64_t id;
    int64_t product;
    char name[OTAD_NAME_MAX + 1]; /* unique within the product, revoked ones included */
    char hint[8];                 /* the key's first characters */
    int64_t created_at_s;
    int64_t revoked_at_s; /* 0 = in force */
};

/** Sets the name; the rules are key_name_check()'s. @return OTAD_E_OK, OTAD_E_INVALID with words */
enum otad_err product_key_set_name(struct product_key *k, const char *name,
                                   struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Makes a key (k's product, name, created_at_s count).
 *  @param text  receives the key, the only time it is ever shown
 *  @return OTAD_E_OK with k's id and hint set, OTAD_E_CONFLICT when the product has that name */
enum otad_err product_key_create(struct db *db, struct product_key *k,
                                 char text[PRODUCT_KEY_LEN + 1],
                                 struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** The hash a presented key is looked up by.
 *  @return false, *out unchanged, for a text that can't be a key: of another length, or when
 *          OpenSSL fails */
bool product_key_hash(const char *text, uint8_t out[OTAD_SHA256_LEN]);

/** @return OTAD_E_OK, OTAD_E_NOENT when the product has no key of that name in force. */
enum otad_err product_key_revoke(struct db *db, int64_t product, const char *name, int64_t now_s,
                                 struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** All keys of a product, revoked ones too, oldest first. @return the first error of each() or of
 *  the database */
enum otad_err product_key_list(struct db *db, int64_t product,
                               enum otad_err (*each)(void *arg, const struct product_key *k),
                               void *arg, struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
