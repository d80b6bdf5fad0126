/* SPDX-License-Identifier: MIT
 * Owns how answers look on the wire, and the one translation of errors to HTTP. */
#include "http/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/hex.h"
#include "base/json.h"

/* A reply is a MHD response and the bytes its headers will take, for counting progress. */
struct http_reply {
    struct MHD_Response *response;
    const void *borrowed; /* the body if it belongs to others */
    size_t head_bytes;
    size_t body_bytes;
};

struct http_reply *reply_wrap(struct MHD_Response *response, size_t body_bytes)
{
    struct http_reply *reply = response != NULL ? calloc(1, sizeof *reply) : NULL;
    if (reply == NULL) {
        if (response != NULL)
            MHD_destroy_response(response);
        return NULL;
    }
    reply->response = response;
    reply->body_bytes = body_bytes;
    return reply;
}

struct http_reply *http_reply_empty(void)
{
    return reply_wrap(MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT), 0);
}

struct http_reply *http_reply_copy(const void *data, size_t n)
{
    void *copy = malloc(n > 0 ? n : 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, data, n);
    return reply_wrap(MHD_create_response_from_buffer(n, copy, MHD_RESPMEM_MUST_FREE), n);
}

struct http_reply *http_reply_borrow(const void *data, size_t n, void (*free_data)(void *arg),
                                     void *arg)
{
    void *unconst;
    memcpy(&unconst, &data, sizeof unconst); /* MHD only reads it */
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback_cls(n, unconst, free_data, arg);
    if (response == NULL)
        free_data(arg);
    struct http_reply *reply = reply_wrap(response, n);
    if (reply != NULL)
        reply->borrowed = data;
    return reply;
}

void http_reply_discard(struct http_reply *reply)
{
    if (reply == NULL)
        return;
    MHD_destroy_response(reply->response);
    free(reply);
}

void http_reply_header(struct http_reply *reply, const char *name, const char *value)
{
    if (reply != NULL && MHD_add_response_header(reply->response, name, value) == MHD_YES)
        reply->head_bytes += strlen(name) + strlen(value) + 4;
}

/* Bytes of the head beside our own headers: status line, Date, Content-Length, the blank line. */
static size_t fixed_head(unsigned status, size_t body)
{
    const char *phrase = MHD_get_reason_phrase_for(status);
    char length[48];
    int n = snprintf(length, sizeof length, "Content-Length: %zu\r\n", body);
    return strlen("HTTP/1.1 200 ") + strlen(phrase) + 2 + strlen("Date: ") + 29 + 2 + (size_t)n + 2;
}

/* Only whole images are worth keeping: parts differ from one request to the next. */
static bool queue(struct http_req *req, const struct http_reply *reply, unsigned status)
{
    const struct http_kept fresh = {
        .response = reply->response, .data = reply->borrowed, .n = reply->body_bytes};
    if (reply->borrowed != NULL && status == 200)
        return kept_queue(req->http, req->mhd, status, &fresh);
    bool ok = MHD_queue_response(req->mhd, status, reply->response) == MHD_YES;
    MHD_destroy_response(reply->response);
    return ok;
}

enum otad_err http_reply_send(struct http_req *req, struct http_reply *reply, unsigned status)
{
    if (reply == NULL) { /* out of memory: the smallest thing that can still be said */
        reply = http_reply_empty();
        status = 503;
    }
    if (reply == NULL) {
        req->queue_failed = true;
        return OTAD_E_OK;
    }
    if (req->http10 || req->close_after)
        http_reply_header(reply, "Connection", "close");
    if (req->follow != NULL)
        watch_begin(req->http->watch, req->follow, req->conn->fd,
                    reply->head_bytes + fixed_head(status, reply->body_bytes), reply->body_bytes,
                    http_now_ms());
    req->status = status;
    req->queued = true;
    req->queue_failed = !queue(req, reply, status);
    free(reply);
    return OTAD_E_OK;
}

struct http_reply *http_reply_of_json(json_t *body)
{
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (text == NULL)
        return NULL;
    size_t n = strlen(text);
    text[n] = '\n'; /* the NUL's place: a terminal's prompt then starts on its own line */
    struct http_reply *reply =
        reply_wrap(MHD_create_response_from_buffer(n + 1, text, MHD_RESPMEM_MUST_FREE), n + 1);
    http_reply_header(reply, "Content-Type", "application/json");
    http_reply_header(reply, "Cache-Control", "no-store");
    return reply;
}

enum otad_err http_reply_json(struct http_req *req, unsigned status, json_t *body)
{
    return http_reply_send(req, http_reply_of_json(body), status);
}

enum otad_err http_reply_refuse(struct http_req *req, unsigned status, const char *reason)
{
    struct http_reply *reply = http_reply_empty();
    http_reply_header(reply, "X-Otad-Reason", reason);
    if (status == 503 || status == 429)
        http_reply_header(reply, "Retry-After", "10");
    return http_reply_send(req, reply, status);
}

static json_t *error_json(enum otad_err err, const char *msg, const char *hint)
{
    /* They quote what was asked, cut to a length: that need not be UTF-8. */
    return json_pack("{s:{s:s, s:o, s:o}}", "error", "code", otad_err_name(err), "message",
                     json_text(msg), "hint", json_text(hint));
}

/* A server's fault: the detail goes to the log, a number to find it by to the client. */
static json_t *internal_json(struct http_req *req, enum otad_err err, const struct otad_errinfo *ei)
{
    uint8_t id[6] = {0};
    char text[2 * sizeof id + 1], msg[128];
    if (random_bytes(id, sizeof id) != OTAD_E_OK)
        id[0] = 0; /* a zero id is still an id */
    hex_encode(id, sizeof id, text);
    log_err(req->http->settings.log, "request.failed", "id=%s path=%s code=%s error='%s'", text,
            http_req_path(req), otad_err_name(err), ei->msg);
    (void)snprintf(msg, sizeof msg, "Something went wrong inside otad (request %s)", text);
    return error_json(err, msg, "The log of otad has a line with this number.");
}

static void add_allow(struct http_reply *reply, const struct otad_errinfo *ei)
{
    http_reply_header(reply, "Allow", ei->hint);
}

/* What a 401 must name. Browsers answer Basic with a dialog of their own, which is right for an
 * address that somebody typed and wrong under a page of ours, which asks by itself. */
static const char *challenge(struct http_req *req)
{
    const char *accept = http_req_header(req, "Accept");
    bool page = http_req_header(req, "X-Otad-CSRF") != NULL ||
                http_req_header(req, "Cookie") != NULL ||
                (accept != NULL && strncmp(accept, "text/event-stream", 17) == 0);
    return page ? "Bearer realm=\"otad\"" : "Basic realm=\"otad\"";
}

static enum otad_err send_json_error(struct http_req *req, enum otad_err err,
                                     const struct otad_errinfo *ei)
{
    unsigned status = otad_err_status(err);
    json_t *body = status == 500 ? internal_json(req, err, ei) : error_json(err, ei->msg, ei->hint);
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    struct http_reply *reply = text != NULL ? http_reply_copy(text, strlen(text)) : NULL;
    free(text);
    http_reply_header(reply, "Content-Type", "application/json");
    http_reply_header(reply, "Cache-Control", "no-store");
    if (err == OTAD_E_METHOD)
        add_allow(reply, ei);
    if (err == OTAD_E_UNAUTHORIZED)
        http_reply_header(reply, "WWW-Authenticate", challenge(req));
    if (status == 503 || status == 429)
        http_reply_header(reply, "Retry-After", "5");
    return http_reply_send(req, reply, status);
}

enum otad_err http_reply_error(struct http_req *req, enum otad_err err,
                               const struct otad_errinfo *ei)
{
    if (!req->device_path)
        return send_json_error(req, err, ei);
    unsigned status = otad_err_status(err);
    if (status >= 500)
        log_err(req->http->settings.log, "request.failed", "path=%s code=%s error='%s'",
                http_req_path(req), otad_err_name(err), ei->msg);
    struct http_reply *reply = http_reply_empty();
    http_reply_header(reply, "X-Otad-Reason", otad_err_name(err));
    if (err == OTAD_E_METHOD)
        add_allow(reply, ei);
    if (status == 503 || status == 429)
        http_reply_header(reply, "Retry-After", "10");
    return http_reply_send(req, reply, status);
}
