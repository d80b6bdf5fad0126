/* SPDX-License-Identifier: MIT
 * Owns the sentences of the errors. A file of its own, so that a device that never shows them
 * doesn't pay for them. */
#include "internal.h"

const char *otac_err_text(int err)
{
    switch (err) {
    case OTAC_OK:
        return "all is well";
#define X(name, value, word, text)                                                                 \
    case value:                                                                                    \
        return text;
        OTAC_ERR_TABLE(X)
#undef X
    default:
        return "an error this program doesn't know";
    }
}
