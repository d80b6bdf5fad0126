/* SPDX-License-Identifier: MIT
 * One pass over the content for what may stand anywhere in it: Blynk tags and secrets. */
#ifndef OTAD_IMAGE_SCAN_H
#define OTAD_IMAGE_SCAN_H

#include "image/image.h"

/** How far a match may reach behind its first byte. */
#define SCAN_REACH 1024u

/** Looks for matches that start in p[from..starts) of n bytes. What stands behind `starts` is only
 *  read ahead, what stands before `from` only tells where words begin: so a stream can be searched
 *  in pieces that overlap.
 *  @param offset  of p in the content; findings are added to info
 *  @return where to go on: `starts`, or behind a match that reached beyond it */
size_t scan_bytes(struct image_info *info, const uint8_t *p, size_t from, size_t starts, size_t n,
                  uint64_t offset);

#endif
