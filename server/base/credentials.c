/* SPDX-License-Identifier: MIT
 * Owns the reading of Authorization and Cookie headers. */
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

bool credentials_cookie(const char *header, const char *name, char out[CREDENTIALS_MAX])
{
    size_t name_n = strlen(name);
    while (*header != '\0') {
        header += strspn(header, "; \t");
        size_t n = strcspn(header, ";");
        if (n > name_n && header[name_n] == '=' && memcmp(header, name, name_n) == 0) {
            const char *value = header + name_n + 1;
            size_t value_n = n - name_n - 1;
            while (value_n > 0 && (value[value_n - 1] == ' ' || value[value_n - 1] == '\t'))
                value_n--;
            if (value_n == 0 || value_n >= CREDENTIALS_MAX)
                return false;
            memcpy(out, value, value_n);
            out[value_n] = '\0';
            return true;
        }
        header += n;
    }
    return false;
}
