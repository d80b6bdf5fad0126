/* SPDX-License-Identifier: MIT
 * Owns `otad config`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static void usage(FILE *to)
{
    fputs(
        "Usage: otad config check [--config FILE] [OPTION…]   say whether it would start\n"
        "       otad config dump  [--config FILE] [OPTION…]   print all options as they are\n"
        "       otad config example                           print the commented example\n\n"
        "Options come from defaults, then the file, then OTAD_SECTION_KEY variables, then flags.\n",
        to);
}

static int example(void)
{
    struct config config = {.data_dir = ""};
    struct otad_errinfo ei;
    if (options_default(&config_table, &config, &ei) != OTAD_E_OK) {
        cli_complain(&ei);
        return EXIT_FAILURE;
    }
    puts("# otad's options with their defaults. Remove the '#' before a line to change it.\n"
         "# `otad config check --config FILE` says whether a file is right.\n");
    options_dump(&config_table, &config, true, stdout);
    return EXIT_SUCCESS;
}

int cmd_config(int argc, char **argv)
{
    struct config config;
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    const char *file;
    argc--; /* behind the name of the subcommand */
    argv++;
    bool help = false;
    for (int i = 0; i < argc; i++)
        help |= strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
    if (help || argc == 0) {
        usage(help ? stdout : stderr);
        return help ? EXIT_SUCCESS : EXIT_USAGE;
    }
    if (strcmp(argv[0], "example") == 0)
        return example();
    bool dump = strcmp(argv[0], "dump") == 0;
    if (!dump && strcmp(argv[0], "check") != 0) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (cli_config(argc - 1, argv + 1, NULL, NULL, &config, &file, &ei) != OTAD_E_OK) {
        cli_complain(&ei);
        return EXIT_FAILURE;
    }
    if (dump)
        options_dump(&config_table, &config, false, stdout);
    else
        puts("The configuration is right.");
    return EXIT_SUCCESS;
}
