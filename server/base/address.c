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

bool address_ports(const char *text, uint16_t *first, uint16_t *last)
{
    char *end;
    if (text[0] == '\0') {
        *first = *last = 0;
        return true;
    }
    unsigned long low = isdigit((unsigned char)text[0]) ? strtoul(text, &end, 10) : 0, high = low;
    if (low == 0)
        return false;
    if (*end == '-' && isdigit((unsigned char)end[1]))
        high = strtoul(end + 1, &end, 10);
    if (*end != '\0' || high < low || high > UINT16_MAX)
        return false;
    *first = (uint16_t)low;
    *last = (uint16_t)high;
    return true;
}

bool address_is_ports(const char *text)
{
    uint16_t first, last;
    return address_ports(text, &first, &last);
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
        if (*p <= ' ' || *p > '~' || strchr("\"'\\<>?#@", *p) != NULL)
            return false;
    const char *port = text + scheme + strcspn(text + scheme, "/:[");
    if (*port == '[')
        port += strcspn(port, "]") + (strchr(port, ']') != NULL);
    return *port != ':' ||
           (port[1] >= '0' && port[1] <= '9' && strtol(port + 1, NULL, 10) <= 65535);
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
