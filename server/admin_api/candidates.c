/* SPDX-License-Identifier: MIT
 * Owns /candidates: devices of this network that could be pushed to. */
#include <stdlib.h>

#include "admin_api/admin_api.h"
#include "admin_api/shapes.h"
#include "base/json.h"
#include "base/mac.h"
#include "fleet/otad.h"
#include "http/reply.h"
#include "push/discovery.h"

static json_t *shape(const struct candidate *c)
{
    char mac[OTAD_MAC_TEXT];
    mac_text(c->mac, mac);
    return json_pack("{s:s, s:s, s:s, s:i, s:s, s:b, s:o, s:o}", "name", c->name, "host", c->host,
                     "address", c->address, "port", (int)c->port, "board", c->board, "auth",
                     (int)c->auth, "mac", c->mac != 0 ? json_string(mac) : json_null(), "seen_at",
                     json_time(c->seen_s));
}

enum otad_err admin_candidates(struct http_req *req, struct otad_errinfo *ei)
{
    struct otad *o = http_req_app(req);
    char why[160] = "push.discovery is off in the configuration";
    bool on = o->discovery != NULL && discovery_is_on(o->discovery, why, sizeof why);
    struct candidate *found = calloc(CANDIDATES_MAX, sizeof *found);
    json_t *items = json_array();
    if (found == NULL || items == NULL) {
        free(found);
        json_decref(items);
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    }
    size_t n = on ? candidates_copy(discovery_found(o->discovery), found, CANDIDATES_MAX) : 0;
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(items, shape(&found[i]));
    free(found);
    return http_reply_json(req, 200,
                           json_pack("{s:o, s:n, s:b, s:s}", "items", items, "next", "listening",
                                     (int)on, "reason", on ? "" : why));
}
