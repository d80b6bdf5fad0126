/* SPDX-License-Identifier: MIT
 * Every SQL statement of the daemon is prepared against the real schema, and its plan must not
 * walk through a table that grows with the fleet.
 *
 * No list has to be kept: statements are the constants named sql_… (style: beside their owner),
 * and this very program is linked with all of them, so it finds them in its own symbol table. That
 * nobody passes SQL by another name is checked in the sources. */
#include <elf.h>
#include <fcntl.h>
#include <glob.h>
#include <link.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "routes.h"
#include "support/store.h"

#define STATEMENTS_MAX 512

static const struct {
    const char *file, *name;
    const char *plan; /* the one line that is allowed */
    const char *why;  /* shown when it no longer applies */
} allowed[] = {
    {"blob.c",        "sql_drop_all_unused",      "SCAN image",
     "once at the start and after a deletion; images are few, and their bytes are in image_chunk"                                       },
    {"blob.c",        "sql_prune_chunks",         "SCAN i USING INDEX image_pruned",
     "the partial index holds only images that retention let go, a seek into image_chunk each"                                          },
    {"blob.c",        "sql_unstage_all",          "SCAN image USING INDEX image_unlinked",
     "the partial index holds only what a crash left behind"                                                                            },
    {"transfer.c",    "sql_idle",                 "SCAN transfer USING INDEX transfer_open",
     "the partial index holds only open transfers; every few seconds, on the writer"                                                    },
    {"update.c",      "sql_stayed_away",          "SCAN u USING INDEX update_waiting",
     "the partial index holds only updates that wait; every few seconds, on the writer"                                                 },
    {"update.c",      "sql_fs_seen",              "SCAN u USING INDEX update_waiting",
     "the partial index holds only updates that wait; every few seconds, on the writer"                                                 },
    {"channel.c",     "sql_of_build",             "USE TEMP B-TREE FOR ORDER BY",
     "sorts the few channels that point at one build"                                                                                   },
    {"key.c",         "sql_list",                 "SCAN k",                                  "keys are few, and the list is all of them"},
    {"product_key.c", "sql_list",                 "USE TEMP B-TREE FOR ORDER BY",
     "sorts the few keys of one product"                                                                                                },
    {"stats.c",       "sql_versions",             "USE TEMP B-TREE FOR ORDER BY",
     "sorts the versions of a product, not its devices"                                                                                 },
    {"stats.c",       "sql_remember_versions",    "USE TEMP B-TREE FOR ORDER BY",            "the same, once a day"                     },
    {"stats.c",       "sql_channels",             "USE TEMP B-TREE FOR ORDER BY",            "sorts the channels of a product"          },
    {"update.c",      "sql_device_changed_last",  "USE TEMP B-TREE FOR ORDER BY",
     "sorts the updates of one device"                                                                                                  },
    {"update.c",      "sql_device_changed_first", "USE TEMP B-TREE FOR ORDER BY",            "the same"                                 },
};

struct statement {
    char file[64];
    char name[64];
    const char *sql;
};

static struct statement statements[STATEMENTS_MAX];
static size_t n_statements;

static int on_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    *(uintptr_t *)arg = info->dlpi_addr;
    return 1; /* the first is this program */
}

static void add(const char *file, const char *name, uintptr_t address)
{
    ck_assert_uint_lt(n_statements, STATEMENTS_MAX);
    struct statement *s = &statements[n_statements++];
    (void)snprintf(s->file, sizeof s->file, "%s", file);
    (void)snprintf(s->name, sizeof s->name, "%s", name);
    s->sql = (const char *)address;
}

static void walk_symbols(const uint8_t *elf, uintptr_t base)
{
    const Elf64_Ehdr *head = (const Elf64_Ehdr *)(const void *)elf;
    const Elf64_Shdr *sections = (const Elf64_Shdr *)(const void *)(elf + head->e_shoff);
    for (size_t i = 0; i < head->e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB)
            continue;
        const Elf64_Sym *symbols = (const Elf64_Sym *)(const void *)(elf + sections[i].sh_offset);
        const char *names = (const char *)(elf + sections[sections[i].sh_link].sh_offset);
        const char *file = "";
        for (size_t k = 0; k < sections[i].sh_size / sizeof *symbols; k++) {
            const char *name = names + symbols[k].st_name;
            if (ELF64_ST_TYPE(symbols[k].st_info) == STT_FILE)
                file = name;
            else if (ELF64_ST_TYPE(symbols[k].st_info) == STT_OBJECT &&
                     strncmp(name, "sql_", 4) == 0)
                add(file, name, base + symbols[k].st_value);
        }
    }
}

static void find_statements(void)
{
    uintptr_t base = 0;
    struct stat st;
    ck_assert_ptr_nonnull(routes.rows); /* links everything that answers a request */
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(fstat(fd, &st), 0);
    uint8_t *elf = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    ck_assert_ptr_ne(elf, MAP_FAILED);
    (void)dl_iterate_phdr(on_object, &base);
    n_statements = 0;
    walk_symbols(elf, base);
    (void)munmap(elf, (size_t)st.st_size);
    (void)close(fd);
}

static sqlite3 *open_schema(struct store *s)
{
    sqlite3 *db = NULL;
    store_file(s);
    ck_assert_int_eq(sqlite3_open(s->path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "PRAGMA foreign_keys=ON", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static bool used[OTAD_COUNT(allowed)];

static bool is_allowed(const struct statement *s, const char *detail)
{
    for (size_t i = 0; i < OTAD_COUNT(allowed); i++)
        if (strcmp(allowed[i].file, s->file) == 0 && strcmp(allowed[i].name, s->name) == 0 &&
            strcmp(allowed[i].plan, detail) == 0) {
            used[i] = true;
            return true;
        }
    return false;
}

/* A scan of a table of the schema, or sorting what a LIMIT should cut off. Rows of VALUES, of
 * json_each() and the like are no tables. */
static bool is_slow(const char *detail)
{
    if (strncmp(detail, "SCAN CONSTANT ROW", 17) == 0)
        return false;
    return strncmp(detail, "SCAN ", 5) == 0 || strstr(detail, "TEMP B-TREE FOR ORDER BY") != NULL ||
           strstr(detail, "AUTOMATIC") != NULL;
}

static unsigned check_plan(sqlite3 *db, const struct statement *s)
{
    char sql[8192];
    sqlite3_stmt *stmt = NULL;
    unsigned bad = 0;
    (void)snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", s->sql);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        (void)fprintf(stderr, "%s %s: %s\n", s->file, s->name, sqlite3_errmsg(db));
        return 1;
    }
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(stmt, 3);
        if (is_slow(detail) && !is_allowed(s, detail)) {
            (void)fprintf(stderr, "%s %s: %s\n", s->file, s->name, detail);
            bad++;
        }
    }
    (void)sqlite3_finalize(stmt);
    return bad;
}

START_TEST(no_statement_walks_through_a_big_table)
{
    struct store s;
    unsigned bad = 0;
    find_statements();
    sqlite3 *db = open_schema(&s);
    for (size_t i = 0; i < n_statements; i++)
        bad += check_plan(db, &statements[i]);
    (void)sqlite3_close(db);
    store_close(&s);
    ck_assert_msg(bad == 0, "%u slow plans, see above", bad);
    for (size_t i = 0; i < OTAD_COUNT(allowed); i++)
        ck_assert_msg(used[i], "%s %s is no exception any more: %s", allowed[i].file,
                      allowed[i].name, allowed[i].why);
    ck_assert_msg(n_statements >= 60, "only %zu statements found", n_statements);
}
END_TEST

/* What foreign keys do is in no query plan: each referencing column must lead an index, or deleting
 * a parent walks through the whole child table. */
START_TEST(every_foreign_key_has_an_index)
{
    static const char sql[] =
        "SELECT t.name || '.' || f.\"from\" FROM sqlite_schema AS t"
        " JOIN pragma_foreign_key_list(t.name) AS f WHERE t.type = 'table' AND NOT EXISTS ("
        "  SELECT 1 FROM pragma_index_list(t.name) AS l JOIN pragma_index_info(l.name) AS i"
        "  WHERE i.seqno = 0 AND i.name = f.\"from\")";
    struct store s;
    sqlite3_stmt *stmt = NULL;
    unsigned bad = 0;
    sqlite3 *db = open_schema(&s);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    for (; sqlite3_step(stmt) == SQLITE_ROW; bad++)
        (void)fprintf(stderr, "no index begins with %s\n",
                      (const char *)sqlite3_column_text(stmt, 0));
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
    store_close(&s);
    ck_assert_uint_eq(bad, 0);
}
END_TEST

/* Lines that prepare a statement must name a constant sql_…, or the test above misses it. */
START_TEST(all_sql_goes_by_its_name)
{
    glob_t files;
    unsigned bad = 0, seen = 0;
    ck_assert_int_eq(glob("server/fleet/*.c", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        char line[512];
        FILE *f = fopen(files.gl_pathv[i], "r");
        ck_assert_ptr_nonnull(f);
        while (fgets(line, sizeof line, f) != NULL) {
            const char *call = strstr(line, "db_query(");
            const char *exec = strstr(line, "db_exec(");
            seen += call != NULL;
            if (exec != NULL || (call != NULL && strstr(call, "sql") == NULL)) {
                (void)fprintf(stderr, "%s: %s", files.gl_pathv[i], line);
                bad++;
            }
        }
        (void)fclose(f);
    }
    globfree(&files);
    ck_assert_uint_eq(bad, 0);
    ck_assert_uint_gt(seen, 50);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("sql_plans");
    TCase *t = tcase_create("plans");
    tcase_add_test(t, no_statement_walks_through_a_big_table);
    tcase_add_test(t, every_foreign_key_has_an_index);
    tcase_add_test(t, all_sql_goes_by_its_name);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
