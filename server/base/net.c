/* SPDX-License-Identifier: MIT
 * Owns reading, comparing and showing internet addresses. */
#include "base/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define V4_BITS 96 /* of ::ffff:0:0/96, before the address itself */

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

static void set_v4(const void *four, struct net_addr *out)
{
    memcpy(out->bytes, v4_prefix, sizeof v4_prefix);
    memcpy(out->bytes + sizeof v4_prefix, four, 4);
}

static bool is_v4(const struct net_addr *addr)
{
    return memcmp(addr->bytes, v4_prefix, sizeof v4_prefix) == 0;
}

bool net_addr_parse(const char *text, struct net_addr *out)
{
    struct in_addr in;
    struct in6_addr in6;
    if (inet_pton(AF_INET, text, &in) == 1) {
        set_v4(&in, out);
        return true;
    }
    if (inet_pton(AF_INET6, text, &in6) != 1)
        return false;
    memcpy(out->bytes, &in6, sizeof out->bytes);
    return true;
}

bool net_addr_of(const struct sockaddr *addr, struct net_addr *out)
{
    if (addr->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, addr, sizeof in);
        set_v4(&in.sin_addr, out);
        return true;
    }
    if (addr->sa_family != AF_INET6)
        return false;
    struct sockaddr_in6 in6;
    memcpy(&in6, addr, sizeof in6);
    memcpy(out->bytes, &in6.sin6_addr, sizeof out->bytes);
    return true;
}

void net_addr_text(const struct net_addr *addr, char out[NET_TEXT_MAX])
{
    if (is_v4(addr))
        (void)inet_ntop(AF_INET, addr->bytes + sizeof v4_prefix, out, NET_TEXT_MAX);
    else
        (void)inet_ntop(AF_INET6, addr->bytes, out, NET_TEXT_MAX);
}

bool net_parse(const char *text, struct net *out)
{
    char host[NET_TEXT_MAX];
    struct net net = {.bits = 128};
    size_t n = strcspn(text, "/");
    if (n >= sizeof host)
        return false;
    memcpy(host, text, n);
    host[n] = '\0';
    if (!net_addr_parse(host, &net.first))
        return false;
    if (text[n] == '/') {
        const char *bits = text + n + 1;
        size_t digits = strspn(bits, "0123456789");
        unsigned most = strchr(host, ':') == NULL ? 32 : 128;
        if (digits == 0 || digits > 3 || bits[digits] != '\0' || strtoul(bits, NULL, 10) > most)
            return false;
        net.bits = (unsigned)strtoul(bits, NULL, 10) + 128 - most;
    }
    *out = net;
    return true;
}

bool net_is_net(const char *text)
{
    struct net net;
    return net_parse(text, &net);
}

bool net_has(const struct net *net, const struct net_addr *addr)
{
    size_t whole = net->bits / 8;
    unsigned rest = net->bits % 8;
    if (is_v4(addr) && net->bits < V4_BITS)
        return false;
    if (memcmp(net->first.bytes, addr->bytes, whole) != 0)
        return false;
    return rest == 0 || (net->first.bytes[whole] ^ addr->bytes[whole]) >> (8 - rest) == 0;
}

bool net_list_has(const struct net_list *list, const struct net_addr *addr)
{
    for (size_t i = 0; i < list->n; i++)
        if (net_has(&list->items[i], addr))
            return true;
    return false;
}
