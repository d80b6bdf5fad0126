/* SPDX-License-Identifier: MIT
 * The application descriptor that ESP-IDF puts at the start of an image. */
#ifndef OTAD_IMAGE_APP_DESC_H
#define OTAD_IMAGE_APP_DESC_H

#include "image/image.h"

#define APP_DESC_MAGIC 0xabcd5432u
#define APP_DESC_BYTES 256u

/** Reads a descriptor from the first n bytes of a segment.
 *  @param offset  of p in the file
 *  @return false, and *out unchanged, when there is none */
bool app_desc_parse(const uint8_t *p, size_t n, uint64_t offset, struct image_app_desc *out);

#endif
