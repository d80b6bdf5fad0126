/* SPDX-License-Identifier: MIT
 * What the kernel knows of a TCP connection. Private to http/. */
#ifndef OTAD_HTTP_SOCK_H
#define OTAD_HTTP_SOCK_H

#include <stdbool.h>
#include <stdint.h>

/** Positions count payload bytes of ours since the connection began. */
struct sock_state {
    uint64_t acked;   /* position up to which the peer's TCP has acknowledged */
    uint64_t written; /* position up to which the kernel has our bytes */
    bool closed;      /* nothing can be acknowledged any more */
    bool reset;       /* it ended by the peer's reset */
    uint32_t retransmits;
    uint32_t since_ack_ms; /* since the peer last acknowledged anything */
};

/** @return false, *out unchanged, for a socket that is no TCP, or on a kernel before 4.1 */
bool sock_look(int fd, struct sock_state *out);

#endif
