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

/* ---- files that are no application ---- */

/** A boot loader of an ESP32-family chip: segments in RAM only.
 *  @param described  with the descriptor that ESP-IDF 5.2 and later put first */
void img_build_bootloader(const char *chip, uint64_t seed, bool described, struct img *out);

/** The partition table of the default layout: nvs, otadata, app0, app1, spiffs; 3072 bytes. */
void img_build_table(bool with_md5, struct img *out);

/** boot_app0.bin: 8192 bytes. */
void img_build_otadata(struct img *out);

/** Boot loader, table, OTA data and application at their places in flash. */
void img_build_merged(const struct img_spec *spec, struct img *out);

/** ESP8266 oddities: eboot alone, an image without eboot, version 2 (0xEA), RTOS SDK. */
void img_build_eboot(uint64_t seed, struct img *out);
void img_build_esp8266_v1(uint64_t seed, struct img *out);
void img_build_esp8266_v2(uint64_t seed, struct img *out);
void img_build_esp8266_rtos(uint64_t seed, struct img *out);

/** An empty LittleFS. @param first  block that holds the superblock, 0 or 1; the other is erased */
void img_build_littlefs(uint32_t block_bytes, uint32_t blocks, unsigned first, struct img *out);

/** An empty SPIFFS. @param with_length  as ESP-IDF writes it; else as the ESP8266 core does */
void img_build_spiffs(uint32_t page, uint32_t block_bytes, uint32_t blocks, bool with_length,
                      struct img *out);

/** A FAT volume, at 4096 when levelled, as wear levelling shifts it. */
void img_build_fat(bool levelled, struct img *out);

/** An ESP8266 image from a 32-bit ELF file: eboot, then the named sections (NULL at the end). */
void img_build_from_elf(const struct img *elf, const char *const *sections, struct img *out);

/** gzip of an image, one member. */
void img_gzip(const struct img *in, struct img *out);

/* ---- what tools append (the signatures are filler: their keys are not what is tested) ---- */

void img_sign_arduino_esp8266(struct img *img, uint32_t bytes);
void img_sign_arduino_esp32(struct img *img);
void img_sign_secure_boot_v1(struct img *img);
/** @param version  2 (RSA) or 3 (ECDSA) */
void img_sign_secure_boot_v2(struct img *img, uint8_t version);

/* ---- pieces ---- */

/** n deterministic bytes of a seed. */
void img_put_filler(struct img *img, uint64_t *state, size_t n, bool compressible);

/** The first 8 bytes of every ESP image. */
void img_put_header(struct img *img, unsigned segments, uint8_t mode, uint8_t size_freq,
                    uint32_t entry);

/** The 16 bytes that ESP32-family headers have more. */
void img_put_long_header(struct img *img, unsigned chip_id, bool hash);

/** Header and data of a segment; adds the data to the checksum. */
void img_put_segment(struct img *img, uint32_t load, const struct img *data, uint8_t *sum);
void img_put_filler_segment(struct img *img, uint32_t load, size_t n, uint64_t *state,
                            uint8_t *sum);

/** Zeros so that the checksum is the last byte of a 16-byte line, counted from `start`. */
void img_put_checksum(struct img *img, size_t start, uint8_t sum);

/** Length and CRC words of a newer ESP8266 image, at 0x1010. */
void img_seal_esp8266(struct img *img);

/** SHA-256 of everything from `start`. */
void img_put_sha256(struct img *img, size_t start);

/** Text cut or filled with zeros to n bytes. */
void img_put_field(struct img *img, const char *text, size_t n);

uint8_t img_xor(const uint8_t *p, size_t n);

/** Header id and RAM addresses of a chip; false for a name it doesn't know. */
bool img_chip_ram(const char *chip, unsigned *id, uint32_t *dram, uint32_t *iram);

/** Ends the program: a test can't go on without its image. */
void img_fail(const char *what) __attribute__((noreturn));

#endif
