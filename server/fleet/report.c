/* SPDX-License-Identifier: MIT
 * Owns the table `report`. */
#include "fleet/report.h"

#include <stdio.h>
#include <string.h>

#include "fleet/device.h"
#include "fleet/meaning.h"
#include "fleet/outcome.h"
#include "fleet/story.h"
#include "fleet/update.h"

static const char sql_insert[] =
    "INSERT INTO report (\"update\", result, code, message, version, build, authenticated, address,"
    " at_s) VALUES (:update, :result, :code, :message, :version, :build, :authenticated, :address,"
    " :at_s)";
static const char sql_limits[] =
    "SELECT count(*), count(*) FILTER (WHERE at_s BETWEEN :at - :interval + 1 AND :at) FROM report"
    " WHERE \"update\" = :update";
static const char sql_list[] =
    "SELECT id, \"update\", result, code, message, version, build, authenticated, address, at_s"
    " FROM report WHERE \"update\" = :update ORDER BY id";
static const char sql_by_version[] =
    "SELECT u.id FROM \"update\" AS u JOIN build AS b ON b.seq = u.build"
    " WHERE u.device = :device AND b.version = :version ORDER BY u.id DESC LIMIT 1";
static const char sql_by_build[] =
    "SELECT u.id FROM \"update\" AS u JOIN build AS b ON b.seq = u.build"
    " WHERE u.device = :device AND b.id = :build ORDER BY u.id DESC LIMIT 1";
static const char sql_newest[] =
    "SELECT id FROM \"update\" WHERE device = :device ORDER BY id DESC LIMIT 1";
/* The last of the rows that one step of pruning looks at. */
static const char sql_prune_last[] =
    "SELECT at_s, id FROM report WHERE (at_s, id) > (:after_s, :after_id) AND at_s < :before"
    " ORDER BY at_s, id LIMIT 1 OFFSET :skip";
static const char sql_prune[] =
    "DELETE FROM report WHERE (at_s, id) > (:after_s, :after_id) AND (at_s, id) <= (:last_s, "
    ":last_id)"
    " AND NOT EXISTS (SELECT 1 FROM \"update\" AS u WHERE u.id = report.\"update\""
    "  AND u.id = (SELECT max(id) FROM \"update\" WHERE device = u.device))";

bool report_result_is_valid(const char *text)
{
    return strcmp(text, "success") == 0 || strcmp(text, "failed") == 0 ||
           strcmp(text, "rolled_back") == 0;
}

/* The update a report is about. */
static enum otad_err find_update(struct db *db, int64_t device, const struct report *r,
                                 struct update *out, struct otad_errinfo *ei)
{
    const char *sql = r->has_build ? sql_by_build : r->version[0] ? sql_by_version : sql_newest;
    struct db_q q = db_query(db, sql);
    db_bind_int(&q, ":device", device);
    if (r->has_build)
        db_bind_int(&q, ":build", r->build);
    else if (r->version[0] != '\0')
        db_bind_text(&q, ":version", r->version);
    int64_t id = db_step(&q) ? db_int(&q, 0) : 0;
    enum otad_err err = db_end(&q, ei);
    if (err != OTAD_E_OK)
        return err;
    if (id == 0)
        return otad_fail(ei, OTAD_E_NOENT, "no_update");
    return update_find(db, id, out, ei);
}

static enum otad_err check_limits(struct db *db, const struct report *r, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_limits);
    db_bind_int(&q, ":update", r->update);
    db_bind_int(&q, ":at", r->at_s);
    db_bind_int(&q, ":interval", REPORT_INTERVAL_S);
    int64_t n = 0, lately = 0;
    if (db_step(&q)) {
        n = db_int(&q, 0);
        lately = db_int(&q, 1);
    }
    enum otad_err err = db_end(&q, ei);
    if (err != OTAD_E_OK)
        return err;
    if (n >= OTAD_REPORTS_PER_UPDATE || lately >= REPORT_BURST)
        return otad_fail(ei, OTAD_E_RATE, "too_many_reports");
    return OTAD_E_OK;
}

static enum otad_err insert(struct db *db, const struct report *r, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_insert);
    db_bind_int(&q, ":update", r->update);
    db_bind_text(&q, ":result", r->result);
    if (r->has_code)
        db_bind_int(&q, ":code", r->code);
    db_bind_text(&q, ":message", r->message);
    db_bind_text(&q, ":version", r->version);
    if (r->has_build)
        db_bind_int(&q, ":build", r->build);
    db_bind_int(&q, ":authenticated", r->authenticated);
    db_bind_text(&q, ":address", r->address);
    db_bind_int(&q, ":at_s", r->at_s);
    return db_run(&q, ei);
}

/* A number is never shown without whose it is, nor without what it means. */
static void put_into_words(const struct report *r, const struct device *d, char *out, size_t room)
{
    char means[MEANING_MAX] = "";
    const char *said = r->message;
    if (r->has_code && said[0] == '\0' &&
        meaning_text(meaning_whose(d->last.chip, d->last.agent), r->code, means))
        said = means;
    int n = snprintf(out, room, "the device%s%s%s reported %s", d->last.chip[0] != '\0' ? " (" : "",
                     d->last.chip, d->last.chip[0] != '\0' ? ")" : "",
                     strcmp(r->result, "failed") == 0 ? "a failure" : "that it rolled back");
    if (r->has_code && n > 0 && (size_t)n < room)
        n += snprintf(out + n, room - (size_t)n, ", code %lld", (long long)r->code);
    if (said[0] != '\0' && n > 0 && (size_t)n < room)
        (void)snprintf(out + n, room - (size_t)n, ": %.180s", said);
}

/* Without authentication anybody can say anything in a device's name; what comes from where the
 * device itself comes from is believed. */
static bool is_believed(const struct report *r, const struct device *d)
{
    return r->authenticated || strcmp(r->address, d->last.address) == 0;
}

/* What the report changes in the update's state. */
static enum otad_err apply(struct db *db, struct update *u, const struct device *d,
                           const struct report *r, struct batch *batch, struct otad_errinfo *ei)
{
    char words[256];
    const struct update before = *u;
    if (!is_believed(r, d))
        return OTAD_E_OK;
    put_into_words(r, d, words, sizeof words);
    if (!story_reported(u, r->result, words, r->at_s))
        return OTAD_E_OK;
    return outcome_save(db, u, &before, batch, ei);
}

enum otad_err report_record(struct db *db, int64_t product, uint64_t mac, struct report *r,
                            struct batch *batch, struct otad_errinfo *ei)
{
    struct device d;
    struct update u;
    enum otad_err err = device_find(db, product, mac, &d, ei);
    if (err == OTAD_E_OK)
        err = find_update(db, d.id, r, &u, ei);
    if (err == OTAD_E_OK && r->at_s - u.updated_at_s > REPORT_UPDATE_AGE_S)
        err = otad_fail(ei, OTAD_E_NOENT, "no_update");
    if (err != OTAD_E_OK)
        return err;
    r->update = u.id;
    err = check_limits(db, r, ei);
    if (err == OTAD_E_OK)
        err = insert(db, r, ei);
    return err == OTAD_E_OK ? apply(db, &u, &d, r, batch, ei) : err;
}

enum otad_err report_list(struct db *db, int64_t update,
                          enum otad_err (*each)(void *arg, const struct report *r), void *arg,
                          struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_list);
    db_bind_int(&q, ":update", update);
    enum otad_err err = OTAD_E_OK;
    while (err == OTAD_E_OK && db_step(&q)) {
        struct report r = {.id = db_int(&q, 0), .update = db_int(&q, 1)};
        db_copy_text(&q, 2, r.result, sizeof r.result);
        r.has_code = !db_is_null(&q, 3);
        r.code = db_int(&q, 3);
        db_copy_text(&q, 4, r.message, sizeof r.message);
        db_copy_text(&q, 5, r.version, sizeof r.version);
        r.has_build = !db_is_null(&q, 6);
        r.build = db_int(&q, 6);
        r.authenticated = db_int(&q, 7) != 0;
        db_copy_text(&q, 8, r.address, sizeof r.address);
        r.at_s = db_int(&q, 9);
        err = each(arg, &r);
    }
    enum otad_err end = db_end(&q, ei);
    return err != OTAD_E_OK ? err : end;
}

/* Moves *next to the last row to look at, or behind all that are old. */
static enum otad_err find_last(struct db *db, struct prune *next, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_prune_last);
    db_bind_int(&q, ":after_s", next->after_s);
    db_bind_int(&q, ":after_id", next->after_id);
    db_bind_int(&q, ":before", next->before_s);
    db_bind_int(&q, ":skip", next->rows - 1);
    next->done = !db_step(&q);
    next->after_s = next->done ? next->before_s - 1 : db_int(&q, 0);
    next->after_id = next->done ? INT64_MAX : db_int(&q, 1);
    return db_end(&q, ei);
}

enum otad_err report_prune(struct db *db, struct prune *p, struct otad_errinfo *ei)
{
    struct prune next = *p;
    enum otad_err err = find_last(db, &next, ei);
    if (err != OTAD_E_OK)
        return err;
    struct db_q q = db_query(db, sql_prune);
    db_bind_int(&q, ":after_s", p->after_s);
    db_bind_int(&q, ":after_id", p->after_id);
    db_bind_int(&q, ":last_s", next.after_s);
    db_bind_int(&q, ":last_id", next.after_id);
    err = db_run(&q, ei);
    if (err != OTAD_E_OK)
        return err;
    next.gone += db_changes(db);
    *p = next;
    return OTAD_E_OK;
}
