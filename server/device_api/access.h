/* SPDX-License-Identifier: MIT
 * Who may see a product on the device paths: the product key a request presents, and what becomes
 * of a request without the right one. */
#ifndef OTAD_DEVICE_API_ACCESS_H
#define OTAD_DEVICE_API_ACCESS_H

#include "fleet/checkin.h"
#include "http/request.h"

/** The product a request names and the key it presents. */
struct access {
    char slug[OTAD_SLUG_MAX + 1]; /* "": no slug, so no product */
    bool presented;               /* something that claims to be a key */
    bool has_hash;                /* it may be one */
    uint8_t hash[OTAD_SHA256_LEN];
};

/** Reads both. A device carries the key in whatever its client can set, looked at in this order:
 *  the path (`/fw/{slug}~{KEY}/…`; no slug holds a '~'), `?key=`, the header `X-Otad-Key`, and
 *  `Authorization` (Bearer, or the password of Basic, which Arduino clients send unasked). */
void access_read(const struct http_req *req, struct access *out);

/** What the key is looked up by, NULL without one. */
const uint8_t *access_hash(const struct access *a);

/** Judges the loaded row. A request that may not see the product is answered exactly as if there
 *  were none; a line in the log, at most one a second, tells the owner why.
 *  @return OTAD_E_OK or OTAD_E_NOENT */
enum otad_err access_check(const struct http_req *req, const struct access *a,
                           const struct checkin_row *row, struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
