/* SPDX-License-Identifier: MIT
 * The tag that the Blynk library leaves in an image:
 *   "blnkinf" NUL { key NUL value NUL }… NUL
 * Source: blynk-library BlynkApiArduino.h. */
#ifndef OTAD_IMAGE_BLYNK_TAG_H
#define OTAD_IMAGE_BLYNK_TAG_H

#include "image/image.h"

#define BLYNK_TAG_MAX 1024u /* bytes looked at behind a hit */
#define BLYNK_MARK_BYTES 8u /* "blnkinf" or "blnkopt" and the NUL */

/** Reads the tag whose mark starts at p.
 *  @param n       bytes that may be read from p
 *  @param offset  of p in the image
 *  @return bytes it takes, mark and closing NUL included; 0, and *out unchanged, when no pair
 *          that fits follows the mark */
size_t blynk_tag_parse(const uint8_t *p, size_t n, uint64_t offset, struct image_blynk *out);

/** Reads a `blnkopt` tag without keeping anything of it.
 *  @param wifi   set when it has an SSID with a passphrase beside it
 *  @param token  set when it has a device token (`auth`)
 *  @return bytes it takes; 0 when no pair follows the mark */
size_t blynk_options_parse(const uint8_t *p, size_t n, bool *wifi, bool *token);

/** Takes a tag found in the image: the first that names a version stays, else the first. */
void blynk_tag_keep(struct image_blynk *kept, const struct image_blynk *found);

#endif
