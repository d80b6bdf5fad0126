/* SPDX-License-Identifier: MIT
 * The connection table: who is connected, since when in which phase, and the caps on both. */
#ifndef OTAD_HTTP_CONNS_H
#define OTAD_HTTP_CONNS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/net.h"

/** What a connection is doing; the sweep's deadlines hang on it. */
enum conn_phase {
    CONN_HEAD,   /* a request head is expected or arriving */
    CONN_BODY,   /* a request body is arriving */
    CONN_ANSWER, /* an answer is being worked out or sent */
    CONN_IDLE    /* between two requests */
};

/** One connection. Phase and since are written by its HTTP thread and read by the sweep. */
struct conn {
    struct conn *prev, *next; /* private to the table */
    uint64_t address_key;     /* IPv4 address, or the /64 of an IPv6 address */
    int fd;
    atomic_int phase;
    _Atomic int64_t since_ms; /* monotonic time of the phase's start */
    bool peer_left;           /* seen by the last sweep; the sweep's alone */
    void *request;            /* the one under way, or NULL; its HTTP thread's alone */
};

struct conn_limits {
    size_t max, per_address;
    int64_t header_timeout_ms, body_timeout_ms, idle_timeout_ms;
    struct net_list exempt; /* from per_address: proxies, behind which there are many clients */
};

/** Opaque, thread-safe. */
struct conns;

/** @return NULL when out of memory. */
struct conns *conns_new(const struct conn_limits *limits);
void conns_free(struct conns **conns);
void conns_set_limits(struct conns *conns, const struct conn_limits *limits);

/** Whether a new connection from addr may be accepted now. */
bool conns_may_accept(struct conns *conns, const struct sockaddr *addr);

/** Adds a connection; the table owns the result until conns_remove(). NULL when out of memory. */
struct conn *conns_add(struct conns *conns, int fd, const struct sockaddr *addr, int64_t now_ms);
void conns_remove(struct conns *conns, struct conn *conn);

void conn_set_phase(struct conn *conn, enum conn_phase phase, int64_t now_ms);

/** Shuts down the sockets whose phase has lasted too long, or whose client left in the middle of a
 *  request; MHD then closes them. */
void conns_sweep(struct conns *conns, int64_t now_ms);

/** Shuts down connections between two requests. @return how many others are left. */
size_t conns_close_idle(struct conns *conns);

size_t conns_count(struct conns *conns);

#endif
