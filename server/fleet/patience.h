/* SPDX-License-Identifier: MIT
 * What silence means: updates whose device doesn't come back, sketches that stay away, downloads in
 * parts that stop coming. */
#ifndef OTAD_FLEET_PATIENCE_H
#define OTAD_FLEET_PATIENCE_H

#include "fleet/batch.h"
#include "fleet/otad.h"

/** Judges all silence up to now_s, a bounded number of cases of each kind.
 *  @param stall_s  a download in parts is over when no part was asked for in so long
 *  @param more     receives whether there may be more to judge at once
 *  @return OTAD_E_OK or a database error */
enum otad_err patience_judge(struct db *db, int64_t now_s, int64_t stall_s, bool *more,
                             struct batch *batch, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Judges silence while the daemon runs: jobs of the writer, one at a time. Opaque. */
struct patience;

/** Starts nothing yet: patience_tick() does.
 *  @param left_open  downloads of a daemon that died are still open: the disk was full. They are
 *                    closed as soon as there is room.
 *  @return NULL when out of memory */
struct patience *patience_new(struct otad *otad, bool left_open);

/** Closes the downloads of a daemon that died. @param before  an id made before the first of ours
 */
enum otad_err patience_close(struct db *db, int64_t before, int64_t now_s,
                             struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Queues the next look when it is due. Never blocks. One thread calls it.
 *  @return milliseconds after which it should be called again */
int64_t patience_tick(struct patience *patience);

/** Frees, sets NULL. The writer must have ended, and with it the look that was queued. */
void patience_free(struct patience **patience);

#endif
