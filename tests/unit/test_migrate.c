/* SPDX-License-Identifier: MIT
 * From nothing, from an older and from a newer schema. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "db/migrate.h"
#include "support/store.h"

/* What a later version of otad will bring: the first file, then these. */
static const struct migration later[] = {
    {1,   "0001_first",  "SELECT elephants"                                                     }, /* is there already: must not run again */
    {902, "0902_second", "CREATE TABLE second (n INTEGER) STRICT; INSERT INTO second VALUES (2)"},
    {903, "0903_third",  "INSERT INTO second VALUES (3)"                                        },
};
static const struct migration broken[] = {
    {1,   "0001_first",  "SELECT elephants"                                                      },
    {902, "0902_broken", "CREATE TABLE half (n INTEGER) STRICT; INSERT INTO elephants VALUES (1)"},
};

static bool copy_exists(const struct store *s, int number)
{
    char path[96];
    (void)snprintf(path, sizeof path, "%s.before-%04d", s->path, number);
    return access(path, F_OK) == 0;
}

START_TEST(fresh_database_gets_the_whole_schema)
{
    struct store s;
    int64_t version = -1;
    store_file(&s);
    OK(db_schema_version(s.db, &version, EI));
    ck_assert_int_eq(version, migrate_latest());
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
                                     " AND name NOT LIKE 'sqlite_%' AND sql NOT LIKE '%STRICT'"),
                     0);
    for (int number = 1; number <= migrate_latest(); number++)
        ck_assert(!copy_exists(&s, number)); /* there was nothing to keep */
    store_close(&s);
}
END_TEST

START_TEST(second_run_changes_nothing)
{
    struct store s;
    store_file(&s);
    int64_t before = store_int(s.db, "PRAGMA schema_version");
    (void)store_product(s.db, "lamp");
    OK(migrate(s.db, s.path, &s.log, EI));
    ck_assert_int_eq(store_int(s.db, "PRAGMA schema_version"), before);
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM product"), 1);
    store_close(&s);
}
END_TEST

START_TEST(newer_database_is_refused_with_words)
{
    struct store s;
    store_file(&s);
    store_exec(s.db, "PRAGMA user_version=4711");
    FAILS(OTAD_E_CONFLICT, migrate(s.db, s.path, &s.log, EI));
    char want[160];
    (void)snprintf(want, sizeof want,
                   "%s was written by a newer otad: its schema is version 4711, this binary knows "
                   "up to %d",
                   s.path, (int)migrate_latest());
    ck_assert_str_eq(store_ei.msg, want);
    HOLDS(store_ei.hint, ".before-NNNN");
    ck_assert_int_eq(store_int(s.db, "PRAGMA user_version"), 4711);
    store_close(&s);
}
END_TEST

START_TEST(database_of_another_program_is_refused_untouched)
{
    struct db *db = NULL;
    char path[] = "/tmp/otad-foreign-XXXXXX";
    struct log log;
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0);
    log_init(&log, LOG_LEVEL_ERR, false);
    ck_assert_int_eq(db_open(path, DB_WRITE, &db, &ei), OTAD_E_OK);
    ck_assert_int_eq(db_exec(db, "CREATE TABLE recipe (name TEXT)", &ei), OTAD_E_OK);
    ck_assert_int_eq(migrate(db, path, &log, &ei), OTAD_E_CONFLICT);
    ck_assert_ptr_nonnull(strstr(ei.msg, "another program"));
    ck_assert_int_eq(store_int(db, "SELECT count(*) FROM sqlite_schema"), 1);
    db_close(&db);
    (void)unlink(path);
}
END_TEST

START_TEST(older_database_is_copied_then_migrated)
{
    struct store s;
    struct db *copy = NULL;
    char path[96];
    store_file(&s);
    (void)store_product(s.db, "lamp");
    OK(migrate_with(s.db, s.path, later, OTAD_COUNT(later), &s.log, EI));
    ck_assert_int_eq(store_int(s.db, "PRAGMA user_version"), 903);
    ck_assert_int_eq(store_int(s.db, "SELECT sum(n) FROM second"), 5);
    ck_assert(copy_exists(&s, 902));
    ck_assert(!copy_exists(&s, 1));
    (void)snprintf(path, sizeof path, "%s.before-0902", s.path);
    OK(db_open(path, DB_WRITE, &copy, EI));
    ck_assert_int_eq(store_int(copy, "PRAGMA user_version"), (int)migrate_latest());
    ck_assert_int_eq(store_int(copy, "SELECT count(*) FROM product"), 1);
    ck_assert_int_eq(store_int(copy, "SELECT count(*) FROM sqlite_schema WHERE name = 'second'"),
                     0);
    db_close(&copy);
    store_close(&s);
}
END_TEST

START_TEST(failed_migration_leaves_all_as_it_was)
{
    struct store s;
    store_file(&s);
    (void)store_product(s.db, "lamp");
    FAILS(OTAD_E_DB, migrate_with(s.db, s.path, broken, OTAD_COUNT(broken), &s.log, EI));
    HOLDS(store_ei.msg, "elephants");
    ck_assert(!db_in_transaction(s.db));
    ck_assert_int_eq(store_int(s.db, "PRAGMA user_version"), (int)migrate_latest());
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM sqlite_schema WHERE name = 'half'"), 0);
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM product"), 1);
    ck_assert(copy_exists(&s, 902));
    store_close(&s);
}
END_TEST

START_TEST(copy_of_an_earlier_try_is_kept)
{
    struct store s;
    char path[96], text[16] = "";
    store_file(&s);
    (void)snprintf(path, sizeof path, "%s.before-0902", s.path);
    FILE *f = fopen(path, "w");
    (void)fputs("earlier", f);
    (void)fclose(f);
    OK(migrate_with(s.db, s.path, later, 2, &s.log, EI));
    f = fopen(path, "r");
    ck_assert_ptr_nonnull(fgets(text, sizeof text, f));
    (void)fclose(f);
    ck_assert_str_eq(text, "earlier");
    store_close(&s);
}
END_TEST

START_TEST(no_copy_no_migration)
{
    struct store s;
    store_file(&s);
    FAILS(OTAD_E_DB, migrate_with(s.db, "/nonexistent/otad.db", later, 2, &s.log, EI));
    ck_assert_int_eq(store_int(s.db, "PRAGMA user_version"), (int)migrate_latest());
    store_close(&s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("migrate");
    TCase *t = tcase_create("migrate");
    tcase_add_test(t, fresh_database_gets_the_whole_schema);
    tcase_add_test(t, second_run_changes_nothing);
    tcase_add_test(t, newer_database_is_refused_with_words);
    tcase_add_test(t, database_of_another_program_is_refused_untouched);
    tcase_add_test(t, older_database_is_copied_then_migrated);
    tcase_add_test(t, failed_migration_leaves_all_as_it_was);
    tcase_add_test(t, copy_of_an_earlier_try_is_kept);
    tcase_add_test(t, no_copy_no_migration);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
