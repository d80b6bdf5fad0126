/* SPDX-License-Identifier: MIT
 * ESP8266 images: eboot and application, the two generations of the checksum rule, and images
 * that the Arduino loader can't start.
 *
 *   0x0000  eboot, a v1 image loaded at 0x4010F000, padded with AA to
 *   0x1000  the application, a v1 image; first segment .irom0.text at 0x40201010
 *   0x1010  newer cores: total length, 0x1014 CRC-32; older cores: code
 *
 * Newer cores write length and CRC after the XOR checksum, so the stored XOR is right only when
 * those 8 bytes count as zero: there the CRC decides, in older images the XOR.
 * Source: esp8266/Arduino tools/elf2bin.py, bootloaders/eboot. */
#ifndef OTAD_IMAGE_ESP8266_H
#define OTAD_IMAGE_ESP8266_H

#include "image/inspection.h"

#define ESP8266_APP_OFFSET 0x1000u
#define ESP8266_EBOOT_LOAD 0x4010f000u
#define ESP8266_LENGTH_OFFSET 0x1010u
#define ESP8266_CRC_OFFSET 0x1014u
#define ESP8266_V2_MAGIC 0xeau

/** Whether a header that starts with 0xE9 is the ESP8266's short one: the word behind it is a
 *  load address there, and pins (0x000000EE or 0) in the ESP32 family's. */
bool esp8266_is_short_header(struct bytes head);

/** Classifies a file with a short header and sets up the walks. */
void esp8266_plan(struct inspection *in);

/** Whether the content starts with an 0xEA image; fills kind and detail. */
bool esp8266_is_v2(struct inspection *in);

/** Judges an Arduino image after the walks; in->crc is there when the image was complete. */
void esp8266_finish(struct inspection *in);

/** Judges any other image with a short header after its walk. */
void esp8266_finish_plain(struct inspection *in);

/** CRC-32 as eboot computes it (polynomial 04C11DB7, most significant bit first, initial value
 *  FFFFFFFF, no final xor), continued over n more bytes. */
uint32_t esp8266_crc(uint32_t crc, const uint8_t *p, size_t n);

/** The same over bytes that start at `offset` of an image, with the length and CRC words as 0. */
uint32_t esp8266_crc_image(uint32_t crc, uint64_t offset, const uint8_t *p, size_t n);

#define ESP8266_CRC_INIT 0xffffffffu

#endif
