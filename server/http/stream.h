/* SPDX-License-Identifier: MIT
 * Answers without an end known in advance: a source is asked for piece after piece, and waits
 * suspended while it has none. To HTTP/1.1 in chunks, to HTTP/1.0 until the connection closes. */
#ifndef OTAD_HTTP_STREAM_H
#define OTAD_HTTP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/http.h"
#include "http/reply.h"

enum http_stream_next {
    HTTP_STREAM_DATA, /* *data and *n (not 0) were set */
    HTTP_STREAM_WAIT, /* nothing now: ask again after http_streams_news(), or when due */
    HTTP_STREAM_END,  /* that was all */
    HTTP_STREAM_CUT   /* it can't go on: the client sees a broken answer, not a complete one */
};

/** Where the body of one answer comes from. */
struct http_stream_source {
    /** The next piece; it stays valid until the next call. Runs on the request's HTTP thread, so it
     *  must be quick.
     *  @param due  nothing was sent for interval_s: with HTTP_STREAM_WAIT it will be due again
     *              after as long, but a client that left is only noticed by sending something */
    enum http_stream_next (*next)(void *arg, bool due, const char **data, size_t *n);
    /** Runs once, when the answer has ended or could not begin. */
    void (*free_arg)(void *arg);
    void *arg;
    int64_t interval_s;
    bool endless; /* ends with the server's quiesce; others may still come to their end then */
};

/** Makes an answer from a source, to be sent with http_reply_send() and the status 200. Takes the
 *  source over, also on failure.
 *  @return OTAD_E_OK; OTAD_E_BUSY when http.streams_max are open or the daemon ends;
 *          OTAD_E_NOMEM */
enum otad_err http_stream_reply(struct http_req *req, const struct http_stream_source *source,
                                struct http_reply **out, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Says that waiting sources may have something: within 50 ms all are asked. Takes no lock. */
void http_streams_news(struct http *http);

/** Streams open now. */
size_t http_streams(struct http *http);

#endif
