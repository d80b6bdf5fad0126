/* SPDX-License-Identifier: MIT
 * Owns the sealing: nonce, ciphertext, tag. */
#include "fleet/seal.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/digest.h"

#define NONCE 12
#define TAG 16

enum otad_err seal_key(const uint8_t secret[SECRET_LEN], uint8_t out[SEAL_KEY_LEN])
{
    return digest_hkdf(secret, SECRET_LEN, "seal", out);
}

static bool encrypt(EVP_CIPHER_CTX *ctx, const uint8_t *key, const char *where, const void *text,
                    size_t n, uint8_t *out)
{
    int done;
    return EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, out) == 1 &&
           EVP_EncryptUpdate(ctx, NULL, &done, (const uint8_t *)where, (int)strlen(where)) == 1 &&
           EVP_EncryptUpdate(ctx, out + NONCE, &done, text, (int)n) == 1 &&
           EVP_EncryptFinal_ex(ctx, out + NONCE + n, &done) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, out + NONCE + n) == 1;
}

enum otad_err seal(const uint8_t key[SEAL_KEY_LEN], const char *where, const void *text, size_t n,
                   uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx != NULL && random_bytes(out, NONCE) == OTAD_E_OK &&
              encrypt(ctx, key, where, text, n, out);
    EVP_CIPHER_CTX_free(ctx);
    return ok ? OTAD_E_OK : OTAD_E_INTERNAL;
}

static bool decrypt(EVP_CIPHER_CTX *ctx, const uint8_t *key, const char *where,
                    const uint8_t *sealed, size_t n, uint8_t *out)
{
    int done;
    uint8_t tag[TAG];
    memcpy(tag, sealed + NONCE + n, TAG);
    return EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, sealed) == 1 &&
           EVP_DecryptUpdate(ctx, NULL, &done, (const uint8_t *)where, (int)strlen(where)) == 1 &&
           EVP_DecryptUpdate(ctx, out, &done, sealed + NONCE, (int)n) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
           EVP_DecryptFinal_ex(ctx, out + n, &done) == 1;
}

enum otad_err seal_open(const uint8_t key[SEAL_KEY_LEN], const char *where, const uint8_t *sealed,
                        size_t n, void *out)
{
    if (n < SEAL_EXTRA)
        return OTAD_E_INVALID;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx != NULL && decrypt(ctx, key, where, sealed, n - SEAL_EXTRA, out);
    EVP_CIPHER_CTX_free(ctx);
    return ok ? OTAD_E_OK : OTAD_E_INVALID;
}
