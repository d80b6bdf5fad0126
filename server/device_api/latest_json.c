/* SPDX-License-Identifier: MIT
 * Owns `latest.json`: what there is for a device, and where, in Blynk's field names. */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "device_api/ask.h"
#include "device_api/build_url.h"
#include "device_api/device_api.h"
#include "http/reply.h"

/* `version` repeats `ver` for esp32FOTA, which also reads `type` and `url` and has 2048 bytes of
 * room for all of it. */
static json_t *describe(const struct ask *a, const char *url)
{
    char number[24];
    (void)snprintf(number, sizeof number, "%" PRId64, a->row.number);
    return json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "url", url, "size",
                     (json_int_t)a->row.size_bytes, "type", a->slug, "ver", a->row.target_version,
                     "build", number, "version", a->row.target_version, "md5", a->row.md5, "sha256",
                     a->row.sha256, "id", json_id(a->row.build_id));
}

enum otad_err device_latest_json(struct http_req *req, struct otad_errinfo *ei)
{
    struct ask a;
    char url[BUILD_URL_MAX];
    enum otad_err err = ask(req, NULL, true, &a, ei);
    if (err == OTAD_E_NOENT)
        return http_reply_refuse(req, 404, "no_product");
    if (err != OTAD_E_OK)
        return err;
    if (a.decision.verdict != VERDICT_SERVE &&
        (a.decision.verdict != VERDICT_UP_TO_DATE || a.in.updater))
        return ask_refuse(req, &a);
    err = build_url(req, a.row.build_id, a.row.device, url, ei);
    return err == OTAD_E_OK ? http_reply_json(req, 200, describe(&a, url)) : err;
}
