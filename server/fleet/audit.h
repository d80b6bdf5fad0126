/* SPDX-License-Identifier: MIT
 * The audit: who changed what, from where. Owns the table `audit`. */
#ifndef OTAD_FLEET_AUDIT_H
#define OTAD_FLEET_AUDIT_H

#include <stdint.h>

#include "db/db.h"
#include "fleet/prune.h"
#include "otad/limits.h"

struct audit {
    int64_t id;
    int64_t at_s;
    char who[OTAD_NAME_MAX + 1]; /* key name, or "cli:" and the user */
    char address[46];
    char action[40]; /* "build.upload" */
    char product[OTAD_SLUG_MAX + 1];
    char object[OTAD_NAME_MAX + 1];
    char detail[512]; /* JSON or "" */
};

/** Adds a row, in the transaction of the change it is about. */
enum otad_err audit_add(struct db *db, const struct audit *a,
                        struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Newest first, ids below `before` (0 = from the newest). */
enum otad_err audit_list(struct db *db, int64_t before, int64_t limit,
                         enum otad_err (*each)(void *arg, const struct audit *a), void *arg,
                         struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** One step of pruning: deletes rows from before p->before_s. */
enum otad_err audit_prune(struct db *db, struct prune *p, struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
