/* SPDX-License-Identifier: MIT
 * Owns `otad key`: works beside a running daemon, which looks keys up at each request. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/cli.h"
#include "db/migrate.h"
#include "fleet/audit.h"
#include "fleet/key.h"
#include "fleet/product.h"

/* The flags of this subcommand that are no options. */
struct key_args {
    const char *name, *role, *product;
};

static void usage(FILE *to)
{
    fputs("Usage: otad key create [WHERE] --name NAME --role ROLE [--product SLUG]\n"
          "       otad key list   [WHERE]\n"
          "       otad key revoke [WHERE] --name NAME\n\n"
          "WHERE is what `otad serve` got: --data-dir DIR, or --config FILE; without it\n"
          "/var/lib/otad. A key made in another folder opens nothing.\n\n"
          "Roles: viewer reads; publisher also uploads builds and moves channels; admin does\n"
          "everything. With --product the key is for that product only.\n"
          "create prints the key alone on stdout. It is shown once: only its hash is stored.\n"
          "All three work while the daemon runs, and take effect at once.\n",
          to);
}

static bool take_flag(void *arg, const char *name, const char *value)
{
    struct key_args *a = arg;
    const char **to = strcmp(name, "name") == 0      ? &a->name
                      : strcmp(name, "role") == 0    ? &a->role
                      : strcmp(name, "product") == 0 ? &a->product
                                                     : NULL;
    if (to != NULL)
        *to = value;
    return to != NULL;
}

/* Run by root beside a daemon with a user of its own, new files must be that user's: a log of the
 * database owned by root would lock the daemon out. */
static enum otad_err become_owner(const char *dir, struct otad_errinfo *ei)
{
    struct stat st;
    if (geteuid() != 0 || stat(dir, &st) != 0 || st.st_uid == 0)
        return OTAD_E_OK;
    if (setgid(st.st_gid) == 0 && setuid(st.st_uid) == 0)
        return OTAD_E_OK;
    return otad_fail(ei, OTAD_E_IO, "Can't become the owner of %.160s: %s", dir, strerror(errno));
}

/* A mistyped folder must not pass for one without keys. @param may_make  create makes a new one */
static enum otad_err open_database(const struct config *config, bool may_make, struct db **db,
                                   struct otad_errinfo *ei)
{
    char path[OPTION_TEXT_MAX + 16];
    struct log log;
    log_init(&log, LOG_LEVEL_WARN, false);
    (void)snprintf(path, sizeof path, "%s/otad.db", config->data_dir);
    bool exists = access(path, F_OK) == 0;
    if (!exists && !may_make) {
        (void)otad_fail(ei, OTAD_E_NOENT, "There is no otad.db in the data folder %.160s",
                        config->data_dir);
        return otad_hint(ei, "Pass the folder the daemon uses with --data-dir DIR.");
    }
    if (mkdir(config->data_dir, 0700) != 0 && errno != EEXIST) {
        (void)otad_fail(ei, OTAD_E_IO, "Can't make the data folder %.160s: %s", config->data_dir,
                        strerror(errno));
        return otad_hint(ei, "Pass the folder the daemon uses with --data-dir DIR.");
    }
    if (!exists)
        fprintf(stderr, "otad: making a new data folder in %s\n", config->data_dir);
    enum otad_err err = become_owner(config->data_dir, ei);
    if (err == OTAD_E_OK)
        err = db_open(path, DB_WRITE, db, ei);
    if (err == OTAD_E_OK)
        err = migrate(*db, path, &log, ei);
    return err;
}

static void who_am_i(char *out, size_t room)
{
    const struct passwd *pw = getpwuid(getuid());
    (void)snprintf(out, room, "cli:%s", pw != NULL ? pw->pw_name : "unknown");
}

static enum otad_err write_audit(struct db *db, const char *action, const char *name,
                                 const char *product, struct otad_errinfo *ei)
{
    struct audit a = {.at_s = clock_wall_s(&(struct clock){0}), .address = "local"};
    who_am_i(a.who, sizeof a.who);
    (void)snprintf(a.action, sizeof a.action, "%s", action);
    (void)snprintf(a.object, sizeof a.object, "%s", name);
    (void)snprintf(a.product, sizeof a.product, "%s", product != NULL ? product : "");
    return audit_add(db, &a, ei);
}

static enum otad_err make_key(struct db *db, const struct key_args *args, char text[KEY_TEXT],
                              struct otad_errinfo *ei)
{
    struct key k = {.created_at_s = clock_wall_s(&(struct clock){0})};
    struct product p;
    if (args->name == NULL || args->role == NULL || args->name[0] == '\0')
        return otad_fail(ei, OTAD_E_INVALID, "A key needs --name and --role");
    if (!key_role_parse(args->role, &k.role))
        return otad_fail(ei, OTAD_E_INVALID,
                         "--role must be viewer, publisher or admin, not '%.40s'", args->role);
    enum otad_err err = key_set_name(&k, args->name, ei);
    if (err == OTAD_E_OK && args->product != NULL)
        err = product_find(db, args->product, &p, ei);
    if (err != OTAD_E_OK)
        return err;
    k.product = args->product != NULL ? p.id : 0;
    err = key_create(db, &k, text, ei);
    return err == OTAD_E_OK ? write_audit(db, "key.create", k.name, args->product, ei) : err;
}

/* One change in one transaction. */
static enum otad_err create(struct db *db, const struct key_args *args, struct otad_errinfo *ei)
{
    char text[KEY_TEXT];
    enum otad_err err = db_begin(db, ei);
    if (err == OTAD_E_OK)
        err = make_key(db, args, text, ei);
    if (err == OTAD_E_OK)
        err = db_commit(db, ei);
    if (err == OTAD_E_OK)
        puts(text);
    else
        db_rollback(db);
    return err;
}

static enum otad_err revoke_key(struct db *db, const struct key_args *args, struct otad_errinfo *ei)
{
    if (args->name == NULL)
        return otad_fail(ei, OTAD_E_INVALID, "Which key? Pass --name NAME");
    enum otad_err err = db_begin(db, ei);
    if (err == OTAD_E_OK)
        err = key_revoke(db, args->name, clock_wall_s(&(struct clock){0}), ei);
    if (err == OTAD_E_OK)
        err = write_audit(db, "key.revoke", args->name, NULL, ei);
    if (err == OTAD_E_OK)
        err = db_commit(db, ei);
    if (err != OTAD_E_OK)
        db_rollback(db);
    return err;
}

static enum otad_err print_key(void *arg, const struct key *k)
{
    char created[CLOCK_TEXT], revoked[CLOCK_TEXT] = "-";
    (void)arg;
    clock_text(k->created_at_s, created);
    if (k->revoked_at_s != 0)
        clock_text(k->revoked_at_s, revoked);
    printf("%-24s %-10s %-20s %-14s %-21s %s\n", k->name, key_role_name(k->role),
           k->product != 0 ? k->product_slug : "all products", k->hint, created, revoked);
    return OTAD_E_OK;
}

static enum otad_err list(struct db *db, const struct key_args *args, struct otad_errinfo *ei)
{
    (void)args;
    printf("%-24s %-10s %-20s %-14s %-21s %s\n", "NAME", "ROLE", "PRODUCT", "BEGINS WITH",
           "CREATED", "REVOKED");
    return key_list(db, print_key, NULL, ei);
}

int cmd_key(int argc, char **argv)
{
    static const struct {
        const char *verb;
        enum otad_err (*run)(struct db *db, const struct key_args *args, struct otad_errinfo *ei);
    } verbs[] = {
        {"create", create    },
        {"list",   list      },
        {"revoke", revoke_key}
    };
    struct config config;
    struct key_args args = {.name = NULL};
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    struct db *db OTAD_AUTO(db_close) = NULL;
    const char *file;
    argc--; /* behind the name of the subcommand */
    argv++;
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            usage(stdout);
            return EXIT_SUCCESS;
        }
    size_t v = 0;
    while (argc > 0 && v < OTAD_COUNT(verbs) && strcmp(argv[0], verbs[v].verb) != 0)
        v++;
    if (argc == 0 || v == OTAD_COUNT(verbs)) {
        usage(stderr);
        return EXIT_USAGE;
    }
    enum otad_err err = cli_config(argc - 1, argv + 1, take_flag, &args, &config, &file, &ei);
    if (err == OTAD_E_OK)
        err = open_database(&config, verbs[v].run == create, &db, &ei);
    if (err == OTAD_E_OK)
        err = verbs[v].run(db, &args, &ei);
    if (err != OTAD_E_OK)
        cli_complain(&ei);
    return err == OTAD_E_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
