/* SPDX-License-Identifier: MIT
 * Rows of the route table and how a target finds its row. */
#ifndef OTAD_HTTP_ROUTE_H
#define OTAD_HTTP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/access.h"
#include "http/target.h"
#include "otad/err.h"

struct http_req;

enum http_method {
    HTTP_GET = 1,
    HTTP_HEAD = 2,
    HTTP_POST = 4,
    HTTP_PATCH = 8,
    HTTP_PUT = 16,
    HTTP_DELETE = 32
};

/** What a route takes as its body. */
enum http_body {
    HTTP_BODY_NONE,   /* none; a body is 413 */
    HTTP_BODY_JSON,   /* application/json; none at all counts as {} */
    HTTP_BODY_REPORT, /* JSON or form fields (urlencoded) */
    HTTP_BODY_UPLOAD  /* multipart, or anything but JSON as the raw file; streamed to the sink */
};

/** A piece of a streamed body: of a multipart part, or of the raw body (name NULL). */
struct http_part {
    const char *name;
    const char *filename; /* NULL when the part is no file */
    uint64_t offset;      /* of data within the part; 0 starts a new part */
    const char *data;
    size_t n;
};

/** Takes a streamed body. An error makes the rest of the body be thrown away and is answered. */
struct http_sink {
    enum otad_err (*begin)(struct http_req *req, struct otad_errinfo *ei);
    enum otad_err (*part)(struct http_req *req, const struct http_part *part,
                          struct otad_errinfo *ei);
};

typedef enum otad_err (*http_handler)(struct http_req *req, struct otad_errinfo *ei);

#define HTTP_MAX_BODY_IMAGE (-1) /* as the configuration says, plus room for form fields */

/** One row. Templates: "/fw/{product}/{mac}.bin": a segment is literal, or one {name} with a
 *  literal before and behind it. A literal segment beats a templated one, so order never matters.
 */
struct http_route {
    unsigned methods; /* enum http_method, or-ed; HEAD must be named */
    const char *path;
    enum http_access access;
    enum http_body body;
    int64_t max_body; /* bytes, or HTTP_MAX_BODY_IMAGE */
    http_handler handler;
    const struct http_sink *sink; /* HTTP_BODY_UPLOAD only */
};

struct http_route_table {
    const struct http_route *rows;
    size_t n;
    const char *const *device_prefixes; /* first segments, NULL-terminated: errors there are bare */
};

#define ROUTE_PARAMS_MAX 4

/** The values of a matched template's names; they live in the target's buffer. */
struct route_params {
    struct {
        const char *name; /* points into the template, up to '}' */
        size_t name_n;
        const char *value;
    } items[ROUTE_PARAMS_MAX];
    size_t n;
};

/** Finds the row for a method and target.
 *  @param target  cut in place where a value ends before its segment does
 *  @param allow   or-ed methods of all rows that match the path; 0 = no such path
 *  @return the row, or NULL when the path or the method is unknown. */
const struct http_route *route_find(const struct http_route_table *t, unsigned method,
                                    struct target *target, struct route_params *params,
                                    unsigned *allow);

/** Whether some target could match both templates equally well: a table must have no such pair. */
bool route_overlap(const char *a, const char *b);

/** Value of a template's name, "" when there is none of that name. */
const char *route_param(const struct route_params *params, const char *name);

/** Enum value of a method's token, 0 for one no route takes. */
unsigned route_method(const char *token);

/** Writes "GET, HEAD, POST" for an Allow header. */
void route_methods_text(unsigned methods, char *out, size_t room);

#endif
