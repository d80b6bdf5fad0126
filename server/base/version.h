/* SPDX-License-Identifier: MIT
 * Version texts: opaque strings that are compared for equality, and sometimes numbers. */
#ifndef OTAD_BASE_VERSION_H
#define OTAD_BASE_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Whether text may be a build's version: 1 to OTAD_VERSION_MAX printable ASCII characters, no
 *  blank at either end, no quote or backslash (it stands in headers and curl lines). */
bool version_is_valid(const char *text);

/** Whether a reported version names the build's: equal as a whole, or `V(word)` with V equal
 *  (Tasmota sends `12.1.1(tasmota)`). Its stopgaps, `(minimal)` and `(safeboot)`, count only as a
 *  whole: a device on one of them still needs the image of that version. */
bool version_matches(const char *reported, const char *build);

/** Reads a bare decimal from 1 to OTAD_NUMBER_MAX without sign, blank or leading zero.
 *  @return false, *out unchanged, on anything else. */
bool version_number(const char *text, int64_t *out);

/** Writes a version that follows `text`: its last run of digits plus one, or `text` + ".1".
 *  @param n  room in out, at least OTAD_VERSION_MAX + 3; the result is only a suggestion. */
void version_next(const char *text, char *out, size_t n);

#endif
