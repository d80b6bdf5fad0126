/* SPDX-License-Identifier: MIT
 * The subcommands of otad. Each gets its name as argv[0] and returns an exit
 * status. */
#ifndef OTAD_CLI_CLI_H
#define OTAD_CLI_CLI_H

#include <stdbool.h>

#include "base/config.h"

#define EXIT_USAGE 2

/** otad serve: runs the daemon until SIGTERM or SIGINT. */
int cmd_serve(int argc, char **argv);
/** otad key create|list|revoke */
int cmd_key(int argc, char **argv);
/** otad config check|dump|example */
int cmd_config(int argc, char **argv);

/** Prints an error and its hint the way all subcommands do: "otad: message", "      hint". */
void cli_complain(const struct otad_errinfo *ei);

/** Splits "--name=value", "--name value" from the arguments at *at and moves past them.
 *  @param name, value  borrowed from argv; value NULL when there is none
 *  @return false when argv[*at] is no "--name" */
bool cli_option(int argc, char **argv, int *at, char name[64], const char **value);

/** Reads file, environment and flags into *config. Handles --config; other flags than options are
 *  offered to extra() (NULL = there are none), which returns whether it took one.
 *  @param config_file  receives the path of the file, or NULL */
enum otad_err cli_config(int argc, char **argv,
                         bool (*extra)(void *arg, const char *name, const char *value), void *arg,
                         struct config *config, const char **config_file,
                         struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
