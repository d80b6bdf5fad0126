/* SPDX-License-Identifier: MIT
 * Owns /products/{product}/builds but for the upload. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin_api/admin_api.h"
#include "admin_api/change.h"
#include "admin_api/list.h"
#include "admin_api/shapes.h"
#include "base/hex.h"
#include "base/json.h"
#include "fleet/blob.h"
#include "fleet/blob_cache.h"
#include "fleet/channel.h"
#include "fleet/worker.h"
#include "http/download.h"
#include "http/wait.h"

static enum otad_err find(struct db *db, int64_t product, const char *id_text, struct build *out,
                          struct otad_errinfo *ei)
{
    int64_t id;
    if (build_id_parse(id_text, &id))
        return build_find(db, product, id, out, ei);
    (void)otad_fail(ei, OTAD_E_NOENT, "'%.40s' is no build id", id_text);
    return otad_hint(ei, "A build's id is the decimal number that the upload answered as \"id\".");
}

/* Product and build of the route. */
static enum otad_err load(struct http_req *req, struct db **db, struct product *p, struct build *b,
                          struct otad_errinfo *ei)
{
    enum otad_err err = otad_reader(http_req_app(req), db, ei);
    if (err == OTAD_E_OK)
        err = product_find(*db, http_req_param(req, "product"), p, ei);
    if (err == OTAD_E_OK && b != NULL)
        err = find(*db, p->id, http_req_param(req, "build"), b, ei);
    return err;
}

struct listing {
    struct list list;
    struct db *db;
    struct product product;
    struct otad_errinfo *ei;
};

static enum otad_err add(void *arg, const struct build *b)
{
    struct listing *l = arg;
    if (!list_has_room(&l->list))
        return OTAD_E_OK;
    (void)snprintf(l->list.next, sizeof l->list.next, "%" PRId64, b->seq);
    return list_add(&l->list, shape_build(l->db, l->product.slug, b, l->ei));
}

enum otad_err admin_builds_list(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {NULL};
    struct listing l = {.ei = ei};
    int64_t before = 0;
    enum otad_err err = list_begin(req, known, &l.list, ei);
    if (err == OTAD_E_OK)
        err = list_cursor_number(&l.list, 0, &before, ei);
    if (err == OTAD_E_OK)
        err = load(req, &l.db, &l.product, NULL, ei);
    if (err == OTAD_E_OK)
        err = build_list(l.db, l.product.id, before, l.list.limit + 1, add, &l, ei);
    return list_send(req, &l.list, err);
}

enum otad_err admin_build_read(struct http_req *req, struct otad_errinfo *ei)
{
    struct db *db;
    struct product p;
    struct build b;
    enum otad_err err = load(req, &db, &p, &b, ei);
    return err == OTAD_E_OK ? http_reply_json(req, 200, shape_build(db, p.slug, &b, ei)) : err;
}

/* ---- download ----------------------------------------------------------------------------- */

struct fetch {
    struct http_wait *wait;
    struct blob *blob;
    enum otad_err err;
    char etag[2 * OTAD_SHA256_LEN + 3];
};

static void free_fetch(void *work)
{
    blob_release(((struct fetch *)work)->blob);
}

static void fetched(void *arg, struct blob *blob, enum otad_err err)
{
    struct fetch *f = arg;
    f->blob = blob;
    f->err = err;
    http_wait_done(f->wait);
}

static enum otad_err send_file(struct http_req *req, void *work, struct otad_errinfo *ei)
{
    struct fetch *f = work;
    if (f->err != OTAD_E_OK)
        return otad_fail(ei, f->err, "The image can't be read");
    struct blob *blob = OTAD_STEAL(f->blob);
    const struct http_download d = {.data = blob_data(blob),
                                    .size = blob_bytes(blob),
                                    .etag = f->etag,
                                    .free_data = blob_release,
                                    .arg = blob};
    struct http_sent sent;
    struct http_reply *reply = http_download(req, &d, &sent);
    http_reply_header(reply, "Content-Type", "application/octet-stream");
    http_reply_header(reply, "Content-Disposition", "attachment");
    return http_reply_send(req, reply, sent.status);
}

enum otad_err admin_build_file(struct http_req *req, struct otad_errinfo *ei)
{
    struct otad *o = http_req_app(req);
    struct db *db;
    struct product p;
    struct build b;
    enum otad_err err = load(req, &db, &p, &b, ei);
    if (err != OTAD_E_OK)
        return err;
    if (b.pruned_at_s != 0) {
        (void)otad_fail(ei, OTAD_E_GONE, "Retention has let the image of build %s go", b.version);
        return otad_hint(ei, "Upload the same file again to bring the build back.");
    }
    struct http_wait *wait = http_wait_new(sizeof(struct fetch), free_fetch);
    if (wait == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    struct fetch *f = http_wait_work(wait);
    f->wait = wait;
    f->etag[0] = '"';
    hex_encode(b.sha256, sizeof b.sha256, f->etag + 1);
    f->etag[1 + 2 * OTAD_SHA256_LEN] = '"';
    (void)http_wait_start(req, wait, otad_config_int(o, &o->config.load_timeout_s), send_file);
    struct blob *blob;
    err = blob_get(o->blobs, b.image, &blob, fetched, f);
    if (err != OTAD_PENDING)
        fetched(f, err == OTAD_E_OK ? blob : NULL, err);
    return OTAD_PENDING;
}

/* ---- preflight ---------------------------------------------------------------------------- */

/* Reads every device of the product, so it runs on the worker. */
struct flight {
    struct worker_job job; /* first: the worker knows only this */
    struct http_wait *wait;
    struct otad *otad;
    struct build build;
    struct preflight result;
    enum otad_err err;
    struct otad_errinfo ei;
};

static void run_preflight(struct worker_job *job, bool closing)
{
    struct flight *f = (struct flight *)job;
    struct db *db;
    if (closing)
        f->err = otad_fail(&f->ei, OTAD_E_BUSY, "otad is shutting down");
    else
        f->err = otad_reader(f->otad, &db, &f->ei);
    if (f->err == OTAD_E_OK)
        f->err = preflight_run(db, &f->build, &f->result, &f->ei);
    http_wait_done(f->wait);
}

static enum otad_err send_preflight(struct http_req *req, void *work, struct otad_errinfo *ei)
{
    const struct flight *f = work;
    if (f->err != OTAD_E_OK) {
        *ei = f->ei;
        return f->err;
    }
    return http_reply_json(req, 200, shape_preflight(&f->result));
}

static enum otad_err start_preflight(struct http_req *req, struct otad_errinfo *ei)
{
    struct otad *o = http_req_app(req);
    struct db *db;
    struct product p;
    struct build b;
    enum otad_err err = load(req, &db, &p, &b, ei);
    if (err != OTAD_E_OK)
        return err;
    struct http_wait *wait = http_wait_new(sizeof(struct flight), NULL);
    if (wait == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    struct flight *f = http_wait_work(wait);
    f->job.run = run_preflight;
    f->wait = wait;
    f->otad = o;
    f->build = b;
    (void)http_wait_start(req, wait, otad_config_int(o, &o->config.upload_timeout_s),
                          send_preflight);
    if (worker_submit(o->worker, &f->job, NULL) != OTAD_E_OK)
        run_preflight(&f->job, true);
    return OTAD_PENDING;
}

enum otad_err admin_build_preflight(struct http_req *req, struct otad_errinfo *ei)
{
    return fresh_read(req, start_preflight, ei);
}

/* ---- changes ------------------------------------------------------------------------------ */

static enum otad_err reply_build(struct change *c, struct db *db, int64_t seq,
                                 struct otad_errinfo *ei)
{
    struct build b;
    enum otad_err err = build_find_seq(db, seq, &b, ei);
    if (err != OTAD_E_OK)
        return err;
    c->result = shape_build(db, c->product.slug, &b, ei);
    return c->result != NULL ? OTAD_E_OK : OTAD_E_NOMEM;
}

static enum otad_err change_notes(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    struct build b;
    const char *notes;
    enum otad_err err = find(db, c->product.id, c->name, &b, ei);
    if (err == OTAD_E_OK)
        err = json_get_str(c->body, "notes", OTAD_NOTES_MAX, true, &notes, ei);
    if (err == OTAD_E_OK)
        err = build_set_notes(db, b.seq, notes, ei);
    return err == OTAD_E_OK ? reply_build(c, db, b.seq, ei) : err;
}

enum otad_err admin_build_change(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {"notes", NULL};
    return change_submit(req, "build.change", change_notes, known, ei);
}

static enum otad_err withdraw(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    struct build b;
    enum otad_err err = find(db, c->product.id, c->name, &b, ei);
    if (err == OTAD_E_OK && b.withdrawn_at_s == 0)
        err = build_set_withdrawn(db, b.seq, c->now_s, ei);
    if (err == OTAD_E_OK)
        err = channel_leave_build(db, &b, c->now_s, ei);
    return err == OTAD_E_OK ? reply_build(c, db, b.seq, ei) : err;
}

enum otad_err admin_build_withdraw(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {NULL};
    return change_submit(req, "build.withdraw", withdraw, known, ei);
}

static enum otad_err count_name(void *arg, const char *name)
{
    (void)snprintf(arg, OTAD_CHANNEL_MAX + 1, "%s", name);
    return OTAD_E_OK;
}

static enum otad_err drop(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    struct build b;
    char channel[OTAD_CHANNEL_MAX + 1] = "";
    enum otad_err err = find(db, c->product.id, c->name, &b, ei);
    if (err == OTAD_E_OK)
        err = channel_of_build(db, b.seq, count_name, channel, ei);
    if (err != OTAD_E_OK)
        return err;
    if (channel[0] != '\0') {
        (void)otad_fail(ei, OTAD_E_CONFLICT, "Build %s is on channel %s", b.version, channel);
        return otad_hint(ei, "Withdraw it first (POST …/withdraw): its channels go back to their "
                             "previous build.");
    }
    err = build_delete(db, b.seq, ei);
    if (err == OTAD_E_CONFLICT) {
        (void)otad_fail(ei, err, "Build %s is pinned to a device", b.version);
        return otad_hint(ei, "Unpin the device first: PATCH …/devices/{mac} {\"pin\":null}");
    }
    return err == OTAD_E_OK ? blob_drop_unused(db, b.image, ei) : err;
}

enum otad_err admin_build_delete(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {NULL};
    return change_submit(req, "build.delete", drop, known, ei);
}
