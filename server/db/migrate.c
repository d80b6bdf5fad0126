/* SPDX-License-Identifier: MIT
 * Owns the order in which migrations run and what happens around them. */
#include "db/migrate.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static const struct migration migrations[] = {
#include "migrations.inc"
};

int64_t migrate_latest(void)
{
    return migrations[OTAD_COUNT(migrations) - 1].number;
}

static enum otad_err keep_copy(struct db *db, const char *path, int64_t next, struct log *log,
                               struct otad_errinfo *ei)
{
    char copy[512];
    (void)snprintf(copy, sizeof copy, "%s.before-%04" PRId64, path, next);
    if (access(copy, F_OK) == 0)
        return OTAD_E_OK; /* an earlier try already kept the older state */
    enum otad_err err = db_backup(db, copy, ei);
    if (err == OTAD_E_OK)
        log_info(log, "migrate.copy", "file=%s", copy);
    return err;
}

/* A database without our version number must be a new one: not somebody else's. */
static enum otad_err check_empty(struct db *db, const char *path, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, "SELECT count(*) FROM sqlite_schema");
    int64_t n = db_step(&q) ? db_int(&q, 0) : 0;
    enum otad_err err = db_end(&q, ei);
    if (err != OTAD_E_OK || n == 0)
        return err;
    (void)otad_fail(ei, OTAD_E_CONFLICT, "%.180s is a database of another program", path);
    return otad_hint(ei, "otad keeps everything in otad.db of its data folder. Pass another folder "
                         "with --data-dir, or move that file away.");
}

static enum otad_err apply(struct db *db, const struct migration *m, struct otad_errinfo *ei)
{
    char set_version[64];
    (void)snprintf(set_version, sizeof set_version, "PRAGMA user_version=%" PRId64, m->number);
    enum otad_err err = db_begin(db, ei);
    if (err == OTAD_E_OK)
        err = db_exec(db, m->sql, ei);
    if (err == OTAD_E_OK)
        err = db_exec(db, set_version, ei);
    if (err == OTAD_E_OK)
        err = db_commit(db, ei);
    if (err != OTAD_E_OK)
        db_rollback(db);
    return err;
}

enum otad_err migrate(struct db *db, const char *path, struct log *log, struct otad_errinfo *ei)
{
    return migrate_with(db, path, migrations, OTAD_COUNT(migrations), log, ei);
}

enum otad_err migrate_with(struct db *db, const char *path, const struct migration *list, size_t n,
                           struct log *log, struct otad_errinfo *ei)
{
    int64_t have = 0, latest = list[n - 1].number;
    enum otad_err err = db_schema_version(db, &have, ei);
    if (err != OTAD_E_OK)
        return err;
    if (have > latest) {
        (void)otad_fail(ei, OTAD_E_CONFLICT,
                        "%.120s was written by a newer otad: its schema is version %" PRId64
                        ", this binary knows up to %" PRId64,
                        path, have, latest);
        return otad_hint(ei,
                         "Run the newer otad again, or restore a copy made before the upgrade "
                         "(%.120s.before-NNNN).",
                         path);
    }
    const bool is_new = have <= 0;
    if (is_new)
        err = check_empty(db, path, ei);
    for (size_t i = 0; i < n && err == OTAD_E_OK; i++) {
        const struct migration *m = &list[i];
        if (m->number <= have)
            continue;
        if (!is_new)
            err = keep_copy(db, path, m->number, log, ei);
        if (err == OTAD_E_OK)
            err = apply(db, m, ei);
        if (err == OTAD_E_OK)
            log_info(log, "migrate.applied", "name=%s", m->name);
    }
    return err;
}
