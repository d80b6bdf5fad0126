/* SPDX-License-Identifier: MIT
 * Owns decoding of request targets: MHD cuts at %00 and decodes %2F before routing, so its own
 * decoding is switched off. */
#include "http/target.h"

#include <string.h>
#include <strings.h>

#include "base/hex.h"

/* Decodes [from, end) to *to with a NUL behind it. */
static bool decode(const char *from, const char *end, char **to, bool in_query)
{
    char *out = *to;
    while (from < end) {
        char c = *from++;
        if (c == '%') {
            if (end - from < 2 || hex_digit(from[0]) < 0 || hex_digit(from[1]) < 0)
                return false;
            c = (char)(hex_digit(from[0]) << 4 | hex_digit(from[1]));
            from += 2;
            if (c == '/' && !in_query)
                return false;
        } else if (c == '+' && in_query) {
            c = ' ';
        }
        if ((unsigned char)c < 0x20 || c == 0x7f)
            return false;
        *out++ = c;
    }
    *out++ = '\0';
    *to = out;
    return true;
}

static bool parse_path(const char *p, const char *end, char **buf, struct target *out)
{
    p++; /* the leading slash */
    while (p < end) {
        const char *slash = memchr(p, '/', (size_t)(end - p));
        const char *stop = slash != NULL ? slash : end;
        if (stop == p || out->n_segments == TARGET_SEGMENTS_MAX)
            return false;
        char *text = *buf;
        if (!decode(p, stop, buf, false))
            return false;
        if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
            return false;
        out->segments[out->n_segments++] = text;
        if (slash != NULL && slash + 1 == end)
            return false; /* a trailing slash names nothing here */
        p = slash != NULL ? slash + 1 : end;
    }
    return true;
}

static bool parse_query(const char *p, char **buf, struct target *out)
{
    while (*p != '\0') {
        size_t len = (size_t)(strchrnul(p, '&') - p);
        const char *equals = memchr(p, '=', len);
        const char *key_end = equals != NULL ? equals : p + len;
        const char *key = *buf;
        if (!decode(p, key_end, buf, true))
            return false;
        const char *value = *buf;
        if (!decode(equals != NULL ? equals + 1 : p + len, p + len, buf, true))
            return false;
        if (len > 0 && out->n_query < TARGET_QUERY_MAX) {
            out->query[out->n_query].key = key;
            out->query[out->n_query].value = value;
            out->n_query++;
        }
        p += len;
        p += *p == '&';
    }
    return true;
}

bool target_parse_query(const char *text, char *buf, struct target *out)
{
    out->n_query = 0;
    return parse_query(text, &buf, out);
}

const char *target_origin_form(const char *raw)
{
    static const char scheme[] = "http://";
    if (strncasecmp(raw, scheme, sizeof scheme - 1) != 0)
        return raw;
    const char *path = strpbrk(raw + sizeof scheme - 1, "/?");
    return path != NULL && *path == '/' ? path : "/";
}

void target_copy_loggable(const char *raw, size_t n, char *out)
{
    bool secret = false;
    for (size_t i = 0; i < n; i++) {
        if (raw[i] == '/')
            secret = false;
        if (!secret)
            *out++ = raw[i];
        secret = secret || raw[i] == '~' ||
                 (i >= 2 && raw[i - 2] == '%' && raw[i - 1] == '7' && (raw[i] | 0x20) == 'e');
    }
    *out = '\0';
}

bool target_parse(const char *raw, char *buf, struct target *out)
{
    out->n_segments = out->n_query = 0;
    if (raw[0] != '/')
        return false;
    size_t path_len = (size_t)(strchrnul(raw, '?') - raw);
    if (!parse_path(raw, raw + path_len, &buf, out))
        return false;
    return raw[path_len] == '\0' || parse_query(raw + path_len + 1, &buf, out);
}

const char *target_query(const struct target *t, const char *key)
{
    for (size_t i = 0; i < t->n_query; i++)
        if (strcmp(t->query[i].key, key) == 0)
            return t->query[i].value;
    return NULL;
}
