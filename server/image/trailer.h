/* SPDX-License-Identifier: MIT
 * What follows an image inside its file: signatures, padding, another image. */
#ifndef OTAD_IMAGE_TRAILER_H
#define OTAD_IMAGE_TRAILER_H

#include "image/bytes.h"
#include "image/image.h"

/** Names the bytes behind the image, fills trailing*, signature* and notes what is odd. Does
 *  nothing while image_bytes is 0 (the end of the image isn't known). */
void trailer_find(struct bytes content, struct image_info *info);

#endif
