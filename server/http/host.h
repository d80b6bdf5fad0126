/* SPDX-License-Identifier: MIT
 * Under which names a browser may have come here. Pure. A page of a stranger's whose name was
 * suddenly made to point here (DNS rebinding) is of the same origin as we are, as far as its
 * browser knows; only the Host header tells that it isn't ours. */
#ifndef OTAD_HTTP_HOST_H
#define OTAD_HTTP_HOST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"

#define HOST_NAMES_MAX 16

/** Names without port, compared without case. {0} is empty. */
struct host_names {
    char items[HOST_NAMES_MAX][ADDRESS_HOST_MAX];
    size_t n;
};

/** Adds a name, unless it is none (address_is_host()), there already, or there is no room. */
void host_names_add(struct host_names *names, const char *name);

/** Adds the host of "http://HOST:PORT/…" (address_is_base_url()); an IP literal or "" adds none. */
void host_names_add_url(struct host_names *names, const char *url);

/** Adds what a machine is called: its name, the first label of it, that with ".local" (mDNS), and
 *  in full, as the two texts say.
 *  @param name         as gethostname() says
 *  @param hosts        /etc/hosts, "" if there is none
 *  @param resolv_conf  /etc/resolv.conf: its search domains; "" if there is none. DNS itself isn't
 *                      asked: an answer may take seconds, and would be a stranger's word. */
void host_names_add_own(struct host_names *names, const char *name, const char *hosts,
                        const char *resolv_conf);

/** Whether a Host header (with or without port) is what no stranger's name can be: an IP literal
 *  ("192.0.2.1", "[::1]"), "localhost" or a name below it, or empty. */
bool host_is_harmless(const char *header);

/** Whether a Host header names one of these, with any port or none; a dot at the end is allowed. */
bool host_is_one_of(const char *header, const struct host_names *names);

#endif
