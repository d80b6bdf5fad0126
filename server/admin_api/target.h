/* SPDX-License-Identifier: MIT
 * Which build a device should run, for the verbs that need one. */
#ifndef OTAD_ADMIN_API_TARGET_H
#define OTAD_ADMIN_API_TARGET_H

#include "admin_api/change.h"
#include "fleet/build.h"
#include "fleet/device.h"

/** The device that the change's route names.
 *  @return OTAD_E_OK, OTAD_E_NOENT (with words), or a database error */
enum otad_err target_device(struct change *c, struct db *db, struct device *d,
                            struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** What it should run: its pin, else the build of its channel (the owner's choice, else the one it
 *  last asked for, else the default).
 *  @param fs  the filesystem build instead of the application
 *  @return OTAD_E_OK, OTAD_E_CONFLICT (there is none; with words), or a database error */
enum otad_err target_build(struct change *c, struct db *db, const struct device *d, bool fs,
                           struct build *b, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** The "build" of the body, else the same.
 *  @return also OTAD_E_INVALID for what is no build's id */
enum otad_err target_named_build(struct change *c, struct db *db, const struct device *d, bool fs,
                                 struct build *b, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Reads "kind" of the body, app (also when it isn't there) or fs. */
enum otad_err target_kind(struct change *c, bool *fs, struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
