/* SPDX-License-Identifier: MIT
 * The HTTP server: its start, its limits and its end. The only layer that knows MHD. */
#ifndef OTAD_HTTP_HTTP_H
#define OTAD_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/options.h"
#include "http/request.h"
#include "http/route.h"

/** What a reload may change; see the option table for the meaning. Texts and lists are read during
 *  the call that gets them, not kept; NULL = none. */
struct http_limits {
    int64_t connections_per_address;
    int64_t header_timeout_s;
    int64_t body_timeout_s;
    int64_t stall_timeout_s;
    int64_t image_max_bytes;
    int64_t streams_max;                       /* streaming answers open at a time */
    const struct option_list *trusted_proxies; /* of addresses and networks */
    const struct option_list *allowed_hosts;
    const char *public_url; /* its host is allowed too */
};

struct http_settings {
    struct http_route_table routes;
    void *app; /* for handlers: http_req_app() */
    /** Judges a request of a route with the access class `needed` (viewer and up). Fills *who.
     *  Runs before the body. @return OTAD_E_OK, OTAD_E_UNAUTHORIZED, OTAD_E_FORBIDDEN, or what
     *  looking up failed with. */
    enum otad_err (*authorise)(struct http_req *req, enum http_access needed, struct http_who *who,
                               struct otad_errinfo *ei);
    struct log *log;
    int64_t threads; /* all listeners together; 0 = one a core */
    int64_t connections_max;
    int64_t connection_memory_bytes;
    int64_t idle_timeout_s;
    struct http_limits limits;
};

/** Opaque. */
struct http;

/** Opens listen sockets: those given by systemd if there are any, else the named ones.
 *  @param fds  receives at most OPTION_LIST_MAX descriptors
 *  @return OTAD_E_OK, or OTAD_E_INVALID / OTAD_E_IO with the address and the reason; then nothing
 *          stays open */
enum otad_err http_listen(const struct option_list *addresses, int *fds, size_t *n,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Starts serving on the sockets; takes them over, also on failure. *settings is copied. */
enum otad_err http_start(const struct http_settings *settings, const int *fds, size_t n,
                         struct http **out, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Text of listener i's address: "127.0.0.1:8070". Valid until http_stop(); NULL past the last. */
const char *http_address(const struct http *http, size_t i);

/** Changes the reloadable limits. Thread-safe. */
void http_set_limits(struct http *http, const struct http_limits *limits);

/** Takes no new connections, closes idle ones, ends endless streams, and waits until running
 *  answers have ended or the grace is over. Requests still work meanwhile. */
void http_quiesce(struct http *http, int64_t grace_s);

/** Ends everything else: answers waiting requests with 503, closes all, ends the threads. Workers
 *  may still call http_wait_done() afterwards. */
void http_stop(struct http *http);

/** Stops if that wasn't done yet, frees, sets NULL. Every http_wait_done() has been called. */
void http_free(struct http **http);

/** Open connections now. */
size_t http_connections(struct http *http);

#endif
