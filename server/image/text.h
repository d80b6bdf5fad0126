/* SPDX-License-Identifier: MIT
 * Which sort of text a file is. */
#ifndef OTAD_IMAGE_TEXT_H
#define OTAD_IMAGE_TEXT_H

#include "image/bytes.h"
#include "image/image.h"

/** IMAGE_HEX, IMAGE_HTML, IMAGE_JSON, IMAGE_CSV, IMAGE_TEXT, or IMAGE_UNKNOWN when the first 4096
 *  bytes are not all text (ASCII or UTF-8). */
enum image_kind text_kind(struct bytes b);

#endif
