/* SPDX-License-Identifier: MIT
 * Lists: {"items":[…],"next":cursor or null}, with `limit` and `cursor` in the query. */
#ifndef OTAD_ADMIN_API_LIST_H
#define OTAD_ADMIN_API_LIST_H

#include <jansson.h>

#include "http/request.h"

#define LIST_LIMIT_DEFAULT 100
#define LIST_LIMIT_MAX 500

/** A list being filled: ask the table for limit + 1 rows, offer each to list_add(). */
struct list {
    int64_t limit;
    const char *cursor; /* as sent, or NULL */
    json_t *items;
    bool more;     /* there was a row beyond the limit */
    char next[96]; /* set by the caller after each row that was added */
};

/** Reads limit and cursor; refuses query keys that are not `known` (NULL-terminated) or these two.
 */
enum otad_err list_begin(struct http_req *req, const char *const *known, struct list *out,
                         struct otad_errinfo *ei);

/** Whether another row fits; else notes that there are more. */
bool list_has_room(struct list *list);

/** Appends a shape (NULL = out of memory). */
enum otad_err list_add(struct list *list, json_t *shape);

/** The list as JSON, the caller's; takes the items over. NULL when err isn't OTAD_E_OK, or when out
 *  of memory. */
json_t *list_json(struct list *list, enum otad_err err);

/** Sends the list (or drops it when err isn't OTAD_E_OK, which is then returned). */
enum otad_err list_send(struct http_req *req, struct list *list, enum otad_err err);

/** A cursor that is one decimal number; `fallback` when there is none. */
enum otad_err list_cursor_number(const struct list *list, int64_t fallback, int64_t *out,
                                 struct otad_errinfo *ei);

#endif
