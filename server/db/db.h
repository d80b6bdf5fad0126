/* SPDX-License-Identifier: MIT
 * One SQLite connection: statements with a sticky error, transactions, error translation. */
#ifndef OTAD_DB_DB_H
#define OTAD_DB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otad/err.h"

/** A connection. Used by one thread at a time. Opaque: it owns its prepared statements. */
struct db;

enum db_mode { DB_READ, DB_WRITE };

/** Opens the database of a data folder. DB_READ connections can't write (PRAGMA query_only).
 *  DB_WRITE creates the file when it is missing. Migrating is migrate.h's.
 *  @return OTAD_E_OK (the caller owns *out), OTAD_E_DB, OTAD_E_NOMEM */
enum otad_err db_open(const char *path, enum db_mode mode, struct db **out,
                      struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Closes *db with all its statements and sets it to NULL. */
void db_close(struct db **db);

/** A statement being used. The first error sticks: later calls do nothing, db_end() tells it. */
struct db_q {
    struct db *db;
    void *stmt;   /* sqlite3_stmt */
    int rc;       /* SQLite's code; SQLITE_OK while all is well */
    bool *in_use; /* its slot's mark in the cache: reset at the end; NULL: finalised */
};

/** Takes the prepared statement for `sql`, which must be a string that lives for ever: its
 *  address is the key of the cache. Pair with db_end() or OTAD_AUTO(db_q_free). */
struct db_q db_query(struct db *db, const char *sql);

void db_bind_int(struct db_q *q, const char *name, int64_t value);
/** NULL binds SQL NULL. The text must live until the step. */
void db_bind_text(struct db_q *q, const char *name, const char *text);
/** The bytes must live until the step; NULL binds SQL NULL. */
void db_bind_blob(struct db_q *q, const char *name, const void *data, size_t n);
void db_bind_null(struct db_q *q, const char *name);

/** @return true when there is a(nother) row. */
bool db_step(struct db_q *q);

/** Columns of the current row, from 0. Text and blobs are borrowed until the next step or end;
 *  text is NULL for SQL NULL. */
int64_t db_int(struct db_q *q, int column);
const char *db_text(struct db_q *q, int column);
const void *db_blob(struct db_q *q, int column, size_t *n);
bool db_is_null(struct db_q *q, int column);
/** Copies a text column, cut to room-1 bytes; NULL becomes "". */
void db_copy_text(struct db_q *q, int column, char *out, size_t room);

/** Ends the use of a statement and tells how it went.
 *  @return OTAD_E_OK, OTAD_E_CONFLICT (constraint), OTAD_E_NOSPACE, OTAD_E_BUSY, OTAD_E_NOMEM,
 *          OTAD_E_DB */
enum otad_err db_end(struct db_q *q, struct otad_errinfo *ei);

/** Steps to the end without looking at rows, then db_end(). */
enum otad_err db_run(struct db_q *q, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** For OTAD_AUTO: db_end() whose result doesn't matter. */
void db_q_free(struct db_q *q);

/** Rows changed by the last statement. */
int64_t db_changes(struct db *db);
/** Row id of the last insert. */
int64_t db_last_id(struct db *db);

/** Runs SQL without results or parameters: pragmas, transaction verbs, migrations. */
enum otad_err db_exec(struct db *db, const char *sql, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Transactions. db_begin takes the write lock at once (BEGIN IMMEDIATE), so that a later
 *  statement can't fail with BUSY half-way; db_begin_read pins one snapshot for several reads. */
enum otad_err db_begin(struct db *db, struct otad_errinfo *ei) OTAD_MUSTCHECK;
enum otad_err db_begin_read(struct db *db, struct otad_errinfo *ei) OTAD_MUSTCHECK;
enum otad_err db_commit(struct db *db, struct otad_errinfo *ei) OTAD_MUSTCHECK;
void db_rollback(struct db *db);
/** One job inside a larger transaction: undone alone when it fails. */
enum otad_err db_savepoint(struct db *db, struct otad_errinfo *ei) OTAD_MUSTCHECK;
enum otad_err db_release(struct db *db, struct otad_errinfo *ei) OTAD_MUSTCHECK;
void db_rollback_savepoint(struct db *db);
/** Whether a transaction is open. SQLite ends it by itself on some errors, e.g. a full disk. */
bool db_in_transaction(struct db *db);

/** Copies the whole database into a new file, consistently, while it is in use. The file gets its
 *  name when it is complete: a crash leaves at most <path>.part behind.
 *  @return OTAD_E_OK, OTAD_E_DB, OTAD_E_NOSPACE, OTAD_E_IO; there is no new file then */
enum otad_err db_backup(struct db *db, const char *path, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Version of the schema (PRAGMA user_version). */
enum otad_err db_schema_version(struct db *db, int64_t *out,
                                struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
