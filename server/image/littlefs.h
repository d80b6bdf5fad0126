/* SPDX-License-Identifier: MIT
 * The metadata log of LittleFS, as far as its checksum goes. */
#ifndef OTAD_IMAGE_LITTLEFS_H
#define OTAD_IMAGE_LITTLEFS_H

#include "image/bytes.h"

/** Whether the metadata block at `offset` starts with a commit whose CRC-32 fits. */
bool littlefs_block_is_sound(struct bytes b, uint64_t offset, uint32_t block_bytes);

#endif
