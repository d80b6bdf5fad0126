/* SPDX-License-Identifier: MIT
 * Owns the check of signatures on the ESP8266, by BearSSL. In a file of its own, so that who takes
 * unsigned images links no elliptic curves. */
#if defined(ESP8266)

#include <Arduino.h>
#include <StackThunk.h>
#include <bearssl/bearssl_ec.h>
#include <libb64/cdecode.h>
#include <string.h>

#include "otad_client_esp8266.h"

/* What the base64 of every P-256 key begins with, up to the byte 4 of an uncompressed point; its
 * two coordinates follow. */
static const char key_head[] = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";
static const int key_text = 124, head_text = sizeof key_head - 1, coordinates = 64;

/* BearSSL needs more stack than a sketch has: it runs on the one that the core lends for it, as TLS
 * does. */
extern "C" {
uint32_t otac_esp8266_ecdsa(const br_ec_public_key *key, const void *digest, const void *signature,
                            size_t n)
{
    return br_ecdsa_i15_vrfy_asn1(&br_ec_p256_m15, digest, 32, key, signature, n);
}
make_stack_thunk(otac_esp8266_ecdsa);
uint32_t thunk_otac_esp8266_ecdsa(const br_ec_public_key *key, const void *digest,
                                  const void *signature, size_t n);
}

static const char *skip_spaces(const char *text)
{
    return text + strspn(text, " ");
}

static const char *next_key(const char *text)
{
    return skip_spaces(text + strcspn(text, " "));
}

/* point: 4, two coordinates, and room for what the decoder writes behind them.
 * @return false when the text doesn't begin with a key */
static bool read_key(const char *text, unsigned char point[1 + coordinates + 3])
{
    if (strcspn(text, " ") != key_text || strncmp(text, key_head, head_text) != 0)
        return false;
    point[0] = 4;
    return base64_decode_chars(text + head_text, key_text - head_text,
                               reinterpret_cast<char *>(point + 1)) == coordinates;
}

static bool is_by(const char *text, const uint8_t *digest, const uint8_t *signature, size_t n)
{
    unsigned char point[1 + coordinates + 3];
    if (!read_key(text, point))
        return false;
    br_ec_public_key key;
    key.curve = BR_EC_secp256r1;
    key.q = point;
    key.qlen = 1 + coordinates;
    stack_thunk_add_ref();
    const bool ok = thunk_otac_esp8266_ecdsa(&key, digest, signature, n) == 1;
    stack_thunk_del_ref();
    return ok;
}

static int verify(void *ctx, const void *keys, const uint8_t digest[32], const uint8_t *signature,
                  size_t n)
{
    (void)ctx;
    const char *key = skip_spaces(static_cast<const char *>(keys));
    for (; *key != '\0'; key = next_key(key))
        if (is_by(key, digest, signature, n))
            return OTAC_OK;
    return OTAC_E_SIGNATURE;
}

int otac_esp8266_sign_keys(struct otac_port *port, struct otac_config *config, const char *keys)
{
    unsigned char point[1 + coordinates + 3];
    const char *key = skip_spaces(keys);
    bool ok = *key != '\0';
    for (; ok && *key != '\0'; key = next_key(key))
        ok = read_key(key, point);
    if (!ok)
        return OTAC_E_CONFIG;
    port->verify = verify;
    config->signing = &otac_signing;
    config->sign_keys = keys;
    return OTAC_OK;
}

#endif
