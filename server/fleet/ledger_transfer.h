/* SPDX-License-Identifier: MIT
 * Folds the facts of downloads into transfers, and what they mean for their updates. */
#ifndef OTAD_FLEET_LEDGER_TRANSFER_H
#define OTAD_FLEET_LEDGER_TRANSFER_H

#include "fleet/batch.h"
#include "fleet/overlay.h"
#include "fleet/update.h"

/** A build was offered (FACT_SERVE): begins a transfer, or continues the newest one of that build
 *  when the request is for bytes behind the first. Opens the update if none is.
 *  @return OTAD_E_OK, OTAD_E_NOENT (device or build is gone), or a database error */
enum otad_err ledger_transfer_begin(struct db *db, const struct fact *fact, struct batch *batch,
                                    struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** So much has arrived (FACT_PROGRESS), or a request has ended (FACT_END). */
enum otad_err ledger_transfer_go_on(struct db *db, const struct fact *fact, struct batch *batch,
                                    struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** The device checked in: notes beside its last broken transfer how soon that was, and the last
 * step of a push.  @param runs  the update's build, as it says */
enum otad_err ledger_transfer_seen(struct db *db, const struct update *u, const struct fact *fact,
                                   bool runs, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Pushes that a daemon which ended left open have failed: nobody can finish them any more.
 *  @param before  only those begun before that transfer id was made */
enum otad_err ledger_close_pushes(struct db *db, int64_t before, int64_t now_s,
                                  struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
