/* SPDX-License-Identifier: MIT
 * Which of the default slots an image fits: the layouts that the tools ship with. */
#ifndef OTAD_IMAGE_FIT_H
#define OTAD_IMAGE_FIT_H

#include "image/image.h"

#define FIT_SLOTS_MAX 12

struct fit_slot {
    const char *name;    /* "default.csv app0"; static text */
    uint64_t slot_bytes; /* the largest application */
    unsigned percent;    /* of it that is used, rounded down; above 100 when it doesn't fit */
    bool fits;
    bool updates; /* it fits, and a device that runs it has room to fetch another of this size */
};

/** Compares an application with the default layouts of its chip. On the ESP8266 the update is
 *  staged below the filesystem, so `updates` asks whether running sketch and new file fit there,
 *  each rounded up to 4096; a gzip file is staged packed and runs unpacked.
 *  @return rows written to out; 0 for a file that is no application */
unsigned fit_default_slots(const struct image_info *info, struct fit_slot out[FIT_SLOTS_MAX]);

/** "869,965 of 1,310,720 bytes, 66 %, default.csv app0".
 *  @param used  fit_used_bytes() of the image; out is cut if too short */
void fit_describe(uint64_t used, const struct fit_slot *slot, char *out, size_t n);

/** The bytes that must fit a slot: the file's, or the unpacked ones of a gzip file. */
uint64_t fit_used_bytes(const struct image_info *info);

#endif
