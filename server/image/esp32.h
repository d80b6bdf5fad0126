/* SPDX-License-Identifier: MIT
 * ESP32-family images: which chip, boot loader or application, checksum and appended SHA-256. */
#ifndef OTAD_IMAGE_ESP32_H
#define OTAD_IMAGE_ESP32_H

#include "image/inspection.h"

/** Whether an ESP32-family header can stand at the start of b: magic, 1 to 16 segments, and either
 *  the id of a known chip, or a flash mode and a hash flag (byte 23) that exist. */
bool esp32_is_header(struct bytes b);

/** Sets chip and walk for a content that starts with such a header. */
void esp32_plan(struct inspection *in);

/** Judges after the walk, and tells application from boot loader: a boot loader has no segment in
 *  mapped flash. in->sha must be there when the image is complete and has a digest. */
void esp32_finish(struct inspection *in);

/** The same for an application inside a merged image, whose kind is settled. */
void esp32_judge(struct inspection *in);

#endif
