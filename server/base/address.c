/* SPDX-License-Identifier: MIT
 * Owns the shapes of addresses. */
#include "base/address.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool address_split(const char *text, char host[ADDRESS_HOST_MAX], char port[ADDRESS_PORT_MAX])
{
    const char *colon = strrchr(text, ':');
    size_t digits = colon != NULL ? strspn(colon + 1, "0123456789") : 0;
    if (colon == NULL || digits == 0 || digits > 5 || colon[1 + digits] != '\0' ||
        strtol(colon + 1, NULL, 10) > 65535)
        return false;
    size_t n = (size_t)(colon - text);
    bool bracket = text[0] == '[';
    if (n >= ADDRESS_HOST_MAX || (bracket && (n < 3 || text[n - 1] != ']')))
        return false;
    if (!bracket && memchr(text, ':', n) != NULL)
        return false;
    (void)snprintf(host, ADDRESS_HOST_MAX, "%.*s", (int)(bracket ? n - 2 : n), text + bracket);
    (void)snprintf(port, ADDRESS_PORT_MAX, "%s", colon + 1);
    return true;
}

bool address_is_listen(const char *text)
{
    char host[ADDRESS_HOST_MAX], port[ADDRESS_PORT_MAX];
    return address_split(text, host, port);
}

bool address_is_base_url(const char *text)
{
    if (text[0] == '\0')
        return true;
    size_t scheme = strncmp(text, "http://", 7) == 0    ? 7
                    : strncmp(text, "https://", 8) == 0 ? 8
                                                        : 0;
    if (scheme == 0 || text[scheme] == '\0' || text[scheme] == '/')
        return false;
    for (const char *p = text; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~' || strchr("\"'\\<>?#", *p) != NULL)
            return false;
    return true;
}

bool address_is_host(const char *text)
{
    size_t n = strlen(text);
    if (n == 0 || n >= ADDRESS_HOST_MAX || text[n - 1] == '.')
        return false;
    for (size_t i = 0; i < n; i++) {
        bool dot_fits = text[i] == '.' && i > 0 && text[i - 1] != '.';
        if (!dot_fits && !isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '_')
            return false;
    }
    return true;
}
