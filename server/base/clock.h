/* SPDX-License-Identifier: MIT
 * Time: wall clock, monotonic clock, RFC 3339 text. Tests may fix both clocks. */
#ifndef OTAD_BASE_CLOCK_H
#define OTAD_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCK_TEXT 21 /* "2026-11-21T02:41:00Z" and its NUL */

/** Where time comes from. Zero-initialised = the system's clocks. */
struct clock {
    int64_t fixed_wall_s; /* unix seconds UTC; 0 = ask the system */
    int64_t fixed_mono_ms;
};

/** Unix seconds, UTC. */
int64_t clock_wall_s(const struct clock *c);
/** Unix milliseconds, UTC. */
int64_t clock_wall_ms(const struct clock *c);
/** Milliseconds that only move forward; for durations and deadlines. */
int64_t clock_mono_ms(const struct clock *c);
/** Writes unix seconds as RFC 3339 UTC. */
void clock_text(int64_t wall_s, char out[CLOCK_TEXT]);
/** Reads "YYYY-MM-DDTHH:MM:SSZ" (also a bare date). @return false, *out unchanged, on other text.
 */
bool clock_parse(const char *text, int64_t *out);

#endif
