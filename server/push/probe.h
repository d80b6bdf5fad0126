/* SPDX-License-Identifier: MIT
 * Looks whether a host that doesn't answer is there at all, by means that need no privileges. */
#ifndef OTAD_PUSH_PROBE_H
#define OTAD_PUSH_PROBE_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct probe {
    bool pinged;  /* it answered an echo request, or refused or took a TCP connection */
    bool near;    /* it is in a network of this machine's own: ARP speaks for it */
    uint64_t mac; /* that has the address there, 0 = none answered or not near */
};

/** Takes up to 1.5 s.  @param cancel  ends it early; NULL = never */
void probe_host(const struct in_addr *host, const atomic_bool *cancel, struct probe *out);

#endif
