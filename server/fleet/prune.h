/* SPDX-License-Identifier: MIT
 * How far a walk over old rows has come: what fleet/retention.c hands to the owners of tables. */
#ifndef OTAD_FLEET_PRUNE_H
#define OTAD_FLEET_PRUNE_H

#include <stdbool.h>
#include <stdint.h>

/** One step of a walk, oldest row first. The rows looked at are bounded, not the rows deleted:
 *  what must stay would else be walked through again at every step. */
struct prune {
    int64_t before_s;          /* rows of this time and later stay */
    int64_t rows;              /* to look at in this step, at least 1 */
    int64_t after_s, after_id; /* the last row looked at, {0} at the beginning; moved on */
    int64_t gone;              /* rows deleted are added here */
    bool done;                 /* set when there are no older rows left to look at */
};

#endif
