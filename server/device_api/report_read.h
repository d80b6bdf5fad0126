/* SPDX-License-Identifier: MIT
 * Reads the body of a report: JSON or form fields, the same names in both. Pure. */
#ifndef OTAD_DEVICE_API_REPORT_READ_H
#define OTAD_DEVICE_API_REPORT_READ_H

#include <stddef.h>

#include "fleet/report.h"

/** Reads result, code, message, version and build; other names are ignored.
 *  @param body  n bytes and a NUL behind them; '{' first: JSON, else urlencoded form fields
 *  @param out   written only on OTAD_E_OK, all of it: what the body can't say is zero
 *  @return OTAD_E_OK, OTAD_E_NOMEM, or OTAD_E_BAD_REQUEST with one of the words bad_form bad_json
 *          bad_result bad_code bad_build field_too_long as ei->msg */
enum otad_err report_read(const char *body, size_t n, struct report *out,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
