/* SPDX-License-Identifier: MIT
 * Owns the port's hashes: SHA-256 and MD5 over the same bytes, by OpenSSL. */
#include "internal.h"

#include <openssl/evp.h>

static int hash_begin(void *ctx)
{
    struct otac_posix *p = ctx;
    bool ok = EVP_DigestInit_ex(p->sha256, EVP_sha256(), NULL) == 1 &&
              EVP_DigestInit_ex(p->md5, EVP_md5(), NULL) == 1;
    return ok ? OTAC_OK : OTAC_E_HASH;
}

static int hash_update(void *ctx, const void *data, size_t n)
{
    struct otac_posix *p = ctx;
    bool ok = EVP_DigestUpdate(p->sha256, data, n) == 1 && EVP_DigestUpdate(p->md5, data, n) == 1;
    return ok ? OTAC_OK : OTAC_E_HASH;
}

static int hash_finish(void *ctx, uint8_t sha256[32], uint8_t md5[16])
{
    struct otac_posix *p = ctx;
    bool ok = EVP_DigestFinal_ex(p->sha256, sha256, NULL) == 1 &&
              EVP_DigestFinal_ex(p->md5, md5, NULL) == 1;
    return ok ? OTAC_OK : OTAC_E_HASH;
}

void posix_hash_fill(struct otac_port *port)
{
    port->hash_begin = hash_begin;
    port->hash_update = hash_update;
    port->hash_finish = hash_finish;
}
