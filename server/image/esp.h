/* SPDX-License-Identifier: MIT
 * Walks the segments of one ESP image while its bytes flow past, so that a gzip file needs no
 * more memory than a plain one.
 *
 *   E9 nseg mode size|freq entry[4]  [16 more bytes on the ESP32 family]
 *   nseg × { load[4] length[4] data[length] }
 *   zero padding up to the last byte of a 16-byte line, which is the checksum:
 *   0xEF XOR every byte of segment data
 *   [SHA-256 of all the above, when the long header's last byte is 1]
 *
 * Source: esptool bin_image.py; ESP-IDF esp_image_format.c. */
#ifndef OTAD_IMAGE_ESP_H
#define OTAD_IMAGE_ESP_H

#include "image/bytes.h"
#include "image/image.h"

#define ESP_MAGIC 0xe9u
#define ESP_SHORT_HEADER 8u /* ESP8266 v1 */
#define ESP_LONG_HEADER 24u /* ESP32 family */
#define ESP_SEGMENT_HEADER 8u
#define ESP_SEGMENT_MAX 0x1000000u /* "The 16 MB limit has been exceeded" */
#define ESP_PROBE_BYTES 256u       /* of each segment, room for an app descriptor */

enum esp_state {
    ESP_HEADER,
    ESP_SEGMENT_HEAD,
    ESP_SEGMENT_DATA,
    ESP_PADDING,
    ESP_HASH,
    ESP_DONE,
    ESP_BROKEN /* a header can't be right; `problem` says why */
};

struct esp_walk {
    /* set by esp_walk_init() */
    uint64_t start; /* offset of the header in the stream */
    unsigned header_bytes;
    /* results */
    enum esp_state state;
    uint8_t header[ESP_LONG_HEADER];
    unsigned segment_count;
    struct image_segment segments[IMAGE_SEGMENTS_MAX];
    uint8_t xor_sum;     /* computed checksum so far */
    uint8_t stored_sum;  /* valid from ESP_HASH on */
    uint64_t sum_offset; /* of the checksum byte, in the stream */
    uint8_t hash[OTAD_SHA256_LEN];
    uint64_t end;                           /* of the image, in the stream; valid in ESP_DONE */
    uint64_t need;                          /* the stream must hold at least this many bytes */
    uint8_t first_data[ESP_SEGMENT_HEADER]; /* of the first segment: 0x1010 of an ESP8266 image */
    struct image_app_desc desc;             /* of the first segment that starts with one */
    const char *problem;
    uint64_t problem_offset;
    uint32_t problem_value;
    /* inside */
    uint64_t position;
    uint32_t left; /* bytes of the current part to come */
    unsigned got;  /* bytes of the current header in `part` */
    uint8_t part[ESP_LONG_HEADER];
    unsigned probe_n;
    uint8_t probe[ESP_PROBE_BYTES];
};

/** Starts a walk of an image whose header stands at `start` of the stream.
 *  @param header_bytes  ESP_SHORT_HEADER or ESP_LONG_HEADER */
void esp_walk_init(struct esp_walk *w, uint64_t start, unsigned header_bytes);

/** Takes the next n bytes of the stream; those before `start` and after the end are skipped. */
void esp_walk_feed(struct esp_walk *w, const uint8_t *p, size_t n);

/** Whether the walk ended inside the image: it is cut short. */
bool esp_walk_is_cut(const struct esp_walk *w);

/** Hops over the segments of the image at `start` without reading their data.
 *  @param flash  set to whether one of them lies in the chip's mapped flash
 *  @return the offset behind checksum and digest, or 0 when b ends before or a header is wrong */
uint64_t esp_span(struct bytes b, uint64_t start, unsigned header_bytes, enum image_chip chip,
                  bool *flash);

/** Copies header fields, segments and descriptor to info. Chip must be set already. */
void esp_walk_report(const struct esp_walk *w, struct image_info *info);

#endif
