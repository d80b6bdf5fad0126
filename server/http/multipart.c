/* SPDX-License-Identifier: MIT
 * Owns the translation of MHD's post processor callbacks into parts. */
#include "http/multipart.h"

#include <stdlib.h>

#include <microhttpd.h>

#define WINDOW 65536 /* bytes MHD may hold back while it looks for a boundary */

struct multipart {
    struct MHD_PostProcessor *pp;
    multipart_part part;
    void *arg;
    enum otad_err err;
    struct otad_errinfo ei;
};

static enum MHD_Result on_piece(void *cls, enum MHD_ValueKind kind, const char *key,
                                const char *filename, const char *content_type,
                                const char *transfer_encoding, const char *data, uint64_t off,
                                size_t size)
{
    struct multipart *m = cls;
    (void)kind;
    (void)content_type;
    (void)transfer_encoding;
    const struct http_part piece = {.name = key != NULL ? key : "",
                                    .filename = filename,
                                    .offset = off,
                                    .data = data,
                                    .n = size};
    m->err = m->part(m->arg, &piece, &m->ei);
    return m->err == OTAD_E_OK ? MHD_YES : MHD_NO;
}

struct multipart *multipart_new(struct MHD_Connection *mhd, multipart_part part, void *arg)
{
    struct multipart *m = calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    m->part = part;
    m->arg = arg;
    m->pp = MHD_create_post_processor(mhd, WINDOW, on_piece, m);
    if (m->pp == NULL) {
        free(m);
        return NULL;
    }
    return m;
}

static enum otad_err malformed(struct multipart *m, struct otad_errinfo *ei)
{
    if (m->err != OTAD_E_OK) {
        *ei = m->ei;
        return m->err;
    }
    (void)otad_fail(ei, OTAD_E_BAD_REQUEST, "The multipart body is malformed or cut short");
    return otad_hint(ei, "Let curl make it: curl -F file=@Sketch.ino.bin …");
}

enum otad_err multipart_data(struct multipart *m, const char *data, size_t n,
                             struct otad_errinfo *ei)
{
    if (m->err != OTAD_E_OK || MHD_post_process(m->pp, data, n) != MHD_YES)
        return malformed(m, ei);
    return OTAD_E_OK;
}

enum otad_err multipart_end(struct multipart **m, struct otad_errinfo *ei)
{
    enum MHD_Result complete = MHD_destroy_post_processor((*m)->pp);
    (*m)->pp = NULL;
    enum otad_err err = OTAD_E_OK;
    if (complete != MHD_YES || (*m)->err != OTAD_E_OK)
        err = malformed(*m, ei);
    multipart_free(m);
    return err;
}

void multipart_free(struct multipart **m)
{
    if (*m == NULL)
        return;
    if ((*m)->pp != NULL)
        (void)MHD_destroy_post_processor((*m)->pp); /* its verdict doesn't matter any more */
    free(*m);
    *m = NULL;
}
