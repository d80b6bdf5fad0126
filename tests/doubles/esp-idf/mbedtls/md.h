/* SPDX-License-Identifier: MIT
 * A double of mbedTLS's header of this name: what client/ports/esp-idf calls, no more. */
#ifndef OTAD_DOUBLE_MBEDTLS_MD_H
#define OTAD_DOUBLE_MBEDTLS_MD_H

typedef enum { MBEDTLS_MD_NONE = 0, MBEDTLS_MD_SHA256 = 9 } mbedtls_md_type_t;

#endif
