/* SPDX-License-Identifier: MIT
 * Owns what operators ask: health and the audit. */
#include <inttypes.h>
#include <stdio.h>

#include "admin_api/admin_api.h"
#include "admin_api/list.h"
#include "admin_api/shapes.h"
#include "fleet/otad.h"
#include "http/reply.h"

/* Whether requests can be answered: the database can be read, the writer isn't stuck. */
enum otad_err admin_healthz(struct http_req *req, struct otad_errinfo *ei)
{
    struct otad *o = http_req_app(req);
    struct db *db;
    int64_t version, commit_ms;
    size_t queued;
    enum otad_err err = otad_reader(o, &db, ei);
    if (err == OTAD_E_OK)
        err = db_schema_version(db, &version, ei);
    if (err != OTAD_E_OK)
        return err;
    writer_stats(o->writer, &queued, &commit_ms);
    return http_reply_json(req, 200,
                           json_pack("{s:s, s:I, s:I, s:I}", "status", "ok", "schema",
                                     (json_int_t)version, "queued_changes", (json_int_t)queued,
                                     "last_commit_ms", (json_int_t)commit_ms));
}

static enum otad_err add(void *arg, const struct audit *a)
{
    struct list *list = arg;
    if (!list_has_room(list))
        return OTAD_E_OK;
    (void)snprintf(list->next, sizeof list->next, "%" PRId64, a->id);
    return list_add(list, shape_audit(a));
}

enum otad_err admin_audit_list(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {NULL};
    struct list list;
    struct db *db;
    int64_t before = 0;
    enum otad_err err = list_begin(req, known, &list, ei);
    if (err == OTAD_E_OK)
        err = list_cursor_number(&list, 0, &before, ei);
    if (err == OTAD_E_OK)
        err = otad_reader(http_req_app(req), &db, ei);
    if (err == OTAD_E_OK)
        err = audit_list(db, before, list.limit + 1, add, &list, ei);
    return list_send(req, &list, err);
}
