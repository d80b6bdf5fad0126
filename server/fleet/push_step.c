/* SPDX-License-Identifier: MIT
 * Owns the table `push_step`. */
#include "fleet/push_step.h"

#include <string.h>

static const char sql_add[] =
    "INSERT INTO push_step (transfer, number, step, outcome, began_at_ms, ended_at_ms, tries,"
    " detail) VALUES (:transfer, (SELECT coalesce(max(number), 0) + 1 FROM push_step"
    " WHERE transfer = :transfer), :step, :outcome, :began, :ended, :tries, :detail)";
static const char sql_is_there[] =
    "SELECT 1 FROM push_step WHERE transfer = :transfer AND step = :step";
static const char sql_list[] =
    "SELECT transfer, step, outcome, began_at_ms, ended_at_ms, tries, detail FROM push_step"
    " WHERE transfer = :transfer ORDER BY number";

enum otad_err push_step_add(struct db *db, const struct push_step_row *s, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_add);
    db_bind_int(&q, ":transfer", s->transfer);
    db_bind_text(&q, ":step", s->step);
    db_bind_text(&q, ":outcome", s->ok ? "ok" : "failed");
    db_bind_int(&q, ":began", s->began_at_ms);
    db_bind_int(&q, ":ended", s->ended_at_ms);
    db_bind_int(&q, ":tries", s->tries);
    db_bind_text(&q, ":detail", s->detail);
    return db_run(&q, ei);
}

enum otad_err push_step_add_once(struct db *db, const struct push_step_row *s,
                                 struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_is_there);
    db_bind_int(&q, ":transfer", s->transfer);
    db_bind_text(&q, ":step", s->step);
    bool there = db_step(&q);
    enum otad_err err = db_end(&q, ei);
    return err == OTAD_E_OK && !there ? push_step_add(db, s, ei) : err;
}

enum otad_err push_step_list(struct db *db, int64_t transfer,
                             enum otad_err (*each)(void *arg, const struct push_step_row *s),
                             void *arg, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_list);
    db_bind_int(&q, ":transfer", transfer);
    enum otad_err err = OTAD_E_OK;
    while (err == OTAD_E_OK && db_step(&q)) {
        struct push_step_row s = {.transfer = db_int(&q, 0)};
        const char *outcome = db_text(&q, 2);
        db_copy_text(&q, 1, s.step, sizeof s.step);
        s.ok = outcome != NULL && strcmp(outcome, "ok") == 0;
        s.began_at_ms = db_int(&q, 3);
        s.ended_at_ms = db_int(&q, 4);
        s.tries = db_int(&q, 5);
        db_copy_text(&q, 6, s.detail, sizeof s.detail);
        err = each(arg, &s);
    }
    enum otad_err end = db_end(&q, ei);
    return err != OTAD_E_OK ? err : end;
}
