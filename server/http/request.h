/* SPDX-License-Identifier: MIT
 * What a handler sees of a request. */
#ifndef OTAD_HTTP_REQUEST_H
#define OTAD_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/access.h"
#include "http/route.h"

/** One request, from its head to the end of its answer. Opaque. Everything borrowed from it lives
 *  as long as it does. A handler runs on the request's own HTTP thread. */
struct http_req;

/** What http_settings.app was. */
void *http_req_app(const struct http_req *req);

/** A name of the route's template ("" when absent or already answered), decoded. */
const char *http_req_param(const struct http_req *req, const char *name);
/** A query value, decoded, or NULL (also when already answered). */
const char *http_req_query(const struct http_req *req, const char *key);
/** Number of query pairs and their keys, for refusing unknown ones. */
size_t http_req_query_count(const struct http_req *req);
const char *http_req_query_key(const struct http_req *req, size_t i);
/** A request header by case-insensitive name, or NULL. */
const char *http_req_header(const struct http_req *req, const char *name);
bool http_req_is_head(const struct http_req *req);
/** Whether the method is one that changes nothing: GET or HEAD. */
bool http_req_is_safe(const struct http_req *req);
/** The path as it came, without the query string and without what follows a '~' in a segment: fit
 *  for logs. */
const char *http_req_path(const struct http_req *req);
/** The client's address as text, without port: the peer's, or what a trusted proxy says. Good for
 *  limits and records; identifies nobody. */
const char *http_req_address(const struct http_req *req);
/** Address of the trusted proxy that the request came through; "" without one. */
const char *http_req_proxy(const struct http_req *req);
/** "http", or "https" when a trusted proxy says that the client came so. */
const char *http_req_scheme(const struct http_req *req);
/** The local address the client reached, "ADDR:PORT" ("[ADDR]:PORT" for IPv6). */
const char *http_req_local(const struct http_req *req);
/** Who is calling; role 0 on open and device routes. */
const struct http_who *http_req_who(const struct http_req *req);
/** Judges the key of the request anew, for an answer that lasts. The route's names and the query
 * are gone by then. @return as http_settings.authorise */
enum otad_err http_req_authorise_again(struct http_req *req, struct otad_errinfo *ei);
/** The buffered body (JSON, report): NUL-terminated. */
const char *http_req_body(const struct http_req *req, size_t *n);
/** The request's content type ("" when absent), as sent. */
const char *http_req_content_type(const struct http_req *req);

/** State a handler or sink keeps on the request; freed by free_state when the request ends. */
void http_req_set_state(struct http_req *req, void *state, void (*free_state)(void *state));
void *http_req_state(const struct http_req *req);

/** How an answer ended, judged by what the peer's TCP acknowledged. */
enum http_end_how {
    HTTP_END_SENT,      /* all of it has arrived */
    HTTP_END_PEER_GONE, /* reset or closed early: TCP can't tell a crash from a choice */
    HTTP_END_STALLED,   /* nothing was acknowledged for http.stall_timeout_s */
    HTTP_END_SHUTDOWN   /* the daemon ended it */
};

/** What is known of an answer. */
struct http_end {
    bool final;            /* false: it is on its way, this is how far */
    enum http_end_how how; /* when final */
    uint64_t bytes_acked;  /* of the body */
    uint64_t elapsed_ms;   /* since the answer began */
    char detail[160];      /* the raw facts, for people */
};

/** Who wants to know. tell() is called at most once a second while the answer is on its way, and
 *  exactly once with `final`, maybe after the request has ended, on any thread; then free_arg(). */
struct http_follow {
    uint64_t tag; /* for http_settle(): whose answer this is */
    void (*tell)(void *arg, const struct http_end *end);
    void (*free_arg)(void *arg);
    void *arg;
};

/** Asks to be told how far the answer of this request gets, and how it ends. Takes over f->arg in
 *  any case. @return OTAD_E_OK, OTAD_E_NOMEM (f->arg is freed, nothing is told) */
enum otad_err http_req_follow(struct http_req *req, const struct http_follow *f) OTAD_MUSTCHECK;

/** Looks at the earlier answers with this tag now, so that what is over is told before the caller
 *  goes on: no polling interval shows in what it decides. */
void http_settle(struct http_req *req, uint64_t tag);

#endif
