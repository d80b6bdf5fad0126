/* SPDX-License-Identifier: MIT
 * Owns base64 text. */
#include "base/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const uint8_t *data, size_t n, char *out)
{
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t bits = (uint32_t)data[i] << 16;
        if (left > 1)
            bits |= (uint32_t)data[i + 1] << 8;
        if (left > 2)
            bits |= data[i + 2];
        *out++ = alphabet[bits >> 18];
        *out++ = alphabet[bits >> 12 & 63];
        *out++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
        *out++ = left > 2 ? alphabet[bits & 63] : '=';
    }
    *out = '\0';
}

bool base64_decode(const char *text, uint8_t *out, size_t room, size_t *out_n)
{
    size_t len = strlen(text), n = 0;
    while (len > 0 && text[len - 1] == '=')
        len--;
    if (len % 4 == 1 || strlen(text) - len > 2)
        return false;
    uint32_t bits = 0;
    for (size_t i = 0; i < len; i++) {
        const char *at = memchr(alphabet, text[i], 64);
        if (at == NULL)
            return false;
        bits = bits << 6 | (uint32_t)(at - alphabet);
        if (i % 4 == 0)
            continue;
        if (n == room)
            return false;
        out[n++] = (uint8_t)(bits >> (6 - i % 4 * 2));
    }
    *out_n = n;
    return true;
}
