/* SPDX-License-Identifier: MIT
 * Any bytes as a request target: path segments and query pairs keep what the header promises. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/route.h"
#include "routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Decoded texts hold no control characters; segments no slash either. */
static void check_text(const char *text, const char *none)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f || strchr(none, *text) != NULL)
            abort();
}

static void check_target(struct target *t)
{
    if (t->n_segments > TARGET_SEGMENTS_MAX || t->n_query > TARGET_QUERY_MAX)
        abort();
    for (size_t i = 0; i < t->n_segments; i++) {
        check_text(t->segments[i], "/");
        if (t->segments[i][0] == '\0' || strcmp(t->segments[i], "..") == 0)
            abort();
    }
    for (size_t i = 0; i < t->n_query; i++) {
        check_text(t->query[i].key, "");
        check_text(t->query[i].value, "");
        if (target_query(t, t->query[i].key) == NULL)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *raw = malloc(n + 1), *buf = malloc(2 * n + 2);
    struct target t;
    if (raw == NULL || buf == NULL)
        abort();
    if (n > 0)
        memcpy(raw, data, n);
    raw[n] = '\0';
    size_t len = strlen(raw);
    char *exact = realloc(buf, 2 * len + 2); /* what the header asks for, to the byte */
    if (exact == NULL)
        abort();
    if (target_parse(raw, exact, &t)) {
        struct route_params params = {.n = 0};
        unsigned allow = 0;
        check_target(&t);
        const struct http_route *row = route_find(&routes, HTTP_GET, &t, &params, &allow);
        if (row != NULL && ((row->methods & HTTP_GET) == 0 || (allow & HTTP_GET) == 0))
            abort();
        for (size_t i = 0; i < params.n; i++)
            if (params.items[i].value[0] == '\0')
                abort();
    }
    t.n_segments = 0;
    if (target_parse_query(raw, exact, &t))
        check_target(&t);
    free(exact);
    free(raw);
    return 0;
}
