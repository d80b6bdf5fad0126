/* SPDX-License-Identifier: MIT
 * Sends the image of a verdict, and records the transfer. */
#ifndef OTAD_DEVICE_API_SERVE_H
#define OTAD_DEVICE_API_SERVE_H

#include "device_api/ask.h"

/** Answers with the target image of *a (copied), waiting for it to be loaded if it is cold.
 *  @return OTAD_E_OK, OTAD_PENDING, or OTAD_E_NOMEM */
enum otad_err serve_image(struct http_req *req, const struct ask *a, struct otad_errinfo *ei);

/** Answers mode `version`: 200 with the version there is in `x-version` (304 would be an error to
 *  it); for a device that is held, the one it said it runs, else 0. @return OTAD_E_OK */
enum otad_err serve_version(struct http_req *req, const struct ask *a);

#endif
