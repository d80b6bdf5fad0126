/* SPDX-License-Identifier: MIT
 * Owns /static: images behind a token, for Blynk-style clients and whoever holds the URL. */
#include <string.h>

#include "device_api/device_api.h"
#include "device_api/serve.h"
#include "fleet/static_url.h"
#include "http/reply.h"

/* A client that says what it will do with the bytes must not get others: in a filesystem mode a
 * device writes whatever comes. Most clients of these URLs say nothing. */
static bool asks_for_another_kind(const struct ask *a)
{
    if (a->in.said.mode[0] == '\0' || a->in.mode == MODE_VERSION)
        return false;
    return (a->in.mode != MODE_SKETCH || a->row.kind != BUILD_APP) &&
           (a->in.mode != MODE_FS || a->row.kind != BUILD_FS);
}

/* Rules 1 and 2 of the decision; the token stands for the others. */
static const char *refusal(const struct ask *a, bool withdrawn, unsigned *status)
{
    *status = 403;
    if (a->row.disabled)
        return reason_name(REASON_DISABLED);
    if (a->row.blocked)
        return reason_name(REASON_BLOCKED);
    *status = 410;
    if (withdrawn)
        return "withdrawn";
    *status = 404;
    return asks_for_another_kind(a) ? reason_name(REASON_WRONG_MODE) : NULL;
}

static enum otad_err serve(struct http_req *req, int64_t build_id, int32_t number,
                           struct otad_errinfo *ei)
{
    struct ask a;
    bool withdrawn;
    unsigned status;
    enum otad_err err = ask_build(req, build_id, number, &a, &withdrawn, ei);
    if (err == OTAD_E_NOENT)
        return http_reply_refuse(req, 410, "withdrawn"); /* it was there when the URL was made */
    if (err != OTAD_E_OK)
        return err;
    const char *reason = refusal(&a, withdrawn, &status);
    if (reason != NULL)
        return http_reply_refuse(req, status, reason);
    if (a.in.mode == MODE_VERSION)
        return serve_version(req, &a);
    if (identify_has(req, a.row.sha256))
        return http_reply_refuse(req, 304, reason_name(REASON_SAME_CONTENT));
    return serve_image(req, &a, ei);
}

enum otad_err device_static(struct http_req *req, struct otad_errinfo *ei)
{
    struct otad *o = http_req_app(req);
    int64_t build_id;
    int32_t number;
    const char *token = http_req_query(req, "token");
    /* The token is looked at before the database: a wrong one costs two hashes. */
    if (!static_name_parse(http_req_param(req, "name"), &build_id, &number) || token == NULL ||
        !token_check(o->url_key, (uint64_t)build_id, number, token, clock_wall_s(&o->clock)))
        return http_reply_refuse(req, 403, "bad_token");
    return serve(req, build_id, number, ei);
}
