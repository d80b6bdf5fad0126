/* SPDX-License-Identifier: MIT
 * Internet addresses and networks of them, IPv4 and IPv6 alike. */
#ifndef OTAD_BASE_NET_H
#define OTAD_BASE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/options.h"

#define NET_TEXT_MAX 46 /* bytes of an address as text, NUL included (INET6_ADDRSTRLEN) */

/** An address in network byte order; IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2), so that both
 *  spellings of one are equal. */
struct net_addr {
    uint8_t bytes[16];
};

/** The addresses that share the first `bits` (0 to 128) bits with `first`. */
struct net {
    struct net_addr first;
    unsigned bits;
};

/** As many as an option may hold. */
struct net_list {
    struct net items[OPTION_LIST_MAX];
    size_t n;
};

/** Reads "192.0.2.1" or "2001:db8::1": no brackets, port, zone or blanks.
 *  @return false, *out unchanged, on anything else */
bool net_addr_parse(const char *text, struct net_addr *out);

/** The address of a socket. @return false, *out unchanged, for families other than IP */
bool net_addr_of(const struct sockaddr *addr, struct net_addr *out);

/** Writes the address, IPv4 in its usual form. */
void net_addr_text(const struct net_addr *addr, char out[NET_TEXT_MAX]);

/** Reads an address, which is a network of one, or "ADDR/BITS"; bits of ADDR behind the first BITS
 *  don't count. @return false, *out unchanged, on anything else */
bool net_parse(const char *text, struct net *out);

/** Whether net_parse() takes it. */
bool net_is_net(const char *text);

/** Whether the network holds the address. An IPv6 network, however wide, holds no IPv4 address. */
bool net_has(const struct net *net, const struct net_addr *addr);

/** Whether one of the networks does. */
bool net_list_has(const struct net_list *list, const struct net_addr *addr);

#endif
