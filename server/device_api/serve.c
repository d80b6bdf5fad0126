/* SPDX-License-Identifier: MIT
 * Owns image answers: their headers, and the evidence of how they ended. */
#include "device_api/serve.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/blob_cache.h"
#include "fleet/overlay.h"
#include "http/reply.h"
#include "http/wait.h"

/* What an image answer needs after its check-in; lives until the answer has ended. */
struct serving {
    struct otad *otad;
    struct ask ask;
    struct transfer transfer;
    bool recorded;
};

/* The worker's share while an image is loaded. */
struct load {
    struct http_wait *wait;
    struct blob *blob;
    enum otad_err err;
};

static void free_load(void *arg)
{
    struct load *load = arg;
    blob_release(load->blob);
}

static void note(const struct serving *s, enum fact_kind kind)
{
    const struct fact fact = {.kind = kind,
                              .product = s->ask.row.product,
                              .mac = s->ask.in.mac,
                              .mode = s->ask.in.mode,
                              .build = s->ask.row.build,
                              .transfer = s->transfer};
    (void)overlay_note(s->otad->overlay, &fact); /* dropped only when twice the bound is reached */
}

/* The answer has ended: handed to the kernel as a whole, or not. */
static void on_end(void *arg, const struct http_end *end)
{
    struct serving *s = arg;
    struct transfer *t = &s->transfer;
    if (!s->recorded)
        return;
    t->state = end->complete ? TRANSFER_SENT : TRANSFER_ABORTED;
    t->bytes_acked = (int64_t)end->bytes_acked;
    if (t->bytes_acked > t->size_bytes || end->complete)
        t->bytes_acked = t->size_bytes;
    if (end->elapsed_ms > 0)
        t->bytes_per_s = t->bytes_acked * 1000 / (int64_t)end->elapsed_ms;
    if (!end->complete)
        (void)snprintf(t->cause, sizeof t->cause, "%s",
                       end->shutting_down ? "server_shutdown" : "peer_gone");
    t->ended_at_s = clock_wall_s(&s->otad->clock);
    note(s, FACT_END);
}

static void begin_transfer(struct http_req *req, struct serving *s)
{
    s->recorded = s->ask.registered && !http_req_is_head(req);
    if (!s->recorded)
        return;
    struct transfer *t = &s->transfer;
    t->id = transfer_new_id(clock_wall_ms(&s->otad->clock));
    t->size_bytes = s->ask.row.size_bytes;
    t->started_at_s = clock_wall_s(&s->otad->clock);
    (void)snprintf(t->client, sizeof t->client, "%s", s->ask.in.said.agent);
    (void)snprintf(t->address, sizeof t->address, "%s", s->ask.in.said.address);
    note(s, FACT_SERVE);
    http_req_on_end(req, on_end, s);
}

/* Canonical names: some clients compare them case-sensitively. Content-Length is MHD's. */
static void add_headers(struct http_reply *reply, const struct checkin_row *row)
{
    char etag[2 * OTAD_SHA256_LEN + 3], build[24];
    (void)snprintf(etag, sizeof etag, "\"%s\"", row->sha256);
    (void)snprintf(build, sizeof build, "%" PRIu64, (uint64_t)row->build_id);
    http_reply_header(reply, "Content-Type", "application/octet-stream");
    http_reply_header(reply, "x-MD5", row->md5);
    http_reply_header(reply, "ETag", etag);
    http_reply_header(reply, "x-version", row->target_version);
    http_reply_header(reply, "X-Otad-Build", build);
    http_reply_header(reply, "Cache-Control", "no-store"); /* which build is next may change */
}

/* Takes over the share. */
static enum otad_err send(struct http_req *req, struct serving *s, struct blob *blob)
{
    begin_transfer(req, s);
    struct http_reply *reply =
        http_reply_borrow(blob_data(blob), blob_bytes(blob), blob_release, blob);
    add_headers(reply, &s->ask.row);
    return http_reply_send(req, reply, 200);
}

static void loaded(void *arg, struct blob *blob, enum otad_err err)
{
    struct load *load = arg;
    load->blob = blob;
    load->err = err;
    http_wait_done(load->wait);
}

static enum otad_err resume(struct http_req *req, void *work, struct otad_errinfo *ei)
{
    struct load *load = work;
    if (load->err != OTAD_E_OK)
        return otad_fail(ei, load->err, "The image can't be read");
    return send(req, http_req_state(req), OTAD_STEAL(load->blob));
}

static enum otad_err wait_for_image(struct http_req *req, struct serving *s,
                                    struct otad_errinfo *ei)
{
    struct http_wait *wait = http_wait_new(sizeof(struct load), free_load);
    if (wait == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    struct load *load = http_wait_work(wait);
    load->wait = wait;
    (void)http_wait_start(req, wait, otad_config_int(s->otad, &s->otad->config.load_timeout_s),
                          resume);
    struct blob *blob;
    enum otad_err err = blob_get(s->otad->blobs, s->ask.row.image, &blob, loaded, load);
    if (err != OTAD_PENDING)
        loaded(load, err == OTAD_E_OK ? blob : NULL, err);
    return OTAD_PENDING;
}

enum otad_err serve_image(struct http_req *req, const struct ask *a, struct otad_errinfo *ei)
{
    struct serving *s = calloc(1, sizeof *s);
    if (s == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    s->otad = a->otad;
    s->ask = *a;
    http_req_set_state(req, s, free);
    struct blob *blob = blob_get_cached(a->otad->blobs, a->row.image);
    return blob != NULL ? send(req, s, blob) : wait_for_image(req, s, ei);
}
