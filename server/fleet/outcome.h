/* SPDX-License-Identifier: MIT
 * What follows from how updates end: they are saved, and a build that fails too often stops itself.
 */
#ifndef OTAD_FLEET_OUTCOME_H
#define OTAD_FLEET_OUTCOME_H

#include "fleet/batch.h"
#include "fleet/update.h"

/** Saves an update whose story went on, with a step of it when its state changed, and notes for the
 * batch (NULL = nobody watches) that it has another state. When it has just become a failure, every
 * channel that points at its build is looked at: one on which enough devices failed within the
 * product's window is stopped, with a row in the audit. Only devices first seen before the release
 * count, and of a public network without authentication only one.
 *  @param before  what it was */
enum otad_err outcome_save(struct db *db, const struct update *u, const struct update *before,
                           struct batch *batch, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Inserts an update, with the first step of its story; see update_insert(). All of u but its id is
 *  filled. */
enum otad_err outcome_begin(struct db *db, struct update *u, struct batch *batch,
                            struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
