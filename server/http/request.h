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

/** How the answer to a request ended, as far as MHD knows: handed to the kernel, not delivered. */
struct http_end {
    bool complete;        /* everything was handed to the kernel */
    bool shutting_down;   /* the daemon ended it */
    uint64_t bytes_acked; /* of the body, acknowledged by the peer's TCP so far */
    uint64_t elapsed_ms;  /* since the answer began */
};

/** Asks to be told when the answer has ended. `arg` must stay valid until then; on_end is called
 *  exactly once, on the HTTP thread, also when no answer was ever sent. */
void http_req_on_end(struct http_req *req, void (*on_end)(void *arg, const struct http_end *end),
                     void *arg);

#endif
