/* SPDX-License-Identifier: MIT
 * Hashes and randomness; OpenSSL stays behind this header. */
#ifndef OTAD_BASE_DIGEST_H
#define OTAD_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otad/err.h"
#include "otad/limits.h"

/** MD5 and SHA-256 of the same bytes, while they flow. Opaque: holds OpenSSL contexts. */
struct digest;

/** @return a running digest the caller frees, or NULL when out of memory. */
struct digest *digest_new(void);

/** Frees *d and sets it to NULL; fit for OTAD_AUTO. */
void digest_free(struct digest **d);

/** Adds n bytes. A failure inside OpenSSL sticks and shows in digest_final(). */
void digest_update(struct digest *d, const void *data, size_t n);

/** Ends the digest and writes both sums; either output may be NULL.
 *  @return OTAD_E_OK or OTAD_E_INTERNAL. The digest can only be freed afterwards. */
enum otad_err digest_final(struct digest *d, uint8_t md5[OTAD_MD5_LEN],
                           uint8_t sha256[OTAD_SHA256_LEN]) OTAD_MUSTCHECK;

/** SHA-256 of one buffer. @return OTAD_E_OK or OTAD_E_INTERNAL. */
enum otad_err digest_sha256(const void *data, size_t n,
                            uint8_t out[OTAD_SHA256_LEN]) OTAD_MUSTCHECK;

/** MD5 of one buffer. @return OTAD_E_OK or OTAD_E_INTERNAL. */
enum otad_err digest_md5(const void *data, size_t n, uint8_t out[OTAD_MD5_LEN]) OTAD_MUSTCHECK;

/** PBKDF2 (RFC 8018) with HMAC-SHA-256. @return OTAD_E_OK or OTAD_E_INTERNAL. */
enum otad_err digest_pbkdf2(const char *password, const char *salt, int iterations,
                            uint8_t out[OTAD_SHA256_LEN]) OTAD_MUSTCHECK;

/** HKDF (RFC 5869) with SHA-256: a key for one purpose, of a secret.
 *  @return OTAD_E_OK or OTAD_E_INTERNAL */
enum otad_err digest_hkdf(const uint8_t *secret, size_t n, const char *purpose,
                          uint8_t out[OTAD_SHA256_LEN]) OTAD_MUSTCHECK;

/** Compares n bytes in constant time. */
bool digest_equal(const void *a, const void *b, size_t n);

/** Fills buf with random bytes from the kernel. @return OTAD_E_OK or OTAD_E_INTERNAL. */
enum otad_err random_bytes(void *buf, size_t n) OTAD_MUSTCHECK;

#endif
