/* SPDX-License-Identifier: MIT
 * Owns request bodies: judged by their head, then buffered or streamed to the route's sink. */
#include "http/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FORM_OVERHEAD 65536 /* form fields and boundaries beside an image */

static int64_t max_body(const struct http_req *req)
{
    if (req->route->max_body != HTTP_MAX_BODY_IMAGE)
        return req->route->max_body;
    return atomic_load(&req->http->image_max_bytes) + FORM_OVERHEAD;
}

/* Whether the request has a body; *length is UINT64_MAX when it is chunked. */
bool body_announced(const struct http_req *req, uint64_t *length)
{
    *length = 0;
    if (http_req_header(req, "Transfer-Encoding") != NULL) {
        *length = UINT64_MAX;
        return true;
    }
    const char *text = http_req_header(req, "Content-Length");
    if (text != NULL)
        *length = strtoull(text, NULL, 10); /* MHD has refused what is no number */
    return *length > 0;
}

static bool type_is(const char *type, const char *want)
{
    size_t n = strlen(want);
    return strncasecmp(type, want, n) == 0 && strchr("; \t", type[n]) != NULL;
}

static bool is_json(const char *type)
{
    return type_is(type, "application/json");
}

static enum otad_err judge_type(struct http_req *req, struct otad_errinfo *ei)
{
    const char *type = http_req_content_type(req);
    switch (req->route->body) {
    case HTTP_BODY_JSON:
        if (is_json(type))
            return OTAD_E_OK;
        (void)otad_fail(ei, OTAD_E_MEDIA_TYPE, "The body must be JSON, not '%.60s'",
                        *type ? type : "of no Content-Type");
        return otad_hint(ei, "Add -H 'Content-Type: application/json' to curl.");
    case HTTP_BODY_UPLOAD:
        if (!is_json(type))
            return OTAD_E_OK;
        (void)otad_fail(ei, OTAD_E_MEDIA_TYPE, "An image is needed here, not JSON");
        return otad_hint(ei, "curl -F file=@Sketch.ino.bin …");
    case HTTP_BODY_REPORT:
        if (!type_is(type, "multipart/form-data"))
            return OTAD_E_OK;
        return otad_fail(ei, OTAD_E_MEDIA_TYPE,
                         "JSON or urlencoded fields are needed here: curl -d");
    case HTTP_BODY_NONE:
        break;
    }
    return OTAD_E_OK;
}

enum otad_err body_judge(struct http_req *req, struct otad_errinfo *ei)
{
    uint64_t length;
    bool has_body = body_announced(req, &length);
    bool chunked = length == UINT64_MAX;
    if (!has_body) {
        if (req->route->body != HTTP_BODY_UPLOAD || http_req_header(req, "Content-Length") != NULL)
            return OTAD_E_OK; /* an empty body is the handler's to judge */
        return otad_fail(ei, OTAD_E_LENGTH_REQUIRED, "A body with a Content-Length is needed here");
    }
    if (!chunked && length > (uint64_t)max_body(req)) {
        if (req->route->body == HTTP_BODY_NONE)
            return otad_fail(ei, OTAD_E_TOO_LARGE, "No body is expected here");
        (void)otad_fail(ei, OTAD_E_TOO_LARGE,
                        "The body is %" PRIu64 " bytes long, at most %" PRId64 " are allowed here",
                        length, max_body(req));
        return req->route->body == HTTP_BODY_UPLOAD
                   ? otad_hint(ei, "If the image is right, raise storage.image_max_bytes.")
                   : OTAD_E_TOO_LARGE;
    }
    if (chunked && req->route->body != HTTP_BODY_UPLOAD)
        return otad_fail(ei, OTAD_E_LENGTH_REQUIRED,
                         "A body without Content-Length is not taken here");
    return judge_type(req, ei);
}

static enum otad_err to_sink(void *arg, const struct http_part *part, struct otad_errinfo *ei)
{
    struct http_req *req = arg;
    return req->route->sink->part(req, part, ei);
}

enum otad_err body_begin(struct http_req *req, struct otad_errinfo *ei)
{
    if (req->route->body != HTTP_BODY_UPLOAD)
        return OTAD_E_OK;
    enum otad_err err = req->route->sink->begin(req, ei);
    if (err != OTAD_E_OK || !type_is(http_req_content_type(req), "multipart/form-data"))
        return err;
    req->multipart = multipart_new(req->mhd, to_sink, req);
    if (req->multipart == NULL)
        return otad_fail(ei, OTAD_E_BAD_REQUEST, "The multipart Content-Type has no boundary");
    return OTAD_E_OK;
}

static enum otad_err append(struct http_req *req, const char *data, size_t n,
                            struct otad_errinfo *ei)
{
    char *grown = realloc(req->body, req->body_n + n + 1);
    if (grown == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory reading the body");
    memcpy(grown + req->body_n, data, n);
    req->body = grown;
    req->body_n += n;
    grown[req->body_n] = '\0';
    return OTAD_E_OK;
}

enum otad_err body_data(struct http_req *req, const char *data, size_t n, struct otad_errinfo *ei)
{
    uint64_t offset = req->seen;
    req->seen += n;
    if (req->seen > (uint64_t)max_body(req)) /* only a chunked body gets here */
        return otad_fail(ei, OTAD_E_TOO_LARGE,
                         "The body is longer than the %" PRId64 " bytes that are allowed here",
                         max_body(req));
    if (req->multipart != NULL)
        return multipart_data(req->multipart, data, n, ei);
    if (req->route->body != HTTP_BODY_UPLOAD)
        return append(req, data, n, ei);
    const struct http_part raw = {.name = NULL, .offset = offset, .data = data, .n = n};
    return req->route->sink->part(req, &raw, ei);
}

enum otad_err body_end(struct http_req *req, struct otad_errinfo *ei)
{
    return req->multipart != NULL ? multipart_end(&req->multipart, ei) : OTAD_E_OK;
}
