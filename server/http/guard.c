/* SPDX-License-Identifier: MIT
 * Refuses what MHD 0.9.75 accepts and HTTP forbids: doubled or contradicting lengths, chunked in
 * HTTP/1.0, folded headers, blanks in their names, a missing Host. Ambiguous framing is how
 * requests get smuggled past a proxy, so the connection closes too. */
#include "http/internal.h"

#include <string.h>
#include <strings.h>

struct seen_headers {
    unsigned lengths, encodings, hosts;
    bool folded, bad_name, bad_encoding;
};

bool header_name_is(const char *key, size_t n, const char *name)
{
    return n == strlen(name) && strncasecmp(key, name, n) == 0;
}

/* MHD keeps name and value where they were read, with only the colon and blanks between them.
 * A folded line makes it copy the name elsewhere (and silently drop the continuation). */
static bool is_folded(const char *key, size_t key_n, const char *value)
{
    if (value == NULL)
        return false;
    const char *p = key + key_n;
    if (value <= p || value - p > 65536)
        return true;
    for (; p < value; p++)
        if (*p != '\0' && *p != ' ' && *p != '\t' && *p != ':')
            return true;
    return false;
}

static enum MHD_Result look(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_n,
                            const char *value, size_t value_n)
{
    struct seen_headers *seen = cls;
    (void)kind;
    (void)value_n;
    if (is_folded(key, key_n, value))
        seen->folded = true;
    /* MHD takes "Content-Length : 5" for a header it doesn't know; a proxy may not. */
    if (key_n == 0 || memchr(key, ' ', key_n) != NULL || memchr(key, '\t', key_n) != NULL)
        seen->bad_name = true;
    if (header_name_is(key, key_n, "Content-Length"))
        seen->lengths++;
    else if (header_name_is(key, key_n, "Host"))
        seen->hosts++;
    else if (header_name_is(key, key_n, "Transfer-Encoding")) {
        seen->encodings++;
        seen->bad_encoding |= value == NULL || strcasecmp(value, "chunked") != 0;
    }
    return MHD_YES;
}

enum otad_err guard_check(struct http_req *req, struct otad_errinfo *ei)
{
    struct seen_headers seen = {.lengths = 0};
    (void)MHD_get_connection_values_n(req->mhd, MHD_HEADER_KIND, look, &seen);
    const char *wrong = NULL;
    if (!req->target_ok)
        wrong = "The path or query holds a bad escape, %2F, %00 or an empty segment";
    else if (seen.folded)
        wrong = "A header is folded over two lines";
    else if (seen.bad_name)
        wrong = "A header's name is empty or holds a blank";
    else if (seen.lengths > 1)
        wrong = "There is more than one Content-Length";
    else if (seen.lengths > 0 && seen.encodings > 0)
        wrong = "Content-Length and Transfer-Encoding contradict each other";
    else if (seen.encodings > 1 || seen.bad_encoding)
        wrong = "The only Transfer-Encoding understood is chunked";
    else if (seen.encodings > 0 && req->http10)
        wrong = "HTTP/1.0 has no Transfer-Encoding";
    else if (seen.hosts > 1 || (seen.hosts == 0 && !req->http10 && !req->device_path))
        wrong = seen.hosts > 1 ? "There is more than one Host" : "The Host header is missing";
    if (wrong == NULL)
        return OTAD_E_OK;
    req->close_after = true;
    return otad_fail(ei, OTAD_E_BAD_REQUEST, "%s", wrong);
}
