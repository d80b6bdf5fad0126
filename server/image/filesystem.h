/* SPDX-License-Identifier: MIT
 * Filesystem images: LittleFS, SPIFFS, FAT. */
#ifndef OTAD_IMAGE_FILESYSTEM_H
#define OTAD_IMAGE_FILESYSTEM_H

#include "image/inspection.h"

/** Recognises a filesystem by its head; fills kind, fs and detail, and notes a file that is
 *  shorter than the filesystem in it. @return false, and nothing changed, when it is none */
bool filesystem_plan(struct inspection *in);

/** Whether a LittleFS superblock stands at `offset`; its geometry goes to *out (may be NULL). */
bool filesystem_is_littlefs(struct bytes b, uint64_t offset, struct image_fs *out);

#endif
