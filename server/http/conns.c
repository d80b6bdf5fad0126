/* SPDX-License-Identifier: MIT
 * Owns the table of open connections. */
#include "http/conns.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096      /* of addresses; chains stay short at any allowed number of connections */
#define RESERVE_PCT 5     /* of the connections, kept for addresses that hold few */
#define FEW_CONNECTIONS 4 /* what "few" is: a person with curl or a browser */

struct address {
    uint64_t key;
    size_t n;
    struct address *next;
};

struct conns {
    pthread_mutex_t lock;
    struct conn_limits limits;
    struct conn head; /* of a ring */
    size_t n;
    struct address *buckets[BUCKETS];
};

struct conns *conns_new(const struct conn_limits *limits)
{
    struct conns *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    (void)pthread_mutex_init(&c->lock, NULL);
    c->limits = *limits;
    c->head.next = c->head.prev = &c->head;
    return c;
}

void conns_free(struct conns **conns)
{
    struct conns *c = *conns;
    if (c == NULL)
        return;
    for (struct conn *next, *at = c->head.next; at != &c->head; at = next) {
        next = at->next;
        free(at);
    }
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct address *next, *a = c->buckets[i]; a != NULL; a = next) {
            next = a->next;
            free(a);
        }
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
    *conns = NULL;
}

void conns_set_limits(struct conns *c, const struct conn_limits *limits)
{
    (void)pthread_mutex_lock(&c->lock);
    c->limits = *limits;
    (void)pthread_mutex_unlock(&c->lock);
}

static uint64_t address_key(const struct sockaddr *addr)
{
    uint64_t key = 0;
    if (addr->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, addr, sizeof in6);
        if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
            memcpy(&key, &in6.sin6_addr.s6_addr[12], 4);
        else
            memcpy(&key, &in6.sin6_addr, 8);
    } else if (addr->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, addr, sizeof in);
        memcpy(&key, &in.sin_addr, 4);
    }
    return key;
}

/* The place that points to the address's entry, or to the NULL where it belongs. */
static struct address **find_address(struct conns *c, uint64_t key)
{
    struct address **at = &c->buckets[(key * 0x9E3779B97F4A7C15ULL >> 40) % BUCKETS];
    while (*at != NULL && (*at)->key != key)
        at = &(*at)->next;
    return at;
}

static bool is_exempt(const struct net_list *exempt, const struct sockaddr *addr)
{
    struct net_addr ip;
    return exempt->n > 0 && net_addr_of(addr, &ip) && net_list_has(exempt, &ip);
}

bool conns_may_accept(struct conns *c, const struct sockaddr *addr)
{
    (void)pthread_mutex_lock(&c->lock);
    struct address *a = *find_address(c, address_key(addr));
    size_t of_address = a != NULL ? a->n : 0;
    size_t reserve = c->limits.max * RESERVE_PCT / 100;
    size_t room = of_address < FEW_CONNECTIONS ? c->limits.max : c->limits.max - reserve;
    bool ok =
        c->n < room && (of_address < c->limits.per_address || is_exempt(&c->limits.exempt, addr));
    (void)pthread_mutex_unlock(&c->lock);
    return ok;
}

struct conn *conns_add(struct conns *c, int fd, const struct sockaddr *addr, int64_t now_ms)
{
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL)
        return NULL;
    conn->fd = fd;
    conn->address_key = address_key(addr);
    conn_set_phase(conn, CONN_HEAD, now_ms);
    (void)pthread_mutex_lock(&c->lock);
    struct address **at = find_address(c, conn->address_key);
    if (*at == NULL)
        *at = calloc(1, sizeof **at);
    if (*at == NULL) {
        (void)pthread_mutex_unlock(&c->lock);
        free(conn);
        return NULL;
    }
    (*at)->key = conn->address_key;
    (*at)->n++;
    conn->next = &c->head;
    conn->prev = c->head.prev;
    conn->prev->next = conn->next->prev = conn;
    c->n++;
    (void)pthread_mutex_unlock(&c->lock);
    return conn;
}

void conns_remove(struct conns *c, struct conn *conn)
{
    (void)pthread_mutex_lock(&c->lock);
    struct address **at = find_address(c, conn->address_key);
    if (*at != NULL && --(*at)->n == 0) {
        struct address *gone = *at;
        *at = gone->next;
        free(gone);
    }
    conn->prev->next = conn->next;
    conn->next->prev = conn->prev;
    c->n--;
    (void)pthread_mutex_unlock(&c->lock);
    free(conn);
}

void conn_set_phase(struct conn *conn, enum conn_phase phase, int64_t now_ms)
{
    atomic_store_explicit(&conn->since_ms, now_ms, memory_order_relaxed);
    atomic_store_explicit(&conn->phase, (int)phase, memory_order_relaxed);
}

static int64_t deadline(const struct conn_limits *limits, enum conn_phase phase)
{
    switch (phase) {
    case CONN_HEAD:
        return limits->header_timeout_ms;
    case CONN_BODY:
        return limits->body_timeout_ms;
    case CONN_IDLE: /* MHD ends silence; this ends a head that dribbles in after a pause */
        return limits->idle_timeout_ms + limits->header_timeout_ms;
    case CONN_ANSWER: /* MHD's idle time-out watches: a slow reader may take as long as it needs */
        break;
    }
    return INT64_MAX;
}

/* Whether the client closed before its request was complete. MHD 0.9.75 doesn't notice when the
 * FIN arrives together with the last bytes: it waits for another edge of epoll. Two sweeps must see
 * it, because a client that has sent all and closes its half still waits for the answer. */
static bool peer_left(struct conn *conn, enum conn_phase phase)
{
    char byte;
    bool before = conn->peer_left;
    conn->peer_left = (phase == CONN_HEAD || phase == CONN_BODY) &&
                      recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
    return before && conn->peer_left;
}

void conns_sweep(struct conns *c, int64_t now_ms)
{
    (void)pthread_mutex_lock(&c->lock);
    for (struct conn *at = c->head.next; at != &c->head; at = at->next) {
        enum conn_phase phase =
            (enum conn_phase)atomic_load_explicit(&at->phase, memory_order_relaxed);
        int64_t age = now_ms - atomic_load_explicit(&at->since_ms, memory_order_relaxed);
        if (age > deadline(&c->limits, phase) || peer_left(at, phase))
            (void)shutdown(at->fd, SHUT_RDWR); /* may be gone already: then there's nothing to do */
    }
    (void)pthread_mutex_unlock(&c->lock);
}

size_t conns_close_idle(struct conns *c)
{
    size_t busy = 0;
    (void)pthread_mutex_lock(&c->lock);
    for (struct conn *at = c->head.next; at != &c->head; at = at->next) {
        int phase = atomic_load_explicit(&at->phase, memory_order_relaxed);
        if (phase == CONN_IDLE || phase == CONN_HEAD)
            (void)shutdown(at->fd, SHUT_RDWR);
        else
            busy++;
    }
    (void)pthread_mutex_unlock(&c->lock);
    return busy;
}

size_t conns_count(struct conns *c)
{
    (void)pthread_mutex_lock(&c->lock);
    size_t n = c->n;
    (void)pthread_mutex_unlock(&c->lock);
    return n;
}
