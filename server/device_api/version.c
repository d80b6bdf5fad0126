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

/* Whether the answer is a number, which can say "stay" to a blocked device: 0. */
static bool wants_number(const struct http_req *req, const char *path_word)
{
    return path_word != NULL || http_req_query(req, "number") != NULL;
}

static enum otad_err look(struct http_req *req, const char *path_word, bool record, struct ask *a,
                          bool *answered, struct otad_errinfo *ei)
{
    enum otad_err err = ask(req, path_word, record, a, ei);
    *answered = true;
    if (err == OTAD_E_NOENT)
        return http_reply_refuse(req, 404, "no_product");
    if (err != OTAD_E_OK)
        return err;
    bool blocked = a->decision.reason == REASON_BLOCKED && wants_number(req, path_word);
    if (a->decision.verdict == VERDICT_REFUSE && !blocked)
        return ask_refuse(req, a);
    *answered = false;
    return OTAD_E_OK;
}

/* Sketches read it with toInt() and update when it is larger than their own: 0 says "stay". */
static enum otad_err send_number(struct http_req *req, const struct ask *a)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64,
                   a->decision.verdict == VERDICT_SERVE || a->decision.verdict == VERDICT_UP_TO_DATE
                       ? a->row.number
                       : 0);
    return send_text(req, text);
}

enum otad_err device_mac_version(struct http_req *req, struct otad_errinfo *ei)
{
    struct ask a;
    bool answered;
    const char *word = http_req_param(req, "mac");
    if (!ask_is_word(word))
        return http_reply_refuse(req, 404, "no_variant");
    enum otad_err err = look(req, word, true, &a, &answered, ei);
    return answered ? err : send_number(req, &a);
}

enum otad_err device_latest_version(struct http_req *req, struct otad_errinfo *ei)
{
    struct ask a;
    bool answered;
    enum otad_err err = look(req, NULL, true, &a, &answered, ei);
    if (answered)
        return err;
    if (http_req_query(req, "number") != NULL)
        return send_number(req, &a);
    return send_text(req, a.row.target_version);
}

enum otad_err device_latest_md5(struct http_req *req, struct otad_errinfo *ei)
{
    struct ask a;
    bool answered;
    enum otad_err err = look(req, NULL, false, &a, &answered, ei);
    return answered ? err : send_text(req, a.row.md5);
}

enum otad_err device_latest_sha256(struct http_req *req, struct otad_errinfo *ei)
{
    struct ask a;
    bool answered;
    enum otad_err err = look(req, NULL, false, &a, &answered, ei);
    return answered ? err : send_text(req, a.row.sha256);
}
