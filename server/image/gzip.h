/* SPDX-License-Identifier: MIT
 * Looks into a gzip file while unpacking it through a fixed window: whatever the file claims, the
 * memory is the same and no more than IMAGE_UNPACKED_MAX bytes are produced. */
#ifndef OTAD_IMAGE_GZIP_H
#define OTAD_IMAGE_GZIP_H

#include "image/bytes.h"
#include "image/image.h"

/** Whether b starts as a gzip member does (1F 8B, method 8). */
bool gzip_is(struct bytes b);

/** Fills info with what the file unpacks to, and with what is wrong with the packing.
 *  @return OTAD_E_OK, OTAD_E_NOMEM, OTAD_E_INTERNAL (a digest failed) */
enum otad_err gzip_inspect(struct bytes file, struct image_info *info) OTAD_MUSTCHECK;

#endif
