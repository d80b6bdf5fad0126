/* SPDX-License-Identifier: MIT
 * A double of mbedTLS's header of this name: what client/ports/esp-idf calls, no more. */
#ifndef OTAD_DOUBLE_MBEDTLS_PK_H
#define OTAD_DOUBLE_MBEDTLS_PK_H

#include <stddef.h>

#include "mbedtls/md.h"

typedef struct {
    void *key;
    int ready; /* initialised, and not freed */
} mbedtls_pk_context;

void mbedtls_pk_init(mbedtls_pk_context *ctx);
void mbedtls_pk_free(mbedtls_pk_context *ctx);
int mbedtls_pk_parse_public_key(mbedtls_pk_context *ctx, const unsigned char *key, size_t keylen);
int mbedtls_pk_verify(mbedtls_pk_context *ctx, mbedtls_md_type_t md_alg, const unsigned char *hash,
                      size_t hash_len, const unsigned char *sig, size_t sig_len);

#endif
