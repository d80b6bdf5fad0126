/* SPDX-License-Identifier: MIT
 * The daemon's own table of options: its defaults, its sources in their order, its example. */
#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/log.h"
#include "cli/cli.h"
#include "support/unit.h"

#define EXAMPLE "config/otad.conf.example" /* programs run from the root of the source */

static void clear_environment(void)
{
    for (size_t i = 0; i < config_table.n; i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "OTAD_%s_%s", config_table.rows[i].section,
                       config_table.rows[i].key);
        for (char *p = name; *p != '\0'; p++)
            *p = (char)toupper((unsigned char)*p);
        (void)unsetenv(name);
    }
}

START_TEST(defaults_of_all_rows_are_good)
{
    struct config c;
    struct otad_errinfo ei = {.msg = ""};
    ck_assert_msg(options_default(&config_table, &c, &ei) == OTAD_E_OK, "%s", ei.msg);
    ck_assert_int_eq(c.image_max_bytes, 16 << 20);
    ck_assert_int_eq(c.log_level, LOG_LEVEL_INFO);
    ck_assert_str_eq(c.listen.items[0], "0.0.0.0:8070");
    ck_assert_int_ge(c.connections_per_address, 512);
}
END_TEST

START_TEST(row_is_complete)
{
    const struct option_row *row = &config_table.rows[_i];
    const char *key = row->key;
    ck_assert_msg(row->help != NULL && row->help[0] != '\0', "%s: no help", key);
    ck_assert_msg(strchr(row->help, '\n') == NULL, "%s: help of several lines", key);
    if (row->type == OPTION_INT || row->type == OPTION_SIZE)
        ck_assert_msg(row->min < row->max, "%s: no range", key);
    if (row->type == OPTION_CHOICE)
        ck_assert_msg(row->choices != NULL, "%s: no choices", key);
    for (size_t i = 0; i < (size_t)_i; i++) {
        const struct option_row *other = &config_table.rows[i];
        ck_assert_msg(strcmp(other->section, row->section) != 0 || strcmp(other->key, key) != 0,
                      "%s.%s stands twice", row->section, key);
        ck_assert_msg(other->offset != row->offset, "%s and %s share a field", key, other->key);
    }
    /* Units in names, as everywhere. */
    if (row->type == OPTION_INT && strcmp(row->unit, "s") == 0)
        ck_assert_msg(strcmp(key + strlen(key) - 2, "_s") == 0, "%s", key);
    if (row->type == OPTION_SIZE)
        ck_assert_msg(strstr(key, "bytes") != NULL, "%s", key);
}
END_TEST

START_TEST(file_beats_default_and_environment_beats_file)
{
    char path[] = "/tmp/otad-config-XXXXXX";
    static const char text[] = "[server]\nthreads = 3\nshutdown_grace_s = 7\n";
    struct config c;
    struct otad_errinfo ei = {.msg = ""};
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, text, sizeof text - 1), (ssize_t)sizeof text - 1);
    (void)close(fd);
    clear_environment();
    (void)setenv("OTAD_SERVER_THREADS", "5", 1);
    ck_assert_msg(config_load(path, &c, &ei) == OTAD_E_OK, "%s", ei.msg);
    (void)unlink(path);
    (void)unsetenv("OTAD_SERVER_THREADS");
    ck_assert_int_eq(c.threads, 5);
    ck_assert_int_eq(c.shutdown_grace_s, 7);
    ck_assert_int_eq(c.idle_timeout_s, 90);
}
END_TEST

START_TEST(failed_load_leaves_the_old_values)
{
    struct config c;
    struct otad_errinfo ei;
    clear_environment();
    memset(&c, 0x5a, sizeof c);
    struct config same = c;
    ck_assert_int_eq(config_load("/nonexistent", &c, &ei), OTAD_E_NOENT);
    ck_assert_mem_eq(&c, &same, sizeof c);
    (void)setenv("OTAD_HTTP_IDLE_TIMEOUT_S", "4", 1);
    ck_assert_int_eq(config_load(NULL, &c, &ei), OTAD_E_INVALID);
    ck_assert_mem_eq(&c, &same, sizeof c);
    (void)unsetenv("OTAD_HTTP_IDLE_TIMEOUT_S");
}
END_TEST

static const struct {
    const char *name, *value;
    const char *says; /* NULL: taken */
} forms[] = {
    {"OTAD_HTTP_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8,2001:db8::/32", NULL                                    },
    {"OTAD_HTTP_TRUSTED_PROXIES", "",                                    NULL                                    },
    {"OTAD_HTTP_TRUSTED_PROXIES", "127.0.0.1, proxy.lan",
     "'http.trusted_proxies' is 'proxy.lan', expected an address or a network"                                   },
    {"OTAD_HTTP_TRUSTED_PROXIES", "10.0.0.0/33",                         "expected an address or a network, e.g."},
    {"OTAD_HTTP_ALLOWED_HOSTS",   "fw.example.net,pi",                   NULL                                    },
    {"OTAD_HTTP_ALLOWED_HOSTS",   "http://fw.example.net",
     "'http.allowed_hosts' is 'http://fw.example.net', expected a name without scheme and port"                  },
    {"OTAD_HTTP_ALLOWED_HOSTS",   "fw.example.net:80",                   "expected a name"                       },
    {"OTAD_SERVER_PUBLIC_URL",    "fw.example.net",                      "expected http://HOST"                  },
    {"OTAD_SERVER_LISTEN",        "80",                                  "expected ADDR:PORT"                    },
};

START_TEST(text_of_another_form_is_refused_with_an_example)
{
    struct config c;
    struct otad_errinfo ei = {.msg = ""};
    clear_environment();
    (void)setenv(forms[_i].name, forms[_i].value, 1);
    enum otad_err err = config_load(NULL, &c, &ei);
    (void)unsetenv(forms[_i].name);
    ck_assert_msg(err == (forms[_i].says == NULL ? OTAD_E_OK : OTAD_E_INVALID), "%s: %s",
                  forms[_i].value, ei.msg);
    ck_assert_msg(forms[_i].says == NULL || strstr(ei.msg, forms[_i].says) != NULL, "%s", ei.msg);
}
END_TEST

static size_t read_all(const char *path, char *out, size_t room)
{
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s", path);
    size_t n = fread(out, 1, room - 1, f);
    (void)fclose(f);
    out[n] = '\0';
    return n;
}

START_TEST(example_file_is_what_the_daemon_prints)
{
    static char printed[65536], stored[65536];
    char path[] = "/tmp/otad-example-XXXXXX", config[] = "config", example[] = "example";
    char *argv[] = {config, example, NULL};
    int fd = mkstemp(path), before = dup(STDOUT_FILENO);
    (void)fflush(stdout);
    ck_assert_int_ge(dup2(fd, STDOUT_FILENO), 0);
    int rc = cmd_config(2, argv);
    (void)fflush(stdout);
    (void)dup2(before, STDOUT_FILENO);
    (void)close(before);
    (void)close(fd);
    ck_assert_int_eq(rc, EXIT_SUCCESS);
    (void)read_all(path, printed, sizeof printed);
    (void)unlink(path);
    (void)read_all(EXAMPLE, stored, sizeof stored);
    ck_assert_msg(strcmp(printed, stored) == 0,
                  EXAMPLE " is out of date: otad config example > " EXAMPLE);
}
END_TEST

START_TEST(example_file_is_a_right_configuration_of_defaults)
{
    struct config from_file, defaults;
    struct otad_errinfo ei = {.msg = ""};
    memset(&defaults, 0, sizeof defaults);
    memset(&from_file, 0, sizeof from_file);
    clear_environment();
    ck_assert_int_eq(options_default(&config_table, &defaults, &ei), OTAD_E_OK);
    ck_assert_int_eq(options_default(&config_table, &from_file, &ei), OTAD_E_OK);
    ck_assert_msg(options_file(&config_table, EXAMPLE, &from_file, &ei) == OTAD_E_OK, "%s", ei.msg);
    ck_assert_uint_eq(options_reload(&config_table, &from_file, &defaults), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("config");
    TCase *t = tcase_create("config");
    tcase_add_test(t, defaults_of_all_rows_are_good);
    tcase_add_loop_test(t, row_is_complete, 0, (int)config_table.n);
    tcase_add_test(t, file_beats_default_and_environment_beats_file);
    tcase_add_loop_test(t, text_of_another_form_is_refused_with_an_example, 0,
                        (int)OTAD_COUNT(forms));
    tcase_add_test(t, failed_load_leaves_the_old_values);
    tcase_add_test(t, example_file_is_what_the_daemon_prints);
    tcase_add_test(t, example_file_is_a_right_configuration_of_defaults);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
