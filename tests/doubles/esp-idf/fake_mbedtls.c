/* SPDX-License-Identifier: MIT
 * mbedTLS's keys and signatures, by OpenSSL. A context that isn't initialised or freed as it must
 * be fails the running test. */
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "mbedtls/base64.h"
#include "mbedtls/pk.h"
#include "support/unit.h"

enum { READY = 0x5ead };

int mbedtls_base64_decode(unsigned char *dst, size_t dlen, size_t *olen, const unsigned char *src,
                          size_t slen)
{
    unsigned char out[256];
    ck_assert_uint_le(slen, 256);
    int n = EVP_DecodeBlock(out, src, (int)slen);
    for (size_t i = slen; n > 0 && i > 0 && src[i - 1] == '='; i--)
        n--; /* OpenSSL counts the padding, mbedTLS doesn't */
    if (n < 0 || (size_t)n > dlen)
        return -1;
    memcpy(dst, out, (size_t)n);
    *olen = (size_t)n;
    return 0;
}

void mbedtls_pk_init(mbedtls_pk_context *ctx)
{
    ctx->key = NULL;
    ctx->ready = READY;
}

void mbedtls_pk_free(mbedtls_pk_context *ctx)
{
    ck_assert_int_eq(ctx->ready, READY);
    EVP_PKEY_free(ctx->key);
    ctx->ready = 0;
}

int mbedtls_pk_parse_public_key(mbedtls_pk_context *ctx, const unsigned char *key, size_t keylen)
{
    ck_assert(ctx->ready == READY && ctx->key == NULL);
    ctx->key = d2i_PUBKEY(NULL, &key, (long)keylen);
    return ctx->key != NULL ? 0 : -1;
}

int mbedtls_pk_verify(mbedtls_pk_context *ctx, mbedtls_md_type_t md_alg, const unsigned char *hash,
                      size_t hash_len, const unsigned char *sig, size_t sig_len)
{
    ck_assert(ctx->ready == READY && ctx->key != NULL && md_alg == MBEDTLS_MD_SHA256);
    ck_assert_uint_eq(hash_len, 32);
    EVP_PKEY_CTX *verifier = EVP_PKEY_CTX_new(ctx->key, NULL);
    int rc = EVP_PKEY_verify_init(verifier) == 1
                 ? EVP_PKEY_verify(verifier, sig, sig_len, hash, hash_len)
                 : 0;
    EVP_PKEY_CTX_free(verifier);
    return rc == 1 ? 0 : -1;
}
