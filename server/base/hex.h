/* SPDX-License-Identifier: MIT
 * Bytes to hexadecimal text and back. */
#ifndef OTAD_BASE_HEX_H
#define OTAD_BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Writes 2n lowercase digits and a NUL to out (room for 2n+1). Stock clients compare MD5
 *  case-sensitively in lowercase (protocols: ESP32 2.0.4, ESPHome). */
void hex_encode(const uint8_t *data, size_t n, char *out);

/** Reads exactly 2n digits of either case. @return false, and out unchanged, on anything else. */
bool hex_decode(const char *text, size_t n, uint8_t *out);

/** Value of one hexadecimal digit, or -1. */
int hex_digit(char c);

#endif
