/* SPDX-License-Identifier: MIT
 * One pass over the content for what may stand anywhere in it: Blynk tags and secrets. */
#ifndef OTAD_IMAGE_SCAN_H
#define OTAD_IMAGE_SCAN_H

#include "image/image.h"

/** How far a match may reach behind its first byte. */
#define SCAN_REACH 1024u

/** Looks for matches that start in the first `starts` of n bytes; the rest is only read ahead, so
 *  that a stream can be scanned in pieces that overlap by SCAN_REACH.
 *  @param offset  of p in the content; findings are added to info */
void scan_bytes(struct image_info *info, const uint8_t *p, size_t starts, size_t n,
                uint64_t offset);

#endif
