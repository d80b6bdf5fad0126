/* SPDX-License-Identifier: MIT
 * Shared by ingest.c and ingest_link.c only: an upload while it is being taken in. */
#ifndef OTAD_FLEET_INTAKE_H
#define OTAD_FLEET_INTAKE_H

#include "fleet/blob.h"
#include "fleet/ingest.h"
#include "image/image.h"

/** What is known about the upload. */
struct intake {
    struct otad *otad;
    struct ingest_job *job;
    const uint8_t *data;
    struct image_info info;
    char *facts;
    char identities[BLOB_IDENTITIES_MAX];
    char version[OTAD_VERSION_MAX + 1];
    enum build_kind kind;
    int64_t image; /* row id; staged or linked */
    bool staged;
    size_t n_warnings; /* from looking at the file */
};

/** Notes a warning for the answer; more than fit are dropped. */
void ingest_warn(struct ingest_job *job, const char *fmt, ...) OTAD_PRINTF(2, 3);

/** Hints at the exact curl that uploads the same file as this version. @return ei->code */
enum otad_err ingest_hint_curl(const struct intake *w, const char *version,
                               struct otad_errinfo *ei);

/** Looks for a build with this version.
 *  @param found  false when there is none, and when retention has let its image go: then
 *                job->build.seq is not 0, and the build is to be restored
 *  @return OTAD_E_OK with job->build set when there is one, or OTAD_E_CONFLICT when it has other
 *          bytes: the hint is the curl with the next version */
enum otad_err ingest_find_existing(const struct intake *w, struct db *db, bool *found,
                                   struct otad_errinfo *ei);

/** The one transaction that makes image and build real, on the writer thread. May run twice. */
enum otad_err ingest_link(struct intake *w, struct db *db, int64_t now_s, struct otad_errinfo *ei);

#endif
