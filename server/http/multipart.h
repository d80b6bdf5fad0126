/* SPDX-License-Identifier: MIT
 * multipart/form-data, streamed: a thin coat over MHD's post processor. */
#ifndef OTAD_HTTP_MULTIPART_H
#define OTAD_HTTP_MULTIPART_H

#include "http/route.h"

struct MHD_Connection;
/** Opaque. */
struct multipart;

/** Receives pieces of parts. An error stops the parser for good. */
typedef enum otad_err (*multipart_part)(void *arg, const struct http_part *part,
                                        struct otad_errinfo *ei);

/** @return NULL when the request's Content-Type has no usable boundary, or out of memory. */
struct multipart *multipart_new(struct MHD_Connection *mhd, multipart_part part, void *arg);

/** Feeds n bytes. @return OTAD_E_OK, OTAD_E_BAD_REQUEST (malformed), or what `part` failed with. */
enum otad_err multipart_data(struct multipart *m, const char *data, size_t n,
                             struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Ends and frees *m. @return OTAD_E_BAD_REQUEST when the closing boundary is missing. */
enum otad_err multipart_end(struct multipart **m, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Frees *m without a verdict. */
void multipart_free(struct multipart **m);

#endif
