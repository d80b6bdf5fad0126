/* SPDX-License-Identifier: MIT
 * Updates: the story of one device getting one build. Owns the table `update`. */
#ifndef OTAD_FLEET_UPDATE_H
#define OTAD_FLEET_UPDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"
#include "fleet/build.h"
#include "fleet/prune.h"

enum update_state {
    UPDATE_PENDING,
    UPDATE_IN_PROGRESS,
    UPDATE_SENT,
    UPDATE_INSTALLED,
    UPDATE_FAILED,
    UPDATE_ROLLED_BACK,
    UPDATE_ATTEMPTS_EXHAUSTED
};

struct update {
    int64_t id;
    int64_t product;
    int64_t device;
    uint64_t mac;
    int64_t build; /* seq */
    int64_t build_id;
    char to_version[OTAD_VERSION_MAX + 1];
    char from_version[OTAD_VERSION_MAX + 1];
    char from_md5[2 * OTAD_MD5_LEN + 1]; /* as reported before; "" = not said */
    enum update_state state;
    char cause[32];
    char detail[256];
    int64_t attempts;
    int64_t polled_at_s;  /* 0 = no .version poll since the image arrived */
    int64_t retried_at_s; /* attempts count from here on */
    int64_t created_at_s;
    int64_t updated_at_s;
    int64_t device_seen_s; /* when the device was last seen; only read */
};

const char *update_state_name(enum update_state state);
/** @return false, *out unchanged, for another word. */
bool update_state_parse(const char *text, enum update_state *out);

/** Each @return OTAD_E_OK, OTAD_E_NOENT or a database error. */
enum otad_err update_find(struct db *db, int64_t id, struct update *out,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;
/** The newest update of a device; with build_seq not 0 the newest for that build. */
enum otad_err update_newest(struct db *db, int64_t device, int64_t build_seq, struct update *out,
                            struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** The newest update of a device for a build of that kind; NOENT also when there is no device. */
enum otad_err update_newest_kind(struct db *db, int64_t product, uint64_t mac, enum build_kind kind,
                                 struct update *out, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Inserts u (product, device, build, from_version, from_md5, state, created_at_s count) and sets
 * u->id. */
enum otad_err update_insert(struct db *db, struct update *u,
                            struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Writes state, cause, detail, attempts and all times of u->id but created_at_s. */
enum otad_err update_save(struct db *db, const struct update *u,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Open updates (pending, in progress, sent) of a device, oldest first. At most `room`. */
enum otad_err update_open(struct db *db, int64_t device, struct update *out, size_t room, size_t *n,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Updates that wait for something that may never come: at most `room`, by id above `after`.
 *  Silent: an image arrived or broke off, nothing is on its way, and the device has been silent for
 *  longer than its product's patience and than three times its usual interval. A device that has
 *  never checked in (one that is only pushed to) is not expected to. */
enum otad_err update_silent(struct db *db, int64_t now_s, int64_t after, struct update *out,
                            size_t room, size_t *n, struct otad_errinfo *ei) OTAD_MUSTCHECK;
/** Stayed away: polled before before_s, and nothing since. */
enum otad_err update_stayed_away(struct db *db, int64_t before_s, struct update *out, size_t room,
                                 size_t *n, struct otad_errinfo *ei) OTAD_MUSTCHECK;
/** Filesystems of which all has arrived, and whose device has been seen since. */
enum otad_err update_fs_seen(struct db *db, struct update *out, size_t room, size_t *n,
                             struct otad_errinfo *ei) OTAD_MUSTCHECK;
enum update_sort { UPDATE_NEWEST, UPDATE_OLDEST, UPDATE_CHANGED_LAST, UPDATE_CHANGED_FIRST };

/** "-id", "id", "-updated_at", "updated_at". @return false, *out unchanged, for another word. */
bool update_sort_parse(const char *text, enum update_sort *out);

struct update_filter {
    int64_t product; /* 0 = any */
    uint64_t mac;    /* 0 = any */
    int64_t build_id;
    bool by_build;
    const char *state;        /* NULL = any */
    const char *cause;        /* NULL = any */
    int64_t since_s, until_s; /* of created_at_s; 0 and INT64_MAX = all */
    enum update_sort sort;
    int64_t after_id,
        after_s; /* cursor: id and updated_at_s of the row before; see update_first() */
    int64_t limit;
};

/** Sets the cursor to before the first row, as f->sort has it. */
void update_first(struct update_filter *f);

/** In the order of f->sort, each by an index. */
enum otad_err update_list(struct db *db, const struct update_filter *f,
                          enum otad_err (*each)(void *arg, const struct update *u), void *arg,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Whether any device's update to this build is open. */
enum otad_err update_any_open(struct db *db, int64_t build_seq, bool *out,
                              struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Moves a walk of pruning to its next update, oldest first.
 *  @param id  receives it when it may go: over, untouched since p->before_s, and not its device's
 *             newest; else 0 */
enum otad_err update_next_old(struct db *db, struct prune *p, int64_t *id,
                              struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Deletes an update with its reports and transfers. */
enum otad_err update_delete(struct db *db, int64_t id, struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
