/* SPDX-License-Identifier: MIT
 * Asks the kernel about a TCP connection. glibc's <netinet/tcp.h> lacks tcpi_bytes_acked and
 * clashes with <linux/tcp.h>, so this file stands alone. */
#include "http/sock.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define STATE_CLOSE 7 /* TCP_CLOSE of the kernel's include/net/tcp_states.h */

/* The error is cleared by the look: MHD no longer needs it on what is followed. Only asked once the
 * connection is over. */
static bool was_reset(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 &&
           (error == ECONNRESET || error == EPIPE);
}

bool sock_look(int fd, struct sock_state *out)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    int queued = 0;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
        len < offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked)
        return false;
    uint64_t acked = info.tcpi_bytes_acked > 0 ? info.tcpi_bytes_acked - 1 : 0; /* the SYN is one */
    if (ioctl(fd, SIOCOUTQ, &queued) != 0 || queued < 0)
        queued = 0; /* a connection that is over has no queue */
    bool closed = info.tcpi_state == STATE_CLOSE;
    *out = (struct sock_state){.acked = acked,
                               .written = acked + (uint64_t)queued,
                               .closed = closed,
                               .reset = closed && was_reset(fd),
                               .retransmits = info.tcpi_total_retrans,
                               .since_ack_ms = info.tcpi_last_ack_recv};
    return true;
}
