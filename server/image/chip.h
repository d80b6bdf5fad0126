/* SPDX-License-Identifier: MIT
 * The table of chips: header id, name, mapped flash, flash clock. */
#ifndef OTAD_IMAGE_CHIP_H
#define OTAD_IMAGE_CHIP_H

#include "image/image.h"

/** The ESP32-family chip of a header's chip id (offset 12), or IMAGE_CHIP_UNKNOWN. */
enum image_chip chip_from_id(unsigned id);

/** Whether a load address lies in the flash that the chip maps (IROM or DROM). For UNKNOWN: in
 *  that of any ESP32-family chip. */
bool chip_maps_flash(enum image_chip chip, uint32_t load);

/** Flash clock in MHz of the low nibble of header byte 3; 0 when it is not a known one. */
unsigned chip_flash_mhz(enum image_chip chip, unsigned nibble);

/** Flash size in bytes of the high nibble of header byte 3; 0 when it is not a known one. */
uint64_t chip_flash_bytes(enum image_chip chip, unsigned nibble);

/** Where a chip's boot loader stands in flash: 0x1000 (ESP32, ESP32-S2), 0x2000 or 0. */
uint32_t chip_bootloader_offset(enum image_chip chip);

#endif
