/* SPDX-License-Identifier: MIT
 * Owns the walk through the network interfaces. */
#include "base/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

static bool is_of_use(const struct ifaddrs *at, char text[NET_TEXT_MAX])
{
    struct net_addr addr;
    if (at->ifa_addr == NULL || at->ifa_addr->sa_family != AF_INET ||
        (at->ifa_flags & IFF_UP) == 0 || (at->ifa_flags & IFF_LOOPBACK) != 0 ||
        !net_addr_of(at->ifa_addr, &addr))
        return false;
    net_addr_text(&addr, text);
    return strncmp(text, "169.254.", 8) != 0;
}

size_t interfaces_ipv4(char (*out)[NET_TEXT_MAX], size_t max)
{
    struct ifaddrs *all;
    size_t n = 0;
    if (getifaddrs(&all) != 0)
        return 0;
    for (const struct ifaddrs *at = all; at != NULL && n < max; at = at->ifa_next)
        if (is_of_use(at, out[n]))
            n++;
    freeifaddrs(all);
    return n;
}
