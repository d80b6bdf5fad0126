/* SPDX-License-Identifier: MIT
 * The daemon as a service, and the command line: how it starts, is configured, reloads, refuses
 * and ends. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "otad/err.h"
#include "support/http.h"
#include "support/unit.h"

#define STARTED                                                                                    \
    {                                                                                              \
        .pid = 0                                                                                   \
    }

static struct command run(const char *const *args, const char *const *env)
{
    return daemon_command(args, env);
}

static void write_file(const struct daemon *d, const char *name, const char *text, char path[256])
{
    (void)snprintf(path, 256, "%s/%s", d->root, name);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

/* ---- command line ------------------------------------------------------------------------- */

static const struct {
    const char *args[5];
    int status;
    const char *out, *err; /* a part, or NULL for nothing at all */
} commands[] = {
    {{"--help"},                                      0,  "Usage: otad",       NULL                         },
    {{"-h"},                                          0,  "serve",             NULL                         },
    {{"serve", "--help"},                             0,  "--listen",          NULL                         },
    {{"key", "--help"},                               0,  "otad key create",   NULL                         },
    {{"config", "--help"},                            0,  "otad config check", NULL                         },
    {{"inspect", "--help"},                           0,  "otad inspect",      NULL                         },
    {{"version"},                                     0,  "otad ",             NULL                         },
    {{"version", "--help"},                           0,  "",                  NULL                         },
    {{"--version"},                                   0,  "otad ",             NULL                         },
    {{"config", "example"},                           0,  "#listen = ",        NULL                         },
    {{"config", "check"},                             0,  "right",             NULL                         },
    {{"fly"},                                         -1, NULL,                "fly"                        },
    {{"config"},                                      -1, NULL,                "Usage"                      },
    {{"config", "print"},                             -1, NULL,                "Usage"                      },
    {{"serve", "extra"},                              -1, NULL,                "extra"                      },
    {{"serve", "--lsten", "127.0.0.1:0"},             -1, NULL,                "--lsten"                    },
    {{"serve", "--listen"},                           -1, NULL,                "needs a value"              },
    {{"serve", "--http-idle-timeout-s", "soon"},      -1, NULL,                "whole number from 5 to 3600"},
    {{"serve", "--log-level", "loud"},                -1, NULL,                "err, warn, info, debug"     },
    {{"serve", "--config", "/nonexistent/otad.conf"}, -1, NULL,                "/nonexistent/otad.conf"     },
};

START_TEST(command_says_what_it_should)
{
    const char *what = commands[_i].args[0];
    struct command c = run(commands[_i].args, NULL);
    ck_assert_msg(commands[_i].status == 0 ? c.status == 0 : c.status > 0 && c.status < 128,
                  "%s: %d", what, c.status);
    ck_assert_msg(commands[_i].out != NULL ? strstr(c.out, commands[_i].out) != NULL
                                           : c.out[0] == '\0',
                  "%s: out: %s", what, c.out);
    ck_assert_msg(commands[_i].err != NULL ? strstr(c.err, commands[_i].err) != NULL
                                           : c.err[0] == '\0',
                  "%s: err: %s", what, c.err);
    command_free(&c);
}
END_TEST

START_TEST(every_command_of_the_help_has_help)
{
    const char *help[] = {"--help", NULL};
    struct command all = run(help, NULL);
    size_t tried = 0;
    for (char *line = strtok(all.out, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char name[32];
        if (strncmp(line, "  ", 2) != 0 || sscanf(line, " %31s", name) != 1)
            continue;
        const char *args[] = {name, "--help", NULL};
        struct command c = run(args, NULL);
        ck_assert_msg(c.status == 0 && c.out[0] != '\0', "%s --help: %d", name, c.status);
        command_free(&c);
        tried++;
    }
    ck_assert_uint_ge(tried, 4);
    command_free(&all);
}
END_TEST

/* ---- configuration ------------------------------------------------------------------------ */

static const struct {
    const char *what, *text;
    const char *says[4];
} bad_files[] = {
    {"a mistyped key",
     "[server]\n# fine\nlisten = 127.0.0.1:0\n\ndata_dri = /tmp\n",   {"otad.conf", "5", "data_dri", "data_dir"}},
    {"a key in another section",
     "[http]\nlisten = 127.0.0.1:0\n",                                {"otad.conf", "2", "server.listen"}       },
    {"an unknown section",       "[sever]\nthreads = 2\n",            {"otad.conf", "2", "server.threads"}      },
    {"a number in words",        "[server]\nthreads = many\n",        {"otad.conf", "2", "many", "0 to 64"}     },
    {"a number too large",
     "[http]\n\n\nidle_timeout_s = 99999\n",                          {"otad.conf", "4", "99999", "3600"}       },
    {"a size of another unit",   "[storage]\nimage_max_bytes = 4X\n", {"otad.conf", "2", "4X"}                  },
    {"an unknown choice",        "[log]\nlevel = loud\n",             {"otad.conf", "2", "loud", "debug"}       },
    {"no key at all",            "[server]\nthis is no setting\n",    {"otad.conf", "2"}                        },
};

START_TEST(bad_configuration_names_file_line_and_key)
{
    struct daemon d = STARTED;
    char path[256];
    daemon_folder(&d);
    write_file(&d, "otad.conf", bad_files[_i].text, path);
    const char *check[] = {"config", "check", "--config", path, NULL};
    const char *serve[] = {"serve", "--config", path, "--data-dir", d.data, NULL};
    const char *const *both[] = {check, serve};
    for (size_t k = 0; k < 2; k++) {
        struct command c = run(both[k], NULL);
        ck_assert_msg(c.status > 0 && c.status < 128, "%s: %d", bad_files[_i].what, c.status);
        for (size_t i = 0; i < 4 && bad_files[_i].says[i] != NULL; i++)
            ck_assert_msg(strstr(c.err, bad_files[_i].says[i]) != NULL, "%s: no '%s' in: %s",
                          bad_files[_i].what, bad_files[_i].says[i], c.err);
        command_free(&c);
    }
    ck_assert_int_ne(access(d.data, F_OK), 0); /* it hasn't begun anything */
    daemon_free(&d);
}
END_TEST

START_TEST(flag_beats_environment_beats_file_beats_default)
{
    struct daemon d = STARTED;
    char path[256];
    daemon_folder(&d);
    write_file(&d, "otad.conf",
               "[http]\nheader_timeout_s = 11\nbody_timeout_s = 11\nidle_timeout_s = 11\n", path);
    const char *env[] = {"OTAD_HTTP_BODY_TIMEOUT_S=22", "OTAD_HTTP_IDLE_TIMEOUT_S=22", NULL};
    const char *args[] = {"config", "dump", "--config", path, "--http-idle-timeout-s", "33", NULL};
    struct command c = run(args, env);
    ck_assert_int_eq(c.status, 0);
    static const char *const want[] = {"\nheader_timeout_s = 11\n", "\nbody_timeout_s = 22\n",
                                       "\nidle_timeout_s = 33\n", "\nconnections_max = 12000\n"};
    for (size_t i = 0; i < OTAD_COUNT(want); i++)
        ck_assert_msg(strstr(c.out, want[i]) != NULL, "no%sin %s", want[i], c.out);
    command_free(&c);
    char by_env[300];
    (void)snprintf(by_env, sizeof by_env, "OTAD_CONFIG=%s", path);
    const char *env2[] = {by_env, "OTAD_SERVER_LISTEN=127.0.0.1:1,[::1]:2", NULL};
    const char *dump[] = {"config", "dump", NULL};
    c = run(dump, env2);
    ck_assert_msg(strstr(c.out, "header_timeout_s = 11") != NULL, "%s", c.out);
    ck_assert_msg(strstr(c.out, "listen = 127.0.0.1:1, [::1]:2") != NULL, "%s", c.out);
    command_free(&c);
    daemon_free(&d);
}
END_TEST

START_TEST(dump_is_a_configuration)
{
    struct daemon d = STARTED;
    char path[256];
    daemon_folder(&d);
    const char *dump[] = {"config", "dump", "--storage-image-max-bytes", "3M", NULL};
    struct command c = run(dump, NULL);
    write_file(&d, "dumped.conf", c.out, path);
    const char *again[] = {"config", "dump", "--config", path, NULL};
    struct command e = run(again, NULL);
    ck_assert_msg(e.status == 0, "%s", e.err);
    ck_assert_str_eq(c.out, e.out);
    command_free(&c);
    command_free(&e);
    const char *example[] = {"config", "example", NULL};
    c = run(example, NULL);
    write_file(&d, "example.conf", c.out, path);
    const char *check[] = {"config", "check", "--config", path, NULL};
    e = run(check, NULL);
    ck_assert_msg(e.status == 0, "%s", e.err);
    command_free(&c);
    command_free(&e);
    daemon_free(&d);
}
END_TEST

START_TEST(bad_environment_stops_the_start)
{
    const char *check[] = {"config", "check", NULL};
    static const char *const env[][2] = {
        {"OTAD_SERVER_LISTN=x",   NULL},
        {"OTAD_SERVER_THREADS=x", NULL}
    };
    static const char *const says[] = {"OTAD_SERVER_LISTN", "threads"};
    for (size_t i = 0; i < OTAD_COUNT(env); i++) {
        struct command c = run(check, env[i]);
        ck_assert_int_ne(c.status, 0);
        ck_assert_msg(strstr(c.err, says[i]) != NULL, "%s", c.err);
        command_free(&c);
    }
}
END_TEST

/* ---- start -------------------------------------------------------------------------------- */

static bool has_ipv6(void)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof any) == 0;
    if (fd >= 0)
        (void)close(fd);
    return ok;
}

START_TEST(several_listeners_are_all_told_and_all_answer)
{
    const char *const flags[] = {
        "--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0", has_ipv6() ? "--listen" : NULL,
        "[::1]:0",  NULL};
    struct daemon d = STARTED;
    char path[256], line[64];
    size_t lines = 0;
    daemon_start(&d, flags);
    (void)snprintf(path, sizeof path, "%s/otad.addr", d.data);
    FILE *f = fopen(path, "re");
    ck_assert_ptr_nonnull(f);
    for (; fgets(line, sizeof line, f) != NULL; lines++) {
        line[strcspn(line, "\n")] = '\0';
        static const char *const hosts[] = {"127.0.0.1:", "127.0.0.2:", "[::1]:"};
        ck_assert_msg(strncmp(line, hosts[lines], strlen(hosts[lines])) == 0, "%s", line);
        struct daemon at = d;
        (void)snprintf(at.address, sizeof at.address, "%s", line);
        struct reply r = get(&at, NULL, "/healthz");
        CK_STATUS(line, r, 200);
        reply_free(&r);
        ck_assert(daemon_logged(&d, line, 5));
    }
    (void)fclose(f);
    ck_assert_uint_eq(lines, has_ipv6() ? 3 : 2);
    daemon_stop(&d);
    ck_assert_msg(access(path, F_OK) != 0, "otad.addr stays after the end");
    daemon_free(&d);
}
END_TEST

static const struct {
    const char *listen, *says;
} bad_listen[] = {
    {"127.0.0.1",              "ADDR:PORT"           },
    {"127.0.0.1:99999",        "ADDR:PORT"           },
    {"::1:80",                 "ADDR:PORT"           },
    {"203.0.113.7:0",          "203.0.113.7"         },
    {"no.such.host.invalid:0", "no.such.host.invalid"},
};

START_TEST(address_that_can_not_be_listened_on_is_explained)
{
    struct daemon d = STARTED;
    daemon_folder(&d);
    const char *args[] = {"serve", "--data-dir", d.data, "--listen", bad_listen[_i].listen, NULL};
    struct command c = run(args, NULL);
    ck_assert_msg(c.status > 0 && c.status < 128, "%s: %d", bad_listen[_i].listen, c.status);
    ck_assert_msg(strstr(c.err, bad_listen[_i].says) != NULL, "%s", c.err);
    command_free(&c);
    daemon_free(&d);
}
END_TEST

START_TEST(port_in_use_is_explained)
{
    struct daemon d = STARTED, other = STARTED;
    daemon_start(&d, NULL);
    daemon_folder(&other);
    const char *args[] = {"serve", "--data-dir", other.data, "--listen", d.address, NULL};
    struct command c = run(args, NULL);
    ck_assert_msg(c.status > 0 && strstr(c.err, "Another program has this port") != NULL, "%s",
                  c.err);
    command_free(&c);
    daemon_free(&other);
    daemon_free(&d);
}
END_TEST

START_TEST(second_daemon_on_the_folder_is_refused_with_the_pid)
{
    struct daemon d = STARTED;
    char pid[32];
    daemon_start(&d, NULL);
    const char *args[] = {"serve", "--data-dir", d.data, "--listen", "127.0.0.1:0", NULL};
    struct command c = run(args, NULL);
    (void)snprintf(pid, sizeof pid, "%ld", (long)d.pid);
    ck_assert_msg(c.status > 0 && c.status < 128, "%d", c.status);
    ck_assert_msg(strstr(c.err, pid) != NULL && strstr(c.err, d.data) != NULL, "%s", c.err);
    command_free(&c);
    char path[256];
    (void)snprintf(path, sizeof path, "%s/otad.addr", d.data);
    ck_assert_msg(access(path, F_OK) == 0, "the second took the first one's otad.addr away");
    struct reply r = get(&d, NULL, "/healthz");
    CK_STATUS("the first", r, 200);
    reply_free(&r);
    daemon_kill(&d);
    daemon_restart(&d); /* a killed one leaves no lock */
    daemon_free(&d);
}
END_TEST

START_TEST(newer_database_is_refused_with_a_sentence)
{
    struct daemon d = STARTED;
    daemon_start(&d, NULL);
    daemon_stop(&d);
    daemon_sql_write(&d, "PRAGMA user_version = 9999");
    const char *serve[] = {"serve", "--data-dir", d.data, "--listen", "127.0.0.1:0", NULL};
    const char *list[] = {"key", "list", "--data-dir", d.data, NULL};
    const char *const *both[] = {serve, list};
    for (size_t i = 0; i < 2; i++) {
        struct command c = run(both[i], NULL);
        ck_assert_msg(c.status > 0 && c.status < 128, "%d", c.status);
        ck_assert_msg(strstr(c.err, "otad.db") != NULL && strstr(c.err, "9999") != NULL &&
                          strstr(c.err, "newer") != NULL,
                      "%s", c.err);
        command_free(&c);
    }
    ck_assert_int_eq(daemon_sql(&d, "PRAGMA user_version"), 9999);
    daemon_free(&d);
}
END_TEST

START_TEST(file_that_is_no_database_is_refused)
{
    struct daemon d = STARTED;
    char path[256];
    daemon_folder(&d);
    ck_assert_int_eq(mkdir(d.data, 0700), 0);
    write_file(&d, "data/otad.db",
               "this is a letter to my mother, not a database at all, dear otad\n", path);
    const char *serve[] = {"serve", "--data-dir", d.data, "--listen", "127.0.0.1:0", NULL};
    struct command c = run(serve, NULL);
    ck_assert_msg(c.status > 0 && c.status < 128, "%d %s", c.status, c.err);
    ck_assert_msg(strstr(c.err, "otad: ") != NULL, "%s", c.err);
    command_free(&c);
    daemon_free(&d);
}
END_TEST

START_TEST(data_folder_is_made_for_the_owner_only)
{
    struct daemon d = STARTED;
    struct stat st;
    daemon_start(&d, NULL);
    ck_assert_int_eq(stat(d.data, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0700);
    const char *args[] = {"serve",    "--data-dir",  "/proc/nothing/here",
                          "--listen", "127.0.0.1:0", NULL};
    struct command c = run(args, NULL);
    ck_assert_msg(c.status > 0 && strstr(c.err, "/proc/nothing/here") != NULL, "%s", c.err);
    command_free(&c);
    daemon_free(&d);
}
END_TEST

START_TEST(start_clears_up_what_a_crash_left)
{
    struct daemon d = STARTED;
    char key[DAEMON_KEY];
    daemon_start(&d, NULL);
    daemon_key(&d, "root", "admin", NULL, key);
    make_product(&d, key, "lamp");
    publish(&d, key, "lamp", "1", NULL, 1, NULL);
    daemon_kill(&d);
    daemon_sql_write(
        &d, "INSERT INTO image (sha256, md5, size_bytes) VALUES (zeroblob(32), zeroblob(16), 9);"
            "INSERT INTO image_chunk (image, seq, data) SELECT id, 0, x'00' FROM image WHERE "
            "linked_at_s IS NULL;");
    daemon_restart(&d);
    ck_assert_int_eq(daemon_sql(&d, "SELECT count(*) FROM image WHERE linked_at_s IS NULL"), 0);
    struct reply r = get(&d, NULL, "/fw/lamp/latest.version");
    ck_assert_str_eq(r.body, "1");
    reply_free(&r);
    daemon_free(&d);
}
END_TEST

/* ---- the end ------------------------------------------------------------------------------ */

/* A daemon with an image too large for socket buffers, and a download of it begun. */
static int begin_download(struct daemon *d, const char *const *flags, struct img *img, char *key)
{
    static const char request[] =
        "GET /fw/lamp/30AEA4000001.bin?version=0 HTTP/1.1\r\nHost: x\r\n\r\n";
    const int small = 32768;
    daemon_start(d, flags);
    daemon_key(d, "root", "admin", NULL, key);
    make_product(d, key, "lamp");
    *img = image_of("ESP8266", 3, 1000000);
    const struct part parts[] = {
        {.name = "file",     .filename = "x.bin", .data = img->data, .n = img->n},
        FIELD("version", "1"),
        {.name = NULL}
    };
    struct reply r = upload(d, key, "lamp", parts);
    CK_STATUS("upload", r, 201);
    reply_free(&r);
    int fd = raw_connect(d);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    raw_send(fd, request, sizeof request - 1);
    char first;
    ck_assert_int_eq(recv(fd, &first, 1, MSG_PEEK), 1);
    return fd;
}

START_TEST(sigterm_lets_a_running_download_finish)
{
    struct daemon d = STARTED;
    struct img img;
    char key[DAEMON_KEY];
    int fd = begin_download(&d, NULL, &img, key);
    int idle = raw_connect(&d), late;
    daemon_signal(&d, SIGTERM);
    ck_assert_msg(raw_is_closed(idle, 20000), "an idle connection is kept");
    late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(d.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    ck_assert_msg(connect(late, (struct sockaddr *)&to, sizeof to) != 0,
                  "a new client still gets in");
    test_sleep_ms(300);
    struct reply r = raw_reply(fd, false);
    CK_STATUS("download", r, 200);
    ck_assert_uint_eq(r.n, img.n);
    ck_assert_mem_eq(r.body, img.data, img.n);
    reply_free(&r);
    ck_assert_int_eq(daemon_wait_end(&d), 0);
    ck_assert_int_eq(daemon_sql(&d, "SELECT count(*) FROM transfer WHERE state = 'sent'"), 1);
    (void)close(fd);
    (void)close(idle);
    (void)close(late);
    img_free(&img);
    daemon_free(&d);
}
END_TEST

START_TEST(grace_ends_a_download_that_does_not)
{
    static const char *const flags[] = {"--server-shutdown-grace-s", "1", NULL};
    struct daemon d = STARTED;
    struct img img;
    char key[DAEMON_KEY];
    int fd = begin_download(&d, flags, &img, key);
    daemon_stop(&d); /* nobody reads */
    ck_assert_int_eq(
        daemon_sql(
            &d,
            "SELECT count(*) FROM transfer WHERE state = 'aborted' AND cause = 'server_shutdown'"),
        1);
    (void)close(fd);
    img_free(&img);
    daemon_free(&d);
}
END_TEST

START_TEST(download_cut_by_sigkill_is_told_after_the_restart)
{
    struct daemon d = STARTED;
    struct img img;
    char key[DAEMON_KEY];
    int fd = begin_download(&d, NULL, &img, key);
    struct reply r = get(&d, key, "/api/v1/products/lamp/updates");
    CK_TEXT("running", r, "items.0.transfers.0.state", "downloading");
    reply_free(&r);
    daemon_kill(&d);
    daemon_restart(&d);
    r = get(&d, key, "/api/v1/products/lamp/updates");
    CK_TEXT("after the restart", r, "items.0.transfers.0.state", "aborted");
    CK_TEXT("after the restart", r, "items.0.transfers.0.cause", "server_shutdown");
    reply_free(&r);
    (void)close(fd);
    img_free(&img);
    daemon_free(&d);
}
END_TEST

START_TEST(stop_does_not_wait_for_clients_that_left)
{
    static const char *const flags[] = {"--server-shutdown-grace-s", "3600", NULL};
    struct daemon d = STARTED;
    char key[DAEMON_KEY], head[300];
    daemon_start(&d, flags);
    daemon_key(&d, "root", "admin", NULL, key);
    make_product(&d, key, "lamp");
    int n = snprintf(head, sizeof head,
                     "POST /api/v1/products/lamp/builds?version=1 HTTP/1.1\r\nHost: "
                     "x\r\nAuthorization: Bearer %s\r\nContent-Length: 9000\r\n\r\nhalf of it",
                     key);
    for (int i = 0; i < 20; i++) {
        int fd = raw_connect(&d);
        raw_send(fd, head, (size_t)n);
        (void)close(fd);
    }
    daemon_stop(&d); /* fails after a minute; the grace is an hour */
    daemon_free(&d);
}
END_TEST

START_TEST(what_was_answered_is_there_after_sigkill)
{
    struct daemon d = STARTED;
    char key[DAEMON_KEY], path[64];
    daemon_start(&d, NULL);
    daemon_key(&d, "root", "admin", NULL, key);
    for (int i = 0; i < 5; i++) {
        (void)snprintf(path, sizeof path, "p%d", i);
        make_product(&d, key, path);
        publish(&d, key, path, "1", NULL, (uint64_t)i, NULL);
        daemon_kill(&d);
        daemon_restart(&d);
        (void)snprintf(path, sizeof path, "/fw/p%d/latest", i);
        struct img img = image_of("ESP8266", (uint64_t)i, 0);
        struct reply r = get(&d, NULL, path);
        CK_STATUS(path, r, 200);
        ck_assert_uint_eq(r.n, img.n);
        ck_assert_mem_eq(r.body, img.data, img.n);
        reply_free(&r);
        img_free(&img);
    }
    daemon_free(&d);
}
END_TEST

/* ---- reload ------------------------------------------------------------------------------- */

static long upload_size(const struct daemon *d, const char *key, size_t n)
{
    char *data = calloc(1, n);
    ck_assert_ptr_nonnull(data);
    struct reply r = call(d, "POST", "/api/v1/products/lamp/builds?version=1",
                          (struct call){.key = key, .data = data, .n = n});
    long status = r.status;
    reply_free(&r);
    free(data);
    return status;
}

START_TEST(sighup_rereads_the_file)
{
    struct daemon d = STARTED;
    char path[256], key[DAEMON_KEY];
    daemon_folder(&d);
    write_file(&d, "otad.conf", "[storage]\nimage_max_bytes = 1M\n", path);
    const char *flags[] = {"--config", path, NULL};
    daemon_start(&d, flags);
    daemon_key(&d, "root", "admin", NULL, key);
    make_product(&d, key, "lamp");
    ck_assert_int_eq(upload_size(&d, key, 200000), 422); /* zeros: no firmware */
    write_file(&d, "otad.conf", "[storage]\nimage_max_bytes = 100K\n[server]\nthreads = 3\n", path);
    daemon_signal(&d, SIGHUP);
    ck_assert_msg(daemon_logged(&d, "need_restart=1", 20),
                  "threads need a restart, and that is said");
    ck_assert_int_eq(upload_size(&d, key, 200000), 413);
    write_file(&d, "otad.conf", "[storage]\nimage_max_bytes = lots\n", path);
    daemon_signal(&d, SIGHUP);
    ck_assert(daemon_logged(&d, "reload.refused", 20));
    ck_assert_int_eq(upload_size(&d, key, 200000), 413);
    struct reply r = get(&d, NULL, "/healthz");
    CK_STATUS("still there", r, 200);
    reply_free(&r);
    daemon_free(&d);
}
END_TEST

/* ---- systemd ------------------------------------------------------------------------------ */

static int notify_socket(const struct daemon *d, char env[160])
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = 30};
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%.90s/notify", d->root);
    (void)snprintf(env, 160, "NOTIFY_SOCKET=%s", at.sun_path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

/* Reads messages until one holds the text. */
static bool notified(int fd, const char *text)
{
    char message[512];
    for (;;) {
        ssize_t n = recv(fd, message, sizeof message - 1, 0);
        if (n <= 0)
            return false;
        message[n] = '\0';
        if (strstr(message, text) != NULL)
            return true;
    }
}

START_TEST(systemd_is_told_of_ready_reload_watchdog_and_stop)
{
    struct daemon d = STARTED;
    char env[160];
    daemon_folder(&d);
    int fd = notify_socket(&d, env);
    const char *all[] = {env, "WATCHDOG_USEC=400000", NULL};
    d.env = all;
    daemon_start(&d, NULL);
    ck_assert_msg(notified(fd, "READY=1"), "no READY=1");
    struct reply r = get(&d, NULL, "/healthz"); /* and it is */
    CK_STATUS("ready", r, 200);
    reply_free(&r);
    ck_assert_msg(notified(fd, "WATCHDOG=1"), "no WATCHDOG=1");
    daemon_signal(&d, SIGHUP);
    ck_assert_msg(notified(fd, "RELOADING=1"), "no RELOADING=1");
    ck_assert_msg(notified(fd, "READY=1"), "no READY=1 after the reload");
    daemon_signal(&d, SIGTERM);
    ck_assert_msg(notified(fd, "STOPPING=1"), "no STOPPING=1");
    ck_assert_int_eq(daemon_wait_end(&d), 0);
    (void)close(fd);
    daemon_free(&d);
}
END_TEST

/* In the child: becomes otad with the sockets as systemd hands them over. */
static void become_activated(const struct daemon *d, const int fds[2])
{
    char binary[512], pid[32], data[160];
    const char *build = getenv("BUILD");
    (void)snprintf(binary, sizeof binary, "%s/otad", build != NULL ? build : "build");
    (void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
    (void)snprintf(data, sizeof data, "%s", d->data);
    int log = open(d->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(log, STDERR_FILENO);
    int high[2] = {fcntl(fds[0], F_DUPFD, 20), fcntl(fds[1], F_DUPFD, 20)};
    (void)dup2(high[0], 3);
    (void)dup2(high[1], 4);
    (void)close(high[0]);
    (void)close(high[1]);
    (void)setenv("LISTEN_PID", pid, 1);
    (void)setenv("LISTEN_FDS", "2", 1);
    (void)execl(binary, "otad", "serve", "--data-dir", data, (char *)NULL);
    _exit(127);
}

static int listening(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 16) == 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

START_TEST(sockets_of_systemd_are_used)
{
    struct daemon d = STARTED;
    uint16_t ports[2];
    daemon_folder(&d);
    int fds[2] = {listening(&ports[0]), listening(&ports[1])};
    int early = -1;
    d.port = ports[1];
    early = raw_connect(&d); /* a client that came before the daemon */
    raw_send(early, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 43);
    d.pid = fork();
    ck_assert_int_ge(d.pid, 0);
    if (d.pid == 0)
        become_activated(&d, fds);
    (void)close(fds[0]);
    (void)close(fds[1]);
    ck_assert(daemon_wait_ready(&d));
    ck_assert_uint_eq(d.port, ports[0]);
    struct reply r = get(&d, NULL, "/healthz");
    CK_STATUS("first socket", r, 200);
    reply_free(&r);
    r = raw_reply(early, false);
    CK_STATUS("early client", r, 200);
    reply_free(&r);
    (void)close(early);
    daemon_free(&d);
}
END_TEST

/* ---- the log ------------------------------------------------------------------------------ */

START_TEST(json_log_is_one_object_a_line)
{
    static const char *const flags[] = {"--log-format", "json", "--log-level", "debug", NULL};
    struct daemon d = STARTED;
    daemon_start(&d, flags);
    struct reply r = raw_text(&d, "GET /\"quote\\back\xff HTTP/1.1\r\nHost: x\r\n\r\n");
    reply_free(&r);
    daemon_stop(&d);
    char *log = daemon_log(&d);
    size_t lines = 0;
    for (char *line = strtok(log, "\n"); line != NULL; line = strtok(NULL, "\n"), lines++) {
        json_error_t why;
        json_t *j = json_loads(line, 0, &why);
        ck_assert_msg(json_is_object(j), "%s: %s", why.text, line);
        json_decref(j);
    }
    ck_assert_uint_ge(lines, 3);
    free(log);
    daemon_free(&d);
}
END_TEST

/* JOURNAL_STREAM names the journal's socket; it is inherited by what a service starts, too. */
START_TEST(journald_alone_gets_priorities)
{
    struct daemon d = STARTED;
    struct stat st;
    char env[96];
    daemon_folder(&d);
    int fd = open(d.log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(fstat(fd, &st), 0);
    (void)close(fd);
    (void)snprintf(env, sizeof env, "JOURNAL_STREAM=%llu:%llu", (unsigned long long)st.st_dev,
                   (unsigned long long)st.st_ino + (_i == 0 ? 0 : 1));
    const char *all[] = {env, NULL};
    d.env = all;
    daemon_start(&d, NULL);
    daemon_stop(&d);
    char *log = daemon_log(&d);
    for (char *line = strtok(log, "\n"); line != NULL; line = strtok(NULL, "\n"))
        ck_assert_msg((line[0] == '<' && line[2] == '>') == (_i == 0), "%s", line);
    free(log);
    daemon_free(&d);
}
END_TEST

START_TEST(files_of_the_data_folder_are_their_owners)
{
    static const struct {
        const char *name;
        mode_t mode;
    } files[] = {
        {"otad.db",     0600},
        {"otad.db-wal", 0600},
        {"secret",      0600},
        {"lock",        0600},
        {"otad.addr",   0644}
    };
    struct daemon mine = {0};
    (void)umask(022);
    daemon_start(&mine, NULL);
    for (size_t i = 0; i < OTAD_COUNT(files); i++) {
        char path[256];
        struct stat st;
        (void)snprintf(path, sizeof path, "%s/%s", mine.data, files[i].name);
        ck_assert_msg(stat(path, &st) == 0, "%s is missing", files[i].name);
        ck_assert_msg((st.st_mode & 0777) == files[i].mode, "%s is %o", files[i].name,
                      (unsigned)st.st_mode & 0777);
    }
    daemon_free(&mine);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("serve");
    TCase *tc = tcase_create("serve");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, command_says_what_it_should, 0, (int)OTAD_COUNT(commands));
    tcase_add_test(tc, every_command_of_the_help_has_help);
    tcase_add_loop_test(tc, bad_configuration_names_file_line_and_key, 0,
                        (int)OTAD_COUNT(bad_files));
    tcase_add_test(tc, flag_beats_environment_beats_file_beats_default);
    tcase_add_test(tc, dump_is_a_configuration);
    tcase_add_test(tc, bad_environment_stops_the_start);
    tcase_add_test(tc, several_listeners_are_all_told_and_all_answer);
    tcase_add_loop_test(tc, address_that_can_not_be_listened_on_is_explained, 0,
                        (int)OTAD_COUNT(bad_listen));
    tcase_add_test(tc, port_in_use_is_explained);
    tcase_add_test(tc, second_daemon_on_the_folder_is_refused_with_the_pid);
    tcase_add_test(tc, newer_database_is_refused_with_a_sentence);
    tcase_add_test(tc, file_that_is_no_database_is_refused);
    tcase_add_test(tc, data_folder_is_made_for_the_owner_only);
    tcase_add_test(tc, start_clears_up_what_a_crash_left);
    tcase_add_test(tc, sigterm_lets_a_running_download_finish);
    tcase_add_test(tc, grace_ends_a_download_that_does_not);
    tcase_add_test(tc, download_cut_by_sigkill_is_told_after_the_restart);
    tcase_add_test(tc, stop_does_not_wait_for_clients_that_left);
    tcase_add_test(tc, what_was_answered_is_there_after_sigkill);
    tcase_add_test(tc, sighup_rereads_the_file);
    tcase_add_test(tc, systemd_is_told_of_ready_reload_watchdog_and_stop);
    tcase_add_test(tc, sockets_of_systemd_are_used);
    tcase_add_test(tc, json_log_is_one_object_a_line);
    tcase_add_loop_test(tc, journald_alone_gets_priorities, 0, 2);
    tcase_add_test(tc, files_of_the_data_folder_are_their_owners);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
