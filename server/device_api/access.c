/* SPDX-License-Identifier: MIT
 * Owns product keys on their way in. */
#include "device_api/access.h"

#include <string.h>

#include "base/credentials.h"
#include "fleet/otad.h"
#include "fleet/product_key.h"

#define LOG_PAUSE_MS 1000

/* Behind the slug in the path, or NULL. */
static const char *read_slug(const struct http_req *req, char slug[OTAD_SLUG_MAX + 1])
{
    const char *segment = http_req_param(req, "product");
    size_t n = strcspn(segment, "~");
    slug[0] = '\0';
    if (n <= OTAD_SLUG_MAX) {
        memcpy(slug, segment, n);
        slug[n] = '\0';
    }
    return segment[n] == '~' ? segment + n + 1 : NULL;
}

void access_read(const struct http_req *req, struct access *out)
{
    char secret[CREDENTIALS_MAX];
    const char *key = read_slug(req, out->slug);
    if (key == NULL)
        key = http_req_query(req, "key");
    if (key == NULL)
        key = http_req_header(req, "X-Otad-Key");
    const char *header = key == NULL ? http_req_header(req, "Authorization") : NULL;
    if (header != NULL && credentials_secret(header, secret))
        key = secret;
    out->presented = key != NULL;
    out->has_hash = key != NULL && product_key_hash(key, out->hash);
}

const uint8_t *access_hash(const struct access *a)
{
    return a->has_hash ? a->hash : NULL;
}

/* Whether it is this thread's turn: devices without the key must not fill the disk. */
static bool may_log(struct otad *o)
{
    int64_t now_ms = clock_mono_ms(&o->clock);
    int64_t last_ms = atomic_load(&o->key_refused_ms);
    return (last_ms == 0 || now_ms - last_ms >= LOG_PAUSE_MS) &&
           atomic_compare_exchange_strong(&o->key_refused_ms, &last_ms, now_ms);
}

enum otad_err access_check(const struct http_req *req, const struct access *a,
                           const struct checkin_row *row, struct otad_errinfo *ei)
{
    struct otad *o = http_req_app(req);
    if (!row->needs_key || row->key_ok)
        return OTAD_E_OK;
    if (may_log(o))
        log_info(o->log, "key.refused", "product=%s address=%s key=%s", a->slug,
                 http_req_address(req), a->presented ? "wrong" : "missing");
    return otad_fail(ei, OTAD_E_NOENT, "no_product"); /* the words of checkin_load() */
}
