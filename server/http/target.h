/* SPDX-License-Identifier: MIT
 * The request target, parsed from its raw bytes: path segments and query pairs, decoded. */
#ifndef OTAD_HTTP_TARGET_H
#define OTAD_HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#define TARGET_SEGMENTS_MAX 9
#define TARGET_QUERY_MAX 10

/** A parsed target. All texts are decoded, NUL-terminated and live in the buffer given to
 *  target_parse(). Plain data. */
struct target {
    char *segments[TARGET_SEGMENTS_MAX]; /* of "/fw/lamp/latest": fw, lamp, latest */
    size_t n_segments;                   /* 0 for "/" */
    struct {
        const char *key, *value;
    } query[TARGET_QUERY_MAX]; /* first come, first kept; "a" has value "" */
    size_t n_query;
};

/** The path and query of an absolute-form target ("http://host/path?query"), which a server must
 *  take too (RFC 9112 §3.2.2); other targets are given back as they are. */
const char *target_origin_form(const char *raw);

/** Copies the path of a raw target (n bytes, without its query) as it may be logged: what follows
 *  a '~' within a segment, also in its encoded spelling, is a product key and is left out.
 *  @param out  room for n bytes and a NUL */
void target_copy_loggable(const char *raw, size_t n, char *out);

/** Parses a raw origin-form target ("/path?query"), as the client sent it.
 *  %00, %2F, other encoded or raw control characters, bad escapes, "//", "." and ".." segments,
 *  and too many segments are refused; '+' in a path is a plus, in a query a blank.
 *  @param buf   room for the decoded texts: 2 * strlen(raw) + 2 bytes; must outlive *out
 *  @return false on a refused target; *out is then undefined. */
bool target_parse(const char *raw, char *buf, struct target *out);

/** Parses "key=value&…" (a query string or a form body) into out->query.
 *  @param buf  room for the decoded texts: 2 * strlen(text) + 2 bytes; must outlive *out
 *  @return false on a bad escape or a control character. */
bool target_parse_query(const char *text, char *buf, struct target *out);

/** Value of the first query pair with that key, or NULL. Borrowed from t's buffer. */
const char *target_query(const struct target *t, const char *key);

#endif
