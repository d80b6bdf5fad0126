/* SPDX-License-Identifier: MIT
 * Builds valid images in memory, from the format descriptions alone: it shares no code and no
 * table with server/image, so that the parsers are tested against a second reading. The filler is
 * pseudo-random by seed: the same spec gives the same bytes everywhere. */
#ifndef OTAD_TESTS_IMGBUILD_H
#define OTAD_TESTS_IMGBUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A growing buffer; {0} is empty. Running out of memory ends the program with a message. */
struct img {
    uint8_t *data;
    size_t n, cap;
};

void img_free(struct img *img); /* also for OTAD_AUTO; leaves it empty */
void img_put(struct img *img, const void *data, size_t n);
void img_fill(struct img *img, uint8_t value, size_t n);
void img_put_u32(struct img *img, uint32_t value); /* little-endian */
void img_set_u32(struct img *img, size_t offset, uint32_t value);

enum img_desc { IMG_DESC_NONE, IMG_DESC_OWN, IMG_DESC_LIBRARY };

/** What an application should look like. {0} but for `chip` is a small valid one. */
struct img_spec {
    const char *chip;    /* "ESP8266", "ESP32-C3"…, as devices spell it */
    const char *version; /* Blynk tag `mcu`; NULL: no tag */
    const char *fw_type; /* Blynk tag `fw-type`; NULL: left out */
    size_t size_bytes;   /* of the file, rounded up to 16; 0 or too small: the smallest there is */
    uint64_t seed;
    uint8_t flash_mode;       /* header byte 2: 0 QIO, 1 QOUT, 2 DIO, 3 DOUT */
    uint8_t flash_size;       /* high nibble of header byte 3; 0: 4 MB of that chip */
    bool old_core;            /* ESP8266: one eboot segment, valid XOR, no length and CRC words */
    enum img_desc desc;       /* ESP32 family: app descriptor */
    const char *project;      /* of an own descriptor; NULL: "sensor" */
    const char *desc_version; /* of an own descriptor; NULL: "1.0" */
    bool no_hash;             /* ESP32 family: no SHA-256 behind the checksum */
    bool compressible;        /* filler of 4 bits a byte instead of 8 */
    const void *extra;        /* bytes to place in the first segment, e.g. a tag */
    size_t extra_n;
};

/** Builds an application. @return false for a chip name it doesn't know; *out is unchanged then.
 *  The caller frees *out. */
bool img_build_app(const struct img_spec *spec, struct img *out);

/** Recomputes what protects an image after a test changed its bytes: the ESP8266's CRC (or XOR),
 *  the ESP32 family's checksum and hash. Only for images of img_build_app(). */
void img_reseal(const struct img_spec *spec, struct img *img);

/** Names of the chips it builds for, NULL at the end. */
const char *const *img_chips(void);

/** Smallest size that img_build_app() can give for the spec, in bytes. */
size_t img_min_bytes(const struct img_spec *spec);

/** "blnkinf" tag with mcu, fw-type, build, blynk, h-beat, buff-in and dev. */
void img_put_blynk(struct img *img, const char *mcu, const char *fw_type, const char *dev);

/** n deterministic bytes of a seed. */
void img_put_filler(struct img *img, uint64_t *state, size_t n, bool compressible);

#endif
