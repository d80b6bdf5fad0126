/* SPDX-License-Identifier: MIT
 * Runs the real otad for black-box tests: a data folder of its own, a free port, its log in a
 * file, and never a process left behind. Whatever goes wrong here fails the running test. */
#ifndef OTAD_TESTS_DAEMON_H
#define OTAD_TESTS_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DAEMON_FLAGS_MAX 32
#define DAEMON_KEY 80 /* bytes of an API key as text, NUL included */
#define DAEMON_PATIENCE_S                                                                          \
    60 /* for what takes milliseconds; sanitizers and full machines are slow */

/** A data folder and the otad on it. {0} has neither yet; the fields are for reading. */
struct daemon {
    pid_t pid;        /* 0 = not running */
    char root[128];   /* temporary folder of this struct; holds all the rest */
    char data[160];   /* the data folder */
    char log[160];    /* file with stderr of all runs */
    char address[64]; /* "127.0.0.1:40123", of the first listener */
    uint16_t port;
    const char *flags[DAEMON_FLAGS_MAX]; /* of the last start; borrowed */
    const char *const *env;              /* "NAME=value", NULL at the end, or NULL; borrowed */
};

/** What a subcommand that ran to its end gave. Both texts end with NUL; command_free() frees. */
struct command {
    int status; /* exit status; 128 + signal when killed by one */
    char *out, *err;
};

/** Makes the folders of *d if it has none yet; daemon_start() does it too. */
void daemon_folder(struct daemon *d);

/** Starts `otad serve` on the folder and waits until it answers.
 *  @param flags  further flags, NULL at the end, or NULL; without `--listen` it is 127.0.0.1:0 */
void daemon_start(struct daemon *d, const char *const *flags);

/** Starts it again on the same folder with the same flags. */
void daemon_restart(struct daemon *d);

/** Starts it without waiting for anything. */
void daemon_spawn(struct daemon *d, const char *const *flags);

/** Waits for otad.addr of a spawned daemon and reads it. @return false when it ended instead */
bool daemon_wait_ready(struct daemon *d);

/** SIGTERM, wait, and check that it exits 0. */
void daemon_stop(struct daemon *d);

/** Waits for the end of a running daemon. @return its exit status, 128 + signal when killed */
int daemon_wait_end(struct daemon *d);

void daemon_signal(struct daemon *d, int signal);

/** SIGKILL and wait: what a power cut leaves of a process. */
void daemon_kill(struct daemon *d);

/** Stops it if it runs and removes its folder. */
void daemon_free(struct daemon *d);

/** All of stderr so far; the caller frees it. */
char *daemon_log(const struct daemon *d);

/** Whether a line with `text` appears in the log within `seconds`. */
bool daemon_logged(const struct daemon *d, const char *text, int seconds);

/** Makes a key with `otad key create` beside a running daemon (or without one).
 *  @param product  slug it is bound to, or NULL */
void daemon_key(const struct daemon *d, const char *name, const char *role, const char *product,
                char out[DAEMON_KEY]);

/** Runs otad with these arguments (NULL at the end) to its end.
 *  @param env  further "NAME=value", NULL at the end, or NULL */
struct command daemon_command(const char *const *args, const char *const *env);

/** The same for another program of the build folder. */
struct command program_run(const char *program, const char *const *args, const char *const *env);
void command_free(struct command *c);

/** The first value of a query on the database file, read beside the daemon. */
int64_t daemon_sql(const struct daemon *d, const char *sql);

/** Runs statements that change the database beside the daemon: only to age or forge what a test
 *  can't wait for. */
void daemon_sql_write(const struct daemon *d, const char *sql);

/** Removes a folder with all that is in it. */
void remove_folder(const char *path);

/** Milliseconds of the monotonic clock. */
int64_t test_now_ms(void);
void test_sleep_ms(int64_t ms);

#endif
