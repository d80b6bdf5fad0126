/* SPDX-License-Identifier: MIT
 * Transfers: one device's download of one image. Owns the table `transfer`. */
#ifndef OTAD_FLEET_TRANSFER_H
#define OTAD_FLEET_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"
#include "fleet/intervals.h"
#include "fleet/prune.h"

/** Who began it: a device that asked, or otad, which invited it (espota). */
enum transfer_kind { TRANSFER_PULL, TRANSFER_PUSH };

enum transfer_state { TRANSFER_DOWNLOADING, TRANSFER_SENT, TRANSFER_ABORTED };

struct transfer {
    int64_t id; /* made by transfer_new_id(): known before the row exists */
    int64_t update;
    enum transfer_kind kind;
    enum transfer_state state;
    char cause[32];
    int64_t size_bytes;
    int64_t bytes_acked;
    int64_t resumed; /* times */
    int64_t bytes_per_s;
    char client[64];
    char address[46];
    char detail[256];
    bool counted;         /* as an attempt, once it is whole */
    int64_t idle_since_s; /* when the last of its requests ended, while it isn't whole; 0 = never */
    int64_t started_at_s;
    int64_t ended_at_s; /* 0 = not yet */
};

const char *transfer_state_name(enum transfer_state state);
/** "pull" or "push". */
const char *transfer_kind_name(enum transfer_kind kind);

/** A fresh id, larger than all earlier ones of this process and of earlier seconds. Thread-safe. */
int64_t transfer_new_id(int64_t wall_ms);

enum otad_err transfer_insert(struct db *db, const struct transfer *t,
                              struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Writes state, cause, bytes_acked, resumed, bytes_per_s, detail and ended_at_s of t->id, and
 *  which bytes have arrived. */
enum otad_err transfer_save(struct db *db, const struct transfer *t,
                            const struct intervals *arrived,
                            struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Which bytes of a transfer have arrived. @return OTAD_E_OK or a database error */
enum otad_err transfer_arrived(struct db *db, int64_t id, struct intervals *out,
                               struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** The newest of an update. @return OTAD_E_OK, OTAD_E_NOENT or a database error. */
enum otad_err transfer_newest(struct db *db, int64_t update, struct transfer *out,
                              struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** The newest that the device itself began. */
enum otad_err transfer_newest_pull(struct db *db, int64_t update, struct transfer *out,
                                   struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Ends the open downloads of an update: another one takes their place. Pushes go on. */
enum otad_err transfer_supersede(struct db *db, int64_t update, int64_t now_s,
                                 struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** How many whole ones of an update count as attempts since then. */
enum otad_err transfer_attempts(struct db *db, int64_t update, int64_t since_s, int64_t *n,
                                struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** The whole ones that have arrived so far don't count as attempts any more. */
enum otad_err transfer_forgive(struct db *db, int64_t update,
                               struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Which of those that have not ended got no request any more since before_s; at most `room`. */
enum otad_err transfer_idle(struct db *db, int64_t before_s, struct transfer *out, size_t room,
                            size_t *n, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** What a request belongs to: `id` itself when it began a transfer. */
enum otad_err transfer_of_part(struct db *db, int64_t id, int64_t *transfer,
                               struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Notes that the request `id` continues a transfer. */
enum otad_err transfer_part_begin(struct db *db, int64_t id, int64_t transfer,
                                  struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Forgets a request that has ended.
 *  @param transfer  receives what it continued: `id` itself when it began a transfer
 *  @param others    receives how many others of that transfer are on their way */
enum otad_err transfer_part_end(struct db *db, int64_t id, int64_t *transfer, int64_t *others,
                                struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** @return OTAD_E_OK, OTAD_E_NOENT or a database error. */
enum otad_err transfer_find(struct db *db, int64_t id, struct transfer *out,
                            struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Of an update, oldest first. */
enum otad_err transfer_list(struct db *db, int64_t update,
                            enum otad_err (*each)(void *arg, const struct transfer *t), void *arg,
                            struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Writes the likely causes of a failed push, one a line. */
enum otad_err transfer_set_causes(struct db *db, int64_t id, const char *causes,
                                  struct otad_errinfo *ei) OTAD_MUSTCHECK;
/** Reads them; "" when there are none. */
enum otad_err transfer_causes(struct db *db, int64_t id, char *out, size_t room,
                              struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Open pushes begun before that id was made: at most `room`, oldest first. */
enum otad_err transfer_open_pushes(struct db *db, int64_t before, struct transfer *out, size_t room,
                                   size_t *n, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Ends what a daemon that died left open: nobody can finish it any more.
 *  @param before  only those with ids below: begun before that id was made */
enum otad_err transfer_abort_open(struct db *db, int64_t before, const char *cause,
                                  const char *detail, int64_t now_s,
                                  struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** One step of pruning: deletes ended transfers begun before p->before_s, but none of a device's
 *  newest update. Their age is told by the id, which begins with the time. */
enum otad_err transfer_prune(struct db *db, struct prune *p,
                             struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Deletes up to `room` transfers of an update that is to go itself.
 *  @param gone  how many were deleted; fewer than room: all there were */
enum otad_err transfer_delete_some(struct db *db, int64_t update, int64_t room, int64_t *gone,
                                   struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
