/* SPDX-License-Identifier: MIT
 * Owns the wording of espota's datagrams. */
#include "push/espota.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/hex.h"

#define ITERATIONS 10000 /* of PBKDF2, as ArduinoOTA has it */
#define CNONCE_TEXT                                                                                \
    512 /* bytes of what the client's nonce is hashed from; a longer name is cut                   \
         */
#define SHA256_HEX (2 * OTAD_SHA256_LEN + 1)

/* ---- replies ------------------------------------------------------------------------------ */

void espota_printable(const void *data, size_t n, char *out, size_t room)
{
    const unsigned char *bytes = data;
    while (n > 0 && (isspace(bytes[n - 1]) || bytes[n - 1] == '\0'))
        n--;
    if (n > room - 1)
        n = room - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '?';
    out[n] = '\0';
}

static bool is_hex(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (hex_digit(text[i]) < 0)
            return false;
    return true;
}

/* The bytes behind a word the datagram begins with, or NULL. */
static const char *behind(const char *text, const char *word)
{
    size_t n = strlen(word);
    return strncmp(text, word, n) == 0 ? text + n : NULL;
}

void espota_read(const void *data, size_t n, struct espota_reply *out)
{
    char text[ESPOTA_TEXT_MAX];
    *out = (struct espota_reply){.word = ESPOTA_UNKNOWN};
    espota_printable(data, n, text, sizeof text);
    const char *nonce = behind(text, "AUTH "), *error = behind(text, "ERR:");
    size_t length = nonce != NULL ? strlen(nonce) : 0;
    if (strcmp(text, "OK") == 0) {
        out->word = ESPOTA_OK;
    } else if ((length == 32 || length == ESPOTA_NONCE_MAX) && is_hex(nonce, length)) {
        out->word = ESPOTA_CHALLENGE;
        memcpy(out->nonce, nonce, length + 1);
    } else if (behind(text, "Authentication Failed") != NULL) {
        out->word = ESPOTA_AUTH_FAILED;
    } else if (error != NULL) {
        out->word = ESPOTA_ERROR;
        (void)snprintf(out->text, sizeof out->text, "%s", error + strspn(error, " "));
    } else {
        memcpy(out->text, text, sizeof text);
    }
}

/* ---- invitation --------------------------------------------------------------------------- */

size_t espota_invite(const struct espota_offer *offer, char out[ESPOTA_DATAGRAM_MAX])
{
    return (size_t)snprintf(out, ESPOTA_DATAGRAM_MAX, "%d %u %zu %s\n", offer->fs ? 100 : 0,
                            (unsigned)offer->port, offer->size_bytes, offer->md5);
}

/* ---- answers to a challenge --------------------------------------------------------------- */

static bool md5_hex(const char *text, char out[SHA256_HEX])
{
    uint8_t sum[OTAD_MD5_LEN];
    bool ok = digest_md5(text, strlen(text), sum) == OTAD_E_OK;
    hex_encode(sum, ok ? sizeof sum : 0, out);
    return ok;
}

static bool sha256_hex(const char *text, char out[SHA256_HEX])
{
    uint8_t sum[OTAD_SHA256_LEN];
    bool ok = digest_sha256(text, strlen(text), sum) == OTAD_E_OK;
    hex_encode(sum, ok ? sizeof sum : 0, out);
    return ok;
}

/* Cores that challenge with 32 digits: everything is MD5. */
static bool respond_md5(const char *nonce, const char *password, const char *made_of,
                        char cnonce[SHA256_HEX], char response[SHA256_HEX])
{
    char hash[SHA256_HEX], text[4 * SHA256_HEX];
    if (!md5_hex(made_of, cnonce) || !md5_hex(password, hash))
        return false;
    (void)snprintf(text, sizeof text, "%s:%s:%s", hash, nonce, cnonce);
    return md5_hex(text, response);
}

/* Those that challenge with 64: SHA-256, and PBKDF2 between. */
static bool respond_sha256(bool of_md5, const char *nonce, const char *password,
                           const char *made_of, char cnonce[SHA256_HEX], char response[SHA256_HEX])
{
    char hash[SHA256_HEX], key[SHA256_HEX], text[4 * SHA256_HEX];
    uint8_t derived[OTAD_SHA256_LEN];
    if (!sha256_hex(made_of, cnonce) ||
        !(of_md5 ? md5_hex(password, hash) : sha256_hex(password, hash)))
        return false;
    (void)snprintf(text, sizeof text, "%s:%s", nonce, cnonce);
    if (digest_pbkdf2(hash, text, ITERATIONS, derived) != OTAD_E_OK)
        return false;
    hex_encode(derived, sizeof derived, key);
    (void)snprintf(text, sizeof text, "%s:%s:%s", key, nonce, cnonce);
    return sha256_hex(text, response);
}

enum otad_err espota_answer(const struct espota_offer *offer, enum espota_hash hash,
                            const char *nonce, const char *password, const char *filename,
                            const char *address, char out[ESPOTA_DATAGRAM_MAX], size_t *n)
{
    char made_of[CNONCE_TEXT], cnonce[SHA256_HEX], response[SHA256_HEX];
    (void)snprintf(made_of, sizeof made_of, "%.300s%zu%s%.64s", filename, offer->size_bytes,
                   offer->md5, address);
    bool ok = hash == ESPOTA_MD5 ? respond_md5(nonce, password, made_of, cnonce, response)
                                 : respond_sha256(hash == ESPOTA_SHA256_OF_MD5, nonce, password,
                                                  made_of, cnonce, response);
    if (!ok)
        return OTAD_E_INTERNAL;
    *n = (size_t)snprintf(out, ESPOTA_DATAGRAM_MAX, "200 %s %s\n", cnonce, response);
    return OTAD_E_OK;
}
