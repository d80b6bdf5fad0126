/* SPDX-License-Identifier: MIT
 * Owns the port's connection: one TCP socket with an idle time-out. */
#include "internal.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int posix_wait_ready(struct otac_posix *p, short events)
{
    struct pollfd fd = {.fd = p->sock, .events = events};
    int ready;
    do {
        ready = poll(&fd, 1, (int)p->timeout_ms);
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) {
        (void)snprintf(p->detail, sizeof p->detail, "nothing happened for %u ms", p->timeout_ms);
        return OTAC_E_TIMEOUT;
    }
    return ready > 0 ? OTAC_OK : posix_fail(p, OTAC_E_CONN_LOST, "waiting for the network");
}

static int finish_connect(struct otac_posix *p)
{
    int code = 0;
    socklen_t n = sizeof code;
    int err = posix_wait_ready(p, POLLOUT);
    if (err != OTAC_OK)
        return err;
    if (getsockopt(p->sock, SOL_SOCKET, SO_ERROR, &code, &n) == 0 && code == 0)
        return OTAC_OK;
    errno = code;
    return posix_fail(p, OTAC_E_CONNECT, "connecting");
}

static int connect_to(struct otac_posix *p, const struct addrinfo *address)
{
    const int type = address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC;
    p->sock = socket(address->ai_family, type, address->ai_protocol);
    if (p->sock < 0)
        return posix_fail(p, OTAC_E_CONNECT, "making a socket");
    int err = OTAC_OK;
    if (connect(p->sock, address->ai_addr, address->ai_addrlen) != 0)
        err =
            errno == EINPROGRESS ? finish_connect(p) : posix_fail(p, OTAC_E_CONNECT, "connecting");
    if (err != OTAC_OK) {
        (void)close(p->sock);
        p->sock = -1;
    }
    return err;
}

int posix_net_connect(void *ctx, const char *host, uint16_t port)
{
    struct otac_posix *p = ctx;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char service[8];
    p->detail[0] = '\0';
    (void)snprintf(service, sizeof service, "%u", port);
    int code = getaddrinfo(host, service, &hints, &list);
    if (code != 0) {
        (void)snprintf(p->detail, sizeof p->detail, "%s", gai_strerror(code));
        return OTAC_E_RESOLVE;
    }
    int err = OTAC_E_CONNECT;
    for (const struct addrinfo *a = list; a != NULL && err != OTAC_OK; a = a->ai_next)
        err = connect_to(p, a);
    freeaddrinfo(list);
    return err;
}

static int net_send(void *ctx, const void *data, size_t n)
{
    struct otac_posix *p = ctx;
    const char *at = data;
    while (n > 0) {
        ssize_t sent = send(p->sock, at, n, MSG_NOSIGNAL);
        if (sent >= 0) {
            at += sent;
            n -= (size_t)sent;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return posix_fail(p, OTAC_E_CONN_LOST, "sending");
        int err = posix_wait_ready(p, POLLOUT);
        if (err != OTAC_OK)
            return err;
    }
    return OTAC_OK;
}

static int net_recv(void *ctx, void *buf, size_t n)
{
    struct otac_posix *p = ctx;
    for (;;) {
        ssize_t got = recv(p->sock, buf, n, 0);
        if (got >= 0)
            return (int)got;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return posix_fail(p, OTAC_E_CONN_LOST, "receiving");
        int err = posix_wait_ready(p, POLLIN);
        if (err != OTAC_OK)
            return err;
    }
}

void posix_net_close(void *ctx)
{
    struct otac_posix *p = ctx;
    if (p->sock >= 0)
        (void)close(p->sock);
    p->sock = -1;
}

void posix_transport_fill(struct otac_port *port)
{
    port->connect = posix_net_connect;
    port->send = net_send;
    port->recv = net_recv;
    port->close = posix_net_close;
}
