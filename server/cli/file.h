/* SPDX-License-Identifier: MIT
 * The bytes of a file named on the command line. */
#ifndef OTAD_CLI_FILE_H
#define OTAD_CLI_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A mapping of a regular file, else what could be read. Begin with zeroes. */
struct cli_file {
    uint8_t *data;
    size_t n;
    size_t room; /* private */
    bool mapped; /* private */
};

/** Reads a file, "-" is standard input. @return 0 or an errno; free *out in either case */
int cli_file_read(const char *name, struct cli_file *out);

/** Fit for OTAD_AUTO. */
void cli_file_free(struct cli_file *f);

#endif
