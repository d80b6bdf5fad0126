/* SPDX-License-Identifier: MIT
 * Owns the making and checking of URL tokens. */
#include "fleet/token.h"

#include <stddef.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/digest.h"

#define MAC_BYTES 18
#define RAW_BYTES (4 + MAC_BYTES)

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

enum otad_err token_key(const uint8_t secret[SECRET_LEN], uint8_t out[TOKEN_KEY_LEN])
{
    return digest_hkdf(secret, SECRET_LEN, "url", out);
}

static uint8_t *put_be(uint8_t *to, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
    return to + bytes;
}

/* Six bits a character; the last one carries two and four spare zeros. */
static void encode(const uint8_t raw[RAW_BYTES], char out[TOKEN_LEN + 1])
{
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < RAW_BYTES; i++) {
        bits = bits << 8 | raw[i];
        for (have += 8; have >= 6; have -= 6)
            *out++ = alphabet[bits >> (have - 6) & 63];
    }
    *out++ = alphabet[bits << (6 - have) & 63];
    *out = '\0';
}

static bool decode_expiry(const char *text, uint32_t *expiry_s)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < 6; i++) {
        const char *at = memchr(alphabet, text[i], 64);
        if (at == NULL)
            return false;
        bits = bits << 6 | (uint64_t)(at - alphabet);
    }
    *expiry_s = (uint32_t)(bits >> 4);
    return true;
}

enum otad_err token_make(const uint8_t key[TOKEN_KEY_LEN], uint64_t id, int32_t n,
                         uint32_t expiry_s, char out[TOKEN_LEN + 1])
{
    static const char label[] = "otad-url-1";
    uint8_t message[sizeof label - 1 + 16], mac[EVP_MAX_MD_SIZE], raw[RAW_BYTES];
    unsigned mac_n = sizeof mac;
    memcpy(message, label, sizeof label - 1);
    uint8_t *p = put_be(message + sizeof label - 1, id, 8);
    p = put_be(p, (uint32_t)n, 4);
    (void)put_be(p, expiry_s, 4);
    if (HMAC(EVP_sha256(), key, TOKEN_KEY_LEN, message, sizeof message, mac, &mac_n) == NULL)
        return OTAD_E_INTERNAL;
    memcpy(put_be(raw, expiry_s, 4), mac, MAC_BYTES);
    encode(raw, out);
    return OTAD_E_OK;
}

bool token_check(const uint8_t key[TOKEN_KEY_LEN], uint64_t id, int32_t n, const char *text,
                 int64_t now_s)
{
    char want[TOKEN_LEN + 1];
    uint32_t expiry_s;
    if (strlen(text) != TOKEN_LEN || !decode_expiry(text, &expiry_s) ||
        token_make(key, id, n, expiry_s, want) != OTAD_E_OK)
        return false;
    /* Comparing texts, not bytes, refuses other spellings too. */
    bool same = digest_equal(want, text, TOKEN_LEN);
    return same && now_s < (int64_t)expiry_s;
}
