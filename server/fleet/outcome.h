/* SPDX-License-Identifier: MIT
 * What follows from how updates end: they are saved, and a build that fails too often stops itself.
 */
#ifndef OTAD_FLEET_OUTCOME_H
#define OTAD_FLEET_OUTCOME_H

#include "fleet/batch.h"
#include "fleet/build.h"
#include "fleet/device.h"
#include "fleet/update.h"

/** Saves an update whose story went on, with a step of it when its state changed, and notes for the
 * batch (NULL = nobody watches) that it has another state. When it has just become a failure, every
 * channel that points at its build is looked at: one on which enough devices failed within the
 * product's window is stopped, with a row in the audit. Only devices first seen before the release
 * count, and of a public network without authentication only one.
 *  @param before  what it was */
enum otad_err outcome_save(struct db *db, const struct update *u, const struct update *before,
                           struct batch *batch, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Makes an update, with the first step of its story.
 *  @param d      the device, with what it last ran
 *  @param state  what it begins as: UPDATE_PENDING or UPDATE_IN_PROGRESS
 *  @param out    receives it, with its id */
enum otad_err outcome_begin(struct db *db, const struct device *d, const struct build *b,
                            enum update_state state, int64_t now_s, struct update *out,
                            struct batch *batch, struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
