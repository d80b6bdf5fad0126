/* SPDX-License-Identifier: MIT
 * Owns the words of the errors: what a report carries as `message`. */
#include "internal.h"

const char *otac_err_word(int err)
{
    switch (err) {
    case OTAC_OK:
        return "ok";
#define X(name, value, word, text)                                                                 \
    case value:                                                                                    \
        return word;
        OTAC_ERR_TABLE(X)
#undef X
    default:
        return "unknown";
    }
}
