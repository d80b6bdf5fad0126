/* SPDX-License-Identifier: MIT
 * Owns the table `update_step`. */
#include "fleet/update_step.h"

static const char sql_add[] = "INSERT INTO update_step (\"update\", at_s, state, cause, detail)"
                              " VALUES (:update, :at_s, :state, :cause, :detail)";
static const char sql_list[] = "SELECT at_s, state, cause, detail FROM update_step"
                               " WHERE \"update\" = :update ORDER BY id";

enum otad_err update_step_add(struct db *db, const struct update *u, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_add);
    db_bind_int(&q, ":update", u->id);
    db_bind_int(&q, ":at_s", u->updated_at_s);
    db_bind_text(&q, ":state", update_state_name(u->state));
    db_bind_text(&q, ":cause", u->cause);
    db_bind_text(&q, ":detail", u->detail);
    return db_run(&q, ei);
}

enum otad_err update_step_list(struct db *db, int64_t update,
                               enum otad_err (*each)(void *arg, const struct update_step *s),
                               void *arg, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_list);
    db_bind_int(&q, ":update", update);
    enum otad_err err = OTAD_E_OK;
    while (err == OTAD_E_OK && db_step(&q)) {
        struct update_step s = {.at_s = db_int(&q, 0), .state = UPDATE_PENDING};
        const char *state = db_text(&q, 1);
        if (state != NULL)
            (void)update_state_parse(state, &s.state);
        db_copy_text(&q, 2, s.cause, sizeof s.cause);
        db_copy_text(&q, 3, s.detail, sizeof s.detail);
        err = each(arg, &s);
    }
    enum otad_err end = db_end(&q, ei);
    return err != OTAD_E_OK ? err : end;
}
