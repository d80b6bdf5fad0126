/* SPDX-License-Identifier: MIT
 * Handlers of the dashboard: one page and its assets. What it shows it reads from /api/v1 like
 * everybody else. */
#ifndef OTAD_DASHBOARD_DASHBOARD_H
#define OTAD_DASHBOARD_DASHBOARD_H

#include "http/route.h"

/** GET / */
enum otad_err dashboard_page(struct http_req *req, struct otad_errinfo *ei);
/** GET /assets/{name} */
enum otad_err dashboard_asset(struct http_req *req, struct otad_errinfo *ei);

#endif
