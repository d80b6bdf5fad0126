/* SPDX-License-Identifier: MIT
 * A double of mbedTLS's header of this name: what client/ports/esp-idf calls, no more. */
#ifndef OTAD_DOUBLE_MBEDTLS_BASE64_H
#define OTAD_DOUBLE_MBEDTLS_BASE64_H

#include <stddef.h>

int mbedtls_base64_decode(unsigned char *dst, size_t dlen, size_t *olen, const unsigned char *src,
                          size_t slen);

#endif
