/* SPDX-License-Identifier: MIT
 * Follows answers until the peer's TCP has acknowledged them: "sent" is what arrived there, not
 * what was handed to the kernel. Private to http/; handlers use http_req_follow(). */
#ifndef OTAD_HTTP_WATCH_H
#define OTAD_HTTP_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/request.h"

/** All answers that are followed. Opaque, thread-safe. */
struct watch;

/** One of them. Opaque; belongs to the watch from watch_begin() on. */
struct follow;

/** @param stall_ms  nothing acknowledged for so long ends an answer as stalled
 *  @return NULL when out of memory */
struct watch *watch_new(int64_t stall_ms);

/** Everything must have ended: call watch_stop() before. */
void watch_free(struct watch **watch);

void watch_set_stall(struct watch *watch, int64_t stall_ms);

/** Makes a follower that isn't on its way yet. Takes over f->arg, also on failure.
 *  @return NULL when out of memory; then f->arg is freed and nothing will be told */
struct follow *watch_new_follow(const struct http_follow *f);

/** Frees one that never began, after telling that nothing of it arrived. */
void watch_drop(struct follow **follow, int64_t now_ms);

/** The answer begins on that socket.
 *  @param head, body  bytes it will take; those of the head may be guessed */
void watch_begin(struct watch *watch, struct follow *follow, int fd, size_t head, uint64_t body,
                 int64_t now_ms);

/** How an answer left the HTTP server's hands. */
enum watch_left {
    WATCH_HANDED_OVER, /* all of it is the kernel's now */
    WATCH_BROKEN,
    WATCH_TIMED_OUT,
    WATCH_SHUT_DOWN
};

/** The HTTP server is done with the answer, and may close the socket afterwards. What isn't
 *  acknowledged yet is followed on a descriptor of our own.
 *  @return whether it is still followed: then the end of the connection must be a shutdown() for
 *          writing, because close() alone doesn't reach a socket that another descriptor holds */
bool watch_left(struct watch *watch, struct follow *follow, enum watch_left how, int64_t now_ms);

/** Looks at all: every followed answer that left at each call, those on their way once a second. */
void watch_tick(struct watch *watch, int64_t now_ms);

/** Looks at those with this tag now, so that what is over is told before the caller goes on. */
void watch_settle(struct watch *watch, uint64_t tag, int64_t now_ms);

/** How many answers have left and aren't acknowledged yet. */
size_t watch_open(struct watch *watch);

/** Ends everything that is still followed, as cut by the shutdown. */
void watch_stop(struct watch *watch, int64_t now_ms);

#endif
