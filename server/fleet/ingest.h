/* SPDX-License-Identifier: MIT
 * Takes an upload in: looks at the file, stores it in chunks, reads it back, links it. Runs on the
 * worker thread and waits for the writer; HTTP threads and the writer never wait for it. */
#ifndef OTAD_FLEET_INGEST_H
#define OTAD_FLEET_INGEST_H

#include <stdbool.h>

#include <jansson.h>

#include "fleet/audit.h"
#include "fleet/build.h"
#include "fleet/otad.h"
#include "fleet/preflight.h"
#include "image/image.h"

/** One upload. The caller fills the first part; everything it points to must live meanwhile. */
struct ingest_job {
    int spool; /* readable, holds the whole file; stays the caller's */
    int64_t size_bytes;
    uint8_t md5[OTAD_MD5_LEN];
    uint8_t sha256[OTAD_SHA256_LEN];
    int64_t product;
    const char *slug;
    const char *version;  /* as given, or NULL: taken from the image */
    int64_t number;       /* as given, or 0 */
    const char *channel;  /* name, "none", or NULL = the product's default */
    const char *kind;     /* "app", "fs", "factory", or NULL = by the image */
    const char *filename; /* "" when none was sent */
    const char *notes;
    const char *base_url; /* "http://host:port", for the commands in hints */
    bool force;           /* an admin insists: all but a truncated file is taken */
    struct audit audit;   /* who and where from */

    /* The result. */
    enum otad_err err;
    struct otad_errinfo ei;
    struct build build;
    bool forced;  /* something had to be overridden: recorded, and not released */
    bool existed; /* the same bytes were there already: build is the old one */
    bool released;
    char channel_name[OTAD_CHANNEL_MAX + 1]; /* where it was released to */
    struct preflight preflight;              /* the build against the product's devices */
    char warnings[IMAGE_WARNINGS_MAX + 4][200];
    size_t n_warnings;
};

/** Takes one upload in, from its spool to a linked build. Blocks until it is durable or refused;
 *  the result is in *job. Call on the worker thread only. */
void ingest_run(struct otad *otad, struct ingest_job *job);

#endif
