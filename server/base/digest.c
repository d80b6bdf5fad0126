/* SPDX-License-Identifier: MIT
 * Owns the calls into OpenSSL's digests. */
#include "base/digest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

struct digest {
    EVP_MD_CTX *md5;
    EVP_MD_CTX *sha256;
    bool failed;
};

struct digest *digest_new(void)
{
    struct digest *d = calloc(1, sizeof *d);
    if (d == NULL)
        return NULL;
    d->md5 = EVP_MD_CTX_new();
    d->sha256 = EVP_MD_CTX_new();
    if (d->md5 == NULL || d->sha256 == NULL || EVP_DigestInit_ex(d->md5, EVP_md5(), NULL) != 1 ||
        EVP_DigestInit_ex(d->sha256, EVP_sha256(), NULL) != 1)
        digest_free(&d);
    return d;
}

void digest_free(struct digest **d)
{
    if (*d == NULL)
        return;
    EVP_MD_CTX_free((*d)->md5);
    EVP_MD_CTX_free((*d)->sha256);
    free(*d);
    *d = NULL;
}

void digest_update(struct digest *d, const void *data, size_t n)
{
    if (EVP_DigestUpdate(d->md5, data, n) != 1 || EVP_DigestUpdate(d->sha256, data, n) != 1)
        d->failed = true;
}

enum otad_err digest_final(struct digest *d, uint8_t md5[OTAD_MD5_LEN],
                           uint8_t sha256[OTAD_SHA256_LEN])
{
    if (d->failed)
        return OTAD_E_INTERNAL;
    if (md5 != NULL && EVP_DigestFinal_ex(d->md5, md5, NULL) != 1)
        return OTAD_E_INTERNAL;
    if (sha256 != NULL && EVP_DigestFinal_ex(d->sha256, sha256, NULL) != 1)
        return OTAD_E_INTERNAL;
    return OTAD_E_OK;
}

static enum otad_err one_shot(const EVP_MD *md, const void *data, size_t n, uint8_t *out)
{
    return EVP_Digest(data, n, out, NULL, md, NULL) == 1 ? OTAD_E_OK : OTAD_E_INTERNAL;
}

enum otad_err digest_sha256(const void *data, size_t n, uint8_t out[OTAD_SHA256_LEN])
{
    return one_shot(EVP_sha256(), data, n, out);
}

enum otad_err digest_md5(const void *data, size_t n, uint8_t out[OTAD_MD5_LEN])
{
    return one_shot(EVP_md5(), data, n, out);
}

enum otad_err digest_pbkdf2(const char *password, const char *salt, int iterations,
                            uint8_t out[OTAD_SHA256_LEN])
{
    int ok = PKCS5_PBKDF2_HMAC(password, (int)strlen(password), (const unsigned char *)salt,
                               (int)strlen(salt), iterations, EVP_sha256(), OTAD_SHA256_LEN, out);
    return ok == 1 ? OTAD_E_OK : OTAD_E_INTERNAL;
}

enum otad_err digest_hkdf(const uint8_t *secret, size_t n, const char *purpose,
                          uint8_t out[OTAD_SHA256_LEN])
{
    char digest[] = "SHA256", info[64];
    uint8_t in[64];
    if (n > sizeof in || strlen(purpose) >= sizeof info)
        return OTAD_E_INTERNAL;
    memcpy(in, secret, n);
    memcpy(info, purpose, strlen(purpose) + 1);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, in, n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, strlen(info)),
        OSSL_PARAM_construct_end()};
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
    EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    bool ok = ctx != NULL && EVP_KDF_derive(ctx, out, OTAD_SHA256_LEN, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok ? OTAD_E_OK : OTAD_E_INTERNAL;
}

bool digest_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

enum otad_err random_bytes(void *buf, size_t n)
{
    uint8_t *p = buf;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return OTAD_E_INTERNAL;
        p += got;
        n -= (size_t)got;
    }
    return OTAD_E_OK;
}
