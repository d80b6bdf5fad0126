/* SPDX-License-Identifier: MIT
 * What a terminal shows of a push while it runs, and of how it ended. */
#ifndef OTAD_CLI_PUSH_TEXT_H
#define OTAD_CLI_PUSH_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/** Where the lines go. */
struct push_text {
    FILE *out;
    bool live; /* out is a terminal: a line may be written over */
    bool open; /* the last line may still be written over */
};

/** A step goes on: shown on terminals only.
 *  @param done, total  bytes; total 0 = it has none to show */
void push_text_running(struct push_text *t, const char *step, int64_t done, int64_t total,
                       int64_t bytes_per_s);

/** A step has ended. */
void push_text_ended(struct push_text *t, const char *step, bool ok, const char *detail);

/** Prints why it failed.  @param causes  one a line, the likeliest first; may be "" */
void push_text_causes(FILE *out, const char *causes);

#endif
