/* SPDX-License-Identifier: MIT
 * What a device says on the connection it gets its image by: decimal counts of the bytes it has
 * written, with nothing between them, then "OK" or an error's text. Pure. */
#ifndef OTAD_PUSH_ACKS_H
#define OTAD_PUSH_ACKS_H

#include <stdbool.h>
#include <stddef.h>

#include "push/espota.h"

#define ACKS_DIGITS_MAX 128 /* a few counts of four digits for one chunk; see acks_overflow() */

/** Begin with zeroes. */
struct acks {
    char digits[ACKS_DIGITS_MAX]; /* since acks_begin() */
    size_t n;
    bool ok;                    /* "OK" was said, maybe glued to a count */
    bool error;                 /* an error's text has begun */
    char text[ESPOTA_TEXT_MAX]; /* the words so far, printable */
};

/** Adds what was received. Any bytes. */
void acks_add(struct acks *a, const void *data, size_t n);

/** How many of `outstanding` bytes are acknowledged by the digits since acks_begin(). A count may
 *  arrive in pieces, several may be glued, and a device repeats its last one while it waits:
 *  `outstanding` when the digits are exactly its parts, else the most that is certain to be less.
 *  @param outstanding  bytes sent since acks_begin(), up to 4096 */
size_t acks_count(const struct acks *a, size_t outstanding);

/** Whether the digits say at least as much, repeated counts included: good enough to go on after
 *  a pause. */
bool acks_enough(const struct acks *a, size_t outstanding);

/** Whether it has said more since acks_begin() than a device says of one chunk. */
bool acks_overflow(const struct acks *a);

/** The next bytes will be sent: earlier digits don't count for them. */
void acks_begin(struct acks *a);

#endif
