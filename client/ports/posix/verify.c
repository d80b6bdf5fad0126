/* SPDX-License-Identifier: MIT
 * Owns the port's keys and the check of signatures, by OpenSSL. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

static bool is_p256(EVP_PKEY *key)
{
    char group[32] = "";
    return EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
                                          NULL) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

const char *otac_posix_keys_add(struct otac_posix_keys *keys, const char *path)
{
    if (keys->n == OTAC_POSIX_KEYS_MAX)
        return "there are too many keys";
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return "the file can't be read";
    EVP_PKEY *key = PEM_read_PUBKEY(file, NULL, NULL, NULL);
    (void)fclose(file);
    if (key == NULL || !is_p256(key)) {
        EVP_PKEY_free(key);
        return "it is no public P-256 key in PEM";
    }
    keys->key[keys->n++] = key;
    return NULL;
}

void otac_posix_keys_free(struct otac_posix_keys *keys)
{
    while (keys->n > 0)
        EVP_PKEY_free(keys->key[--keys->n]);
}

static bool is_by(EVP_PKEY *key, const uint8_t digest[32], const uint8_t *signature, size_t n)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    bool ok = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
              EVP_PKEY_verify(ctx, signature, n, digest, 32) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static int verify(void *ctx, const void *keys, const uint8_t digest[32], const uint8_t *signature,
                  size_t n)
{
    const struct otac_posix_keys *k = keys;
    (void)ctx;
    for (unsigned i = 0; i < k->n; i++)
        if (is_by(k->key[i], digest, signature, n))
            return OTAC_OK;
    return OTAC_E_SIGNATURE;
}

void posix_verify_fill(struct otac_port *port)
{
    port->verify = verify;
}
