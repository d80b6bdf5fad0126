/* SPDX-License-Identifier: MIT
 * Brings a database to the schema this binary knows. */
#ifndef OTAD_DB_MIGRATE_H
#define OTAD_DB_MIGRATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "db/db.h"

/** One step of the schema; the SQL runs in one transaction with setting the version. */
struct migration {
    int64_t number; /* the version it leads to, ascending */
    const char *name;
    const char *sql;
};

/** Applies the embedded migrations that are missing, each in a transaction of its own. Before the
 *  first one touches an existing database, a copy is kept beside it (<path>.before-NNNN).
 *  @param path  of the database, for the copy's name and for messages
 *  @return OTAD_E_OK; OTAD_E_CONFLICT when the database is newer than this binary;
 *          OTAD_E_DB or OTAD_E_NOSPACE when a migration failed (the database is as before) */
enum otad_err migrate(struct db *db, const char *path, struct log *log,
                      struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** migrate() with a list of the caller's; migrate() itself has the embedded one. */
enum otad_err migrate_with(struct db *db, const char *path, const struct migration *list, size_t n,
                           struct log *log, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** The schema version this binary writes. */
int64_t migrate_latest(void);

#endif
