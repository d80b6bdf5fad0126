/* SPDX-License-Identifier: MIT
 * Folds what happened into rows: devices, transfers, and the states of updates. */
#ifndef OTAD_FLEET_LEDGER_H
#define OTAD_FLEET_LEDGER_H

#include "fleet/build.h"
#include "fleet/device.h"
#include "fleet/update.h"

struct fact;
struct batch;

/** Writes one fact, in the order facts happened for its device.
 *  @param batch  gathers what changed; NULL: nobody wants to know
 *  @return OTAD_E_OK; OTAD_E_CONFLICT or OTAD_E_NOENT when the product, build or device is gone;
 *          or a database error */
enum otad_err ledger_write(struct db *db, const struct fact *fact, struct batch *batch,
                           struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** A person wants this build on this device, at its next check-in: whatever held the update back is
 *  forgiven, and its attempts count anew. Makes the update if there is none that is open.
 *  @param out  receives it, pending */
enum otad_err ledger_want(struct db *db, const struct device *d, const struct build *b,
                          int64_t now_s, struct update *out, struct batch *batch,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Nobody wants that build (seq) on the device any more: an update that only waited for its next
 *  check-in has ended. */
enum otad_err ledger_unwant(struct db *db, const struct device *d, int64_t build, int64_t now_s,
                            struct batch *batch, struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
