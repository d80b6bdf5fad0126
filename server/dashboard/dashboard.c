/* SPDX-License-Identifier: MIT
 * Owns how the dashboard's files are answered. */
#include "dashboard/dashboard.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "dashboard/assets.h"
#include "http/reply.h"

/* Nothing from anywhere else, nothing inline, in no frame. */
#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"               \
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

static void keep(void *arg)
{
    (void)arg; /* it is part of the program */
}

/* Whether a list header names a word: "gzip, br" names gzip, and so does "GZIP;q=0.5"; "gzip;q=0"
 * says that it is not wanted. */
static bool takes_gzip(const char *header)
{
    static const char word[] = "gzip";
    for (; header != NULL && *header != '\0'; header += *header == ',') {
        header += strspn(header, " \t");
        size_t n = strcspn(header, ",");
        if (strncasecmp(header, word, sizeof word - 1) == 0) {
            const char *rest = header + sizeof word - 1;
            rest += strspn(rest, " \t");
            const char *q = memmem(rest, (size_t)(header + n - rest), "q=", 2);
            if (*rest == '\0' || *rest == ',' || *rest == ';')
                return q == NULL || isdigit((unsigned char)q[2 + strspn(q + 2, "0.")]);
        }
        header += n;
    }
    return false;
}

/* If-None-Match: "*", or a list with ours in it. Entity tags hold no commas here. */
static bool has_it(const char *header, const char *etag)
{
    return header != NULL && (strcmp(header, "*") == 0 || strstr(header, etag) != NULL);
}

static enum otad_err send(struct http_req *req, const struct asset *a, const char *cache)
{
    bool gzip = takes_gzip(http_req_header(req, "Accept-Encoding"));
    const char *etag = gzip ? a->etag_gzip : a->etag;
    bool same = has_it(http_req_header(req, "If-None-Match"), etag);
    struct http_reply *reply = same   ? http_reply_empty()
                               : gzip ? http_reply_borrow(a->gzip, a->gzip_n, keep, NULL)
                                      : http_reply_borrow(a->plain, a->plain_n, keep, NULL);
    http_reply_header(reply, "ETag", etag);
    http_reply_header(reply, "Cache-Control", cache);
    http_reply_header(reply, "Vary", "Accept-Encoding");
    if (same)
        return http_reply_send(req, reply, 304);
    http_reply_header(reply, "Content-Type", a->type);
    if (gzip)
        http_reply_header(reply, "Content-Encoding", "gzip");
    http_reply_header(reply, "Content-Security-Policy", POLICY);
    http_reply_header(reply, "X-Content-Type-Options", "nosniff");
    http_reply_header(reply, "Referrer-Policy", "no-referrer");
    return http_reply_send(req, reply, 200);
}

enum otad_err dashboard_page(struct http_req *req, struct otad_errinfo *ei)
{
    const struct asset *page = asset_find("index.html");
    if (page == NULL)
        return otad_fail(ei, OTAD_E_NOENT, "This otad was built without a dashboard");
    return send(req, page, "no-cache"); /* it names the others, and is small */
}

enum otad_err dashboard_asset(struct http_req *req, struct otad_errinfo *ei)
{
    const char *name = http_req_param(req, "name");
    const struct asset *a = strcmp(name, "index.html") != 0 ? asset_find(name) : NULL;
    if (a == NULL)
        return otad_fail(ei, OTAD_E_NOENT, "There is no /assets/%.80s", name);
    return send(req, a, "public, max-age=31536000, immutable");
}
