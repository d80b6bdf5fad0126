/* SPDX-License-Identifier: MIT
 * Reads what a report says: JSON, form fields or query, the same names in all. Pure. */
#ifndef OTAD_DEVICE_API_REPORT_READ_H
#define OTAD_DEVICE_API_REPORT_READ_H

#include <stddef.h>

#include "fleet/report.h"

/** What a report says, as text; NULL: not there. Borrowed. */
struct report_fields {
    const char *result, *code, *message, *version, *build;
};

/** @param out  written only on OTAD_E_OK, all of it: what the fields don't say is zero
 *  @return OTAD_E_OK, or OTAD_E_BAD_REQUEST with one of the words bad_result bad_code bad_build
 *          field_too_long as ei->msg */
enum otad_err report_take(const struct report_fields *f, struct report *out,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Reads result, code, message, version and build of a body; other names are ignored.
 *  @param body  n bytes and a NUL behind them; '{' first: JSON, else urlencoded form fields
 *  @param out   as for report_take()
 *  @return as report_take(), also the words bad_form and bad_json; or OTAD_E_NOMEM */
enum otad_err report_read(const char *body, size_t n, struct report *out,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
