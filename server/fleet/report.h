/* SPDX-License-Identifier: MIT
 * Reports: results that devices (or their owners' scripts) post by themselves, kept verbatim.
 * Owns the table `report`. */
#ifndef OTAD_FLEET_REPORT_H
#define OTAD_FLEET_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"
#include "fleet/prune.h"
#include "otad/limits.h"

#define REPORT_BURST 4       /* reports a device and update … */
#define REPORT_INTERVAL_S 10 /* … in this time: a device that fails may try again at once */
#define REPORT_UPDATE_AGE_S (7 * 86400) /* later reports are about nothing we remember */

struct batch;

struct report {
    int64_t id;
    int64_t update;
    char result[12]; /* success, failed, rolled_back */
    bool has_code;
    int64_t code;
    char message[OTAD_REPORT_MESSAGE_MAX + 1];
    char version[OTAD_VERSION_MAX + 1]; /* of the build it is about; "" = not said */
    bool has_build;
    int64_t build; /* public id it is about */
    bool authenticated;
    char address[46];
    int64_t at_s;
};

/** Whether text is one of the three results. */
bool report_result_is_valid(const char *text);

/** Records a report of a device about one of its updates: the one that build or version names,
 *  else its newest. A reported failure or rollback becomes the update's state unless evidence says
 *  it is installed; a reported success alone proves nothing and changes no state.
 *  @param batch  gathers what changed, or NULL
 *  @return OTAD_E_OK, OTAD_E_NOENT (no such device, update or too old), OTAD_E_RATE */
enum otad_err report_record(struct db *db, int64_t product, uint64_t mac, struct report *r,
                            struct batch *batch, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Of an update, oldest first. */
enum otad_err report_list(struct db *db, int64_t update,
                          enum otad_err (*each)(void *arg, const struct report *r), void *arg,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** One step of pruning: deletes reports from before p->before_s, but none of a device's newest
 *  update. */
enum otad_err report_prune(struct db *db, struct prune *p, struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
