/* SPDX-License-Identifier: MIT
 * The digests of an image that its devices changed while writing it. */
#ifndef OTAD_FLEET_VARIANTS_H
#define OTAD_FLEET_VARIANTS_H

#include <stdbool.h>

#include "fleet/build.h"

/** Adds to the identities of an ESP8266 application the MD5s it has with each other flash mode: the
 *  updater writes the mode of the running sketch into the image, and reports the MD5 of that. Done
 *  once for an image, when a device that got it reports an MD5 nobody knows; reads all of it and
 *  costs some MD5s, so not for an HTTP thread.
 *  @param learned  receives whether there are new ones
 *  @return OTAD_E_OK, also when there is nothing to learn; OTAD_E_NOMEM or a database error */
enum otad_err variants_learn(struct db *db, const struct build *b, bool *learned,
                             struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
