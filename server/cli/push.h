/* SPDX-License-Identifier: MIT
 * otad push: invites a device by espota, from here or from a server. */
#ifndef OTAD_CLI_PUSH_H
#define OTAD_CLI_PUSH_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/cli.h"

#define EXIT_NOT_CONFIRMED 1

/** What the command line says. Texts are borrowed from it; NULL = not said. */
struct push_args {
    const char *file, *address; /* without a server */
    const char *server, *product, *device, *build, *key_file;
    const char *password, *kind;
    uint16_t port;
    int64_t patience_s;
    bool force;
};

int cmd_push(int argc, char **argv);

/** Asks a server to push, and shows the steps. @return the exit status */
int push_by_server(const struct push_args *args);

#endif
