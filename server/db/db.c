/* SPDX-License-Identifier: MIT
 * Owns SQLite connections and the translation of SQLite's codes. */
#include "db/db.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#define CACHE_SLOTS 256  /* more than there are statements; a full cache only costs preparing */
#define BUSY_TRIES 10000 /* of a millisecond: how long a lock is waited for */

struct cached {
    const char *sql;
    sqlite3_stmt *stmt;
    bool in_use;
};

struct db {
    sqlite3 *handle;
    struct cached cache[CACHE_SLOTS];
};

/* The one place where SQLite's codes become ours. */
static enum otad_err db_err(int rc, sqlite3 *handle, struct otad_errinfo *ei)
{
    const char *text = handle != NULL ? sqlite3_errmsg(handle) : sqlite3_errstr(rc);
    switch (rc & 0xFF) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return OTAD_E_OK;
    case SQLITE_CONSTRAINT:
        return otad_fail(ei, OTAD_E_CONFLICT, "%s", text);
    case SQLITE_FULL:
        return otad_fail(ei, OTAD_E_NOSPACE, "The disk of the data folder is full");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return otad_fail(ei, OTAD_E_BUSY, "The database is busy: %s", text);
    case SQLITE_NOMEM:
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory in the database");
    default:
        return otad_fail(ei, OTAD_E_DB, "Database error %d: %s", rc, text);
    }
}

/* SQLite's own handler soon sleeps 100 ms between two tries. Beside a daemon whose writer starts
 * its next transaction at once, `otad key` then missed every gap for many seconds. */
static int wait_for_lock(void *arg, int tries)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    (void)arg;
    (void)nanosleep(&moment, NULL);
    return tries < BUSY_TRIES;
}

static enum otad_err set_up(struct db *db, enum db_mode mode, struct otad_errinfo *ei)
{
    (void)sqlite3_extended_result_codes(db->handle, 1);
    (void)sqlite3_busy_handler(db->handle, wait_for_lock, NULL);
    /* Else a table's partial indexes make SQLite look at every bound value and plan the statement
     * anew for it, which costs many times what running it does. */
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_QPSG, 1, NULL);
    /* page_size counts only before the first table; 8 KiB halves the overflow pages of chunks. */
    if (mode == DB_WRITE)
        return db_exec(db,
                       "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                       "PRAGMA foreign_keys=ON; PRAGMA journal_size_limit=67108864;"
                       "PRAGMA cache_size=-4096; PRAGMA temp_store=MEMORY;",
                       ei);
    return db_exec(db, "PRAGMA query_only=ON; PRAGMA cache_size=-1024; PRAGMA temp_store=MEMORY;",
                   ei);
}

/* SQLite's own words name neither the file nor what to do. */
static enum otad_err cant_open(const char *path, int rc, const struct otad_errinfo *why,
                               struct otad_errinfo *ei)
{
    (void)otad_fail(ei, why->code, "Can't open the database %.150s: %.90s", path, why->msg);
    switch (rc & 0xFF) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return otad_hint(ei,
                         "The file is damaged or no database. Put back a backup; moving it away "
                         "starts with an empty one.");
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return otad_hint(ei, "The user that runs otad must be allowed to write it and its folder.");
    default:
        return why->code;
    }
}

enum otad_err db_open(const char *path, enum db_mode mode, struct db **out, struct otad_errinfo *ei)
{
    struct otad_errinfo why = {.code = OTAD_E_OK};
    struct db *db = calloc(1, sizeof *db);
    if (db == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory opening the database");
    /* A reader opens read-write too: only so can it take part in WAL's shared memory. */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (mode == DB_WRITE)
        flags |= SQLITE_OPEN_CREATE;
    int rc = sqlite3_open_v2(path, &db->handle, flags, NULL);
    enum otad_err err = db_err(rc, db->handle, &why);
    if (err == OTAD_E_OK)
        err = set_up(db, mode, &why);
    if (err != OTAD_E_OK) {
        (void)cant_open(path, sqlite3_errcode(db->handle), &why, ei);
        db_close(&db);
        return err;
    }
    *out = db;
    return OTAD_E_OK;
}

void db_close(struct db **db)
{
    if (*db == NULL)
        return;
    for (size_t i = 0; i < CACHE_SLOTS; i++)
        (void)sqlite3_finalize((*db)->cache[i].stmt); /* repeats the error of the last step */
    (void)sqlite3_close((*db)->handle);
    free(*db);
    *db = NULL;
}

/* Finds the slot of a statement, or a free one; NULL when all are taken by others. */
static struct cached *find_slot(struct db *db, const char *sql)
{
    size_t start = (size_t)((uintptr_t)sql >> 3) % CACHE_SLOTS;
    for (size_t i = 0; i < CACHE_SLOTS; i++) {
        struct cached *c = &db->cache[(start + i) % CACHE_SLOTS];
        if (c->sql == sql || c->sql == NULL)
            return c;
    }
    return NULL;
}

struct db_q db_query(struct db *db, const char *sql)
{
    struct db_q q = {.db = db, .rc = SQLITE_OK};
    struct cached *slot = find_slot(db, sql);
    if (slot != NULL && slot->stmt != NULL && !slot->in_use) {
        slot->in_use = true;
        q.stmt = slot->stmt;
        q.in_use = &slot->in_use;
        return q;
    }
    bool keep = slot != NULL && slot->stmt == NULL;
    sqlite3_stmt *stmt = NULL;
    q.rc =
        sqlite3_prepare_v3(db->handle, sql, -1, keep ? SQLITE_PREPARE_PERSISTENT : 0, &stmt, NULL);
    q.stmt = stmt;
    if (keep && stmt != NULL) {
        *slot = (struct cached){.sql = sql, .stmt = stmt, .in_use = true};
        q.in_use = &slot->in_use;
    }
    return q;
}

/* Index of a parameter; a wrong name is a bug that must show, not a NULL in a table. */
static int parameter(struct db_q *q, const char *name)
{
    if (q->rc != SQLITE_OK)
        return 0;
    int index = sqlite3_bind_parameter_index(q->stmt, name);
    if (index == 0)
        q->rc = SQLITE_RANGE;
    return index;
}

void db_bind_int(struct db_q *q, const char *name, int64_t value)
{
    int index = parameter(q, name);
    if (index != 0)
        q->rc = sqlite3_bind_int64(q->stmt, index, value);
}

void db_bind_text(struct db_q *q, const char *name, const char *text)
{
    int index = parameter(q, name);
    if (index != 0)
        q->rc = sqlite3_bind_text(q->stmt, index, text, -1, SQLITE_STATIC);
}

void db_bind_blob(struct db_q *q, const char *name, const void *data, size_t n)
{
    int index = parameter(q, name);
    if (index != 0)
        q->rc = sqlite3_bind_blob64(q->stmt, index, data, n, SQLITE_STATIC);
}

void db_bind_null(struct db_q *q, const char *name)
{
    int index = parameter(q, name);
    if (index != 0)
        q->rc = sqlite3_bind_null(q->stmt, index);
}

bool db_step(struct db_q *q)
{
    if (q->rc != SQLITE_OK && q->rc != SQLITE_ROW)
        return false;
    q->rc = sqlite3_step(q->stmt);
    return q->rc == SQLITE_ROW;
}

int64_t db_int(struct db_q *q, int column)
{
    return sqlite3_column_int64(q->stmt, column);
}

const char *db_text(struct db_q *q, int column)
{
    return (const char *)sqlite3_column_text(q->stmt, column);
}

const void *db_blob(struct db_q *q, int column, size_t *n)
{
    const void *data = sqlite3_column_blob(q->stmt, column);
    *n = (size_t)sqlite3_column_bytes(q->stmt, column);
    return data;
}

bool db_is_null(struct db_q *q, int column)
{
    return sqlite3_column_type(q->stmt, column) == SQLITE_NULL;
}

void db_copy_text(struct db_q *q, int column, char *out, size_t room)
{
    const char *text = db_text(q, column);
    size_t n = text != NULL ? strnlen(text, room - 1) : 0;
    if (n > 0)
        memcpy(out, text, n);
    out[n] = '\0';
}

static void put_back(struct db_q *q)
{
    if (q->in_use == NULL) {
        (void)sqlite3_finalize(q->stmt); /* repeats the error of the last step */
        return;
    }
    (void)sqlite3_reset(q->stmt);
    (void)sqlite3_clear_bindings(q->stmt);
    *q->in_use = false;
}

enum otad_err db_end(struct db_q *q, struct otad_errinfo *ei)
{
    enum otad_err err = db_err(q->rc, q->db->handle, ei);
    if (q->stmt != NULL)
        put_back(q);
    q->stmt = NULL;
    q->rc = SQLITE_MISUSE;
    return err;
}

enum otad_err db_run(struct db_q *q, struct otad_errinfo *ei)
{
    while (db_step(q))
        continue;
    return db_end(q, ei);
}

void db_q_free(struct db_q *q)
{
    if (q->stmt != NULL)
        (void)db_end(q, NULL); /* the caller left early and has its own error */
}

int64_t db_changes(struct db *db)
{
    return sqlite3_changes64(db->handle);
}

int64_t db_last_id(struct db *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

enum otad_err db_exec(struct db *db, const char *sql, struct otad_errinfo *ei)
{
    return db_err(sqlite3_exec(db->handle, sql, NULL, NULL, NULL), db->handle, ei);
}

static enum otad_err verb(struct db *db, const char *sql, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql);
    return db_run(&q, ei);
}

enum otad_err db_begin(struct db *db, struct otad_errinfo *ei)
{
    return verb(db, "BEGIN IMMEDIATE", ei);
}

enum otad_err db_begin_read(struct db *db, struct otad_errinfo *ei)
{
    return verb(db, "BEGIN", ei);
}

enum otad_err db_commit(struct db *db, struct otad_errinfo *ei)
{
    return verb(db, "COMMIT", ei);
}

void db_rollback(struct db *db)
{
    /* Fails only when there is no transaction, e.g. after SQLite rolled back by itself. */
    if (sqlite3_get_autocommit(db->handle) == 0)
        (void)verb(db, "ROLLBACK", NULL);
}

enum otad_err db_savepoint(struct db *db, struct otad_errinfo *ei)
{
    return verb(db, "SAVEPOINT job", ei);
}

enum otad_err db_release(struct db *db, struct otad_errinfo *ei)
{
    return verb(db, "RELEASE job", ei);
}

void db_rollback_savepoint(struct db *db)
{
    if (sqlite3_get_autocommit(db->handle) != 0)
        return;
    (void)verb(db, "ROLLBACK TO job", NULL);
    (void)verb(db, "RELEASE job", NULL);
}

bool db_in_transaction(struct db *db)
{
    return sqlite3_get_autocommit(db->handle) == 0;
}

static enum otad_err copy_to(struct db *db, const char *path, struct otad_errinfo *ei)
{
    sqlite3 *to = NULL;
    int rc = sqlite3_open(path, &to);
    if (rc == SQLITE_OK) {
        sqlite3_backup *copy = sqlite3_backup_init(to, "main", db->handle, "main");
        rc = copy == NULL ? sqlite3_errcode(to) : sqlite3_backup_step(copy, -1);
        int finish = sqlite3_backup_finish(copy);
        rc = rc == SQLITE_DONE ? finish : rc;
    }
    enum otad_err err = db_err(rc, to, ei);
    (void)sqlite3_close(to);
    return err;
}

/* A new name is durable once its folder is. */
static enum otad_err sync_folder(const char *path, struct otad_errinfo *ei)
{
    char folder[512];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    (void)snprintf(folder, sizeof folder, "%.*s", n == 0 ? 1 : (int)n, n == 0 ? "." : path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        (void)otad_fail(ei, OTAD_E_IO, "Can't sync the folder %.150s: %s", folder, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return ok ? OTAD_E_OK : OTAD_E_IO;
}

enum otad_err db_backup(struct db *db, const char *path, struct otad_errinfo *ei)
{
    char part[512];
    if ((size_t)snprintf(part, sizeof part, "%s.part", path) >= sizeof part)
        return otad_fail(ei, OTAD_E_IO, "The path of the copy is too long: %.150s", path);
    (void)unlink(part); /* what a crash left behind */
    enum otad_err err = copy_to(db, part, ei);
    if (err == OTAD_E_OK && rename(part, path) != 0)
        err = otad_fail(ei, OTAD_E_IO, "Can't name the copy %.150s: %s", path, strerror(errno));
    if (err != OTAD_E_OK) {
        (void)unlink(part);
        return err;
    }
    return sync_folder(path, ei);
}

enum otad_err db_schema_version(struct db *db, int64_t *out, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, "PRAGMA user_version");
    int64_t version = db_step(&q) ? db_int(&q, 0) : 0;
    enum otad_err err = db_end(&q, ei);
    if (err == OTAD_E_OK)
        *out = version;
    return err;
}
