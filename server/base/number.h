/* SPDX-License-Identifier: MIT
 * Numbers as people read them. */
#ifndef OTAD_BASE_NUMBER_H
#define OTAD_BASE_NUMBER_H

#include <stdint.h>

#define NUMBER_TEXT 27 /* bytes of the longest, NUL included */

/** Writes a number with commas between its thousands: 1,310,720. @return out */
const char *number_text(int64_t n, char out[NUMBER_TEXT]);

#endif
