/* SPDX-License-Identifier: MIT
 * Owns the questions to a silent host: echo requests where the kernel lets everybody send them, a
 * TCP connection that it may refuse, and this machine's table of neighbours. */
#include "push/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mac.h"

#define PROBE_MS 1500
#define TURN_MS 100
#define TCP_PORT 1 /* nothing listens there: a host that is there refuses */

/* A socket for echo requests (net.ipv4.ping_group_range), or -1. */
static int echo_socket(const struct sockaddr_in *to)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
    if (fd >= 0)
        (void)connect(fd, (const struct sockaddr *)to, sizeof *to);
    return fd;
}

static void send_echo(int fd, uint16_t sequence)
{
    const struct icmphdr echo = {.type = ICMP_ECHO, .un.echo.sequence = htons(sequence)};
    (void)send(fd, &echo, sizeof echo, MSG_NOSIGNAL); /* no answer says as much as an error */
}

static int tcp_socket(const struct sockaddr_in *to, bool *there)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 &&
        (connect(fd, (const struct sockaddr *)to, sizeof *to) == 0 || errno == ECONNREFUSED))
        *there = true;
    return fd;
}

/* A connection that was refused came to a host, one that no router could deliver didn't. */
static bool tcp_answered(int fd)
{
    int error = 0;
    socklen_t n = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 &&
           (error == 0 || error == ECONNREFUSED);
}

static bool is_cancelled(const atomic_bool *cancel)
{
    return cancel != NULL && atomic_load(cancel);
}

static bool answers(const struct in_addr *host, const atomic_bool *cancel)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_addr = *host, .sin_port = htons(TCP_PORT)};
    bool there = false;
    int echo = echo_socket(&to), tcp = tcp_socket(&to, &there);
    struct clock clock = {0};
    int64_t until = clock_mono_ms(&clock) + PROBE_MS;
    for (uint16_t turn = 0; !there && !is_cancelled(cancel) && clock_mono_ms(&clock) < until;
         turn++) {
        struct pollfd fds[] = {
            {.fd = echo, .events = POLLIN },
            {.fd = tcp,  .events = POLLOUT}
        };
        char reply[64];
        if (echo >= 0 && turn % 5 == 0)
            send_echo(echo, turn);
        (void)poll(fds, 2, TURN_MS);
        if (echo >= 0 && fds[0].revents != 0)
            there = recv(echo, reply, sizeof reply, 0) > 0;
        if (tcp >= 0 && fds[1].revents != 0) {
            there = there || tcp_answered(tcp);
            (void)close(tcp);
            tcp = -1;
        }
    }
    if (echo >= 0)
        (void)close(echo);
    if (tcp >= 0)
        (void)close(tcp);
    return there;
}

/* The table that every user may read. Columns: address, type, flags, MAC, mask, device. */
static void look_up(const struct in_addr *host, struct probe *out)
{
    char line[256], address[INET_ADDRSTRLEN], wanted[INET_ADDRSTRLEN], mac[32];
    FILE *table = fopen("/proc/net/arp", "re");
    if (table == NULL)
        return;
    (void)inet_ntop(AF_INET, host, wanted, sizeof wanted);
    while (fgets(line, sizeof line, table) != NULL)
        if (sscanf(line, "%15s %*s %*s %31s", address, mac) == 2 && strcmp(address, wanted) == 0) {
            out->near = true;
            if (!mac_parse(mac, &out->mac)) /* 00:00:00:00:00:00 when nobody answered */
                out->mac = 0;
        }
    (void)fclose(table);
}

void probe_host(const struct in_addr *host, const atomic_bool *cancel, struct probe *out)
{
    *out = (struct probe){.pinged = answers(host, cancel)};
    look_up(host, out);
}
