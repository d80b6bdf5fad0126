/* SPDX-License-Identifier: MIT
 * The server's secret: DATA_DIR/secret, from which keys for single purposes are derived. It is
 * not in the database: a copy of the database alone can't forge a token. */
#ifndef OTAD_FLEET_SECRET_H
#define OTAD_FLEET_SECRET_H

#include <stdint.h>

#include "otad/err.h"

#define SECRET_LEN 32

/** Reads DIR/secret, or makes it (random, 0600, synced before it gets its name).
 *  @return OTAD_E_OK, OTAD_E_INVALID (the file is no secret), OTAD_E_IO, OTAD_E_INTERNAL */
enum otad_err secret_load(const char *dir, uint8_t out[SECRET_LEN],
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
