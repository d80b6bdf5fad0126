/* SPDX-License-Identifier: MIT
 * Owns the connection that a device makes to fetch its image. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "base/number.h"
#include "push/acks.h"
#include "push/run.h"

#define CONNECT_MS 10000
#define STALL_MS 10000
#define FINISH_MS 60000
#define PROGRESS_MS 200
#define CHUNK_MS 60000     /* however often it says something: nobody may hold a push for ever */
#define QUIET_MS 300       /* after which counts that don't add up are taken as they are */
#define CHUNK_ESP8266 1460 /* what espota.py of that family sends at a time */
#define CHUNK_ESP32 1024

/* ---- to be connected to ------------------------------------------------------------------- */

/* Takes the connection if it is the device's. Others get nothing: an image may hold secrets. */
static void take(struct run *r)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct net_addr stranger;
    socklen_t n = sizeof from;
    int on = 1,
        fd = accept4(r->listener, (struct sockaddr *)&from, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (from.sin_addr.s_addr == r->to.sin_addr.s_addr) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        r->conn = fd;
        return;
    }
    (void)net_addr_of((const struct sockaddr *)&from, &stranger);
    net_addr_text(&stranger, r->seen.stranger);
    (void)close(fd);
}

/* A device that accepted may still change its mind. */
static bool hear_refusal(struct run *r)
{
    char bytes[256];
    struct espota_reply reply;
    ssize_t n = recv(r->udp, bytes, sizeof bytes, 0);
    if (n <= 0)
        return true;
    espota_read(bytes, (size_t)n, &reply);
    return reply.word != ESPOTA_ERROR || run_refused(r, &reply);
}

bool run_connect_back(struct run *r)
{
    int64_t begun_ms = run_ms(r), until_ms = begun_ms + run_patience(r, CONNECT_MS);
    run_begin(r, PUSH_CONNECT_BACK);
    while (r->conn < 0 && run_ms(r) < until_ms) {
        struct pollfd fds[] = {
            {.fd = r->listener, .events = POLLIN},
            {.fd = r->udp,      .events = POLLIN}
        };
        if (!run_wait(r, fds, 2, until_ms) || (fds[1].revents != 0 && !hear_refusal(r)))
            return false;
        if (fds[0].revents != 0)
            take(r);
    }
    r->seen.waited_ms = run_ms(r) - begun_ms;
    if (r->conn < 0)
        return run_fail(r, PUSH_CAUSE_NO_CONNECT_BACK,
                        "it accepted, but didn't connect to %s:%u within %" PRId64 " s%s%s%s",
                        r->local, (unsigned)r->offer.port, r->seen.waited_ms / 1000,
                        r->seen.stranger[0] != '\0' ? " (" : "", r->seen.stranger,
                        r->seen.stranger[0] != '\0' ? " did, and was turned away)" : "");
    (void)close(r->listener);
    r->listener = -1;
    return run_ok(r, "it connected after %" PRId64 " ms", r->seen.waited_ms);
}

/* ---- how it ends -------------------------------------------------------------------------- */

static void look_at_tcp(struct run *r)
{
    struct tcp_info info;
    socklen_t n = sizeof info;
    int unacked = 0;
    memset(&info, 0, sizeof info);
    if (getsockopt(r->conn, IPPROTO_TCP, TCP_INFO, &info, &n) == 0)
        r->seen.retransmitted = info.tcpi_total_retrans;
    if (ioctl(r->conn, SIOCOUTQ, &unacked) == 0)
        r->seen.tcp_acked = r->seen.sent - unacked;
}

static int percent(const struct run *r)
{
    return (int)(r->result->bytes_acked * 100 / (int64_t)r->push->size_bytes);
}

static bool broke(struct run *r, enum push_cause cause, const char *what)
{
    char acked[NUMBER_TEXT], size[NUMBER_TEXT], rate[NUMBER_TEXT];
    look_at_tcp(r);
    return run_fail(
        r, cause,
        "%s at %d %%: it has acknowledged %s of %s bytes, at %s bytes a second; %" PRId64
        " segments had to be sent again",
        what, percent(r), number_text(r->result->bytes_acked, acked),
        number_text((int64_t)r->push->size_bytes, size), number_text(r->result->bytes_per_s, rate),
        r->seen.retransmitted);
}

static bool lost(struct run *r, int error)
{
    r->seen.reset = error == ECONNRESET || error == EPIPE;
    if (error == ETIMEDOUT || error == EHOSTUNREACH || error == ENETUNREACH)
        return broke(r, PUSH_CAUSE_STALLED, "its network went away");
    return broke(r, PUSH_CAUSE_CONNECTION_LOST,
                 r->seen.reset ? "it reset the connection" : "it closed the connection");
}

static bool said_error(struct run *r, const struct acks *acks)
{
    (void)snprintf(r->seen.words, sizeof r->seen.words, "%s", acks->text);
    enum push_cause cause = run_cause_of(acks->text);
    return run_fail(r, cause == PUSH_CAUSE_REFUSED ? PUSH_CAUSE_DEVICE_ERROR : cause,
                    "at %d %% it said: %s", percent(r), acks->text);
}

/* ---- sending ------------------------------------------------------------------------------ */

/* Takes what has arrived. @return 1 some, 0 none, -1 the connection is over; the step hasn't failed
 * yet, *error says how it ended (0: closed) */
static int receive(struct run *r, struct acks *acks, int *error)
{
    char bytes[256];
    ssize_t n = recv(r->conn, bytes, sizeof bytes, 0);
    *error = n < 0 ? errno : 0;
    if (n > 0)
        acks_add(acks, bytes, (size_t)n);
    if (n > 0)
        return 1;
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

/* Gives one chunk to TCP. */
static bool put(struct run *r, const uint8_t *data, size_t n)
{
    int64_t until_ms = run_ms(r) + run_patience(r, STALL_MS);
    while (n > 0) {
        ssize_t done = send(r->conn, data, n, MSG_NOSIGNAL);
        if (done > 0) {
            data += done;
            n -= (size_t)done;
            r->seen.sent += done;
            continue;
        }
        if (done < 0 && errno != EAGAIN && errno != EINTR)
            return lost(r, errno);
        struct pollfd fd = {.fd = r->conn, .events = POLLOUT};
        if (!run_wait(r, &fd, 1, until_ms))
            return false;
        if (run_ms(r) >= until_ms)
            return broke(r, PUSH_CAUSE_STALLED, "it stopped reading");
    }
    return true;
}

/* Tells how far it is, now and then. */
static void progress(struct run *r, int64_t *told_ms)
{
    if (run_ms(r) - *told_ms < PROGRESS_MS)
        return;
    *told_ms = run_ms(r);
    run_progress(r);
}

/* Waits until the device has acknowledged the chunk behind `before`, or has said its last word. */
static bool wait_for_chunk(struct run *r, struct acks *acks, int64_t before, size_t n,
                           int64_t *told_ms)
{
    int64_t heard_ms = run_ms(r), until_ms = heard_ms + run_patience(r, STALL_MS);
    int64_t last_ms = heard_ms + CHUNK_MS;
    for (;;) {
        int error;
        struct pollfd fd = {.fd = r->conn, .events = POLLIN};
        size_t counted = acks_count(acks, n);
        run_acked(r, before + (int64_t)counted);
        progress(r, told_ms);
        if (acks->error || acks->ok)
            return true;
        if (counted == n || (run_ms(r) - heard_ms > QUIET_MS && acks_enough(acks, n)))
            break;
        if (acks_overflow(acks))
            return broke(r, PUSH_CAUSE_DEVICE_ERROR, "it talked without end");
        if (!run_wait(r, &fd, 1, until_ms))
            return false;
        int got = fd.revents != 0 ? receive(r, acks, &error) : 0;
        if (got < 0)
            return lost(r, error);
        if (got > 0) {
            heard_ms = run_ms(r);
            until_ms = heard_ms + run_patience(r, STALL_MS);
            if (until_ms > last_ms)
                until_ms = last_ms;
        } else if (run_ms(r) >= until_ms) {
            return broke(r, PUSH_CAUSE_STALLED, "it stopped");
        }
    }
    run_acked(r, before + (int64_t)n);
    return true;
}

/* Waits a moment for the rest of an error's text. */
static bool hear_out(struct run *r, struct acks *acks)
{
    int error;
    int64_t until_ms = run_ms(r) + QUIET_MS;
    while (run_ms(r) < until_ms) {
        struct pollfd fd = {.fd = r->conn, .events = POLLIN};
        if (!run_wait(r, &fd, 1, until_ms))
            return false;
        if (fd.revents != 0 && receive(r, acks, &error) < 0)
            break;
    }
    return said_error(r, acks);
}

static bool send_all(struct run *r, struct acks *acks)
{
    size_t size = r->push->size_bytes;
    size_t chunk =
        r->result->port == PUSH_PORT_ESP32 || r->push->esp32 ? CHUNK_ESP32 : CHUNK_ESP8266;
    int64_t told_ms = run_ms(r);
    for (size_t at = 0; at < size; at += chunk) {
        size_t n = size - at < chunk ? size - at : chunk;
        acks_begin(acks);
        r->last = n;
        if (!put(r, r->push->image + at, n))
            return false;
        /* The last one's count may be glued to the OK: the next step hears both. */
        if (at + n < size && !wait_for_chunk(r, acks, (int64_t)at, n, &told_ms))
            return false;
        if (acks->error)
            return hear_out(r, acks);
        if (acks->ok && at + n < size)
            return broke(r, PUSH_CAUSE_DEVICE_ERROR, "it said OK too early,");
    }
    return true;
}

bool run_send(struct run *r)
{
    struct acks acks = {.n = 0};
    char size[NUMBER_TEXT], rate[NUMBER_TEXT];
    r->sending_ms = run_ms(r);
    run_begin(r, PUSH_SENDING);
    if (!send_all(r, &acks))
        return false;
    look_at_tcp(r);
    run_progress(r);
    return run_ok(
        r, "all %s bytes are sent, at %s bytes a second; %" PRId64 " segments had to be sent again",
        number_text((int64_t)r->push->size_bytes, size), number_text(r->result->bytes_per_s, rate),
        r->seen.retransmitted);
}

/* ---- the device's last word --------------------------------------------------------------- */

static bool not_confirmed(struct run *r, const char *what)
{
    char size[NUMBER_TEXT], acked[NUMBER_TEXT];
    look_at_tcp(r);
    return run_fail(r, PUSH_CAUSE_NOT_CONFIRMED,
                    "it got all %s bytes (its TCP acknowledged %s) and %s without confirming",
                    number_text((int64_t)r->push->size_bytes, size),
                    number_text(r->seen.tcp_acked, acked), what);
}

bool run_finish(struct run *r)
{
    struct acks acks = {.n = 0};
    int64_t until_ms = run_ms(r) + run_patience(r, FINISH_MS);
    int64_t before = (int64_t)(r->push->size_bytes - r->last);
    run_begin(r, PUSH_FINISH);
    while (!acks.ok && !acks.error) {
        int error;
        struct pollfd fd = {.fd = r->conn, .events = POLLIN};
        if (!run_wait(r, &fd, 1, until_ms))
            return false;
        int got = fd.revents != 0 ? receive(r, &acks, &error) : 0;
        run_acked(r, before + (int64_t)acks_count(&acks, r->last));
        if (got < 0)
            return not_confirmed(r,
                                 error == 0 ? "closed the connection" : "the connection broke off");
        if (run_ms(r) >= until_ms)
            return not_confirmed(r, "was silent");
    }
    if (acks.error)
        return hear_out(r, &acks);
    run_acked(r, (int64_t)r->push->size_bytes);
    return run_ok(r, "the device has verified the image and restarts with it");
}
