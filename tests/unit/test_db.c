/* SPDX-License-Identifier: MIT
 * Statements with a sticky error, transactions, and SQLite's codes in our words. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "support/store.h"

static void scratch(struct store *s)
{
    store_memory(s);
    store_exec(s->db, "CREATE TABLE t (n INTEGER UNIQUE CHECK (n < 100), x TEXT, b BLOB) STRICT");
}

static enum otad_err put(struct db *db, int64_t n)
{
    struct db_q q = db_query(db, "INSERT INTO t (n) VALUES (:n)");
    db_bind_int(&q, ":n", n);
    return db_run(&q, EI);
}

static int64_t rows(struct db *db)
{
    return store_int(db, "SELECT count(*) FROM t");
}

/* ---- statements --------------------------------------------------------------------------- */

START_TEST(every_kind_of_value_goes_there_and_back)
{
    struct store s;
    scratch(&s);
    struct db_q q = db_query(s.db, "INSERT INTO t (n, x, b) VALUES (:n, :x, :b)");
    db_bind_int(&q, ":n", -5);
    db_bind_text(&q, ":x", "lamp");
    db_bind_blob(&q, ":b", "\0\1\2", 3);
    OK(db_run(&q, EI));
    ck_assert_int_eq(db_changes(s.db), 1);
    ck_assert_int_eq(db_last_id(s.db), 1);
    struct db_q r OTAD_AUTO(db_q_free) = db_query(s.db, "SELECT n, x, b FROM t");
    ck_assert(db_step(&r));
    size_t n = 0;
    char cut[3] = "zz";
    ck_assert_int_eq(db_int(&r, 0), -5);
    ck_assert_str_eq(db_text(&r, 1), "lamp");
    ck_assert_int_eq(memcmp(db_blob(&r, 2, &n), "\0\1\2", 3), 0);
    ck_assert_uint_eq(n, 3);
    db_copy_text(&r, 1, cut, sizeof cut);
    ck_assert_str_eq(cut, "la");
    ck_assert(!db_step(&r));
    OK(db_end(&r, EI));
    store_close(&s);
}
END_TEST

START_TEST(nothing_is_bound_as_null)
{
    struct store s;
    scratch(&s);
    struct db_q q = db_query(s.db, "INSERT INTO t (n, x, b) VALUES (:n, :x, :b)");
    db_bind_null(&q, ":n");
    db_bind_text(&q, ":x", NULL);
    db_bind_blob(&q, ":b", NULL, 0);
    OK(db_run(&q, EI));
    struct db_q r OTAD_AUTO(db_q_free) = db_query(s.db, "SELECT n, x, b FROM t");
    char text[4] = "zz";
    ck_assert(db_step(&r));
    for (int i = 0; i < 3; i++)
        ck_assert(db_is_null(&r, i));
    ck_assert_ptr_null(db_text(&r, 1));
    db_copy_text(&r, 1, text, sizeof text);
    ck_assert_str_eq(text, "");
    OK(db_end(&r, EI));
    store_close(&s);
}
END_TEST

START_TEST(wrong_parameter_name_is_an_error_not_a_null)
{
    struct store s;
    scratch(&s);
    for (int kind = 0; kind < 4; kind++) {
        struct db_q q = db_query(s.db, "INSERT INTO t (n) VALUES (:n)");
        if (kind == 0)
            db_bind_int(&q, ":m", 1);
        else if (kind == 1)
            db_bind_text(&q, ":m", "x");
        else if (kind == 2)
            db_bind_blob(&q, "n", "x", 1);
        else
            db_bind_null(&q, ":N");
        db_bind_int(&q, ":n", 1); /* a later right one doesn't heal it */
        ck_assert(!db_step(&q));
        FAILS(OTAD_E_DB, db_end(&q, EI));
        ck_assert_int_eq(rows(s.db), 0);
    }
    OK(put(s.db, 1)); /* the cached statement is as good as new */
    store_close(&s);
}
END_TEST

START_TEST(bad_sql_makes_all_later_calls_do_nothing)
{
    struct store s;
    scratch(&s);
    struct db_q q = db_query(s.db, "SELEKT 1");
    size_t n = 9;
    db_bind_int(&q, ":n", 1);
    ck_assert(!db_step(&q));
    ck_assert_int_eq(db_int(&q, 0), 0);
    ck_assert_ptr_null(db_text(&q, 0));
    ck_assert_ptr_null(db_blob(&q, 0, &n));
    ck_assert_uint_eq(n, 0);
    FAILS(OTAD_E_DB, db_run(&q, EI));
    HOLDS(store_ei.msg, "SELEKT");
    store_close(&s);
}
END_TEST

START_TEST(ended_statement_stays_ended)
{
    struct store s;
    scratch(&s);
    struct db_q q = db_query(s.db, "SELECT 1");
    ck_assert(db_step(&q));
    OK(db_end(&q, EI));
    ck_assert(!db_step(&q));
    FAILS(OTAD_E_DB, db_end(&q, EI));
    db_q_free(&q);
    store_close(&s);
}
END_TEST

START_TEST(statement_in_use_is_prepared_again)
{
    static const char sql[] = "SELECT n FROM t WHERE n > :n ORDER BY n";
    struct store s;
    scratch(&s);
    for (int i = 1; i <= 3; i++)
        OK(put(s.db, i));
    struct db_q outer = db_query(s.db, sql);
    db_bind_int(&outer, ":n", 0);
    int64_t seen = 0;
    void *cached = outer.stmt;
    while (db_step(&outer)) {
        struct db_q inner OTAD_AUTO(db_q_free) = db_query(s.db, sql);
        ck_assert_ptr_ne(inner.stmt, outer.stmt);
        db_bind_int(&inner, ":n", db_int(&outer, 0));
        while (db_step(&inner))
            seen += db_int(&inner, 0);
    }
    OK(db_end(&outer, EI));
    ck_assert_int_eq(seen, 2 + 3 + 3);
    struct db_q again = db_query(s.db, sql);
    ck_assert_ptr_eq(again.stmt, cached);
    db_q_free(&again);
    store_close(&s);
}
END_TEST

START_TEST(cached_statement_forgets_its_parameters)
{
    static const char sql[] = "INSERT INTO t (n, x) VALUES (:n, :x)";
    struct store s;
    scratch(&s);
    struct db_q q = db_query(s.db, sql);
    db_bind_int(&q, ":n", 1);
    db_bind_text(&q, ":x", "old");
    OK(db_run(&q, EI));
    struct db_q r = db_query(s.db, sql);
    db_bind_int(&r, ":n", 2);
    OK(db_run(&r, EI));
    ck_assert_int_eq(store_int(s.db, "SELECT x IS NULL FROM t WHERE n = 2"), 1);
    store_close(&s);
}
END_TEST

/* A partial index that one of the values fits and the others don't. */
START_TEST(new_values_do_not_plan_a_statement_anew)
{
    struct store s;
    scratch(&s);
    store_exec(s.db, "CREATE INDEX t_open ON t (n) WHERE x = 'open'");
    for (int64_t i = 0; i < 10; i++) {
        struct db_q q = db_query(s.db, "SELECT n FROM t WHERE n > :n AND x = :x");
        db_bind_int(&q, ":n", i);
        db_bind_text(&q, ":x", i % 2 == 0 ? "open" : "done");
        ck_assert(!db_step(&q));
        ck_assert_int_eq(sqlite3_stmt_status(q.stmt, SQLITE_STMTSTATUS_REPREPARE, 0), 0);
        OK(db_end(&q, EI));
    }
    store_close(&s);
}
END_TEST

START_TEST(more_statements_than_the_cache_holds_still_work)
{
    static char sql[400][24];
    struct store s;
    scratch(&s);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 400; i++) {
            (void)snprintf(sql[i], sizeof sql[i], "SELECT %d", i);
            ck_assert_int_eq(store_int(s.db, sql[i]), i);
        }
    store_close(&s);
}
END_TEST

START_TEST(leaving_early_frees_the_statement)
{
    struct store s;
    void *first = NULL;
    scratch(&s);
    for (int i = 0; i < 3; i++) {
        struct db_q q OTAD_AUTO(db_q_free) = db_query(s.db, "SELECT 1 UNION SELECT 2");
        ck_assert(first == NULL || q.stmt == first);
        first = q.stmt;
        ck_assert(db_step(&q));
    }
    store_close(&s);
}
END_TEST

/* ---- codes -------------------------------------------------------------------------------- */

static const struct {
    const char *what;
    const char *sql;
    enum otad_err want;
} code_rows[] = {
    {"unique",        "INSERT INTO t (n) VALUES (1), (1)",                    OTAD_E_CONFLICT},
    {"check",         "INSERT INTO t (n) VALUES (100)",                       OTAD_E_CONFLICT},
    {"not null",      "INSERT INTO product (slug, name) VALUES (NULL, '')",   OTAD_E_CONFLICT},
    {"foreign key",   "INSERT INTO channel (product, name) VALUES (99, 'a')", OTAD_E_CONFLICT},
    {"strict column", "INSERT INTO t (n) VALUES ('many')",                    OTAD_E_CONFLICT},
    {"full",          "INSERT INTO t (b) VALUES (zeroblob(100000000))",       OTAD_E_NOSPACE },
    {"no such table", "SELECT * FROM elephants",                              OTAD_E_DB      },
    {"syntax",        "INSERT t",                                             OTAD_E_DB      },
    {"nothing wrong", "INSERT INTO t (n) VALUES (1)",                         OTAD_E_OK      },
};

START_TEST(code_row)
{
    struct store s;
    scratch(&s);
    store_exec(s.db, "PRAGMA max_page_count=200");
    struct db_q q = db_query(s.db, code_rows[_i].sql);
    memset(EI, 0, sizeof *EI);
    enum otad_err err = db_run(&q, EI);
    ck_assert_msg(err == code_rows[_i].want, "%s: %s", code_rows[_i].what, otad_err_name(err));
    ck_assert_msg((err == OTAD_E_OK) == (store_ei.msg[0] == '\0'), "%s", code_rows[_i].what);
    ck_assert_msg(db_exec(s.db, "SELECT 1", EI) == OTAD_E_OK, "%s: not usable after",
                  code_rows[_i].what);
    store_close(&s);
}
END_TEST

START_TEST(lock_held_by_another_is_busy)
{
    struct store s;
    struct db *other = NULL;
    store_file(&s);
    OK(db_open(s.path, DB_WRITE, &other, EI));
    store_exec(other, "PRAGMA busy_timeout=1");
    OK(db_begin(s.db, EI));
    FAILS(OTAD_E_BUSY, db_begin(other, EI));
    db_rollback(s.db);
    OK(db_begin(other, EI));
    OK(db_commit(other, EI));
    db_close(&other);
    store_close(&s);
}
END_TEST

START_TEST(out_of_memory_is_nomem)
{
    struct store s;
    scratch(&s);
    (void)sqlite3_hard_heap_limit64(sqlite3_memory_used() + 100000);
    struct db_q q = db_query(s.db, "SELECT hex(zeroblob(1000000))");
    FAILS(OTAD_E_NOMEM, db_run(&q, EI));
    (void)sqlite3_hard_heap_limit64(0);
    OK(put(s.db, 1));
    store_close(&s);
}
END_TEST

/* ---- opening ------------------------------------------------------------------------------ */

START_TEST(what_cannot_be_opened_leaves_the_output)
{
    struct db *const poison = (struct db *)&store_ei;
    struct db *db = poison;
    FAILS(OTAD_E_DB, db_open("/nonexistent/otad.db", DB_WRITE, &db, EI));
    ck_assert_ptr_eq(db, poison);
    FAILS(OTAD_E_DB, db_open("/tmp/otad-no-such-file.db", DB_READ, &db, EI));
    ck_assert_ptr_eq(db, poison);
}
END_TEST

START_TEST(file_that_is_no_database_is_refused)
{
    char path[] = "/tmp/otad-nodb-XXXXXX";
    struct db *db = NULL;
    int fd = mkstemp(path);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(write(fd, "not a database ", 15), 15);
    (void)close(fd);
    FAILS(OTAD_E_DB, db_open(path, DB_WRITE, &db, EI));
    ck_assert_ptr_null(db);
    (void)unlink(path);
}
END_TEST

START_TEST(settings_of_a_write_connection)
{
    struct store s;
    store_file(&s);
    ck_assert_int_eq(store_int(s.db, "PRAGMA foreign_keys"), 1);
    ck_assert_int_eq(store_int(s.db, "PRAGMA synchronous"), 2); /* FULL */
    ck_assert_int_eq(store_int(s.db, "PRAGMA page_size"), 8192);
    ck_assert_int_eq(store_int(s.db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
    store_close(&s);
}
END_TEST

START_TEST(read_connection_reads_and_does_not_write)
{
    struct store s;
    struct db *reader = NULL;
    store_file(&s);
    OK(db_open(s.path, DB_READ, &reader, EI));
    ck_assert_int_eq(store_int(reader, "SELECT count(*) FROM product"), 0);
    FAILS(OTAD_E_DB, db_exec(reader, "DELETE FROM product", EI));
    FAILS(OTAD_E_DB, db_exec(reader, "CREATE TABLE u (x)", EI));
    db_close(&reader);
    ck_assert_ptr_null(reader);
    db_close(&reader);
    store_close(&s);
}
END_TEST

/* ---- transactions ------------------------------------------------------------------------- */

START_TEST(commit_keeps_and_rollback_undoes)
{
    struct store s;
    scratch(&s);
    ck_assert(!db_in_transaction(s.db));
    OK(db_begin(s.db, EI));
    ck_assert(db_in_transaction(s.db));
    OK(put(s.db, 1));
    OK(db_commit(s.db, EI));
    OK(db_begin(s.db, EI));
    OK(put(s.db, 2));
    db_rollback(s.db);
    ck_assert_int_eq(rows(s.db), 1);
    db_rollback(s.db); /* nothing to undo is no harm */
    FAILS(OTAD_E_DB, db_commit(s.db, EI));
    OK(db_begin(s.db, EI));
    FAILS(OTAD_E_DB, db_begin(s.db, EI));
    db_rollback(s.db);
    store_close(&s);
}
END_TEST

START_TEST(savepoint_is_undone_alone)
{
    struct store s;
    scratch(&s);
    OK(db_begin(s.db, EI));
    OK(put(s.db, 1));
    OK(db_savepoint(s.db, EI));
    OK(put(s.db, 2));
    db_rollback_savepoint(s.db);
    OK(db_savepoint(s.db, EI));
    OK(put(s.db, 3));
    OK(db_release(s.db, EI));
    OK(db_commit(s.db, EI));
    ck_assert_int_eq(store_int(s.db, "SELECT sum(n) FROM t"), 4);
    db_rollback_savepoint(s.db); /* outside of a transaction: nothing */
    store_close(&s);
}
END_TEST

START_TEST(read_transaction_pins_one_state)
{
    struct store s;
    struct db *reader = NULL;
    store_file(&s);
    store_exec(s.db, "CREATE TABLE t (n INTEGER)");
    OK(db_open(s.path, DB_READ, &reader, EI));
    OK(db_begin_read(reader, EI));
    ck_assert_int_eq(rows(reader), 0);
    OK(put(s.db, 1));
    ck_assert_int_eq(rows(reader), 0);
    OK(db_commit(reader, EI));
    ck_assert_int_eq(rows(reader), 1);
    db_close(&reader);
    store_close(&s);
}
END_TEST

/* ---- copies ------------------------------------------------------------------------------- */

START_TEST(backup_holds_what_was_committed)
{
    struct store s;
    struct db *copy = NULL;
    char path[96];
    store_file(&s);
    (void)store_product(s.db, "lamp");
    (void)snprintf(path, sizeof path, "%s.before-0002", s.path);
    OK(db_backup(s.db, path, EI));
    (void)store_product(s.db, "plug");
    OK(db_open(path, DB_READ, &copy, EI));
    ck_assert_int_eq(store_int(copy, "SELECT count(*) FROM product"), 1);
    ck_assert_int_eq(store_int(copy, "PRAGMA user_version"),
                     store_int(s.db, "PRAGMA user_version"));
    db_close(&copy);
    char wal[112], shm[112];
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    (void)snprintf(shm, sizeof shm, "%s-shm", path);
    (void)unlink(wal);
    (void)unlink(shm);
    store_close(&s);
}
END_TEST

START_TEST(backup_that_fails_leaves_no_file)
{
    struct store s;
    struct stat st;
    store_memory(&s);
    FAILS(OTAD_E_DB, db_backup(s.db, "/nonexistent/copy.db", EI));
    ck_assert_int_ne(stat("/nonexistent/copy.db", &st), 0);
    char dir[] = "/tmp/otad-backup-XXXXXX", part[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    FAILS(OTAD_E_IO, db_backup(s.db, dir, EI)); /* a folder has that name */
    (void)snprintf(part, sizeof part, "%s.part", dir);
    ck_assert_int_ne(stat(part, &st), 0);
    (void)rmdir(dir);
    char longer[600];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    FAILS(OTAD_E_IO, db_backup(s.db, longer, EI));
    store_close(&s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("db");
    TCase *t = tcase_create("statements");
    tcase_add_test(t, every_kind_of_value_goes_there_and_back);
    tcase_add_test(t, nothing_is_bound_as_null);
    tcase_add_test(t, wrong_parameter_name_is_an_error_not_a_null);
    tcase_add_test(t, bad_sql_makes_all_later_calls_do_nothing);
    tcase_add_test(t, ended_statement_stays_ended);
    tcase_add_test(t, statement_in_use_is_prepared_again);
    tcase_add_test(t, cached_statement_forgets_its_parameters);
    tcase_add_test(t, new_values_do_not_plan_a_statement_anew);
    tcase_add_test(t, more_statements_than_the_cache_holds_still_work);
    tcase_add_test(t, leaving_early_frees_the_statement);
    suite_add_tcase(s, t);
    t = tcase_create("codes");
    tcase_add_loop_test(t, code_row, 0, (int)OTAD_COUNT(code_rows));
    tcase_add_test(t, lock_held_by_another_is_busy);
    tcase_add_test(t, out_of_memory_is_nomem);
    suite_add_tcase(s, t);
    t = tcase_create("opening");
    tcase_add_test(t, what_cannot_be_opened_leaves_the_output);
    tcase_add_test(t, file_that_is_no_database_is_refused);
    tcase_add_test(t, settings_of_a_write_connection);
    tcase_add_test(t, read_connection_reads_and_does_not_write);
    suite_add_tcase(s, t);
    t = tcase_create("transactions");
    tcase_add_test(t, commit_keeps_and_rollback_undoes);
    tcase_add_test(t, savepoint_is_undone_alone);
    tcase_add_test(t, read_transaction_pins_one_state);
    tcase_add_test(t, backup_holds_what_was_committed);
    tcase_add_test(t, backup_that_fails_leaves_no_file);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
