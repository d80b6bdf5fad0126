/* SPDX-License-Identifier: MIT
 * What the fleet does, in numbers. Owns the tables `stat` and `stat_version`, and the tallies that
 * triggers keep: but for stats_devices() nothing here reads all devices or all updates of a
 * product. */
#ifndef OTAD_FLEET_STATS_H
#define OTAD_FLEET_STATS_H

#include <stdint.h>

#include "db/db.h"

#define STATS_HOUR_S 3600
#define STATS_DAY_S 86400
#define STATS_VERSIONS_MAX 50 /* named one by one; the others only as a sum */

/** What happened in one hour, or one day. */
struct stats_count {
    int64_t product;
    int64_t start_s; /* of the hour or day, UTC */
    int64_t checkins, installed, failed;
};

/** Adds what happened in an hour to its hour and its day. The first of a day also remembers who ran
 *  what as the day began, and lets go of hours older than 14 days and days older than 400. A
 * product that is gone is no error. */
enum otad_err stats_add(struct db *db, const struct stats_count *count,
                        struct otad_errinfo *ei) OTAD_MUSTCHECK;

struct stats_totals {
    int64_t devices;
    int64_t seen;       /* in the last 24 h */
    int64_t on_current; /* report the version that their channel gives */
    int64_t in_flight;  /* updates pending, in progress or sent */
    int64_t failed;     /* updates that failed, were rolled back or given up in the last 24 h */
};

/** Reads up to as many index entries as devices were seen in a day: not for an HTTP thread. */
enum otad_err stats_totals(struct db *db, int64_t product, int64_t now_s, struct stats_totals *out,
                           struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** A name and how many there are of it: `first` of it and, where there are two, `second`. */
typedef enum otad_err (*stats_each)(void *arg, const char *name, int64_t first, int64_t second);

/** Versions and the number of devices that report them, the commonest first, at most
 *  STATS_VERSIONS_MAX. "" = devices that don't say. */
enum otad_err stats_versions(struct db *db, int64_t product, stats_each each, void *arg,
                             struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** States of newest updates ("" = none yet) and the number of devices. Walks an index entry a
 * device: not for an HTTP thread. */
enum otad_err stats_devices(struct db *db, int64_t product, stats_each each, void *arg,
                            struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Channels and the number of devices that follow them, by name; one that nobody follows is left
 *  out. */
enum otad_err stats_channels(struct db *db, int64_t product, stats_each each, void *arg,
                             struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** States and the number of updates of a build (seq) that are in them; none with 0. */
enum otad_err stats_states(struct db *db, int64_t build, stats_each each, void *arg,
                           struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Causes (or states, where there is no cause) and how often updates failed by them in the last 24
 *  h and in the last 7 days. Reads all failures of the week: not for an HTTP thread. */
enum otad_err stats_failures(struct db *db, int64_t product, int64_t now_s, stats_each each,
                             void *arg, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Hours or days (span_s) from since_s on in which anything happened, oldest first. */
enum otad_err stats_over_time(struct db *db, int64_t product, int64_t span_s, int64_t since_s,
                              enum otad_err (*each)(void *arg, const struct stats_count *count),
                              void *arg, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Days from since_s on: a version, how many devices ran it as the day began (first), and the
 *  day's begin (second); oldest first. */
enum otad_err stats_adoption(struct db *db, int64_t product, int64_t since_s, stats_each each,
                             void *arg, struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
