/* SPDX-License-Identifier: MIT
 * Owns the check of signatures, by mbedTLS. In a file of its own, so that who takes unsigned images
 * links no elliptic curves. */
#include <string.h>

#include "mbedtls/base64.h"
#include "mbedtls/pk.h"
#include "otad_client_esp_idf.h"

enum { KEY_TEXT = 124, KEY_DER = 91 };

/* What the DER of every P-256 key begins with, up to the byte 4 of an uncompressed point. */
static const char key_head[] = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";

static const char *skip_spaces(const char *text)
{
    return text + strspn(text, " ");
}

static const char *next_key(const char *text)
{
    return skip_spaces(text + strcspn(text, " "));
}

/* *key must be freed in any case. @return false when the text doesn't begin with a key */
static bool read_key(const char *text, mbedtls_pk_context *key)
{
    unsigned char der[KEY_DER + 2]; /* a decoder may count the padding too */
    size_t n;
    mbedtls_pk_init(key);
    return strcspn(text, " ") == KEY_TEXT && strncmp(text, key_head, sizeof key_head - 1) == 0 &&
           mbedtls_base64_decode(der, sizeof der, &n, (const unsigned char *)text, KEY_TEXT) == 0 &&
           n == KEY_DER && mbedtls_pk_parse_public_key(key, der, n) == 0;
}

static bool is_by(const char *text, const uint8_t digest[32], const uint8_t *signature, size_t n)
{
    mbedtls_pk_context key;
    bool ok = read_key(text, &key) &&
              mbedtls_pk_verify(&key, MBEDTLS_MD_SHA256, digest, 32, signature, n) == 0;
    mbedtls_pk_free(&key);
    return ok;
}

static int verify(void *ctx, const void *keys, const uint8_t digest[32], const uint8_t *signature,
                  size_t n)
{
    (void)ctx;
    for (const char *key = skip_spaces(keys); *key != '\0'; key = next_key(key))
        if (is_by(key, digest, signature, n))
            return OTAC_OK;
    return OTAC_E_SIGNATURE;
}

int otac_esp_idf_sign_keys(struct otac_port *port, struct otac_config *config, const char *keys)
{
    const char *key = skip_spaces(keys);
    bool ok = *key != '\0';
    for (; ok && *key != '\0'; key = next_key(key)) {
        mbedtls_pk_context pk;
        ok = read_key(key, &pk);
        mbedtls_pk_free(&pk);
    }
    if (!ok)
        return OTAC_E_CONFIG;
    port->verify = verify;
    config->signing = &otac_signing;
    config->sign_keys = keys;
    return OTAC_OK;
}
