/* SPDX-License-Identifier: MIT
 * Sets of byte ranges: which parts of an image have arrived. Pure. */
#ifndef OTAD_FLEET_INTERVALS_H
#define OTAD_FLEET_INTERVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INTERVALS_MAX 24
#define INTERVALS_TEXT 1024 /* bytes that the text of any set fits in */

/** Ascending, without overlaps and without neighbours that touch. {0} is empty. */
struct intervals {
    struct {
        int64_t first, last; /* inclusive */
    } items[INTERVALS_MAX];
    size_t n;
};

/** Adds the bytes first to last; joins what touches. A set of INTERVALS_MAX pieces takes no
 *  further piece: then some bytes aren't counted.  @return false in that case */
bool intervals_add(struct intervals *set, int64_t first, int64_t last);

/** How many bytes are in it. */
int64_t intervals_bytes(const struct intervals *set);

/** Writes "0-99,200-299"; "" when empty. */
void intervals_text(const struct intervals *set, char out[INTERVALS_TEXT]);

/** Reads such a text. @return false, *out empty, when it is none */
bool intervals_parse(const char *text, struct intervals *out);

#endif
