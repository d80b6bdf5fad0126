/* SPDX-License-Identifier: MIT
 * Owns listen sockets: their addresses and socket options. */
#include "http/http.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/address.h"

#define BACKLOG 1024
/* Unsent bytes the kernel may hold for a connection. Measured by the design: 27 KiB of kernel
 * memory for a parked download, against 1.4 MB without it; a small SO_SNDBUF instead made
 * images 30 times slower. */
#define NOTSENT_LOWAT 16384

static void set_options(int fd, int family)
{
    const int on = 1, lowat = NOTSENT_LOWAT;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    /* Inherited by accepted connections. An old kernel without it only costs memory. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof lowat);
}

static enum otad_err open_one(const char *text, int *out, struct otad_errinfo *ei)
{
    char host[ADDRESS_HOST_MAX], port[ADDRESS_PORT_MAX];
    if (!address_split(text, host, port)) {
        (void)otad_fail(ei, OTAD_E_INVALID, "'%.100s' is no address to listen on", text);
        return otad_hint(ei, "Expected ADDR:PORT, e.g. 0.0.0.0:8070, or [::]:8070 for IPv6.");
    }
    const struct addrinfo want = {.ai_family = AF_UNSPEC,
                                  .ai_socktype = SOCK_STREAM,
                                  .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(host[0] != '\0' ? host : NULL, port, &want, &found);
    if (rc != 0)
        return otad_fail(ei, OTAD_E_INVALID, "Can't listen on '%.100s': %s", text,
                         gai_strerror(rc));
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        set_options(fd, found->ai_family);
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        (void)otad_fail(ei, OTAD_E_IO, "Can't listen on %.100s: %s", text, strerror(errno));
        (void)otad_hint(ei,
                        errno == EADDRINUSE
                            ? "Another program has this port. Stop it, or pass another --listen."
                            : "Check the address; ports below 1024 need privileges.");
        if (fd >= 0)
            (void)close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    if (fd < 0)
        return OTAD_E_IO;
    *out = fd;
    return OTAD_E_OK;
}

/* Takes the sockets systemd holds for us. @return how many. */
static size_t from_systemd(int *fds)
{
    int n = sd_listen_fds(1);
    size_t kept = 0;
    for (int i = 0; i < n && kept < OPTION_LIST_MAX; i++) {
        int fd = SD_LISTEN_FDS_START + i;
        if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
            continue;
        set_options(fd, AF_UNSPEC);
        fds[kept++] = fd;
    }
    return kept;
}

enum otad_err http_listen(const struct option_list *addresses, int *fds, size_t *n,
                          struct otad_errinfo *ei)
{
    *n = from_systemd(fds);
    if (*n > 0)
        return OTAD_E_OK;
    if (addresses->n == 0)
        return otad_fail(ei, OTAD_E_INVALID, "There is no address to listen on: set server.listen");
    for (size_t i = 0; i < addresses->n; i++) {
        enum otad_err err = open_one(addresses->items[i], &fds[i], ei);
        if (err != OTAD_E_OK) {
            while (i > 0)
                (void)close(fds[--i]);
            *n = 0;
            return err;
        }
        *n = i + 1;
    }
    return OTAD_E_OK;
}
