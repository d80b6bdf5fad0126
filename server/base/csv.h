/* SPDX-License-Identifier: MIT
 * Rows of comma-separated values as RFC 4180 has them, safe to open in a spreadsheet. */
#ifndef OTAD_BASE_CSV_H
#define OTAD_BASE_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Text that grows. {0} is an empty one; csv_free() frees. The first failure sticks: what is added
 *  later is ignored. */
struct csv {
    char *text; /* not NUL-terminated */
    size_t n, room;
    bool in_row;
    bool failed; /* out of memory */
};

/** Adds a field, in quotes where it must be. A field that begins with one of = + - @, a tab or a CR
 *  gets a ' in front: a spreadsheet would run it as a formula, and devices choose these texts.
 *  Source: RFC 4180 section 2; OWASP "CSV Injection" */
void csv_field(struct csv *csv, const char *text);

/** Adds a number. */
void csv_number(struct csv *csv, int64_t n);

/** Ends the row with CR LF. */
void csv_end_row(struct csv *csv);

/** Forgets the text, keeps the memory; a failure stays. */
void csv_clear(struct csv *csv);

void csv_free(struct csv *csv);

#endif
