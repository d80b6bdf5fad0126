/* SPDX-License-Identifier: MIT
 * The steps of an update's story: one for each state it was in. Owns the table `update_step`. */
#ifndef OTAD_FLEET_UPDATE_STEP_H
#define OTAD_FLEET_UPDATE_STEP_H

#include "fleet/update.h"

/** Notes the state that an update just got, with its cause, detail and time. */
enum otad_err update_step_add(struct db *db, const struct update *u,
                              struct otad_errinfo *ei) OTAD_MUSTCHECK;

struct update_step {
    int64_t at_s;
    enum update_state state;
    char cause[32];
    char detail[256];
};

/** Of an update, in the order of time. */
enum otad_err update_step_list(struct db *db, int64_t update,
                               enum otad_err (*each)(void *arg, const struct update_step *s),
                               void *arg, struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
