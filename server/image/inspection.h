/* SPDX-License-Identifier: MIT
 * What the parsers of image/ share during one image_inspect(). Not for other folders. */
#ifndef OTAD_IMAGE_INSPECTION_H
#define OTAD_IMAGE_INSPECTION_H

#include "image/bytes.h"
#include "image/esp.h"
#include "image/image.h"

/** One inspection. The content is the file, or what a gzip file unpacks to. It flows through the
 *  two walks once, front to back; only its head can be looked at freely. */
struct inspection {
    struct image_info *info;
    struct bytes head; /* the first bytes of the content; all of it unless unpacked */
    uint64_t total;    /* bytes of the content; while unpacking, what the gzip file claims */
    bool walk_boot, walk_app;
    struct esp_walk boot; /* boot loader, where there is one in front */
    struct esp_walk app;  /* the image that matters */
    bool crc_known;       /* crc holds the ESP8266 CRC-32 of the image */
    uint32_t crc;
    bool sha_known; /* sha holds the SHA-256 of the image up to its checksum */
    uint8_t sha[OTAD_SHA256_LEN];
};

/** Looks at the head, decides what the content is and which walks it needs. */
void inspection_plan(struct inspection *in);

/** Lets the next n bytes of the content flow through the walks. */
void inspection_walk(struct inspection *in, const uint8_t *p, size_t n);

/** Where the bytes that the image's CRC or digest covers end, as far as the walk has come.
 *  0 when the kind has no such sum. */
uint64_t inspection_sum_end(const struct inspection *in);

/** Judges the content after all of it has flowed. */
void inspection_finish(struct inspection *in);

#endif
