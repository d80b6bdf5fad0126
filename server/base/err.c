/* SPDX-License-Identifier: MIT
 * Owns the text of errors. */
#include "otad/err.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    unsigned status;
    const char *name;
} table[] = {
#define X(name, status, text) {status, text},
    OTAD_ERR_TABLE(X)
#undef X
};

enum otad_err otad_fail(struct otad_errinfo *ei, enum otad_err code, const char *fmt, ...)
{
    if (ei == NULL)
        return code;
    va_list args;
    va_start(args, fmt);
    ei->code = code;
    ei->hint[0] = '\0';
    (void)vsnprintf(ei->msg, sizeof ei->msg, fmt, args); /* a cut message is still a message */
    va_end(args);
    return code;
}

enum otad_err otad_hint(struct otad_errinfo *ei, const char *fmt, ...)
{
    if (ei == NULL)
        return OTAD_E_INTERNAL;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(ei->hint, sizeof ei->hint, fmt, args);
    va_end(args);
    return ei->code;
}

unsigned otad_err_status(enum otad_err code)
{
    return (unsigned)code < OTAD_E_COUNT ? table[code].status : 500;
}

const char *otad_err_name(enum otad_err code)
{
    return (unsigned)code < OTAD_E_COUNT ? table[code].name : "internal";
}
