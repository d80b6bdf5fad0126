/* SPDX-License-Identifier: MIT
 * Owns the small text answers: `.version` and the digest sidecars. */
#include "device_api/device_api.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "device_api/ask.h"
#include "http/reply.h"

/* No newline behind it: some readers take the body as it is. */
static enum otad_err send_text(struct http_req *req, const char *text)
{
    struct http_reply *reply = http_reply_copy(text, strlen(text));
    http_reply_header(reply, "Content-Type", "text/plain");
    http_reply_header(reply, "Cache-Control", "no-store");
    return http_reply_send(req, reply, 200);
}

/* Sketches read it with toInt() and update when it is larger than their own: 0 says "stay", also
 * to a blocked device. */
static enum otad_err number(struct http_req *req, struct ask *a, struct otad_errinfo *ei)
{
    char text[24];
    (void)ei;
    if (a->decision.verdict == VERDICT_REFUSE && a->decision.reason != REASON_BLOCKED)
        return ask_refuse(req, a);
    (void)snprintf(text, sizeof text, "%" PRId64,
                   a->decision.verdict == VERDICT_SERVE || a->decision.verdict == VERDICT_UP_TO_DATE
                       ? a->row.number
                       : 0);
    return send_text(req, text);
}

static enum otad_err version(struct http_req *req, struct ask *a, struct otad_errinfo *ei)
{
    (void)ei;
    return a->decision.verdict == VERDICT_REFUSE ? ask_refuse(req, a)
                                                 : send_text(req, a->row.target_version);
}

static enum otad_err md5(struct http_req *req, struct ask *a, struct otad_errinfo *ei)
{
    (void)ei;
    return a->decision.verdict == VERDICT_REFUSE ? ask_refuse(req, a) : send_text(req, a->row.md5);
}

static enum otad_err sha256(struct http_req *req, struct ask *a, struct otad_errinfo *ei)
{
    (void)ei;
    return a->decision.verdict == VERDICT_REFUSE ? ask_refuse(req, a)
                                                 : send_text(req, a->row.sha256);
}

enum otad_err device_mac_version(struct http_req *req, struct otad_errinfo *ei)
{
    const char *word = http_req_param(req, "mac");
    if (!ask_is_word(word))
        return http_reply_refuse(req, 404, "no_variant");
    return ask(req, word, ASK_NUMBER, number, ei);
}

enum otad_err device_latest_version(struct http_req *req, struct otad_errinfo *ei)
{
    bool asks_number = http_req_query(req, "number") != NULL;
    return asks_number ? ask(req, NULL, ASK_NUMBER, number, ei)
                       : ask(req, NULL, ASK_OTHER, version, ei);
}

enum otad_err device_latest_md5(struct http_req *req, struct otad_errinfo *ei)
{
    return ask(req, NULL, ASK_NOTHING, md5, ei);
}

enum otad_err device_latest_sha256(struct http_req *req, struct otad_errinfo *ei)
{
    return ask(req, NULL, ASK_NOTHING, sha256, ei);
}
