/* SPDX-License-Identifier: MIT
 * Files that are no ESP image but get uploaded by mistake: build artefacts, archives, text, erased
 * flash, encrypted images. */
#ifndef OTAD_IMAGE_CONTENT_H
#define OTAD_IMAGE_CONTENT_H

#include "image/inspection.h"

/** Names what the content is by its head; leaves kind UNKNOWN, maybe with a detail, when it can't.
 */
void content_plan(struct inspection *in);

/** Whether b looks like the output of a cipher: its bytes are spread as random ones are
 *  (chi-squared test over up to 64 KiB). False for fewer than 512 bytes. */
bool content_is_random(struct bytes b);

#endif
