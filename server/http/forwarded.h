/* SPDX-License-Identifier: MIT
 * What reverse proxies say about a request: X-Forwarded-For, X-Forwarded-Proto, and Forwarded
 * (RFC 7239). Pure. Only for requests whose TCP peer is a trusted proxy: anybody else may write
 * what they like there. */
#ifndef OTAD_HTTP_FORWARDED_H
#define OTAD_HTTP_FORWARDED_H

#include <stdbool.h>

#include "base/net.h"

enum forwarded_scheme { FORWARDED_NO_SCHEME, FORWARDED_HTTP, FORWARDED_HTTPS };

/** The outcome of a chain. {0} is the empty chain. Each proxy adds an element at the right, so
 *  the chain counts from there: trusted proxies are passed over, the first other address is the
 *  client, and nothing to the left of it is believed. Whatever is no address (garbage, "unknown",
 *  "_hidden") ends the chain too; the client is then the last address before it. If all are
 *  trusted, the leftmost is the client. */
struct forwarded {
    bool has_client; /* else there is no address at the chain's right end: the peer is the client */
    struct net_addr client;
    enum forwarded_scheme scheme; /* how the client came, where an element that counts says so */
};

/** Continues *f by one X-Forwarded-For line: addresses with commas between, IPv6 with or without
 *  brackets, ports allowed. Lines of one name are one list: give them in their order. */
void forwarded_add_for(struct forwarded *f, const char *line, const struct net_list *trusted);

/** Continues *f by one Forwarded line. */
void forwarded_add(struct forwarded *f, const char *line, const struct net_list *trusted);

/** The last element of an X-Forwarded-Proto line, the one the trusted peer wrote: "http" or
 *  "https" in any case, else FORWARDED_NO_SCHEME. */
enum forwarded_scheme forwarded_proto(const char *line);

#endif
