/* SPDX-License-Identifier: MIT
 * Owns `latest.json`: what there is for a device, and where, in Blynk's field names. */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "device_api/ask.h"
#include "device_api/device_api.h"
#include "fleet/static_url.h"
#include "http/base_url.h"
#include "http/reply.h"

/* `version` repeats `ver` for esp32FOTA, which also reads `type` and `url`. */
static json_t *describe(const struct ask *a, const char *base, const char *path)
{
    char url[OPTION_TEXT_MAX + STATIC_PATH_MAX], number[24];
    (void)snprintf(url, sizeof url, "%s%s", base, path);
    (void)snprintf(number, sizeof number, "%" PRId64, a->row.number);
    return json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "url", url, "size",
                     (json_int_t)a->row.size_bytes, "type", a->slug, "ver", a->row.target_version,
                     "build", number, "version", a->row.target_version, "md5", a->row.md5, "sha256",
                     a->row.sha256, "id", json_id(a->row.build_id));
}

enum otad_err device_latest_json(struct http_req *req, struct otad_errinfo *ei)
{
    struct ask a;
    char public_url[OPTION_TEXT_MAX], base[OPTION_TEXT_MAX], path[STATIC_PATH_MAX];
    enum otad_err err = ask(req, NULL, true, &a, ei);
    if (err == OTAD_E_NOENT)
        return http_reply_refuse(req, 404, "no_product");
    if (err != OTAD_E_OK)
        return err;
    if (a.decision.verdict != VERDICT_SERVE &&
        (a.decision.verdict != VERDICT_UP_TO_DATE || a.in.updater))
        return ask_refuse(req, &a);
    int64_t expires_s =
        clock_wall_s(&a.otad->clock) + otad_config_int(a.otad, &a.otad->config.url_lifetime_s);
    err = static_path(a.otad, a.row.build_id, a.row.device, expires_s, path);
    if (err != OTAD_E_OK)
        return otad_fail(ei, err, "Making a token failed");
    otad_config_text(a.otad, a.otad->config.public_url, public_url);
    http_base_url(req, public_url, base, sizeof base);
    return http_reply_json(req, 200, describe(&a, base, path));
}
