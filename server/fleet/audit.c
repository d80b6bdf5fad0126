/* SPDX-License-Identifier: MIT
 * Owns the table `audit`. */
#include "fleet/audit.h"

static const char sql_insert[] =
    "INSERT INTO audit (at_s, who, address, action, product, object, detail)"
    " VALUES (:at_s, :who, :address, :action, :product, :object, :detail)";
static const char sql_list[] =
    "SELECT id, at_s, who, address, action, product, object, detail FROM audit"
    " WHERE id < :before ORDER BY id DESC LIMIT :limit";
static const char sql_prune[] =
    "DELETE FROM audit WHERE id IN"
    " (SELECT id FROM audit WHERE at_s < :before ORDER BY at_s LIMIT :rows)";

enum otad_err audit_add(struct db *db, const struct audit *a, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_insert);
    db_bind_int(&q, ":at_s", a->at_s);
    db_bind_text(&q, ":who", a->who);
    db_bind_text(&q, ":address", a->address);
    db_bind_text(&q, ":action", a->action);
    db_bind_text(&q, ":product", a->product);
    db_bind_text(&q, ":object", a->object);
    db_bind_text(&q, ":detail", a->detail);
    return db_run(&q, ei);
}

enum otad_err audit_list(struct db *db, int64_t before, int64_t limit,
                         enum otad_err (*each)(void *arg, const struct audit *a), void *arg,
                         struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_list);
    db_bind_int(&q, ":before", before > 0 ? before : INT64_MAX);
    db_bind_int(&q, ":limit", limit);
    enum otad_err err = OTAD_E_OK;
    while (err == OTAD_E_OK && db_step(&q)) {
        struct audit a = {.id = db_int(&q, 0), .at_s = db_int(&q, 1)};
        db_copy_text(&q, 2, a.who, sizeof a.who);
        db_copy_text(&q, 3, a.address, sizeof a.address);
        db_copy_text(&q, 4, a.action, sizeof a.action);
        db_copy_text(&q, 5, a.product, sizeof a.product);
        db_copy_text(&q, 6, a.object, sizeof a.object);
        db_copy_text(&q, 7, a.detail, sizeof a.detail);
        err = each(arg, &a);
    }
    enum otad_err end = db_end(&q, ei);
    return err != OTAD_E_OK ? err : end;
}

enum otad_err audit_prune(struct db *db, struct prune *p, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_prune);
    db_bind_int(&q, ":before", p->before_s);
    db_bind_int(&q, ":rows", p->rows);
    enum otad_err err = db_run(&q, ei);
    if (err != OTAD_E_OK)
        return err;
    p->gone += db_changes(db);
    p->done = db_changes(db) < p->rows;
    return OTAD_E_OK;
}
