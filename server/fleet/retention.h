/* SPDX-License-Identifier: MIT
 * Retention: what is old goes, in steps so small that nobody waits for one. States and counts stay:
 * of an update's history the transfers and reports go, the update itself only when it was asked
 * for; of a build its image's bytes go, never its row.
 *
 * A pass walks over all there is; then nothing happens for retention.interval_s. Its steps are jobs
 * of the writer (db/writer.h), one at a time, a second apart, and none while others wait there.
 *
 * The file does not shrink: SQLite uses the freed pages for what comes next. Giving them back would
 * need auto_vacuum, which can only be switched on by rewriting the whole file and moves a page on
 * every truncation; who needs the room elsewhere stops otad and runs VACUUM. */
#ifndef OTAD_FLEET_RETENTION_H
#define OTAD_FLEET_RETENTION_H

#include "fleet/otad.h"

#define RETENTION_ROWS 500    /* looked at in one step, at most */
#define RETENTION_ROWS_MIN 20 /* on a slow disk */
#define RETENTION_CHUNKS 4 /* of images deleted in one step: as much as an upload writes in one */

/** 0 = never, no limit. */
struct retention_limits {
    int64_t history_days; /* transfers and reports; those of a device's newest update stay */
    int64_t updates_days; /* whole updates that are over; a device's newest stays */
    int64_t audit_days;
    int64_t builds; /* images kept for each product and kind; see retention_step() */
};

enum retention_phase {
    RETENTION_TRANSFERS,
    RETENTION_REPORTS,
    RETENTION_UPDATES,
    RETENTION_AUDIT,
    RETENTION_BUILDS,
    RETENTION_CHUNKS_GO,
    RETENTION_DONE
};

/** How far a pass has come. {0} = its beginning. */
struct retention_pass {
    enum retention_phase phase;
    int64_t after_s, after_id;    /* within the phase */
    int64_t gone[RETENTION_DONE]; /* rows deleted (builds: let go) so far, by phase */
};

/** One step of a pass: looks at up to `rows` rows, in the phase that comes next and has any. Run in
 *  a transaction; on failure *pass is as it was. The pass is over when its phase is RETENTION_DONE.
 *
 *  Of builds, the newest `builds` of each product and kind stay, and further those that are on a
 *  channel or where a channel's undo leads, that a device is pinned to, or whose update of a device
 *  is still open. The others are withdrawn, and the chunks of an image go once no build wants it.
 *  @param now_s  unix seconds UTC; when the clock is behind, less goes
 *  @return OTAD_E_OK or a database error */
enum otad_err retention_step(struct db *db, const struct retention_limits *limits, int64_t now_s,
                             int64_t rows, struct retention_pass *pass,
                             struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Opaque. */
struct retention;

/** Starts nothing yet: retention_tick() does. @return NULL when out of memory */
struct retention *retention_new(struct otad *otad);

/** Queues the next step when it is due and the writer has nothing else to do. Never blocks. One
 *  thread calls it.  @return milliseconds after which it should be called again */
int64_t retention_tick(struct retention *retention);

/** Frees, sets NULL. The writer must have ended, and with it the step that was queued. */
void retention_free(struct retention **retention);

#endif
