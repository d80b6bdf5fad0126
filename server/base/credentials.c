/* SPDX-License-Identifier: MIT
 * Owns the reading of Authorization headers. */
#include "base/credentials.h"

#include <string.h>
#include <strings.h>

#include "base/base64.h"

bool credentials_secret(const char *header, char out[CREDENTIALS_MAX])
{
    if (strncasecmp(header, "Bearer ", 7) == 0) {
        size_t n = strlen(header + 7);
        if (n >= CREDENTIALS_MAX)
            return false;
        memcpy(out, header + 7, n + 1);
        return true;
    }
    size_t n;
    uint8_t pair[CREDENTIALS_MAX];
    if (strncasecmp(header, "Basic ", 6) != 0 ||
        !base64_decode(header + 6, pair, sizeof pair - 1, &n))
        return false;
    pair[n] = '\0';
    const char *colon = strchr((const char *)pair, ':');
    if (colon == NULL)
        return false;
    memcpy(out, colon + 1, strlen(colon + 1) + 1);
    return true;
}
