/* SPDX-License-Identifier: MIT
 * Owns the spelling of large numbers. */
#include "base/number.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *number_text(int64_t n, char out[NUMBER_TEXT])
{
    char digits[24];
    size_t used = 0;
    (void)snprintf(digits, sizeof digits, "%" PRId64, n);
    for (size_t i = 0, length = strlen(digits); i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-')
            out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = '\0';
    return out;
}
