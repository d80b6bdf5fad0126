/* SPDX-License-Identifier: MIT
 * Owns the linking transaction of an upload: which build it becomes, and where it is released. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/version.h"
#include "fleet/channel.h"
#include "fleet/intake.h"
#include "fleet/product.h"

#define HINT_NAME_MAX 100 /* of a file name in a hint, bytes */

void ingest_warn(struct ingest_job *job, const char *fmt, ...)
{
    va_list args;
    if (job->n_warnings == OTAD_COUNT(job->warnings))
        return;
    va_start(args, fmt);
    (void)vsnprintf(job->warnings[job->n_warnings++], sizeof job->warnings[0], fmt, args);
    va_end(args);
}

enum otad_err ingest_hint_curl(const struct intake *w, const char *version, struct otad_errinfo *ei)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+";
    const char *name = w->job->filename;
    if (name[0] == '\0' || strlen(name) > HINT_NAME_MAX)
        name = "Sketch.ino.bin";
    /* Quoted for the shell and for -F, where ';' and ',' mean something; the upload lets no
     * quote into either. */
    bool quote = name[strspn(name, plain)] != '\0';
    char file[HINT_NAME_MAX + 16];
    (void)snprintf(file, sizeof file, quote ? "'file=@\"%s\"'" : "file=@%s", name);
    const char *around = version[strspn(version, plain)] != '\0' ? "'" : "";
    /* What steers the release is repeated: without it the line would do something else. */
    const char *channel = w->job->channel, *kind = w->job->kind;
    return otad_hint(ei,
                     "curl -H \"Authorization: Bearer $KEY\" -F %s -F %sversion=%s%s%s%s%s%s "
                     "%.80s/api/v1/products/%s/builds",
                     file, around, version, around, channel != NULL ? " -F channel=" : "",
                     channel != NULL ? channel : "", kind != NULL ? " -F kind=" : "",
                     kind != NULL ? kind : "", w->job->base_url, w->job->slug);
}

/* The first version behind this one that no build has yet. */
static void free_version(const struct intake *w, struct db *db, char *next, size_t room)
{
    char from[OTAD_VERSION_MAX + 16];
    struct build b;
    (void)snprintf(next, room, "%s", w->version);
    for (int tries = 0; tries < 1000; tries++) {
        (void)snprintf(from, sizeof from, "%s", next);
        version_next(from, next, room);
        if (build_find_version(db, w->job->product, w->kind, next, &b, NULL) != OTAD_E_OK)
            return;
    }
}

/* The same version with other bytes: says what to type instead. */
static enum otad_err version_taken(const struct intake *w, struct db *db,
                                   const struct build *existing, struct otad_errinfo *ei)
{
    char next[OTAD_VERSION_MAX + 16];
    free_version(w, db, next, sizeof next);
    (void)otad_fail(ei, OTAD_E_CONFLICT,
                    "Version %s exists already, with other bytes: build %" PRIu64 "%s%.60s",
                    w->version, (uint64_t)existing->id, existing->filename[0] ? ", from " : "",
                    existing->filename);
    return ingest_hint_curl(w, next, ei);
}

enum otad_err ingest_find_existing(const struct intake *w, struct db *db, bool *found,
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
        return version_taken(w, db, &b, ei);
    w->job->build = b;
    /* What retention let go may come back; what somebody withdrew may not. */
    *found = b.pruned_at_s == 0 || b.withdrawn_at_s < b.pruned_at_s;
    return OTAD_E_OK;
}

static enum otad_err check_chip(struct intake *w, const struct product *p, struct otad_errinfo *ei)
{
    const char *chip = image_chip_name(w->info.chip);
    if (w->kind == BUILD_FS || chip[0] == '\0' || p->chip[0] == '\0' || strcmp(chip, p->chip) == 0)
        return OTAD_E_OK;
    if (w->job->force) {
        ingest_warn(w->job, "Forced: the product is for %s, this build is for %s", p->chip, chip);
        w->job->forced = true;
        return OTAD_E_OK;
    }
    (void)otad_fail(ei, OTAD_E_CONFLICT, "This image is for the %s, but product %s is for the %s",
                    chip, p->slug, p->chip);
    return otad_hint(ei,
                     "Select the right board and export again, or make a product of its own "
                     "for the %s. To change the product: PATCH /api/v1/products/%s "
                     "{\"chip\":\"%s\"}",
                     chip, p->slug, chip);
}

static enum otad_err choose_number(struct intake *w, const struct product *p, struct build *b,
                                   struct otad_errinfo *ei)
{
    int64_t number = w->job->number;
    if (number == 0 && !version_number(w->version, &number))
        number = p->last_number + 1;
    if (number > OTAD_NUMBER_MAX)
        return otad_fail(ei, OTAD_E_INVALID, "The product has used the highest number, %d",
                         OTAD_NUMBER_MAX);
    if (number <= p->last_number)
        ingest_warn(w->job,
                    "The number %" PRId64 " is not above the last one, %" PRId64
                    ": sketches that compare .version will not go back",
                    number, p->last_number);
    b->number = number;
    return OTAD_E_OK;
}

static enum otad_err link_image(struct intake *w, struct db *db, int64_t now_s,
                                struct otad_errinfo *ei)
{
    int64_t other;
    enum otad_err err = blob_find(db, w->job->sha256, &other, ei);
    if (err == OTAD_E_NOENT && !w->staged) {
        (void)otad_fail(ei, OTAD_E_BUSY, "The stored image with these bytes was just deleted");
        return otad_hint(ei, "Nothing was stored. Upload the file again.");
    }
    if (err == OTAD_E_NOENT)
        return blob_link(db, w->image, now_s, ei);
    if (err == OTAD_E_OK)
        w->image = other; /* a parallel upload of the same bytes was faster */
    return err;
}

static enum otad_err release(struct intake *w, struct db *db, const struct product *p,
                             int64_t now_s, struct otad_errinfo *ei)
{
    struct ingest_job *job = w->job;
    const char *channel = job->channel != NULL ? job->channel : p->default_channel;
    if (job->forced || w->kind == BUILD_FACTORY || strcmp(channel, "none") == 0)
        return OTAD_E_OK;
    (void)snprintf(job->channel_name, sizeof job->channel_name, "%s", channel);
    job->released = true;
    return channel_release(db, p->id, channel, &job->build, now_s, ei);
}

static enum otad_err write_audit(struct intake *w, struct db *db, int64_t now_s,
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

static enum otad_err insert_build(struct intake *w, struct db *db, const struct product *p,
                                  int64_t now_s, struct otad_errinfo *ei)
{
    struct build b = {.product = p->id,
                      .image = w->image,
                      .kind = w->kind,
                      .forced = w->job->forced,
                      .created_at_s = now_s,
                      .size_bytes = w->job->size_bytes,
                      .flash_bytes = (int64_t)w->info.flash_size_bytes};
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
                                 w->kind != BUILD_FS && !w->job->forced ? b.chip : "", ei);
    if (err == OTAD_E_OK)
        w->job->build = b;
    return err;
}

/* The same bytes again of a build whose image retention let go. */
static enum otad_err restore_build(struct intake *w, struct db *db, struct otad_errinfo *ei)
{
    struct build *b = &w->job->build;
    int64_t old = b->image;
    ingest_warn(w->job,
                "This build was here before; retention had let its image go, and will again "
                "once no channel and no pin wants it");
    enum otad_err err = build_restore(db, b->seq, w->image, ei);
    if (err == OTAD_E_OK)
        err = blob_drop_unused(db, old, ei);
    return err == OTAD_E_OK ? build_find_seq(db, b->seq, b, ei) : err;
}

static enum otad_err note_name(void *arg, const char *name)
{
    (void)name;
    *(bool *)arg = true;
    return OTAD_E_OK;
}

/* A repeated upload releases nothing: after an undo it must not bring the build back by itself. */
static enum otad_err warn_existing(struct intake *w, struct db *db, struct otad_errinfo *ei)
{
    bool on_a_channel = false;
    const struct build *b = &w->job->build;
    enum otad_err err = channel_of_build(db, b->seq, note_name, &on_a_channel, ei);
    if (err != OTAD_E_OK || (on_a_channel && w->job->channel == NULL))
        return err;
    if (b->withdrawn_at_s != 0)
        ingest_warn(w->job, "These bytes are a build that was withdrawn: no device gets it");
    else
        ingest_warn(w->job,
                    "These bytes were uploaded before, and a repeated upload releases nothing. To "
                    "release: PATCH …/channels/NAME {\"build\":\"%" PRIu64 "\"}",
                    (uint64_t)b->id);
    return OTAD_E_OK;
}

enum otad_err ingest_link(struct intake *w, struct db *db, int64_t now_s, struct otad_errinfo *ei)
{
    struct product p;
    w->job->n_warnings = w->n_warnings; /* it may run twice */
    w->job->build = (struct build){.seq = 0};
    enum otad_err err = product_find_id(db, w->job->product, &p, ei);
    if (err == OTAD_E_OK)
        err = ingest_find_existing(w, db, &w->job->existed, ei);
    if (err == OTAD_E_OK && w->job->existed)
        return warn_existing(w, db, ei);
    if (err != OTAD_E_OK)
        return err;
    err = check_chip(w, &p, ei);
    if (err == OTAD_E_OK)
        err = link_image(w, db, now_s, ei);
    if (err == OTAD_E_OK)
        err =
            w->job->build.seq != 0 ? restore_build(w, db, ei) : insert_build(w, db, &p, now_s, ei);
    if (err == OTAD_E_OK)
        err = release(w, db, &p, now_s, ei);
    return err == OTAD_E_OK ? write_audit(w, db, now_s, ei) : err;
}
