/* SPDX-License-Identifier: MIT
 * The tokenized path of a build: made here, taken apart here. */
#ifndef OTAD_FLEET_STATIC_URL_H
#define OTAD_FLEET_STATIC_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleet/otad.h"

#define STATIC_PATH_MAX 96 /* "/static/fw_…_….bin?token=…" and its NUL */

/** Writes the path that opens a build (public id) for a device number until expires_s: a row id; 0
 * = any device; a negated row id when whoever asked for the URL did not prove to be that device. It
 * ends with the token: some sketches append `&s=0` to what they are given.
 *  @return OTAD_E_OK, OTAD_E_INTERNAL */
enum otad_err static_path(const struct otad *o, int64_t build_id, int64_t device_number,
                          int64_t expires_s, char out[STATIC_PATH_MAX]) OTAD_MUSTCHECK;

/** Takes "{id}_{n}" apart: an unsigned 64-bit and a signed 32-bit decimal.
 *  @return false, outputs unchanged, on anything else */
bool static_name_parse(const char *name, int64_t *build_id, int32_t *device_number);

#endif
