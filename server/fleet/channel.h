/* SPDX-License-Identifier: MIT
 * Channels: named pointers from a product to the builds its devices should run. Owns the tables
 * `channel` and `channel_history`. */
#ifndef OTAD_FLEET_CHANNEL_H
#define OTAD_FLEET_CHANNEL_H

#include "fleet/build.h"

struct channel {
    char name[OTAD_CHANNEL_MAX + 1];
    int64_t app; /* build seq, 0 = none */
    int64_t fs;
    bool paused;
    int64_t released_at_s; /* 0 = never */
};

/** Whether text is [a-z0-9][a-z0-9._-]{0,31} and not "none". */
bool channel_name_is_valid(const char *text);

/** @return OTAD_E_OK, OTAD_E_NOENT (with words), or a database error. */
enum otad_err channel_find(struct db *db, int64_t product, const char *name, struct channel *out,
                           struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Makes an empty channel if there is none of that name. */
enum otad_err channel_ensure(struct db *db, int64_t product, const char *name,
                             struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Points a channel at a build (app or fs, by its kind), making the channel if needed, and keeps
 *  the move in the history. A factory build on a channel is OTAD_E_INVALID. */
enum otad_err channel_release(struct db *db, int64_t product, const char *name,
                              const struct build *b, int64_t now_s,
                              struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Points a channel back at what it pointed at before (skipping withdrawn builds).
 *  @param undone_to  the build seq it points at now
 *  @return OTAD_E_CONFLICT when there is nothing to go back to */
enum otad_err channel_undo(struct db *db, int64_t product, const char *name, enum build_kind kind,
                           int64_t now_s, int64_t *undone_to,
                           struct otad_errinfo *ei) OTAD_MUSTCHECK;

enum otad_err channel_set_paused(struct db *db, int64_t product, const char *name, bool paused,
                                 struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Moves every channel off a build, back to its previous one or to none. */
enum otad_err channel_leave_build(struct db *db, const struct build *b, int64_t now_s,
                                  struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Channels of a product in name order. */
enum otad_err channel_list(struct db *db, int64_t product,
                           enum otad_err (*each)(void *arg, const struct channel *c), void *arg,
                           struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Names of the channels that point at a build. */
enum otad_err channel_of_build(struct db *db, int64_t build_seq,
                               enum otad_err (*each)(void *arg, const char *name), void *arg,
                               struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Whether a channel points at the build, or its undo would. */
enum otad_err channel_wants(struct db *db, const struct build *b, bool *out,
                            struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
