/* SPDX-License-Identifier: MIT
 * One push: invites a device by espota (ArduinoOTA), is connected back to, sends the image, and
 * says at which step it failed and why. Blocks; knows no database and no HTTP. */
#ifndef OTAD_PUSH_PUSH_H
#define OTAD_PUSH_PUSH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net.h"
#include "otad/err.h"

#define PUSH_PORT_ESP32 3232
#define PUSH_PORT_ESP8266 8266
#define PUSH_DETAIL_MAX 256
#define PUSH_CAUSES_MAX 768

enum push_step {
    PUSH_RESOLVE,
    PUSH_INVITE,
    PUSH_AUTHENTICATE,
    PUSH_CONNECT_BACK,
    PUSH_SENDING,
    PUSH_FINISH
};

enum push_outcome { PUSH_RUNNING, PUSH_OK, PUSH_FAILED };

/** Why a push failed, as one word for machines; push_cause_name() spells it. */
#define PUSH_CAUSE_TABLE(X)                                                                        \
    X(NONE, "")                                                                                    \
    X(UNKNOWN_ADDRESS, "unknown_address") /* no such name, or none that is IPv4 */                 \
    X(NOT_ALLOWED, "not_allowed")         /* outside the networks that may be targets */           \
    X(NO_LISTENER, "no_listener")         /* no port of the range is free here */                  \
    X(NOT_LISTENING, "not_listening")     /* the host says that nobody listens on the port */      \
    X(NO_ANSWER, "no_answer")             /* the host is there and says nothing */                 \
    X(OFFLINE, "offline")                 /* nothing at all comes back */                          \
    X(OTHER_DEVICE, "other_device")       /* another MAC has the address now */                    \
    X(REFUSED, "refused")                 /* "ERR: …" in the device's words */                   \
    X(NO_SPACE, "no_space")               /* it says that the image doesn't fit */                 \
    X(NEEDS_RESET, "needs_reset")         /* after serial flashing, once by its button */          \
    X(BAD_ANSWER, "bad_answer")           /* not espota's words */                                 \
    X(PASSWORD_NEEDED, "password_needed") /* it asks for one, none is known */                     \
    X(WRONG_PASSWORD, "wrong_password")                                                            \
    X(AUTH_NO_ANSWER, "auth_no_answer")   /* silent after the password was sent */                 \
    X(NO_CONNECT_BACK, "no_connect_back") /* accepted, never connected */                          \
    X(STALLED, "stalled")                 /* reads no more */                                      \
    X(CONNECTION_LOST, "connection_lost") /* closed or reset while sending */                      \
    X(DEVICE_ERROR, "device_error")       /* "ERROR[n]: …" while sending or at the end */        \
    X(NOT_CONFIRMED, "not_confirmed")     /* it has the whole image and never said OK */           \
    X(CANCELLED, "cancelled")             /* by the caller, e.g. otad is ending */                 \
    X(FAILED, "failed")                   /* this host: out of memory, sockets, … */

enum push_cause {
#define X(name, word) PUSH_CAUSE_##name,
    PUSH_CAUSE_TABLE(X)
#undef X
};

/** "resolve", "invite", "authenticate", "connect_back", "sending", "finish". */
const char *push_step_name(enum push_step step);
/** "running", "ok", "failed". */
const char *push_outcome_name(enum push_outcome outcome);
const char *push_cause_name(enum push_cause cause);

/** What is to be pushed to whom. All texts are borrowed until push_run() returns. */
struct push {
    const char *host; /* an IPv4 address or a name */
    uint16_t port;    /* UDP, of the device; 0: by esp32, and when nobody answers the other one */
    bool esp32;       /* its family, as far as it is known: decides ports and likely causes */
    bool fs;          /* a filesystem image */
    uint64_t mac;     /* of the device, 0 = unknown: tells when another has its address */
    const char *password; /* NULL or "" = none */
    const char *filename; /* part of the answer to the device's challenge; any text */
    const uint8_t *image;
    size_t size_bytes;
    int64_t free_space; /* bytes for an image as the device last said, -1 = unknown */

    /* Where it may go, beyond private, link-local and loopback networks; NULL = nowhere else. */
    const struct net_list *networks;
    uint16_t listen_first, listen_last; /* TCP ports to be connected back to; 0, 0 = any */
    const atomic_bool *cancel;          /* looked at ten times a second; NULL = never */
    /* How long the device may be silent; 0 = as long as the step deserves: 40 s to be invited, 10 s
     * to connect back and to read on, 60 s at the end. */
    int64_t patience_ms;
};

/** How a step stands. The last one told of a step has outcome OK or FAILED. */
struct push_news {
    enum push_step step;
    enum push_outcome outcome;
    int64_t at_ms;                /* since the push began; of OK and FAILED: when it ended */
    int64_t tries;                /* PUSH_INVITE: invitations sent so far */
    int64_t bytes_acked;          /* PUSH_SENDING and later: what the device has acknowledged */
    int64_t bytes_per_s;          /* PUSH_SENDING: since its first byte */
    char detail[PUSH_DETAIL_MAX]; /* one sentence: what was seen */
};

/** How it ended. */
struct push_result {
    bool ok;             /* the device confirmed the image */
    enum push_step step; /* the last one */
    enum push_cause cause;
    int64_t bytes_acked;
    int64_t bytes_per_s;
    int64_t took_ms;
    char address[NET_TEXT_MAX];   /* of the device, "" = not found */
    uint16_t port;                /* the UDP port that answered, or was tried */
    char detail[PUSH_DETAIL_MAX]; /* what was seen, one sentence */
    char causes[PUSH_CAUSES_MAX]; /* likely causes in order, one a line; "" when ok */
};

/** Pushes. Blocks until the device has confirmed or a step has failed: at most about three minutes
 *  without progress. Tells news on the calling thread: each step when it begins and when it ends,
 *  PUSH_SENDING about five times a second in between.
 *  @param tell    NULL = nobody wants to know; must not block for long
 *  @param result  always written */
void push_run(const struct push *push, void (*tell)(void *arg, const struct push_news *news),
              void *arg, struct push_result *result);

/** Whether an address may be a target: private, link-local, loopback or in one of the networks,
 *  and neither multicast nor broadcast.  @param networks  NULL = none */
bool push_may_target(const struct net_addr *address, const struct net_list *networks);

#endif
