/* SPDX-License-Identifier: MIT
 * Owns the processes and folders of black-box tests. */
#include "support/daemon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <check.h>
#include <sqlite3.h>

int64_t test_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void test_sleep_ms(int64_t ms)
{
    const struct timespec pause = {.tv_sec = (time_t)(ms / 1000),
                                   .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* ---- files -------------------------------------------------------------------------------- */

static char *read_all(const char *path)
{
    FILE *f = fopen(path, "re");
    char *text = NULL;
    size_t room = 0;
    if (f == NULL || getdelim(&text, &room, '\0', f) < 0) {
        free(text);
        text = strdup("");
    }
    if (f != NULL)
        (void)fclose(f);
    ck_assert_ptr_nonnull(text);
    return text;
}

void remove_folder(const char *path)
{
    DIR *dir = opendir(path);
    char name[512];
    if (dir == NULL)
        return;
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        (void)snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (unlink(name) != 0 && (errno == EISDIR || errno == EPERM))
            remove_folder(name);
    }
    (void)closedir(dir);
    (void)rmdir(path);
}

static const char *binary(const char *program)
{
    static char path[512];
    const char *build = getenv("BUILD");
    (void)snprintf(path, sizeof path, "%s/%s", build != NULL ? build : "build", program);
    return path;
}

/* ---- processes ---------------------------------------------------------------------------- */

/* In the child: becomes the program, or ends with 127. */
static void become(const char *program, const char *const *args, const char *const *env, int out,
                   int err, pid_t parent)
{
    char *argv[DAEMON_FLAGS_MAX + 8];
    size_t n = 0;
    argv[n++] = strdup(program);
    for (; *args != NULL && n < DAEMON_FLAGS_MAX + 7; args++)
        argv[n++] = strdup(*args);
    argv[n] = NULL;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before the line above */
        _exit(127);
    for (; env != NULL && *env != NULL; env++)
        (void)putenv(strdup(*env));
    (void)dup2(out, STDOUT_FILENO);
    (void)dup2(err, STDERR_FILENO);
    (void)execv(binary(program), argv);
    _exit(127);
}

static pid_t spawn(const char *program, const char *const *args, const char *const *env, int out,
                   int err)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    /* First: Check's lock, which every ck_ function takes, may be held by a thread that the child
     * doesn't have. */
    if (pid == 0)
        become(program, args, env, out, err, parent);
    ck_assert_msg(pid >= 0, "fork: %s", strerror(errno));
    return pid;
}

/* Waits for a child. @return its exit status; -1 when it still runs after the patience */
static int wait_for(pid_t pid, int64_t patience_s)
{
    int status;
    int64_t deadline = test_now_ms() + patience_s * 1000;
    for (;;) {
        pid_t done = waitpid(pid, &status, WNOHANG);
        ck_assert_msg(done >= 0, "waitpid: %s", strerror(errno));
        if (done == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (test_now_ms() > deadline)
            return -1;
        test_sleep_ms(5);
    }
}

static void kill_and_reap(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

struct command program_run(const char *program, const char *const *args, const char *const *env)
{
    char paths[2][64] = {"/tmp/otad-test-out-XXXXXX", "/tmp/otad-test-err-XXXXXX"};
    int out = mkostemp(paths[0], O_CLOEXEC), err = mkostemp(paths[1], O_CLOEXEC);
    ck_assert(out >= 0 && err >= 0);
    pid_t pid = spawn(program, args, env, out, err);
    struct command c = {.status = wait_for(pid, DAEMON_PATIENCE_S)};
    if (c.status < 0)
        kill_and_reap(pid);
    (void)close(out);
    (void)close(err);
    c.out = read_all(paths[0]);
    c.err = read_all(paths[1]);
    (void)unlink(paths[0]);
    (void)unlink(paths[1]);
    ck_assert_msg(c.status >= 0, "%s %s didn't end", program, args[0]);
    return c;
}

struct command daemon_command(const char *const *args, const char *const *env)
{
    return program_run("otad", args, env);
}

void command_free(struct command *c)
{
    free(c->out);
    free(c->err);
    *c = (struct command){.status = 0};
}

/* ---- what a failing test leaves ----------------------------------------------------------- */

/* The test program itself: Check forks for every test, and a fork that fails cleans up nothing.
 * Its daemons die with it; its folders are found by the program's number in their names. */
static pid_t program;

static const char *temporary(void)
{
    const char *tmp = getenv("TMPDIR");
    return tmp != NULL ? tmp : "/tmp";
}

static void clear_up(void)
{
    char prefix[64], path[512];
    DIR *dir = getpid() == program ? opendir(temporary()) : NULL;
    int n = snprintf(prefix, sizeof prefix, "otad-test-%ld-", (long)program);
    if (dir == NULL)
        return;
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (strncmp(e->d_name, prefix, (size_t)n) != 0)
            continue;
        (void)snprintf(path, sizeof path, "%.200s/%s", temporary(), e->d_name);
        remove_folder(path);
    }
    (void)closedir(dir);
}

__attribute__((constructor)) static void remember_program(void)
{
    program = getpid();
    (void)atexit(clear_up);
}

/* ---- the daemon --------------------------------------------------------------------------- */

void daemon_folder(struct daemon *d)
{
    if (d->root[0] != '\0')
        return;
    (void)snprintf(d->root, sizeof d->root, "%.80s/otad-test-%ld-XXXXXX", temporary(),
                   (long)program);
    ck_assert_msg(mkdtemp(d->root) != NULL, "mkdtemp: %s", strerror(errno));
    (void)snprintf(d->data, sizeof d->data, "%s/data", d->root);
    (void)snprintf(d->log, sizeof d->log, "%s/stderr", d->root);
}

static bool has_flag(const char *const *flags, const char *flag)
{
    for (; *flags != NULL; flags++)
        if (strcmp(*flags, flag) == 0)
            return true;
    return false;
}

void daemon_spawn(struct daemon *d, const char *const *flags)
{
    const char *args[DAEMON_FLAGS_MAX + 8] = {"serve", "--data-dir", d->data};
    size_t n = 3, kept = 0;
    daemon_folder(d);
    for (; flags != NULL && *flags != NULL && kept < DAEMON_FLAGS_MAX - 1; flags++)
        d->flags[kept++] = *flags;
    d->flags[kept] = NULL;
    if (!has_flag(d->flags, "--listen")) {
        args[n++] = "--listen";
        args[n++] = "127.0.0.1:0";
    }
    for (size_t i = 0; i < kept; i++)
        args[n++] = d->flags[i];
    char addresses[192];
    (void)snprintf(addresses, sizeof addresses, "%s/otad.addr", d->data);
    (void)unlink(addresses); /* left by a kill: it would name the old port */
    int log = open(d->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ck_assert_msg(log >= 0, "%s: %s", d->log, strerror(errno));
    d->pid = spawn("otad", args, d->env, log, log);
    (void)close(log);
}

/* Reads the first line of otad.addr. */
static bool read_address(struct daemon *d)
{
    char path[192];
    (void)snprintf(path, sizeof path, "%s/otad.addr", d->data);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    bool found = fgets(d->address, sizeof d->address, f) != NULL;
    (void)fclose(f);
    d->address[strcspn(d->address, "\n")] = '\0';
    const char *colon = strrchr(d->address, ':');
    if (!found || colon == NULL)
        return false;
    d->port = (uint16_t)strtoul(colon + 1, NULL, 10);
    return true;
}

bool daemon_wait_ready(struct daemon *d)
{
    int64_t deadline = test_now_ms() + DAEMON_PATIENCE_S * 1000;
    while (!read_address(d)) {
        int status;
        if (waitpid(d->pid, &status, WNOHANG) == d->pid) {
            d->pid = 0;
            return false;
        }
        ck_assert_msg(test_now_ms() < deadline, "otad wrote no otad.addr in time");
        test_sleep_ms(2);
    }
    return true;
}

void daemon_start(struct daemon *d, const char *const *flags)
{
    daemon_spawn(d, flags);
    if (!daemon_wait_ready(d)) {
        char *log = daemon_log(d);
        ck_abort_msg("otad didn't start:\n%s", log);
    }
}

void daemon_restart(struct daemon *d)
{
    const char *flags[DAEMON_FLAGS_MAX];
    memcpy(flags, d->flags, sizeof flags);
    daemon_start(d, flags);
}

int daemon_wait_end(struct daemon *d)
{
    int status = wait_for(d->pid, DAEMON_PATIENCE_S);
    if (status < 0) {
        kill_and_reap(d->pid);
        d->pid = 0;
        ck_abort_msg("otad didn't end in time");
    }
    d->pid = 0;
    return status;
}

void daemon_signal(struct daemon *d, int signal)
{
    ck_assert_int_gt(d->pid, 0);
    ck_assert_int_eq(kill(d->pid, signal), 0);
}

void daemon_stop(struct daemon *d)
{
    daemon_signal(d, SIGTERM);
    int status = daemon_wait_end(d);
    if (status != 0) {
        char *log = daemon_log(d);
        size_t n = strlen(log);
        const char *end = n > 6000 ? log + n - 6000 : log;
        (void)fprintf(stderr, "%s\n", end); /* Check keeps silent about a failing teardown */
        ck_abort_msg("otad ended with %d:\n%s", status, end);
    }
}

void daemon_kill(struct daemon *d)
{
    ck_assert_int_gt(d->pid, 0);
    kill_and_reap(d->pid);
    d->pid = 0;
}

void daemon_free(struct daemon *d)
{
    if (d->pid > 0)
        daemon_stop(d);
    if (d->root[0] != '\0')
        remove_folder(d->root);
    *d = (struct daemon){.pid = 0};
}

char *daemon_log(const struct daemon *d)
{
    return read_all(d->log);
}

bool daemon_logged(const struct daemon *d, const char *text, int seconds)
{
    int64_t deadline = test_now_ms() + seconds * 1000;
    for (;;) {
        char *log = daemon_log(d);
        bool found = strstr(log, text) != NULL;
        free(log);
        if (found || test_now_ms() > deadline)
            return found;
        test_sleep_ms(20);
    }
}

void daemon_key(const struct daemon *d, const char *name, const char *role, const char *product,
                char out[DAEMON_KEY])
{
    const char *args[] = {"key",    "create", "--data-dir",
                          d->data,  "--name", name,
                          "--role", role,     product != NULL ? "--product" : NULL,
                          product,  NULL};
    struct command c = daemon_command(args, NULL);
    ck_assert_msg(c.status == 0, "otad key create: %d %s", c.status, c.err);
    size_t n = strcspn(c.out, "\n");
    ck_assert_uint_lt(n, DAEMON_KEY);
    memcpy(out, c.out, n);
    out[n] = '\0';
    command_free(&c);
}

/* ---- the database ------------------------------------------------------------------------- */

static sqlite3 *open_database(const struct daemon *d, int flags)
{
    char path[192];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/otad.db", d->data);
    int rc = sqlite3_open_v2(path, &db, flags, NULL);
    ck_assert_msg(rc == SQLITE_OK, "%s: %s", path, sqlite3_errstr(rc));
    (void)sqlite3_busy_timeout(db, DAEMON_PATIENCE_S * 1000);
    return db;
}

int64_t daemon_sql(const struct daemon *d, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3 *db = open_database(d, SQLITE_OPEN_READONLY);
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    ck_assert_msg(rc == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    rc = sqlite3_step(stmt);
    ck_assert_msg(rc == SQLITE_ROW, "%s: %s", sql, sqlite3_errmsg(db));
    int64_t value = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
    return value;
}

void daemon_sql_write(const struct daemon *d, const char *sql)
{
    char *why = NULL;
    sqlite3 *db = open_database(d, SQLITE_OPEN_READWRITE);
    int rc = sqlite3_exec(db, sql, NULL, NULL, &why);
    ck_assert_msg(rc == SQLITE_OK, "%s: %s", sql, why);
    (void)sqlite3_close(db);
}
