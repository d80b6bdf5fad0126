/* SPDX-License-Identifier: MIT
 * Owns the choice of the base of absolute URLs. */
#include "http/base_url.h"

#include <stdio.h>
#include <string.h>

void http_base_url(const struct http_req *req, const char *public_url, char *out, size_t room)
{
    size_t n = strlen(public_url);
    while (n > 0 && public_url[n - 1] == '/')
        n--;
    if (n > 0)
        (void)snprintf(out, room, "%.*s", (int)n, public_url);
    else
        (void)snprintf(out, room, "%s://%s", http_req_scheme(req), http_req_local(req));
}
