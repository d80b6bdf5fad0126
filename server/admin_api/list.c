/* SPDX-License-Identifier: MIT
 * Owns paging. */
#include "admin_api/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "http/reply.h"

static bool is_known(const char *key, const char *const *known)
{
    if (strcmp(key, "limit") == 0 || strcmp(key, "cursor") == 0)
        return true;
    for (; *known != NULL; known++)
        if (strcmp(key, *known) == 0)
            return true;
    return false;
}

static enum otad_err read_limit(struct http_req *req, int64_t *out, struct otad_errinfo *ei)
{
    const char *text = http_req_query(req, "limit");
    *out = LIST_LIMIT_DEFAULT;
    if (text == NULL)
        return OTAD_E_OK;
    char *end;
    long long n = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || n < 1 || n > LIST_LIMIT_MAX)
        return otad_fail(ei, OTAD_E_INVALID, "'limit' must be a whole number from 1 to %d",
                         LIST_LIMIT_MAX);
    *out = n;
    return OTAD_E_OK;
}

enum otad_err list_begin(struct http_req *req, const char *const *known, struct list *out,
                         struct otad_errinfo *ei)
{
    for (size_t i = 0; i < http_req_query_count(req); i++)
        if (!is_known(http_req_query_key(req, i), known))
            return otad_fail(ei, OTAD_E_INVALID, "Unknown filter '%.40s'",
                             http_req_query_key(req, i));
    *out = (struct list){.cursor = http_req_query(req, "cursor")};
    enum otad_err err = read_limit(req, &out->limit, ei);
    if (err != OTAD_E_OK)
        return err;
    out->items = json_array();
    return out->items != NULL ? OTAD_E_OK : otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
}

bool list_has_room(struct list *list)
{
    bool room = (int64_t)json_array_size(list->items) < list->limit;
    list->more |= !room;
    return room;
}

enum otad_err list_add(struct list *list, json_t *shape)
{
    return json_array_append_new(list->items, shape) == 0 ? OTAD_E_OK : OTAD_E_NOMEM;
}

json_t *list_json(struct list *list, enum otad_err err)
{
    json_t *items = OTAD_STEAL(list->items);
    if (err != OTAD_E_OK) {
        json_decref(items);
        return NULL;
    }
    return json_pack("{s:o, s:o}", "items", items, "next",
                     list->more ? json_string(list->next) : json_null());
}

enum otad_err list_send(struct http_req *req, struct list *list, enum otad_err err)
{
    json_t *body = list_json(list, err);
    return err != OTAD_E_OK ? err : http_reply_json(req, 200, body);
}

enum otad_err list_cursor_number(const struct list *list, int64_t fallback, int64_t *out,
                                 struct otad_errinfo *ei)
{
    *out = fallback;
    if (list->cursor == NULL)
        return OTAD_E_OK;
    char *end;
    errno = 0;
    long long n = strtoll(list->cursor, &end, 10);
    if (list->cursor[0] == '\0' || *end != '\0' || errno != 0 || n < 0)
        return otad_fail(ei, OTAD_E_INVALID,
                         "'cursor' must be what an earlier answer gave as 'next'");
    *out = n;
    return OTAD_E_OK;
}
