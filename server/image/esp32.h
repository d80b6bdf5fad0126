/* SPDX-License-Identifier: MIT
 * ESP32-family images: which chip, boot loader or application, checksum and appended SHA-256. */
#ifndef OTAD_IMAGE_ESP32_H
#define OTAD_IMAGE_ESP32_H

#include "image/inspection.h"

/** Whether an ESP32-family header can stand at the start of b: magic, 1 to 16 segments, a mode
 *  there is, byte 23 (hash appended) 0 or 1. */
bool esp32_is_header(struct bytes b);

/** Sets chip and walk for an image whose header stands at `start` of the content. */
void esp32_plan(struct inspection *in, uint64_t start);

/** Judges after the walk: application or boot loader (no segment in mapped flash), checksum,
 *  digest. in->sha must be there when the image has a digest and is complete. */
void esp32_finish(struct inspection *in);

#endif
