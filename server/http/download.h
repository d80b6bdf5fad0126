/* SPDX-License-Identifier: MIT
 * Downloads of immutable bytes: Range, If-Range, HEAD and strong ETags (RFC 9110 §§13-14). */
#ifndef OTAD_HTTP_DOWNLOAD_H
#define OTAD_HTTP_DOWNLOAD_H

#include <stdint.h>

#include "http/reply.h"

struct http_download {
    const void *data;
    size_t size;                  /* at least 1 */
    const char *etag;             /* with its quotes */
    void (*free_data)(void *arg); /* called exactly once, whatever happens */
    void *arg;
};

/** What an answer sends. */
struct http_sent {
    unsigned status;      /* for http_reply_send(): 200, 206 or 416 */
    uint64_t first, last; /* bytes of the whole, inclusive; 0 and 0 with 416 */
};

/** Makes the answer to a GET or HEAD for bytes that never change under their URL: 200 with all of
 *  them, 206 with a part, or 416. A Range whose If-Range names other bytes is ignored; so is one
 *  on a HEAD.
 *  @param sent  receives what will be sent; a HEAD is told about all bytes
 *  @return the answer, to which the caller may add headers; NULL when out of memory */
struct http_reply *http_download(const struct http_req *req, const struct http_download *d,
                                 struct http_sent *sent);

#endif
