/* SPDX-License-Identifier: MIT
 * Tokens of /static/fw_{id}_{n}.bin?token=…: stateless, so whoever holds the secret can verify.
 * OpenSSL stays behind this header. */
#ifndef OTAD_FLEET_TOKEN_H
#define OTAD_FLEET_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "fleet/secret.h"

#define TOKEN_LEN 30
#define TOKEN_KEY_LEN 32

/** The key tokens are made with: HKDF-SHA256(secret, info "url"). @return OTAD_E_INTERNAL on
 *  failure inside OpenSSL */
enum otad_err token_key(const uint8_t secret[SECRET_LEN],
                        uint8_t out[TOKEN_KEY_LEN]) OTAD_MUSTCHECK;

/** Makes the token that opens build `id` for device number `n` (0 = any) until expiry_s.
 *  Wire: unpadded base64url of expiry u32 BE, then the first 18 bytes of
 *  HMAC-SHA256(key, "otad-url-1", id u64 BE, n i32 BE, expiry u32 BE).
 *  @param out  30 characters and a NUL  @return OTAD_E_OK, OTAD_E_INTERNAL */
enum otad_err token_make(const uint8_t key[TOKEN_KEY_LEN], uint64_t id, int32_t n,
                         uint32_t expiry_s, char out[TOKEN_LEN + 1]) OTAD_MUSTCHECK;

/** Whether `text` is the token of that build and device number and hasn't expired at now_s. Takes
 *  the same time for every wrong token of the right length; another spelling of the same bits
 *  (four of them are spare) is refused. */
bool token_check(const uint8_t key[TOKEN_KEY_LEN], uint64_t id, int32_t n, const char *text,
                 int64_t now_s);

#endif
