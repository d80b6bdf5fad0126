/* SPDX-License-Identifier: MIT
 * Owns the choice of the build that a resumed download goes on with. */
#include "device_api/resume.h"

#include <inttypes.h>
#include <stdio.h>

#include "http/range.h"
#include "http/reply.h"

struct lease_key resume_key(const struct ask *a)
{
    return lease_key(a->row.product, a->in.mac, a->in.mode == MODE_FS, a->in.said.address,
                     a->in.said.agent);
}

/* The first byte asked for; -1 when counted from the end; 0 when this is no resume. Malformed ones
 * are none: they are refused whatever the image is. */
static int64_t first_byte(const struct http_req *req)
{
    const char *range = http_req_header(req, "Range");
    uint64_t first, last;
    if (range == NULL || http_req_is_head(req) || http_req_header(req, "If-Range") != NULL)
        return 0;
    if (range_parse(range, INT64_MAX, &first, &last) != RANGE_PART)
        return 0;
    return range_is_suffix(range) ? -1 : (int64_t)first;
}

static enum otad_err nothing_to_resume(struct http_req *req, const struct ask *a)
{
    char text[48];
    struct http_reply *reply = http_reply_empty();
    if (a->row.has_target) {
        (void)snprintf(text, sizeof text, "bytes */%" PRId64, a->row.size_bytes);
        http_reply_header(reply, "Content-Range", text);
    }
    http_reply_header(reply, "X-Otad-Reason", "nothing_to_resume");
    return http_reply_send(req, reply, 416);
}

enum otad_err resume_choose(struct http_req *req, struct ask *a, bool *answered,
                            struct otad_errinfo *ei)
{
    int64_t first = first_byte(req);
    *answered = false;
    if (first == 0)
        return OTAD_E_OK;
    const struct lease_key key = resume_key(a);
    int64_t build = leases_resume(a->otad->leases, &key, first, clock_mono_ms(&a->otad->clock));
    *answered = build == 0;
    if (build == 0)
        return nothing_to_resume(req, a);
    if (a->row.has_target && build == a->row.build)
        return OTAD_E_OK;
    enum otad_err err = ask_again(req, build, a, ei);
    *answered = err == OTAD_E_OK && !a->row.has_target;
    return *answered ? http_reply_refuse(req, 410, "withdrawn") : err;
}
