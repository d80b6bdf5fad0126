/* SPDX-License-Identifier: MIT
 * Asks the kernel about a TCP connection. glibc's <netinet/tcp.h> lacks tcpi_bytes_acked and
 * clashes with <linux/tcp.h>, so this file stands alone. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

uint64_t sock_bytes_acked(int fd);

uint64_t sock_bytes_acked(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
        len < offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked)
        return 0; /* no TCP, or a kernel before 4.1 */
    return info.tcpi_bytes_acked > 0 ? info.tcpi_bytes_acked - 1 : 0; /* the SYN counts as one */
}
