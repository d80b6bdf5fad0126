/* SPDX-License-Identifier: MIT
 * The JSON of an image, as the API and `otad inspect --json` give it. */
#ifndef OTAD_IMAGE_IMAGE_JSON_H
#define OTAD_IMAGE_IMAGE_JSON_H

#include <jansson.h>

#include "image/image.h"

/** Everything known about the file: kind, description, chip, flash, segments, sums, app
 *  descriptor, Blynk tag, partitions, identities, defects, warnings, deliverable, fit. Keys of
 *  what wasn't found are absent; hashes are lowercase hex (devices report the appended SHA-256 in
 *  uppercase). Secrets are never in it.
 *  @return a new object, or NULL when out of memory */
json_t *image_info_json(const struct image_info *info);

/** The default slots: [{"slot","slot_bytes","used_bytes","percent","fits","updates","text"}].
 *  @return a new array, empty for a file that is no application, or NULL when out of memory */
json_t *image_fit_json(const struct image_info *info);

#endif
