/* SPDX-License-Identifier: MIT
 * Owns reading command lines: every option of the table is a flag of every subcommand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

void cli_complain(const struct otad_errinfo *ei)
{
    fprintf(stderr, "otad: %s\n", ei->msg);
    if (ei->hint[0] != '\0')
        fprintf(stderr, "      %s\n", ei->hint);
}

bool cli_option(int argc, char **argv, int *at, char name[64], const char **value)
{
    const char *arg = argv[*at];
    if (strncmp(arg, "--", 2) != 0 || arg[2] == '\0')
        return false;
    size_t n = strcspn(arg + 2, "=");
    (void)snprintf(name, 64, "%.*s", (int)(n < 63 ? n : 63), arg + 2);
    if (arg[2 + n] == '=') {
        *value = arg + 2 + n + 1;
    } else if (*at + 1 < argc) {
        *value = argv[++*at];
    } else {
        *value = NULL;
    }
    ++*at;
    return true;
}

/* The file to read: --config, else OTAD_CONFIG, else none. */
static enum otad_err find_file(int argc, char **argv, const char **file, struct otad_errinfo *ei)
{
    *file = getenv("OTAD_CONFIG");
    for (int i = 0; i < argc;) {
        char name[64];
        const char *value;
        if (!cli_option(argc, argv, &i, name, &value)) {
            (void)otad_fail(ei, OTAD_E_INVALID, "Unexpected argument '%.80s'", argv[i]);
            return otad_hint(ei, "Options look like --name VALUE; see --help.");
        }
        if (value == NULL)
            return otad_fail(ei, OTAD_E_INVALID, "The option --%s needs a value", name);
        if (strcmp(name, "config") == 0)
            *file = value;
    }
    return OTAD_E_OK;
}

static enum otad_err unknown_flag(const char *name, struct otad_errinfo *ei)
{
    char dotted[64], buf[128];
    (void)snprintf(dotted, sizeof dotted, "%s", name);
    char *dash = strchr(dotted, '-');
    if (dash != NULL)
        *dash = '.';
    for (char *p = dotted; *p != '\0'; p++)
        if (*p == '-')
            *p = '_';
    const char *near = options_nearest(&config_table, dotted, buf);
    for (char *p = buf; near != NULL && *p != '\0'; p++)
        if (*p == '.' || *p == '_')
            *p = '-';
    (void)otad_fail(ei, OTAD_E_INVALID, "Unknown option --%s%s%s%s", name,
                    near ? ", did you mean --" : "", near ? near : "", near ? "?" : "");
    return otad_hint(ei, "--help lists all options.");
}

enum otad_err cli_config(int argc, char **argv,
                         bool (*extra)(void *arg, const char *name, const char *value), void *arg,
                         struct config *config, const char **config_file, struct otad_errinfo *ei)
{
    bool seen[64] = {false};
    enum otad_err err = find_file(argc, argv, config_file, ei);
    if (err == OTAD_E_OK)
        err = config_load(*config_file, config, ei);
    for (int i = 0; i < argc && err == OTAD_E_OK;) {
        char name[64];
        const char *value = "";
        (void)cli_option(argc, argv, &i, name, &value); /* find_file() has seen that it is one */
        if (strcmp(name, "config") == 0 || (extra != NULL && extra(arg, name, value)))
            continue;
        err = options_flag(&config_table, name, value, seen, config, ei);
        if (err == OTAD_E_NOENT)
            err = unknown_flag(name, ei);
    }
    return err;
}
