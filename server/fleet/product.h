/* SPDX-License-Identifier: MIT
 * Products: kinds of devices of one chip family. Owns the table `product`. */
#ifndef OTAD_FLEET_PRODUCT_H
#define OTAD_FLEET_PRODUCT_H

#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"
#include "otad/limits.h"

/** Who gets something on the device paths of a product. */
enum product_access { PRODUCT_ACCESS_OPEN, PRODUCT_ACCESS_KEY };

/** What all devices of a product are. */
enum product_client { PRODUCT_CLIENT_ANY, PRODUCT_CLIENT_TASMOTA };

struct product {
    int64_t id;
    char slug[OTAD_SLUG_MAX + 1];
    char name[OTAD_NAME_MAX + 1];
    char chip[16]; /* "" until the first build sets it */
    bool disabled;
    enum product_access access;
    enum product_client client;
    char default_channel[OTAD_CHANNEL_MAX + 1];
    int64_t max_devices;
    int64_t device_count;
    int64_t anonymous_checkins;
    int64_t last_number; /* highest build number so far */
    int64_t created_at_s;
};

/** Whether text is [a-z0-9][a-z0-9._-]{0,62}. */
bool product_slug_is_valid(const char *text);

/** Words of the API and of the table: "open" and "key"; "" and "tasmota".
 *  Parsing @return false, *out unchanged, for another word. */
const char *product_access_name(enum product_access access);
bool product_access_parse(const char *text, enum product_access *out);
const char *product_client_name(enum product_client client);
bool product_client_parse(const char *text, enum product_client *out);

/** @return OTAD_E_OK, OTAD_E_NOENT (with words), or a database error. */
enum otad_err product_find(struct db *db, const char *slug, struct product *out,
                           struct otad_errinfo *ei) OTAD_MUSTCHECK;
enum otad_err product_find_id(struct db *db, int64_t id, struct product *out,
                              struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Inserts p (its slug, name, max_devices, created_at_s count). Its default channel is the
 *  caller's to make, with channel_ensure().
 *  @return OTAD_E_OK with p->id set, OTAD_E_CONFLICT when the slug is taken */
enum otad_err product_create(struct db *db, struct product *p,
                             struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Writes name, chip, disabled, access, client, default_channel and max_devices of p->id. */
enum otad_err product_save(struct db *db, const struct product *p,
                           struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Notes the number (and, when it has none yet, the chip) of a build that was just made. */
enum otad_err product_note_build(struct db *db, int64_t id, int64_t number, const char *chip,
                                 struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Counts check-ins without a device. */
enum otad_err product_count_anonymous(struct db *db, int64_t id, int64_t n,
                                      struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Deletes a product with everything in it. @return OTAD_E_OK or a database error. */
enum otad_err product_delete(struct db *db, int64_t id, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Calls each(arg, p) for products after `after` in slug order ("" = from the start), at most
 *  limit of them. @return the first error of each() or of the database. */
enum otad_err product_list(struct db *db, const char *after, int64_t limit,
                           enum otad_err (*each)(void *arg, const struct product *p), void *arg,
                           struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
