/* SPDX-License-Identifier: MIT
 * The Range header of a download (RFC 9110 §14). Pure. */
#ifndef OTAD_HTTP_RANGE_H
#define OTAD_HTTP_RANGE_H

#include <stdbool.h>
#include <stdint.h>

enum range_verdict {
    RANGE_WHOLE,        /* no Range header: send everything */
    RANGE_PART,         /* send first to last */
    RANGE_UNSATISFIABLE /* 416 */
};

/** What part of `size` bytes (at least 1) a Range header asks for.
 *  Stricter than the RFC on purpose: several ranges, an unknown unit and malformed text are
 *  unsatisfiable instead of ignored, because a client that resumes would append a whole image to
 *  what it has. More lenient in one: an end past the last byte is clamped (ESP-IDF
 *  asks for one byte too many when the image is smaller than its request).
 *  @param header       the header's value, or NULL
 *  @param first, last  byte positions, both inclusive; written only on RANGE_PART */
enum range_verdict range_parse(const char *header, uint64_t size, uint64_t *first, uint64_t *last);

/** Whether a header that range_parse() took counts from the end ("bytes=-500"). */
bool range_is_suffix(const char *header);

#endif
