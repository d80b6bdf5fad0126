/* SPDX-License-Identifier: MIT
 * What follows an image inside its file: signatures, padding, another image.
 *
 *   ESP8266, signing.py      signature (256 bytes for RSA-2048), its length[4]
 *   ESP32, bin_signing.py    signature, zeros up to 512 bytes
 *   Secure Boot v1           version 0[4], ECDSA signature[64], up to 12 bytes of padding
 *   Secure Boot v2           padding to 4096 bytes, then a sector of 1 to 3 blocks of 1216 bytes:
 *                            E7 02|03 0[2] SHA-256 of all before[32] … CRC-32 of it[4 at 1196] */
#ifndef OTAD_IMAGE_TRAILER_H
#define OTAD_IMAGE_TRAILER_H

#include "image/bytes.h"
#include "image/image.h"

/** Names the bytes behind the image, fills trailing*, signature* and notes what is odd. Does
 *  nothing while image_bytes is 0 (the end of the image isn't known).
 *  @param content  all of it
 *  @return OTAD_E_OK, OTAD_E_INTERNAL (a digest failed) */
enum otad_err trailer_find(struct bytes content, struct image_info *info) OTAD_MUSTCHECK;

/** The same for content that is no longer there to be looked at. */
void trailer_unseen(uint64_t total, struct image_info *info);

/** Whether b is what signing.py appends: a signature and its length. */
bool trailer_is_arduino_esp8266(struct bytes b);

#endif
