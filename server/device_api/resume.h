/* SPDX-License-Identifier: MIT
 * From which build a Range is answered on a URL that names none. */
#ifndef OTAD_DEVICE_API_RESUME_H
#define OTAD_DEVICE_API_RESUME_H

#include "device_api/ask.h"
#include "fleet/lease.h"

/** Makes the build of this client's lease the target of *a when the request is for bytes that
 *  start behind the first, without an If-Range to say of which image; any other request keeps its
 *  target. Such a request is refused with 416 when nothing says what it continues, so that the
 *  client starts over, and with 410 when that build was withdrawn.
 *  @param answered  receives whether the refusal was sent; then *a may be spoilt
 *  @return OTAD_E_OK or a database error */
enum otad_err resume_choose(struct http_req *req, struct ask *a, bool *answered,
                            struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** The key of this client's leases. */
struct lease_key resume_key(const struct ask *a);

#endif
