/* SPDX-License-Identifier: MIT
 * Owns reading what people type to say where the server is and who the device is. */
#include "internal.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Up to five digits, 1 to 65535. */
static bool parse_port(const char *text, size_t n, uint16_t *out)
{
    uint32_t value = 0;
    if (n == 0 || n > 5)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    if (value == 0 || value > UINT16_MAX)
        return false;
    *out = (uint16_t)value;
    return true;
}

/* @return what follows the scheme, or NULL */
static const char *skip_scheme(const char *url, bool *tls)
{
    static const char plain[] = "http://", secure[] = "https://";
    *tls = strncasecmp(url, secure, sizeof secure - 1) == 0;
    if (*tls)
        return url + sizeof secure - 1;
    return strncasecmp(url, plain, sizeof plain - 1) == 0 ? url + sizeof plain - 1 : NULL;
}

bool otac_posix_parse_server(const char *url, char host[OTAC_POSIX_HOST_MAX + 1], uint16_t *port,
                             bool *tls)
{
    bool secure;
    const char *start = skip_scheme(url, &secure);
    if (start == NULL)
        return false;
    bool bracket = *start == '[';
    if (bracket)
        start++;
    size_t host_n = strcspn(start, bracket ? "]" : ":/");
    const char *rest = start + host_n;
    if (host_n == 0 || host_n > OTAC_POSIX_HOST_MAX || (bracket && *rest++ != ']'))
        return false;
    uint16_t number = secure ? 443 : 80;
    if (*rest == ':') {
        size_t n = strcspn(++rest, "/");
        if (!parse_port(rest, n, &number))
            return false;
        rest += n;
    }
    if (*rest != '\0' && strcmp(rest, "/") != 0)
        return false;
    memcpy(host, start, host_n);
    host[host_n] = '\0';
    *port = number;
    *tls = secure;
    return true;
}

bool otac_posix_parse_mac(const char *text, char out[OTAC_POSIX_MAC_TEXT])
{
    char mac[OTAC_POSIX_MAC_TEXT];
    size_t digits = 0, at = 0;
    for (; *text != '\0'; text++) {
        if (strchr(":-.", *text) != NULL)
            continue;
        if (!isxdigit((unsigned char)*text) || digits == 12)
            return false;
        if (digits > 0 && digits % 2 == 0)
            mac[at++] = ':';
        mac[at++] = (char)toupper((unsigned char)*text);
        digits++;
    }
    if (digits != 12)
        return false;
    mac[at] = '\0';
    memcpy(out, mac, sizeof mac);
    return true;
}
