/* SPDX-License-Identifier: MIT
 * The route table. */
#ifndef OTAD_ROUTES_H
#define OTAD_ROUTES_H

#include "http/route.h"

/** Every path otad answers. Constant. */
extern const struct http_route_table routes;

#endif
