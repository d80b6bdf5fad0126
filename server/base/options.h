/* SPDX-License-Identifier: MIT
 * A table of options that one struct holds: parsed from file, environment and flags, and dumped.
 * Knows no option by name. */
#ifndef OTAD_BASE_OPTIONS_H
#define OTAD_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "otad/err.h"

#define OPTION_TEXT_MAX 256 /* bytes of a text value, NUL included */
#define OPTION_LIST_MAX 8   /* values of a list */

enum option_type {
    OPTION_TEXT,  /* char[OPTION_TEXT_MAX] */
    OPTION_LIST,  /* struct option_list: comma-separated in file and environment, a repeated flag */
    OPTION_INT,   /* int64_t, plain decimal */
    OPTION_SIZE,  /* int64_t, bytes; K, M and G (powers of 1024) may follow */
    OPTION_BOOL,  /* bool: yes/no, true/false, on/off, 1/0 */
    OPTION_CHOICE /* int64_t: index into choices */
};

struct option_list {
    char items[OPTION_LIST_MAX][OPTION_TEXT_MAX];
    size_t n;
};

/** One option. Flag and environment names follow from section and key: `--section-key` and
 *  OTAD_SECTION_KEY; `flag` is a shorter second flag where one is a contract. */
struct option_row {
    const char *section;
    const char *key;
    enum option_type type;
    size_t offset;        /* of the value in the struct that holds the options */
    const char *fallback; /* the default, as text */
    int64_t min, max;     /* OPTION_INT and OPTION_SIZE, both allowed */
    const char *unit; /* "s", "bytes", …; of texts their form: "ADDR:PORT", "URL", "NET" (an address
                         or network), "HOST" (a name), "PORTS" (FIRST-LAST); "" = none */
    const char *flag;           /* without dashes, or NULL */
    const char *const *choices; /* NULL-terminated, OPTION_CHOICE only */
    bool reloadable;            /* SIGHUP may change it */
    const char *help;           /* one line */
};

struct option_table {
    const struct option_row *rows;
    size_t n;
};

/** Sets every option of *values to its default. @return OTAD_E_OK; a bad default is a bug that
 *  a test finds (OTAD_E_INVALID). */
enum otad_err options_default(const struct option_table *t, void *values,
                              struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Reads an INI file. The error names file, line, what was expected and the nearest known key.
 *  @return OTAD_E_OK, OTAD_E_NOENT (can't be opened), OTAD_E_INVALID. */
enum otad_err options_file(const struct option_table *t, const char *path, void *values,
                           struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Reads OTAD_SECTION_KEY variables. An OTAD_ variable that names no option is an error too,
 *  except those listed in `others` (NULL-terminated). @return OTAD_E_OK or OTAD_E_INVALID. */
enum otad_err options_env(const struct option_table *t, char *const *environ_,
                          const char *const *others, void *values,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Sets one option by its flag name (without dashes). A list flag clears the list at its first
 *  use and adds afterwards; `seen` (t->n entries) keeps track.
 *  @return OTAD_E_OK, OTAD_E_NOENT (no such flag), OTAD_E_INVALID (bad value). */
enum otad_err options_flag(const struct option_table *t, const char *flag, const char *value,
                           bool *seen, void *values, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Prints all options with their values as an INI file. With `commented`, as an example: each
 *  with its help, and the line itself behind '#'. */
void options_dump(const struct option_table *t, const void *values, bool commented, FILE *to);

/** Prints one line a flag for --help. */
void options_help(const struct option_table *t, FILE *to);

/** The known name nearest to a mistyped one, or NULL when none is near.
 *  @param name   "section.key"   @param buf  room for the answer, 128 bytes */
const char *options_nearest(const struct option_table *t, const char *name, char buf[128]);

/** Copies the options that may change while running from *from to *to. The two structs must hold
 *  the same table. @return how many non-reloadable options differ (they stay as they are). */
size_t options_reload(const struct option_table *t, const void *from, void *to);

#endif
