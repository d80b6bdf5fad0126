/* SPDX-License-Identifier: MIT
 * Owns the way of an upload from its spool to a linked build. */
#include "fleet/ingest.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/version.h"
#include "fleet/blob.h"
#include "fleet/channel.h"
#include "fleet/product.h"
#include "image/image.h"
#include "image/image_json.h"

#define GROUP_CHUNKS 4                 /* 1 MiB a transaction: reports in between don't wait long */
#define DISK_RESERVE_BYTES (8LL << 20) /* left over for the ledger when images fill a disk */

struct ingest {
    struct otad *otad;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_bool closing;
    struct ingest_job *head, *tail;
};

/* What is known about the upload while it is being worked on. */
struct work {
    struct ingest *ingest;
    struct ingest_job *job;
    const uint8_t *data;
    struct image_info info;
    char *facts;
    char identities[BLOB_IDENTITIES_MAX];
    char version[OTAD_VERSION_MAX + 1];
    enum build_kind kind;
    int64_t image;  /* row id; staged or linked */
    bool staged;
    size_t n_warnings; /* from looking at the file */
};

/* ---- waiting for the writer --------------------------------------------------------------- */

/* A change that this thread waits for. */
struct sync_job {
    struct write_job job;
    enum otad_err (*run)(struct work *w, struct db *db, int64_t arg, struct otad_errinfo *ei);
    struct work *work;
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
static enum otad_err write_and_wait(struct work *w,
                                    enum otad_err (*run)(struct work *w, struct db *db, int64_t arg,
                                                         struct otad_errinfo *ei),
                                    int64_t arg, struct otad_errinfo *ei)
{
    struct sync_job s = {.job = {.run = sync_run, .done = sync_done}, .run = run, .work = w,
                         .arg = arg};
    (void)sem_init(&s.done, 0, 0);
    enum otad_err err = writer_submit(w->ingest->otad->writer, &s.job, ei);
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

static void warn(struct ingest_job *job, const char *fmt, ...) OTAD_PRINTF(2, 3);
static void warn(struct ingest_job *job, const char *fmt, ...)
{
    va_list args;
    if (job->n_warnings == OTAD_COUNT(job->warnings))
        return;
    va_start(args, fmt);
    (void)vsnprintf(job->warnings[job->n_warnings++], sizeof job->warnings[0], fmt, args);
    va_end(args);
}

static enum image_want wanted(const char *kind)
{
    if (kind == NULL)
        return IMAGE_WANT_ANY;
    return strcmp(kind, "app") == 0  ? IMAGE_WANT_APP
           : strcmp(kind, "fs") == 0 ? IMAGE_WANT_FS
                                     : IMAGE_WANT_FACTORY;
}

static enum otad_err judge(struct work *w, struct otad_errinfo *ei)
{
    struct ingest_job *job = w->job;
    enum otad_err err = image_check_upload(&w->info, wanted(job->kind), ei);
    if (err != OTAD_E_OK && job->force && image_may_force(&w->info)) {
        warn(job, "Forced: %.180s", ei->msg);
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

static enum otad_err choose_version(struct work *w, struct otad_errinfo *ei)
{
    const char *version = w->job->version;
    if (version == NULL)
        version = image_version(&w->info, NULL);
    if (version != NULL && version_is_valid(version)) {
        (void)snprintf(w->version, sizeof w->version, "%s", version);
        return OTAD_E_OK;
    }
    char found[128];
    image_version_hint(&w->info, found, sizeof found);
    (void)otad_fail(ei, OTAD_E_INVALID, "The build needs a version: none was passed, and %s",
                    version != NULL ? "the one in the image has characters a header can't hold"
                                    : found);
    return otad_hint(ei, "curl -H \"Authorization: Bearer $KEY\" -F file=@%.100s -F version=1.0.0 "
                         "%.80s/api/v1/products/%s/builds",
                     w->job->filename[0] ? w->job->filename : "Sketch.ino.bin", w->job->base_url,
                     w->job->slug);
}

static void add_identity(struct work *w, bool known, const uint8_t *digest, size_t n)
{
    size_t used = strlen(w->identities);
    if (!known || used + 2 * n + 2 > sizeof w->identities)
        return;
    if (used > 0)
        w->identities[used++] = ' ';
    hex_encode(digest, n, w->identities + used);
}

static enum otad_err look(struct work *w, struct otad_errinfo *ei)
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
    w->n_warnings = w->job->n_warnings;
    add_identity(w, w->info.md5_unpacked_found, w->info.md5_unpacked, OTAD_MD5_LEN);
    add_identity(w, w->info.md5_image_found, w->info.md5_image, OTAD_MD5_LEN);
    add_identity(w, w->info.sums.digest_found, w->info.sums.digest_stored, OTAD_SHA256_LEN);
    json_t *facts OTAD_AUTO(json_free) = image_info_json(&w->info);
    w->facts = facts != NULL ? json_dumps(facts, JSON_COMPACT) : NULL;
    return w->facts != NULL ? OTAD_E_OK : otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
}

/* ---- storing ------------------------------------------------------------------------------ */

static enum otad_err check_disk(struct work *w, struct otad_errinfo *ei)
{
    struct statvfs fs;
    if (statvfs(w->ingest->otad->data_dir, &fs) != 0)
        return OTAD_E_OK; /* the write itself will tell */
    int64_t room = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    int64_t need = 2 * w->job->size_bytes + DISK_RESERVE_BYTES; /* once in the log, once in place */
    if (room >= need)
        return OTAD_E_OK;
    (void)otad_fail(ei, OTAD_E_NOSPACE, "The disk of the data folder is full: %" PRId64
                                        " bytes are missing to store this image",
                    need - room);
    return otad_hint(ei, "Nothing was stored. Delete builds that are not needed, or make room in %.200s",
                     w->ingest->otad->data_dir);
}

static enum otad_err run_stage(struct work *w, struct db *db, int64_t arg, struct otad_errinfo *ei)
{
    (void)arg;
    struct blob_meta meta = {.size_bytes = w->job->size_bytes,
                             .facts = w->facts,
                             .identities = w->identities};
    memcpy(meta.sha256, w->job->sha256, sizeof meta.sha256);
    memcpy(meta.md5, w->job->md5, sizeof meta.md5);
    return blob_stage(db, &meta, &w->image, ei);
}

static enum otad_err run_chunks(struct work *w, struct db *db, int64_t first,
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
static enum otad_err verify(struct work *w, struct otad_errinfo *ei)
{
    struct db *db;
    size_t size = (size_t)w->job->size_bytes;
    enum otad_err err = otad_reader(w->ingest->otad, &db, ei);
    if (err != OTAD_E_OK)
        return err;
    void *copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (copy == MAP_FAILED)
        return otad_fail(ei, OTAD_E_NOMEM, "No memory to verify the stored image");
    err = blob_read(db, w->image, copy, size, ei);
    (void)munmap(copy, size);
    return err;
}

static enum otad_err store(struct work *w, struct otad_errinfo *ei)
{
    struct db *db;
    enum otad_err err = otad_reader(w->ingest->otad, &db, ei);
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

/* ---- linking ------------------------------------------------------------------------------ */

/* The same version with other bytes: says what to type instead. */
static enum otad_err version_taken(const struct work *w, const struct build *existing,
                                   struct otad_errinfo *ei)
{
    char next[OTAD_VERSION_MAX + 16];
    version_next(w->version, next, sizeof next);
    (void)otad_fail(ei, OTAD_E_CONFLICT,
                    "Version %s exists already, with other bytes: build %" PRIu64 "%s%.60s",
                    w->version, (uint64_t)existing->id, existing->filename[0] ? ", from " : "",
                    existing->filename);
    return otad_hint(ei, "curl -H \"Authorization: Bearer $KEY\" -F file=@%.100s -F version=%s "
                         "%.80s/api/v1/products/%s/builds",
                     w->job->filename[0] ? w->job->filename : "Sketch.ino.bin", next,
                     w->job->base_url, w->job->slug);
}

/* @return OTAD_E_OK with *found set, or the conflict */
static enum otad_err find_existing(const struct work *w, struct db *db, bool *found,
                                   struct otad_errinfo *ei)
{
    struct build b;
    enum otad_err err = build_find_version(db, w->job->product, w->kind, w->version, &b, ei);
    *found = false;
    if (err == OTAD_E_NOENT)
        return OTAD_E_OK;
    if (err != OTAD_E_OK)
        return err;
    if (memcmp(b.sha256, w->job->sha256, sizeof b.sha256) != 0)
        return version_taken(w, &b, ei);
    w->job->build = b;
    *found = true;
    return OTAD_E_OK;
}

static enum otad_err check_chip(struct work *w, const struct product *p, struct otad_errinfo *ei)
{
    const char *chip = image_chip_name(w->info.chip);
    if (w->kind != BUILD_APP || chip[0] == '\0' || p->chip[0] == '\0' || strcmp(chip, p->chip) == 0)
        return OTAD_E_OK;
    if (w->job->force) {
        warn(w->job, "Forced: the product is for %s, this build is for %s", p->chip, chip);
        w->job->forced = true;
        return OTAD_E_OK;
    }
    (void)otad_fail(ei, OTAD_E_CONFLICT, "This image is for the %s, but product %s is for the %s",
                    chip, p->slug, p->chip);
    return otad_hint(ei, "Select the right board and export again, or make a product of its own "
                         "for the %s. To change the product: PATCH /api/v1/products/%s "
                         "{\"chip\":\"%s\"}",
                     chip, p->slug, chip);
}

static enum otad_err choose_number(struct work *w, const struct product *p, struct build *b,
                                   struct otad_errinfo *ei)
{
    int64_t number = w->job->number;
    if (number == 0 && !version_number(w->version, &number))
        number = p->last_number + 1;
    if (number > OTAD_NUMBER_MAX)
        return otad_fail(ei, OTAD_E_INVALID, "The product has used the highest number, %d",
                         OTAD_NUMBER_MAX);
    if (number <= p->last_number)
        warn(w->job, "The number %" PRId64 " is not above the last one, %" PRId64
                           ": sketches that compare .version will not go back",
                   number, p->last_number);
    b->number = number;
    return OTAD_E_OK;
}

static enum otad_err link_image(struct work *w, struct db *db, int64_t now_s,
                                struct otad_errinfo *ei)
{
    if (!w->staged)
        return OTAD_E_OK;
    int64_t other;
    enum otad_err err = blob_find(db, w->job->sha256, &other, ei);
    if (err == OTAD_E_NOENT)
        return blob_link(db, w->image, now_s, ei);
    if (err == OTAD_E_OK)
        w->image = other; /* a parallel upload of the same bytes was faster */
    return err;
}

static enum otad_err release(struct work *w, struct db *db, const struct product *p, int64_t now_s,
                             struct otad_errinfo *ei)
{
    struct ingest_job *job = w->job;
    const char *channel = job->channel != NULL ? job->channel : p->default_channel;
    if (job->forced || w->kind == BUILD_FACTORY || strcmp(channel, "none") == 0)
        return OTAD_E_OK;
    (void)snprintf(job->channel_name, sizeof job->channel_name, "%s", channel);
    job->released = true;
    return channel_release(db, p->id, channel, &job->build, now_s, ei);
}

static enum otad_err write_audit(struct work *w, struct db *db, int64_t now_s,
                                 struct otad_errinfo *ei)
{
    struct audit a = w->job->audit;
    a.at_s = now_s;
    (void)snprintf(a.action, sizeof a.action, "build.upload");
    (void)snprintf(a.product, sizeof a.product, "%s", w->job->slug);
    (void)snprintf(a.object, sizeof a.object, "%" PRIu64, (uint64_t)w->job->build.id);
    json_t *detail OTAD_AUTO(json_free) =
        json_pack("{s:s, s:s, s:I, s:b}", "version", w->version, "channel", w->job->channel_name,
                  "size", (json_int_t)w->job->size_bytes, "forced", w->job->forced);
    char *text = detail != NULL ? json_dumps(detail, JSON_COMPACT) : NULL;
    (void)snprintf(a.detail, sizeof a.detail, "%s", text != NULL ? text : "");
    free(text);
    return audit_add(db, &a, ei);
}

static enum otad_err insert_build(struct work *w, struct db *db, const struct product *p,
                                  int64_t now_s, struct otad_errinfo *ei)
{
    struct build b = {.product = p->id,
                      .image = w->image,
                      .kind = w->kind,
                      .forced = w->job->forced,
                      .created_at_s = now_s,
                      .size_bytes = w->job->size_bytes};
    memcpy(b.md5, w->job->md5, sizeof b.md5);
    memcpy(b.sha256, w->job->sha256, sizeof b.sha256);
    (void)snprintf(b.version, sizeof b.version, "%s", w->version);
    (void)snprintf(b.chip, sizeof b.chip, "%s", image_chip_name(w->info.chip));
    (void)snprintf(b.filename, sizeof b.filename, "%s", w->job->filename);
    (void)snprintf(b.notes, sizeof b.notes, "%s", w->job->notes != NULL ? w->job->notes : "");
    enum otad_err err = choose_number(w, p, &b, ei);
    if (err == OTAD_E_OK)
        err = build_insert(db, &b, ei);
    if (err == OTAD_E_OK)
        err = product_note_build(db, p->id, b.number,
                                 w->kind == BUILD_APP && !w->job->forced ? b.chip : "", ei);
    if (err == OTAD_E_OK)
        w->job->build = b;
    return err;
}

/* The one transaction that makes image and build real. */
static enum otad_err run_link(struct work *w, struct db *db, int64_t now_s, struct otad_errinfo *ei)
{
    struct product p;
    w->job->n_warnings = w->n_warnings; /* it may run twice */
    enum otad_err err = product_find_id(db, w->job->product, &p, ei);
    if (err == OTAD_E_OK)
        err = find_existing(w, db, &w->job->existed, ei);
    if (err != OTAD_E_OK || w->job->existed)
        return err;
    err = check_chip(w, &p, ei);
    if (err == OTAD_E_OK)
        err = link_image(w, db, now_s, ei);
    if (err == OTAD_E_OK)
        err = insert_build(w, db, &p, now_s, ei);
    if (err == OTAD_E_OK)
        err = release(w, db, &p, now_s, ei);
    return err == OTAD_E_OK ? write_audit(w, db, now_s, ei) : err;
}

/* Frees what was staged and not linked. */
static enum otad_err run_unstage(struct work *w, struct db *db, int64_t image,
                                 struct otad_errinfo *ei)
{
    (void)w;
    return blob_unstage(db, image, ei);
}

/* ---- one upload --------------------------------------------------------------------------- */

static enum otad_err take_in(struct work *w, struct otad_errinfo *ei)
{
    struct db *db;
    bool existed;
    enum otad_err err = look(w, ei);
    if (err == OTAD_E_OK)
        err = otad_reader(w->ingest->otad, &db, ei);
    if (err == OTAD_E_OK)
        err = find_existing(w, db, &existed, ei); /* before megabytes are written for nothing */
    if (err == OTAD_E_OK)
        err = store(w, ei);
    int64_t staged = w->staged ? w->image : 0;
    if (err == OTAD_E_OK)
        err = write_and_wait(w, run_link, clock_wall_s(&w->ingest->otad->clock), ei);
    if (staged != 0 && (err != OTAD_E_OK || w->image != staged || w->job->existed)) {
        struct otad_errinfo ignored;
        /* If this fails too, the sweep at the next start removes it. */
        if (write_and_wait(w, run_unstage, staged, &ignored) != OTAD_E_OK)
            log_warn(w->ingest->otad->log, "upload.unstage", "error='%s'", ignored.msg);
    }
    return err;
}

static void work_on(struct ingest *ingest, struct ingest_job *job)
{
    job->ei = (struct otad_errinfo){.code = OTAD_E_OK};
    struct work *w = calloc(1, sizeof *w); /* large: not for a stack */
    void *map = mmap(NULL, (size_t)job->size_bytes, PROT_READ, MAP_PRIVATE, job->spool, 0);
    if (w == NULL || map == MAP_FAILED) {
        job->err = otad_fail(&job->ei, OTAD_E_NOMEM, "No memory to look at the upload");
    } else {
        w->ingest = ingest;
        w->job = job;
        w->data = map;
        job->err = take_in(w, &job->ei);
        free(w->facts);
    }
    if (map != MAP_FAILED)
        (void)munmap(map, (size_t)job->size_bytes);
    free(w);
    job->done(job);
}

static struct ingest_job *next_job(struct ingest *ingest)
{
    (void)pthread_mutex_lock(&ingest->lock);
    while (ingest->head == NULL && !ingest->closing)
        (void)pthread_cond_wait(&ingest->wake, &ingest->lock);
    struct ingest_job *job = ingest->head;
    if (job != NULL)
        ingest->head = job->next;
    if (ingest->head == NULL)
        ingest->tail = NULL;
    (void)pthread_mutex_unlock(&ingest->lock);
    return job;
}

static void *run(void *arg)
{
    struct ingest *ingest = arg;
    for (struct ingest_job *job = next_job(ingest); job != NULL; job = next_job(ingest)) {
        if (ingest->closing) {
            job->err = otad_fail(&job->ei, OTAD_E_BUSY, "otad is shutting down");
            job->done(job);
        } else {
            work_on(ingest, job);
        }
    }
    return NULL;
}

struct ingest *ingest_new(struct otad *otad)
{
    struct ingest *ingest = calloc(1, sizeof *ingest);
    if (ingest == NULL)
        return NULL;
    ingest->otad = otad;
    (void)pthread_mutex_init(&ingest->lock, NULL);
    (void)pthread_cond_init(&ingest->wake, NULL);
    if (pthread_create(&ingest->thread, NULL, run, ingest) != 0) {
        free(ingest);
        return NULL;
    }
    return ingest;
}

void ingest_free(struct ingest **ingest)
{
    if (*ingest == NULL)
        return;
    (void)pthread_mutex_lock(&(*ingest)->lock);
    (*ingest)->closing = true;
    (void)pthread_cond_signal(&(*ingest)->wake);
    (void)pthread_mutex_unlock(&(*ingest)->lock);
    (void)pthread_join((*ingest)->thread, NULL);
    (void)pthread_cond_destroy(&(*ingest)->wake);
    (void)pthread_mutex_destroy(&(*ingest)->lock);
    free(*ingest);
    *ingest = NULL;
}

enum otad_err ingest_submit(struct ingest *ingest, struct ingest_job *job, struct otad_errinfo *ei)
{
    job->next = NULL;
    (void)pthread_mutex_lock(&ingest->lock);
    bool closing = ingest->closing;
    if (!closing) {
        if (ingest->tail != NULL)
            ingest->tail->next = job;
        else
            ingest->head = job;
        ingest->tail = job;
        (void)pthread_cond_signal(&ingest->wake);
    }
    (void)pthread_mutex_unlock(&ingest->lock);
    return closing ? otad_fail(ei, OTAD_E_BUSY, "otad is shutting down") : OTAD_E_OK;
}
