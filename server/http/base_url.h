/* SPDX-License-Identifier: MIT
 * The address under which the client of a request can reach this server again. */
#ifndef OTAD_HTTP_BASE_URL_H
#define OTAD_HTTP_BASE_URL_H

#include <stddef.h>

#include "http/request.h"

/** Writes public_url without a slash at its end, or, when that is "", the listener's own address as
 *  this connection reached it, behind "http://" or what a trusted proxy names instead. The Host
 * header is never used: it may lack the port, and anybody can send any. */
void http_base_url(const struct http_req *req, const char *public_url, char *out, size_t room);

#endif
