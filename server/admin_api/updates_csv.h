/* SPDX-License-Identifier: MIT
 * The ledger as a CSV file. */
#ifndef OTAD_ADMIN_API_UPDATES_CSV_H
#define OTAD_ADMIN_API_UPDATES_CSV_H

#include "fleet/product.h"
#include "fleet/update.h"
#include "http/request.h"

/** Answers with every update that the filter lets pass, from its cursor on; its limit is ignored.
 *  Read and sent page by page, so neither memory nor a read transaction grows with the ledger; what
 *  changes meanwhile may be in it or not. A read that fails breaks the answer off, visibly.
 *  @return as http_stream_reply() */
enum otad_err updates_csv(struct http_req *req, const struct product *product,
                          const struct update_filter *filter, struct otad_errinfo *ei);

#endif
