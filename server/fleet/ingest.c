/* SPDX-License-Identifier: MIT
 * Owns the way of an upload from its spool to a linked build. */
#include "fleet/ingest.h"

#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/version.h"
#include "fleet/intake.h"
#include "image/fit.h"
#include "image/image_json.h"

#define GROUP_CHUNKS 4                 /* 1 MiB a transaction: reports in between don't wait long */
#define DISK_RESERVE_BYTES (8LL << 20) /* left over for the ledger when images fill a disk */

/* ---- waiting for the writer --------------------------------------------------------------- */

/* A change that this thread waits for. */
struct sync_job {
    struct write_job job;
    enum otad_err (*run)(struct intake *w, struct db *db, int64_t arg, struct otad_errinfo *ei);
    struct intake *work;
    int64_t arg;
    sem_t done;
    enum otad_err err;
    struct otad_errinfo ei;
};

static enum otad_err sync_run(struct write_job *job, struct db *db, struct otad_errinfo *ei)
{
    struct sync_job *s = (struct sync_job *)job;
    return s->run(s->work, db, s->arg, ei);
}

static void sync_done(struct write_job *job, enum otad_err err, const struct otad_errinfo *ei)
{
    struct sync_job *s = (struct sync_job *)job;
    s->err = err;
    s->ei = *ei;
    (void)sem_post(&s->done);
}

/* Runs one change on the writer thread and waits until it is on the disk. */
static enum otad_err write_and_wait(struct intake *w,
                                    enum otad_err (*run)(struct intake *w, struct db *db,
                                                         int64_t arg, struct otad_errinfo *ei),
                                    int64_t arg, struct otad_errinfo *ei)
{
    struct sync_job s = {
        .job = {.run = sync_run, .done = sync_done},
          .run = run, .work = w, .arg = arg
    };
    (void)sem_init(&s.done, 0, 0);
    enum otad_err err = writer_submit(w->otad->writer, &s.job, ei);
    if (err == OTAD_E_OK) {
        while (sem_wait(&s.done) != 0 && errno == EINTR)
            continue;
        err = s.err;
        if (err != OTAD_E_OK)
            *ei = s.ei;
    }
    (void)sem_destroy(&s.done);
    return err;
}

/* ---- looking at the file ------------------------------------------------------------------ */

static enum image_want wanted(const char *kind)
{
    if (kind == NULL)
        return IMAGE_WANT_ANY;
    return strcmp(kind, "app") == 0  ? IMAGE_WANT_APP
           : strcmp(kind, "fs") == 0 ? IMAGE_WANT_FS
                                     : IMAGE_WANT_FACTORY;
}

static enum otad_err judge(struct intake *w, struct otad_errinfo *ei)
{
    struct ingest_job *job = w->job;
    enum otad_err err = image_check_upload(&w->info, wanted(job->kind), ei);
    if (err != OTAD_E_OK && job->force && image_may_force(&w->info)) {
        ingest_warn(job, "Forced: %.180s", ei->msg);
        job->forced = true;
        err = OTAD_E_OK;
    }
    enum image_want found = image_build_kind(&w->info);
    w->kind = BUILD_APP;
    if (job->kind != NULL)
        (void)build_kind_parse(job->kind, &w->kind); /* the upload has checked the word */
    else if (found == IMAGE_WANT_FS)
        w->kind = BUILD_FS;
    else if (found == IMAGE_WANT_FACTORY)
        w->kind = BUILD_FACTORY;
    return err;
}

static enum otad_err choose_version(struct intake *w, struct otad_errinfo *ei)
{
    const char *version = w->job->version;
    if (version == NULL)
        version = image_version(&w->info, NULL);
    if (version != NULL && version_is_valid(version)) {
        (void)snprintf(w->version, sizeof w->version, "%s", version);
        return OTAD_E_OK;
    }
    char found[192];
    image_version_hint(&w->info, found, sizeof found);
    (void)otad_fail(ei, OTAD_E_INVALID, "The build needs a version: none was passed, and %s",
                    version != NULL ? "the one in the image has characters a header can't hold"
                                    : found);
    return ingest_hint_curl(w, "1.0.0", ei);
}

static void add_identity(struct intake *w, bool known, const uint8_t *digest, size_t n)
{
    size_t used = strlen(w->identities);
    if (!known || used + 2 * n + 2 > sizeof w->identities)
        return;
    if (used > 0)
        w->identities[used++] = ' ';
    hex_encode(digest, n, w->identities + used);
}

/* An application that fits none of the default layouts may still fit a layout of one's own. */
static void warn_no_slot(struct intake *w)
{
    struct fit_slot slots[FIT_SLOTS_MAX];
    unsigned n = fit_default_slots(&w->info, slots);
    bool fits = n == 0 || w->kind != BUILD_APP;
    for (unsigned i = 0; i < n; i++)
        fits |= slots[i].fits;
    if (!fits)
        ingest_warn(w->job, "%lld bytes fit none of the default flash layouts of the %s",
                    (long long)fit_used_bytes(&w->info), image_chip_name(w->info.chip));
}

static enum otad_err look(struct intake *w, struct otad_errinfo *ei)
{
    struct image_digests known;
    memcpy(known.md5, w->job->md5, sizeof known.md5);
    memcpy(known.sha256, w->job->sha256, sizeof known.sha256);
    enum otad_err err = image_inspect(w->data, (size_t)w->job->size_bytes, &known, &w->info);
    if (err != OTAD_E_OK)
        return otad_fail(ei, err, "Looking at the file failed");
    err = judge(w, ei);
    if (err == OTAD_E_OK)
        err = choose_version(w, ei);
    if (err != OTAD_E_OK)
        return err;
    for (unsigned i = 0; i < w->info.warning_count; i++)
        ingest_warn(w->job, "At byte %llu: %s", (unsigned long long)w->info.warnings[i].offset,
                    w->info.warnings[i].text);
    warn_no_slot(w);
    w->n_warnings = w->job->n_warnings;
    add_identity(w, w->info.md5_unpacked_found, w->info.md5_unpacked, OTAD_MD5_LEN);
    add_identity(w, w->info.md5_image_found, w->info.md5_image, OTAD_MD5_LEN);
    add_identity(w, w->info.sums.digest_found, w->info.sums.digest_stored, OTAD_SHA256_LEN);
    json_t *facts OTAD_AUTO(json_free) = image_info_json(&w->info);
    w->facts = facts != NULL ? json_dumps(facts, JSON_COMPACT) : NULL;
    return w->facts != NULL ? OTAD_E_OK : otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
}

/* ---- storing ------------------------------------------------------------------------------ */

/* Negative or 0: there is room. */
static int64_t missing_bytes(const struct intake *w)
{
    struct statvfs fs;
    if (statvfs(w->otad->data_dir, &fs) != 0)
        return 0; /* the write itself will tell */
    int64_t room = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    /* once in the log, once in place */
    return 2 * w->job->size_bytes + DISK_RESERVE_BYTES - room;
}

/* Whoever noticed it first, the answer says how much it is. The disk may have taken less than it
 * promised: somebody else filled it, or there is a quota. */
static enum otad_err filled_up(const struct intake *w, struct otad_errinfo *ei)
{
    int64_t missing = missing_bytes(w);
    (void)otad_fail(ei, OTAD_E_NOSPACE,
                    "The disk of the data folder is full: %" PRId64
                    " bytes are missing to store this image",
                    missing > 0 ? missing : w->job->size_bytes);
    return otad_hint(
        ei, "Nothing was stored. Delete builds that are not needed, or make room in %.200s",
        w->otad->data_dir);
}

static enum otad_err check_disk(const struct intake *w, struct otad_errinfo *ei)
{
    return missing_bytes(w) > 0 ? otad_fail(ei, OTAD_E_NOSPACE, "No room") : OTAD_E_OK;
}

static enum otad_err run_stage(struct intake *w, struct db *db, int64_t arg,
                               struct otad_errinfo *ei)
{
    (void)arg;
    /* An upload that failed on a full disk could not even remove its rests. There is one worker, so
     * whatever is staged now is such a rest. */
    enum otad_err err = blob_unstage(db, 0, ei);
    if (err != OTAD_E_OK)
        return err;
    struct blob_meta meta = {.size_bytes = w->job->size_bytes,
                             .flash_bytes = (int64_t)w->info.flash_size_bytes,
                             .facts = w->facts,
                             .identities = w->identities};
    memcpy(meta.sha256, w->job->sha256, sizeof meta.sha256);
    memcpy(meta.md5, w->job->md5, sizeof meta.md5);
    return blob_stage(db, &meta, &w->image, ei);
}

static enum otad_err run_chunks(struct intake *w, struct db *db, int64_t first,
                                struct otad_errinfo *ei)
{
    enum otad_err err = OTAD_E_OK;
    for (int64_t seq = first; seq < first + GROUP_CHUNKS && err == OTAD_E_OK; seq++) {
        int64_t at = seq * BLOB_CHUNK_BYTES, left = w->job->size_bytes - at;
        if (left <= 0)
            break;
        err = blob_put_chunk(db, w->image, seq, w->data + at,
                             (size_t)(left < BLOB_CHUNK_BYTES ? left : BLOB_CHUNK_BYTES), ei);
    }
    return err;
}

/* Reads the staged image back from the database: what is linked is what was uploaded. */
static enum otad_err verify(struct intake *w, struct otad_errinfo *ei)
{
    struct db *db;
    enum otad_err err = otad_reader(w->otad, &db, ei);
    return err == OTAD_E_OK ? blob_verify(db, w->image, w->job->size_bytes, ei) : err;
}

static enum otad_err store(struct intake *w, struct otad_errinfo *ei)
{
    struct db *db;
    enum otad_err err = otad_reader(w->otad, &db, ei);
    if (err == OTAD_E_OK)
        err = blob_find(db, w->job->sha256, &w->image, ei);
    if (err != OTAD_E_NOENT)
        return err;
    err = check_disk(w, ei);
    if (err == OTAD_E_OK)
        err = write_and_wait(w, run_stage, 0, ei);
    w->staged = err == OTAD_E_OK;
    for (int64_t seq = 0; seq * BLOB_CHUNK_BYTES < w->job->size_bytes && err == OTAD_E_OK;
         seq += GROUP_CHUNKS)
        err = write_and_wait(w, run_chunks, seq, ei);
    return err == OTAD_E_OK ? verify(w, ei) : err;
}

/* Frees what was staged and not linked. */
static enum otad_err run_unstage(struct intake *w, struct db *db, int64_t image,
                                 struct otad_errinfo *ei)
{
    (void)w;
    return blob_unstage(db, image, ei);
}

/* ---- one upload --------------------------------------------------------------------------- */

static enum otad_err take_in(struct intake *w, struct otad_errinfo *ei)
{
    struct db *db;
    bool existed;
    enum otad_err err = look(w, ei);
    if (err == OTAD_E_OK)
        err = otad_reader(w->otad, &db, ei);
    if (err == OTAD_E_OK)
        err = ingest_find_existing(w, db, &existed,
                                   ei); /* before megabytes are written for nothing */
    if (err == OTAD_E_OK)
        err = store(w, ei);
    int64_t staged = w->staged ? w->image : 0;
    if (err == OTAD_E_OK)
        err = write_and_wait(w, ingest_link, clock_wall_s(&w->otad->clock), ei);
    if (staged != 0 && (err != OTAD_E_OK || w->image != staged || w->job->existed)) {
        struct otad_errinfo ignored;
        /* If this fails too, the next upload or start removes it. */
        if (write_and_wait(w, run_unstage, staged, &ignored) != OTAD_E_OK)
            log_warn(w->otad->log, "upload.unstage", "error='%s'", ignored.msg);
    }
    return err == OTAD_E_NOSPACE ? filled_up(w, ei) : err;
}

/* The build is durable by now: a failure here only leaves the answer without its preflight. */
static void check_fleet(struct otad *otad, struct ingest_job *job)
{
    struct db *db;
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    enum otad_err err = otad_reader(otad, &db, &ei);
    if (err == OTAD_E_OK)
        err = preflight_run(db, &job->build, &job->preflight, &ei);
    if (err != OTAD_E_OK)
        log_warn(otad->log, "upload.preflight", "error='%s'", ei.msg);
}

void ingest_run(struct otad *otad, struct ingest_job *job)
{
    job->ei = (struct otad_errinfo){.code = OTAD_E_OK};
    struct intake *w = calloc(1, sizeof *w); /* large: not for a stack */
    void *map = mmap(NULL, (size_t)job->size_bytes, PROT_READ, MAP_PRIVATE, job->spool, 0);
    if (w == NULL || map == MAP_FAILED) {
        job->err = otad_fail(&job->ei, OTAD_E_NOMEM, "No memory to look at the upload");
    } else {
        w->otad = otad;
        w->job = job;
        w->data = map;
        job->err = take_in(w, &job->ei);
        if (job->err == OTAD_E_OK) {
            log_info(otad->log, "build.upload",
                     "product=%s version='%s' new=%d channel='%s' who='%s'", job->slug,
                     job->build.version, !job->existed, job->channel_name, job->audit.who);
            check_fleet(otad, job);
        }
        free(w->facts);
    }
    if (map != MAP_FAILED)
        (void)munmap(map, (size_t)job->size_bytes);
    free(w);
}
