/* SPDX-License-Identifier: MIT
 * Owns uploads as they arrive: form fields and the file, spooled and hashed while it flows. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "admin_api/admin_api.h"
#include "admin_api/change.h"
#include "admin_api/shapes.h"
#include "base/digest.h"
#include "base/hex.h"
#include "base/version.h"
#include "fleet/channel.h"
#include "fleet/ingest.h"
#include "fleet/worker.h"
#include "http/base_url.h"
#include "http/reply.h"
#include "http/wait.h"

/* One upload, from its first body byte to its end. */
struct upload {
    struct otad *otad;
    struct product product;
    int spool;
    struct digest *digest;
    int64_t size;
    int64_t announced; /* Content-Length: with a form, a little more than the file */
    bool has_file;
    char filename[OTAD_FILENAME_MAX + 1];
    char version[OTAD_VERSION_MAX + 2]; /* one more, to notice what is too long */
    char number[16];
    char channel[OTAD_CHANNEL_MAX + 2];
    char kind[16];
    char notes[OTAD_NOTES_MAX + 2];
    char md5[2 * OTAD_MD5_LEN + 2]; /* what the client says it is; checked */
    char base_url[OPTION_TEXT_MAX];
    struct ingest_job job;
};

static void free_upload(void *arg)
{
    struct upload *u = arg;
    if (u->spool >= 0)
        (void)close(u->spool);
    digest_free(&u->digest);
    free(u);
}

/* ---- the body ----------------------------------------------------------------------------- */

/* The spool has no name: nothing of a user reaches a path, and a crash leaves nothing behind. It
 * is in the data folder, because /tmp may be memory. */
static enum otad_err open_spool(struct upload *u, struct otad_errinfo *ei)
{
    u->spool = open(u->otad->data_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (u->spool >= 0)
        return OTAD_E_OK;
    return otad_fail(ei, errno == ENOSPC ? OTAD_E_NOSPACE : OTAD_E_IO,
                     "Can't make a spool file in the data folder: %s", strerror(errno));
}

static enum otad_err begin(struct http_req *req, struct otad_errinfo *ei)
{
    struct db *db;
    struct upload *u = calloc(1, sizeof *u);
    if (u == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    u->otad = http_req_app(req);
    u->spool = -1;
    const char *length = http_req_header(req, "Content-Length");
    u->announced = length != NULL ? strtoll(length, NULL, 10) : 0;
    http_req_set_state(req, u, free_upload);
    enum otad_err err = otad_reader(u->otad, &db, ei);
    if (err == OTAD_E_OK)
        err = product_find(db, http_req_param(req, "product"), &u->product, ei);
    if (err != OTAD_E_OK)
        return err;
    u->digest = digest_new();
    if (u->digest == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    return open_spool(u, ei);
}

/* The first n bytes that don't fit were read, the rest was announced. */
static enum otad_err cannot_spool(const struct upload *u, size_t n, struct otad_errinfo *ei)
{
    if (errno != ENOSPC && errno != EDQUOT)
        return otad_fail(ei, OTAD_E_IO, "Writing the upload to the data folder failed: %s",
                         strerror(errno));
    int64_t here = u->size - (int64_t)n, left = u->announced - here;
    (void)otad_fail(ei, OTAD_E_NOSPACE,
                    "The disk of the data folder is full: %" PRId64
                    " bytes are missing to receive this upload",
                    left > (int64_t)n ? left : (int64_t)n);
    return otad_hint(
        ei, "Nothing was stored. Delete builds that are not needed, or make room in %.200s",
        u->otad->data_dir);
}

static enum otad_err spool(struct upload *u, const char *data, size_t n, struct otad_errinfo *ei)
{
    int64_t max = otad_config_int(u->otad, &u->otad->config.image_max_bytes);
    u->size += (int64_t)n;
    if (u->size > max) {
        (void)otad_fail(ei, OTAD_E_TOO_LARGE,
                        "The image is larger than the %" PRId64 " bytes that are allowed", max);
        return otad_hint(ei, "If the image is right, raise storage.image_max_bytes.");
    }
    digest_update(u->digest, data, n);
    while (n > 0) {
        ssize_t done = write(u->spool, data, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return cannot_spool(u, n, ei);
        data += done;
        n -= (size_t)done;
    }
    return OTAD_E_OK;
}

/* Keeps the end of a path and only printable characters: the name is shown, never opened. */
static void keep_filename(struct upload *u, const char *name)
{
    const char *base = name != NULL ? name : "";
    for (const char *p = base; *p != '\0'; p++)
        if (*p == '/' || *p == '\\')
            base = p + 1;
    size_t n = strlen(base);
    if (n > OTAD_FILENAME_MAX)
        base += n - OTAD_FILENAME_MAX;
    (void)snprintf(u->filename, sizeof u->filename, "%s", base);
    for (char *p = u->filename; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '"' || *p == '\'' || *p == '`')
            *p = '_';
}

static bool is_file_name(const char *name)
{
    return strcmp(name, "file") == 0 || strcmp(name, "firmware") == 0 ||
           strcmp(name, "update") == 0;
}

static enum otad_err take_file(struct upload *u, const struct http_part *part,
                               struct otad_errinfo *ei)
{
    /* MHD tells an empty piece first when a part's head and data arrive apart, so only bytes
     * tell that a file came before. */
    if (part->offset == 0 && u->size > 0) {
        (void)otad_fail(ei, OTAD_E_BAD_REQUEST, "There are two files in this upload");
        return otad_hint(ei,
                         "Upload one build at a time: the application is the %s file without "
                         "\"bootloader\", \"partitions\" or \"merged\" in its name.",
                         ".ino.bin");
    }
    if (part->offset == 0) {
        u->has_file = true;
        keep_filename(u, part->filename);
    }
    return spool(u, part->data, part->n, ei);
}

/* Appends a piece of a form field; what is too long shows as one character too many. */
static void take_field(const struct http_part *part, char *to, size_t room)
{
    if (part->offset >= room - 1)
        return;
    size_t n = part->n, left = room - 1 - (size_t)part->offset;
    if (n > left)
        n = left;
    if (n > 0)
        memcpy(to + part->offset, part->data, n);
    to[part->offset + n] = '\0';
}

static enum otad_err on_part(struct http_req *req, const struct http_part *part,
                             struct otad_errinfo *ei)
{
    struct upload *u = http_req_state(req);
    const struct {
        const char *name;
        char *to;
        size_t room;
    } fields[] = {
        {"version", u->version, sizeof u->version},
        {"number",  u->number,  sizeof u->number },
        {"channel", u->channel, sizeof u->channel},
        {"kind",    u->kind,    sizeof u->kind   },
        {"notes",   u->notes,   sizeof u->notes  },
        {"md5",     u->md5,     sizeof u->md5    }
    };
    if (part->name == NULL) { /* a raw body */
        u->has_file = true;
        return spool(u, part->data, part->n, ei);
    }
    if (is_file_name(part->name))
        return take_file(u, part, ei);
    for (size_t i = 0; i < OTAD_COUNT(fields); i++)
        if (strcasecmp(part->name, fields[i].name) == 0)
            take_field(part, fields[i].to, fields[i].room);
    return OTAD_E_OK; /* unknown parts are ignored */
}

const struct http_sink admin_upload_sink = {.begin = begin, .part = on_part};

/* ---- the fields --------------------------------------------------------------------------- */

/* Fields of a raw upload come in the query; those of a form may too. */
static void fields_from_query(const struct http_req *req, struct upload *u)
{
    const struct {
        const char *name;
        char *to;
        size_t room;
    } fields[] = {
        {"version",  u->version,  sizeof u->version },
        {"number",   u->number,   sizeof u->number  },
        {"channel",  u->channel,  sizeof u->channel },
        {"kind",     u->kind,     sizeof u->kind    },
        {"notes",    u->notes,    sizeof u->notes   },
        {"md5",      u->md5,      sizeof u->md5     },
        {"filename", u->filename, sizeof u->filename}
    };
    for (size_t i = 0; i < OTAD_COUNT(fields); i++) {
        const char *value = http_req_query(req, fields[i].name);
        if (value != NULL && fields[i].to[0] == '\0')
            (void)snprintf(fields[i].to, fields[i].room, "%s", value);
    }
}

static enum otad_err check_number(struct upload *u, struct otad_errinfo *ei)
{
    if (u->number[0] == '\0' || version_number(u->number, &u->job.number))
        return OTAD_E_OK;
    (void)otad_fail(ei, OTAD_E_INVALID, "'%.20s' can't be a build's number", u->number);
    return otad_hint(ei,
                     "A whole number from 1 to %d: sketches read it from {mac}.version with "
                     "toInt().",
                     OTAD_NUMBER_MAX);
}

static enum otad_err check_words(const struct upload *u, struct otad_errinfo *ei)
{
    enum build_kind kind;
    if (u->version[0] != '\0' && !version_is_valid(u->version)) {
        (void)otad_fail(ei, OTAD_E_INVALID, "'%.70s' can't be a version", u->version);
        return otad_hint(ei, "1 to %d printable ASCII characters without quotes, e.g. 1.4.2",
                         OTAD_VERSION_MAX);
    }
    if (u->kind[0] != '\0' && !build_kind_parse(u->kind, &kind))
        return otad_fail(ei, OTAD_E_INVALID, "'kind' must be app, fs or factory, not '%.16s'",
                         u->kind);
    if (u->channel[0] != '\0' && strcmp(u->channel, "none") != 0 &&
        !channel_name_is_valid(u->channel))
        return otad_fail(ei, OTAD_E_INVALID,
                         "'%.40s' can't be a channel's name: 1 to 32 characters "
                         "of a-z, 0-9, '.', '_', '-'; none keeps the build back",
                         u->channel);
    if (strlen(u->notes) > OTAD_NOTES_MAX)
        return otad_fail(ei, OTAD_E_INVALID, "The notes are longer than %d bytes", OTAD_NOTES_MAX);
    return OTAD_E_OK;
}

static enum otad_err check_md5(const struct upload *u, struct otad_errinfo *ei)
{
    char found[2 * OTAD_MD5_LEN + 1];
    hex_encode(u->job.md5, OTAD_MD5_LEN, found);
    if (u->md5[0] == '\0' || strcasecmp(u->md5, found) == 0)
        return OTAD_E_OK;
    (void)otad_fail(ei, OTAD_E_INVALID, "The file that arrived has MD5 %s, you said %.33s", found,
                    u->md5);
    return otad_hint(ei, "It was changed or cut on its way, or the MD5 is of another file.");
}

static enum otad_err check_force(struct http_req *req, struct upload *u, struct otad_errinfo *ei)
{
    const char *force = http_req_query(req, "force");
    u->job.force = force != NULL && strcmp(force, "true") == 0;
    if (u->job.force && http_req_who(req)->role < HTTP_ACCESS_ADMIN)
        return otad_fail(ei, OTAD_E_FORBIDDEN, "?force=true needs a key with the role admin");
    return OTAD_E_OK;
}

static enum otad_err check(struct http_req *req, struct upload *u, struct otad_errinfo *ei)
{
    fields_from_query(req, u);
    if (!u->has_file || u->size == 0) {
        (void)otad_fail(ei, OTAD_E_INVALID,
                        u->has_file ? "The file is empty"
                                    : "There is no file in this upload, or it is empty");
        return otad_hint(ei, "Pass it as -F file=@Sketch.ino.bin (or firmware=, update=), or raw "
                             "with --data-binary @Sketch.ino.bin and ?version=1.0.0");
    }
    if (digest_final(u->digest, u->job.md5, u->job.sha256) != OTAD_E_OK)
        return otad_fail(ei, OTAD_E_INTERNAL, "Hashing the upload failed");
    enum otad_err err = check_words(u, ei);
    if (err == OTAD_E_OK)
        err = check_number(u, ei);
    if (err == OTAD_E_OK)
        err = check_md5(u, ei);
    return err == OTAD_E_OK ? check_force(req, u, ei) : err;
}

/* ---- the answer --------------------------------------------------------------------------- */

/* The worker's share: the upload itself, which must outlive a request that gave up waiting. */
struct ticket {
    struct worker_job job; /* first: the worker knows only this */
    struct http_wait *wait;
    struct upload *upload;
};

static void free_ticket(void *work)
{
    free_upload(((struct ticket *)work)->upload);
}

static void tell(const struct upload *u)
{
    struct audit audit = u->job.audit;
    audit.at_s = u->job.build.created_at_s;
    (void)snprintf(audit.action, sizeof audit.action, "build.upload");
    (void)snprintf(audit.product, sizeof audit.product, "%s", u->product.slug);
    (void)snprintf(audit.object, sizeof audit.object, "%" PRIu64, (uint64_t)u->job.build.id);
    change_tell(u->otad->events, &audit, u->product.id);
}

static void run(struct worker_job *job, bool closing)
{
    struct ticket *ticket = (struct ticket *)job;
    struct ingest_job *upload = &ticket->upload->job;
    if (closing)
        upload->err = otad_fail(&upload->ei, OTAD_E_BUSY, "otad is shutting down");
    else
        ingest_run(ticket->upload->otad, upload);
    if (upload->err == OTAD_E_OK && !upload->existed)
        tell(ticket->upload);
    http_wait_done(ticket->wait);
}

static json_t *warnings(const struct ingest_job *job)
{
    json_t *list = json_array();
    for (size_t i = 0; i < job->n_warnings; i++)
        (void)json_array_append_new(list, json_string(job->warnings[i]));
    return list;
}

static enum otad_err answer(struct http_req *req, void *work, struct otad_errinfo *ei)
{
    struct upload *u = ((struct ticket *)work)->upload;
    const struct ingest_job *job = &u->job;
    struct db *db;
    if (job->err != OTAD_E_OK) {
        *ei = job->ei;
        return job->err;
    }
    enum otad_err err = otad_reader(u->otad, &db, ei);
    if (err != OTAD_E_OK)
        return err;
    json_t *body = shape_build(db, u->product.slug, &job->build, ei);
    (void)json_object_set_new(body, "warnings", warnings(job));
    (void)json_object_set_new(body, "preflight", shape_preflight(&job->preflight));
    return http_reply_json(req, job->existed ? 200 : 201, body);
}

static void set_base_url(struct http_req *req, struct upload *u)
{
    char public_url[OPTION_TEXT_MAX];
    otad_config_text(u->otad, u->otad->config.public_url, public_url);
    http_base_url(req, public_url, u->base_url, sizeof u->base_url);
}

static const char *or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static void fill_job(struct http_req *req, struct upload *u)
{
    struct ingest_job *job = &u->job;
    set_base_url(req, u);
    job->spool = u->spool;
    job->size_bytes = u->size;
    job->product = u->product.id;
    job->slug = u->product.slug;
    job->version = or_null(u->version);
    job->channel = or_null(u->channel);
    job->kind = or_null(u->kind);
    job->filename = u->filename;
    job->notes = u->notes;
    job->base_url = u->base_url;
    (void)snprintf(job->audit.who, sizeof job->audit.who, "%s", http_req_who(req)->name);
    (void)snprintf(job->audit.address, sizeof job->audit.address, "%s", http_req_address(req));
}

enum otad_err admin_upload(struct http_req *req, struct otad_errinfo *ei)
{
    struct upload *u = http_req_state(req);
    if (u == NULL) /* no body at all: the sink never began */
        return otad_fail(ei, OTAD_E_INVALID, "There is no file in this upload, or it is empty");
    enum otad_err err = check(req, u, ei);
    if (err != OTAD_E_OK)
        return err;
    struct http_wait *wait = http_wait_new(sizeof(struct ticket), free_ticket);
    if (wait == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    struct ticket *ticket = http_wait_work(wait);
    *ticket = (struct ticket){.job = {.run = run}, .wait = wait, .upload = u};
    http_req_set_state(req, NULL, NULL); /* from here on the ticket owns it */
    fill_job(req, u);
    (void)http_wait_start(req, wait, otad_config_int(u->otad, &u->otad->config.upload_timeout_s),
                          answer);
    if (worker_submit(u->otad->worker, &ticket->job, NULL) != OTAD_E_OK)
        run(&ticket->job, true);
    return OTAD_PENDING;
}
