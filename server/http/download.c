/* SPDX-License-Identifier: MIT
 * Owns partial answers. */
#include "http/download.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "http/range.h"

static enum range_verdict asked_for(const struct http_req *req, const struct http_download *d,
                                    uint64_t *first, uint64_t *last)
{
    const char *if_range = http_req_header(req, "If-Range");
    if (http_req_is_head(req) || (if_range != NULL && strcmp(if_range, d->etag) != 0))
        return RANGE_WHOLE;
    return range_parse(http_req_header(req, "Range"), d->size, first, last);
}

static struct http_reply *unsatisfiable(const struct http_download *d)
{
    char text[48];
    struct http_reply *reply = http_reply_empty();
    d->free_data(d->arg);
    (void)snprintf(text, sizeof text, "bytes */%zu", d->size);
    http_reply_header(reply, "Content-Range", text);
    http_reply_header(reply, "X-Otad-Reason", "range_not_satisfiable");
    return reply;
}

struct http_reply *http_download(const struct http_req *req, const struct http_download *d,
                                 struct http_sent *sent)
{
    uint64_t first = 0, last = d->size - 1;
    enum range_verdict verdict = asked_for(req, d, &first, &last);
    *sent = (struct http_sent){.status = 416};
    if (verdict == RANGE_UNSATISFIABLE)
        return unsatisfiable(d);
    sent->status = verdict == RANGE_PART ? 206 : 200;
    sent->first = first;
    sent->last = last;
    struct http_reply *reply = http_reply_borrow((const char *)d->data + first,
                                                 (size_t)(last - first + 1), d->free_data, d->arg);
    if (verdict == RANGE_PART) {
        char text[80];
        (void)snprintf(text, sizeof text, "bytes %" PRIu64 "-%" PRIu64 "/%zu", first, last,
                       d->size);
        http_reply_header(reply, "Content-Range", text);
    }
    http_reply_header(reply, "Accept-Ranges", "bytes");
    http_reply_header(reply, "ETag", d->etag);
    return reply;
}
