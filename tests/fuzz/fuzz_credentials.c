/* SPDX-License-Identifier: MIT
 * Authorization and Cookie headers of strangers. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = malloc(n + 1), secret[CREDENTIALS_MAX];
    if (text == NULL)
        return 0;
    memcpy(text, data, n);
    text[n] = '\0';
    if (credentials_secret(text, secret) && strlen(secret) >= CREDENTIALS_MAX)
        abort();
    /* What is found stands in the header, behind its name. */
    if (credentials_cookie(text, "otad_session", secret)) {
        const char *at = strstr(text, secret);
        if (secret[0] == '\0' || at == NULL || strchr(secret, ';') != NULL)
            abort();
    }
    free(text);
    return 0;
}
