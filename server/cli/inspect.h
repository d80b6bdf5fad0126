/* SPDX-License-Identifier: MIT
 * `otad inspect [--json] FILE…`: what the upload would say about files, without a daemon. */
#ifndef OTAD_CLI_INSPECT_H
#define OTAD_CLI_INSPECT_H

#include <stdio.h>

#include "image/image.h"

/** Runs the command.
 *  @param argv  argv[0] is "inspect"; "-" as a file is standard input
 *  @return exit status: 0 all deliverable, 1 at least one is not (an empty file included), 2 one
 *          couldn't be opened or read, or the arguments were wrong */
int cmd_inspect(int argc, char **argv);

/** Writes what is known about a file, for people. */
void inspect_print_text(FILE *to, const char *name, const struct image_info *info);

#endif
