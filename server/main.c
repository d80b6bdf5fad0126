/* SPDX-License-Identifier: MIT
 * otad's command line: finds the subcommand and hands over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/inspect.h"
#include "cli/push.h"
#include "version.h"

static int cmd_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("otad " OTAD_VERSION);
    return EXIT_SUCCESS;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"serve",   cmd_serve,   "run the firmware server"             },
    {"key",     cmd_key,     "make, list and revoke API keys"      },
    {"config",  cmd_config,  "check or print the configuration"    },
    {"push",    cmd_push,    "update a device on this network, now"},
    {"inspect", cmd_inspect, "say what a firmware file is"         },
    {"version", cmd_version, "print the version"                   },
};

static int usage(FILE *to, int status)
{
    fputs("Usage: otad COMMAND [OPTION…]\n\n", to);
    for (size_t i = 0; i < OTAD_COUNT(commands); i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
    fputs("\n`otad COMMAND --help` says more.\n", to);
    return status;
}

int main(int argc, char **argv)
{
    (void)umask(077); /* the database holds hashes of keys: it is its owner's alone */
    if (argc < 2)
        return usage(stderr, EXIT_USAGE);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return usage(stdout, EXIT_SUCCESS);
    if (strcmp(argv[1], "--version") == 0)
        return cmd_version(0, NULL);
    for (size_t i = 0; i < OTAD_COUNT(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "otad: unknown command '%s'\n\n", argv[1]);
    return usage(stderr, EXIT_USAGE);
}
