/* SPDX-License-Identifier: MIT
 * Any bytes as base64: nothing is written beyond the room, and what is encoded reads back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void decode(const uint8_t *data, size_t n)
{
    char *text = malloc(n + 1);
    uint8_t *out = malloc(n + 1);
    if (text == NULL || out == NULL)
        abort();
    if (n > 0)
        memcpy(text, data, n);
    text[n] = '\0';
    for (size_t room = 0; room < 8; room++) {
        uint8_t *small = malloc(room + 1);
        size_t got = SIZE_MAX;
        if (small == NULL)
            abort();
        small[room] = 0x5a;
        bool ok = base64_decode(text, small, room, &got);
        if (small[room] != 0x5a || (ok ? got > room : got != SIZE_MAX))
            abort();
        free(small);
    }
    size_t got = 0;
    if (base64_decode(text, out, n + 1, &got) && got > strlen(text) / 4 * 3 + 2)
        abort();
    free(out);
    free(text);
}

static void there_and_back(const uint8_t *data, size_t n)
{
    char *text = malloc(BASE64_LEN(n) + 1);
    uint8_t *back = malloc(n + 1);
    size_t got = 0;
    if (text == NULL || back == NULL)
        abort();
    base64_encode(data, n, text);
    if (strlen(text) != BASE64_LEN(n) || !base64_decode(text, back, n, &got) || got != n ||
        memcmp(data, back, n) != 0)
        abort();
    free(back);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    decode(data, n);
    there_and_back(data, n);
    return 0;
}
