/* SPDX-License-Identifier: MIT
 * The steps of a push that have ended. Owns the table `push_step`. */
#ifndef OTAD_FLEET_PUSH_STEP_H
#define OTAD_FLEET_PUSH_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"

#define PUSH_STEP_CAME_BACK "came_back" /* the one that a check-in ends, not the push itself */

struct push_step_row {
    int64_t transfer;
    char step[16];
    bool ok;
    int64_t began_at_ms, ended_at_ms; /* unix milliseconds */
    int64_t tries;
    char detail[256];
};

/** Adds one behind the others of its transfer. */
enum otad_err push_step_add(struct db *db, const struct push_step_row *s,
                            struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** The same, unless its transfer has that step already. */
enum otad_err push_step_add_once(struct db *db, const struct push_step_row *s,
                                 struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** In order. */
enum otad_err push_step_list(struct db *db, int64_t transfer,
                             enum otad_err (*each)(void *arg, const struct push_step_row *s),
                             void *arg, struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
