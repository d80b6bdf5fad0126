/* SPDX-License-Identifier: MIT
 * Who may call a route, and who is calling. */
#ifndef OTAD_HTTP_ACCESS_H
#define OTAD_HTTP_ACCESS_H

#include <stdint.h>

#include "otad/limits.h"

/** Access class of a route. Starts at 1, so that a row without one can't pass for open. */
enum http_access {
    HTTP_ACCESS_OPEN = 1, /* anybody */
    HTTP_ACCESS_DEVICE,   /* devices: anybody, answers without bodies */
    HTTP_ACCESS_VIEWER,   /* a key of at least this role */
    HTTP_ACCESS_PUBLISHER,
    HTTP_ACCESS_ADMIN
};

/** The holder of the key a request came with. */
struct http_who {
    char name[OTAD_NAME_MAX + 1]; /* of the key; "" when none was needed */
    enum http_access role;
    int64_t product; /* row id the key is bound to, 0 = every product */
};

#endif
