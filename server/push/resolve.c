/* SPDX-License-Identifier: MIT
 * Owns a push's first step: whom to invite, and where that device shall connect to. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/digest.h"
#include "push/run.h"

static bool find_address(struct run *r)
{
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    struct net_addr address;
    int rc = getaddrinfo(r->push->host, NULL, &hints, &found);
    if (rc != 0)
        return run_fail(r, PUSH_CAUSE_UNKNOWN_ADDRESS, "no IPv4 address is known for '%.100s': %s",
                        r->push->host, gai_strerror(rc));
    memcpy(&r->to, found->ai_addr, sizeof r->to);
    freeaddrinfo(found);
    (void)net_addr_of((const struct sockaddr *)&r->to, &address);
    net_addr_text(&address, r->result->address);
    if (!push_may_target(&address, r->push->networks))
        return run_fail(r, PUSH_CAUSE_NOT_ALLOWED,
                        "%s is in none of the networks that may be pushed to", r->result->address);
    return true;
}

/* The address this machine has towards the device. */
static bool find_local(struct run *r)
{
    struct sockaddr_in to = r->to, from = {.sin_family = AF_INET};
    struct net_addr local;
    socklen_t n = sizeof from;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    to.sin_port = htons(PUSH_PORT_ESP8266);
    bool ok = fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 &&
              getsockname(fd, (struct sockaddr *)&from, &n) == 0;
    int error = errno;
    if (fd >= 0)
        (void)close(fd);
    if (!ok)
        return run_fail(r, PUSH_CAUSE_OFFLINE, "there is no way from here to %s: %s",
                        r->result->address, strerror(error));
    (void)net_addr_of((const struct sockaddr *)&from, &local);
    net_addr_text(&local, r->local);
    return true;
}

/* A listener on one port, 0 = any. Every address: the device may reach this host by a detour. */
static int listen_on(uint16_t port)
{
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&any, sizeof any) == 0 && listen(fd, 4) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/* Tries the ports of the range from a random one on, so that pushes side by side rarely meet. */
static bool open_listener(struct run *r)
{
    unsigned first = r->push->listen_first, last = r->push->listen_last, n = last - first + 1;
    unsigned start = 0;
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    if (random_bytes(&start, sizeof start) != OTAD_E_OK)
        start = 0;
    for (unsigned i = 0; i < n && r->listener < 0; i++)
        r->listener = listen_on((uint16_t)(first == 0 ? 0 : first + (start % n + i) % n));
    if (r->listener < 0 || getsockname(r->listener, (struct sockaddr *)&at, &len) != 0)
        return run_fail(r, PUSH_CAUSE_NO_LISTENER,
                        "none of the TCP ports %u to %u is free on this machine", first, last);
    r->offer.port = ntohs(at.sin_port);
    return true;
}

bool run_resolve(struct run *r)
{
    return find_address(r) && find_local(r) && open_listener(r) &&
           run_ok(r, "%s; it will be asked to connect to %s:%u", r->result->address, r->local,
                  (unsigned)r->offer.port);
}
