/* SPDX-License-Identifier: MIT
 * Owns answers that are being sent to many: one copy of their headers, whoever gets them. Without
 * it the headers of a download cost each of thousands of slow devices 1.6 KB. */
#include "http/internal.h"

#include <string.h>

#define KEEP_MS 5000 /* unused for so long: it must not hold its image in memory for ever */

struct compare {
    struct MHD_Response *with;
    bool same;
};

static enum MHD_Result compare_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    struct compare *c = cls;
    const char *other = MHD_get_response_header(c->with, name);
    (void)kind;
    c->same = other != NULL && strcmp(value, other) == 0;
    return c->same ? MHD_YES : MHD_NO;
}

static bool same_headers(struct MHD_Response *a, struct MHD_Response *b)
{
    struct compare c = {.with = b, .same = true};
    int n = MHD_get_response_headers(a, compare_header, &c);
    return c.same && n == MHD_get_response_headers(b, NULL, NULL);
}

static bool is_same(const struct http_kept *k, const struct http_kept *fresh)
{
    return k->response != NULL && k->data == fresh->data && k->n == fresh->n &&
           same_headers(k->response, fresh->response);
}

static void drop(struct http_kept *k)
{
    if (k->response != NULL)
        MHD_destroy_response(k->response); /* lives on while it is being sent */
    k->response = NULL;
    k->used_ms = 0;
}

bool kept_queue(struct http *http, struct MHD_Connection *mhd, unsigned status,
                const struct http_kept *fresh)
{
    struct http_kept *use = &http->kept[0];
    (void)pthread_mutex_lock(&http->kept_lock);
    for (size_t i = 0; i < OTAD_COUNT(http->kept); i++) {
        if (is_same(&http->kept[i], fresh)) {
            use = &http->kept[i];
            break;
        }
        if (http->kept[i].used_ms < use->used_ms)
            use = &http->kept[i]; /* the least recently used makes way */
    }
    if (is_same(use, fresh)) {
        MHD_destroy_response(fresh->response);
    } else {
        drop(use);
        *use = *fresh;
    }
    use->used_ms = http_now_ms();
    bool ok = MHD_queue_response(mhd, status, use->response) == MHD_YES;
    (void)pthread_mutex_unlock(&http->kept_lock);
    return ok;
}

void kept_expire(struct http *http, int64_t now_ms)
{
    (void)pthread_mutex_lock(&http->kept_lock);
    for (size_t i = 0; i < OTAD_COUNT(http->kept); i++)
        if (now_ms == INT64_MAX || now_ms - http->kept[i].used_ms > KEEP_MS)
            drop(&http->kept[i]);
    (void)pthread_mutex_unlock(&http->kept_lock);
}
