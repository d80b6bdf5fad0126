/* SPDX-License-Identifier: MIT
 * Answers: made from a body, given headers, sent once. */
#ifndef OTAD_HTTP_REPLY_H
#define OTAD_HTTP_REPLY_H

#include <stddef.h>

#include <jansson.h>

#include "http/request.h"
#include "otad/err.h"

/** An answer that is being made. Opaque; http_reply_send() consumes it. */
struct http_reply;

/** An answer without a body. NULL when out of memory, which http_reply_send() answers with 503. */
struct http_reply *http_reply_empty(void);
/** An answer with a copy of n bytes. */
struct http_reply *http_reply_copy(const void *data, size_t n);
/** An answer that sends n bytes from memory that stays valid until free_data(arg) is called:
 *  exactly once, whatever happens. Sent with its head in one segment where it fits. */
struct http_reply *http_reply_borrow(const void *data, size_t n, void (*free_data)(void *arg),
                                     void *arg);

/** Throws an answer away instead of sending it; does nothing on NULL. */
void http_reply_discard(struct http_reply *reply);

/** Adds a header; the value must hold no control characters (checked by MHD, then dropped).
 *  Does nothing on NULL. */
void http_reply_header(struct http_reply *reply, const char *name, const char *value);

/** Sends the answer and consumes it. To HTTP/1.0 it adds `Connection: close`: MHD would keep the
 *  connection, and ESP8266 clients wait for its end. @return always OTAD_E_OK */
enum otad_err http_reply_send(struct http_req *req, struct http_reply *reply, unsigned status);

/** An answer of a JSON document, whose reference it drops. NULL when out of memory. */
struct http_reply *http_reply_of_json(json_t *body);

/** Sends a JSON document and drops the caller's reference to it. NULL means out of memory. */
enum otad_err http_reply_json(struct http_req *req, unsigned status, json_t *body);

/** Sends an error in the form of the route: JSON on the API, an empty body with the reason in
 *  X-Otad-Reason on device paths (a stock client would flash an error page). */
enum otad_err http_reply_error(struct http_req *req, enum otad_err err,
                               const struct otad_errinfo *ei);

/** Sends an error on a device path with a reason word. Adds `Content-Length: 0`. */
enum otad_err http_reply_refuse(struct http_req *req, unsigned status, const char *reason);

#endif
