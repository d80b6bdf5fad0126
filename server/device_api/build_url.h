/* SPDX-License-Identifier: MIT
 * The absolute tokenized URL of a build, as documents for devices name it. */
#ifndef OTAD_DEVICE_API_BUILD_URL_H
#define OTAD_DEVICE_API_BUILD_URL_H

#include "fleet/otad.h"
#include "fleet/static_url.h"
#include "http/request.h"

#define BUILD_URL_MAX (OPTION_TEXT_MAX + STATIC_PATH_MAX)

/** Writes it, good for devices.url_lifetime_s from now. The URL names the build: a digest that
 *  stands beside it is always that of its bytes, wherever channels move.
 *  @param device  row id, 0 = any device  @return OTAD_E_OK, OTAD_E_INTERNAL */
enum otad_err build_url(const struct http_req *req, int64_t build_id, int64_t device,
                        char out[BUILD_URL_MAX], struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
