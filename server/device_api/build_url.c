/* SPDX-License-Identifier: MIT
 * Owns tokenized URLs that are given to devices. */
#include "device_api/build_url.h"

#include <stdio.h>

#include "http/base_url.h"

enum otad_err build_url(const struct http_req *req, int64_t build_id, int64_t device,
                        char out[BUILD_URL_MAX], struct otad_errinfo *ei)
{
    struct otad *o = http_req_app(req);
    char public_url[OPTION_TEXT_MAX], base[OPTION_TEXT_MAX], path[STATIC_PATH_MAX];
    int64_t expires_s = clock_wall_s(&o->clock) + otad_config_int(o, &o->config.url_lifetime_s);
    enum otad_err err = static_path(o, build_id, device, expires_s, path);
    if (err != OTAD_E_OK)
        return otad_fail(ei, err, "Making a token failed");
    otad_config_text(o, o->config.public_url, public_url);
    http_base_url(req, public_url, base, sizeof base);
    (void)snprintf(out, BUILD_URL_MAX, "%s%s", base, path);
    return OTAD_E_OK;
}
