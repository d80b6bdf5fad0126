/* SPDX-License-Identifier: MIT
 * Standard base64 (RFC 4648 §4). */
#ifndef OTAD_BASE_BASE64_H
#define OTAD_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BASE64_LEN(n) (((n) + 2) / 3 * 4) /* characters for n bytes, without NUL */

/** Writes BASE64_LEN(n) characters, padded, and a NUL. */
void base64_encode(const uint8_t *data, size_t n, char *out);

/** Reads padded or unpadded text.
 *  @param room   bytes in out  @param out_n  bytes written
 *  @return false on other characters or too little room; *out_n is then unchanged. */
bool base64_decode(const char *text, uint8_t *out, size_t room, size_t *out_n);

#endif
