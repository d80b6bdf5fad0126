/* SPDX-License-Identifier: MIT
 * Who watches which events, and their shape. */
#ifndef OTAD_ADMIN_API_EVENT_READER_H
#define OTAD_ADMIN_API_EVENT_READER_H

#include <jansson.h>

#include "fleet/events.h"
#include "fleet/product.h"
#include "http/request.h"

struct otad;

struct event_reader {
    struct otad *otad;
    struct events_filter filter;
    struct product product; /* the one looked up last; id 0: none */
};

/** Reads `product` and `mac` of the query, within what the key may see.
 *  @param out  zeroed or not; written whole
 *  @return OTAD_E_OK, OTAD_E_NOENT (no such product), OTAD_E_FORBIDDEN, OTAD_E_INVALID, or the
 *          database's */
enum otad_err event_reader_begin(struct http_req *req, struct event_reader *out,
                                 struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** @return an Event, the caller's; NULL when out of memory */
json_t *event_reader_shape(struct event_reader *r, const struct event *event);

#endif
