/* SPDX-License-Identifier: MIT
 * The files of the dashboard, in the program: made from web/ at build time. */
#ifndef OTAD_DASHBOARD_ASSETS_H
#define OTAD_DASHBOARD_ASSETS_H

#include <stddef.h>

struct asset {
    const char *name; /* "index.html", or of /assets/: with a hash of the content in it */
    const char *type; /* media type */
    const char *etag; /* strong, in quotes; of the gzip form it ends with "-gz" */
    const char *etag_gzip;
    const unsigned char *plain, *gzip;
    size_t plain_n, gzip_n;
};

/** @return the file of that name, or NULL. */
const struct asset *asset_find(const char *name);

#endif
