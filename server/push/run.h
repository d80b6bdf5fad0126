/* SPDX-License-Identifier: MIT
 * A push on its way, as its steps share it. Inside push/ only. */
#ifndef OTAD_PUSH_RUN_H
#define OTAD_PUSH_RUN_H

#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "push/espota.h"
#include "push/probe.h"
#include "push/push.h"

/** What was seen, as far as likely causes rest on it. */
struct evidence {
    struct probe probe;
    uint16_t asked;              /* UDP port that was meant */
    uint16_t other;              /* the other one, which was tried too; 0 = none */
    int64_t waited_ms;           /* without an answer, at the step that failed */
    char words[ESPOTA_TEXT_MAX]; /* the device's own */
    char stranger[NET_TEXT_MAX]; /* connected in the device's place, "" = nobody */
    int64_t sent;                /* bytes given to TCP */
    int64_t tcp_acked;           /* bytes its TCP has acknowledged */
    int64_t retransmitted;       /* segments */
    bool reset;                  /* the connection was reset, not closed */
};

struct run {
    const struct push *push;
    void (*tell)(void *arg, const struct push_news *news);
    void *arg;
    struct push_result *result;
    struct evidence seen;
    int64_t start_ms;
    int64_t tries;
    int64_t sending_ms;       /* when the first byte went out */
    size_t last;              /* bytes of the chunk sent last */
    struct sockaddr_in to;    /* the device; its port is the one that answers */
    char local[NET_TEXT_MAX]; /* this machine, as the device sees it */
    struct espota_offer offer;
    int udp;      /* connected to the device, or -1 */
    int listener; /* or -1 */
    int conn;     /* or -1 */
};

/** Milliseconds since the push began. */
int64_t run_ms(const struct run *r);

/** How long the device may be silent where it is usually given so long. */
int64_t run_patience(const struct run *r, int64_t usual_ms);

/** Waits for fds, at most until the moment (run_ms()) and a tenth of a second.
 *  @return false when the push was cancelled: the step has then failed */
bool run_wait(struct run *r, struct pollfd *fds, size_t n, int64_t until_ms);

/** A step begins, goes on, ends well, or fails. Detail: one sentence without a full stop. */
void run_begin(struct run *r, enum push_step step);
void run_progress(struct run *r);
/** So many bytes are acknowledged by now. */
void run_acked(struct run *r, int64_t bytes);
bool run_ok(struct run *r, const char *fmt, ...) OTAD_PRINTF(2, 3);
/** @return false */
bool run_fail(struct run *r, enum push_cause cause, const char *fmt, ...) OTAD_PRINTF(3, 4);

/** The steps, in order. Each @return whether it went well. */
bool run_resolve(struct run *r);      /* address, local address, listener */
bool run_invite(struct run *r);       /* and authenticates */
bool run_connect_back(struct run *r); /* waits for the device */
bool run_send(struct run *r);
bool run_finish(struct run *r);

/** Ends the step by the device's own words, an error or something that isn't espota.
 *  @return false */
bool run_refused(struct run *r, const struct espota_reply *reply);

/** The device said "ERR: …" or "ERROR[n]: …": which cause that is. */
enum push_cause run_cause_of(const char *words);

/** Writes the likely causes of a failure, in order, one a line. */
void run_causes(const struct run *r, enum push_cause cause, char out[PUSH_CAUSES_MAX]);

#endif
