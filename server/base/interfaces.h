/* SPDX-License-Identifier: MIT
 * The addresses of this machine. */
#ifndef OTAD_BASE_INTERFACES_H
#define OTAD_BASE_INTERFACES_H

#include <stddef.h>

#include "base/net.h"

/** Writes the IPv4 addresses by which others on the network reach this machine: of interfaces that
 *  are up, loopback and link-local ones left out.
 *  @return how many, at most max; 0 also when the system doesn't tell */
size_t interfaces_ipv4(char (*out)[NET_TEXT_MAX], size_t max);

#endif
