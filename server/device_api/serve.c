/* SPDX-License-Identifier: MIT
 * Owns image answers: their headers, and the evidence of how they ended. */
#include "device_api/serve.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/hex.h"
#include "device_api/resume.h"
#include "fleet/blob_cache.h"
#include "fleet/overlay.h"
#include "http/download.h"
#include "http/reply.h"
#include "http/wait.h"

/* What is remembered of an answer until it has ended: kept small, because thousands of slow
 * devices may be half-way at a time. */
struct sending {
    struct otad *otad;
    int64_t product;
    uint64_t mac;
    enum checkin_mode mode;
    bool leased;
    int64_t transfer;       /* id; 0 = not recorded */
    int64_t build;          /* seq */
    int64_t first, bytes;   /* what of the image this answer sends */
    int64_t size_bytes;     /* of the image */
    struct lease_key lease; /* when leased */
    char *proxy;            /* the proxy it goes through, NULL = none */
};

static void free_sending(void *arg)
{
    struct sending *s = arg;
    free(s->proxy);
    free(s);
}

/* The worker's share while an image is loaded. */
struct load {
    struct http_wait *wait;
    struct ask ask;
    struct blob *blob;
    enum otad_err err;
};

static void free_load(void *arg)
{
    struct load *load = arg;
    blob_release(load->blob);
}

/* More than a device of this kind reads: what an ESP32 gets over Ethernet is a tenth of it. */
#define DEVICE_BYTES_PER_MS 10000
#define BUFFERED_MIN 65536 /* a smaller image may be in flight as a whole */

/* Behind a proxy, what was acknowledged is what the proxy took. One that takes a whole image at
 * once hides where a download stops; its owner is told, by its name. */
static void describe_proxy(const struct sending *s, const struct http_end *end, char *detail,
                           size_t room)
{
    size_t n = strlen(detail);
    if (s->proxy == NULL)
        return;
    bool buffers = end->how == HTTP_END_SENT && s->bytes >= BUFFERED_MIN &&
                   s->bytes > (int64_t)end->elapsed_ms * DEVICE_BYTES_PER_MS;
    (void)snprintf(detail + n, room - n,
                   buffers ? "; the proxy %s took it at once: it buffers, and how far the device "
                             "got is not seen"
                           : " by the proxy %s",
                   s->proxy);
    if (buffers)
        log_info(s->otad->log, "proxy.buffers",
                 "address=%s bytes=%lld ms=%llu hint='proxy_buffering off, see config/'", s->proxy,
                 (long long)s->bytes, (unsigned long long)end->elapsed_ms);
}

/* As the ledger's words. */
static const char *cause_of(enum http_end_how how)
{
    static const char *const causes[] = {"", "peer_gone", "stalled", "server_shutdown"};
    return causes[how];
}

static void note_progress(const struct sending *s, const struct http_end *end)
{
    struct fact fact = {.kind = end->final ? FACT_END : FACT_PROGRESS,
                        .product = s->product,
                        .mac = s->mac,
                        .mode = s->mode,
                        .first = s->first,
                        .by_token = !s->leased,
                        .at_s = clock_wall_s(&s->otad->clock)};
    struct transfer *t = &fact.transfer;
    t->id = s->transfer;
    t->size_bytes = s->size_bytes;
    t->state = !end->final                 ? TRANSFER_DOWNLOADING
               : end->how == HTTP_END_SENT ? TRANSFER_SENT
                                           : TRANSFER_ABORTED;
    t->bytes_acked = (int64_t)end->bytes_acked;
    if (end->elapsed_ms > 0)
        t->bytes_per_s = t->bytes_acked * 1000 / (int64_t)end->elapsed_ms;
    if (end->final) {
        (void)snprintf(t->cause, sizeof t->cause, "%s", cause_of(end->how));
        (void)snprintf(t->detail, sizeof t->detail, "%s", end->detail);
        describe_proxy(s, end, t->detail, sizeof t->detail);
        t->ended_at_s = fact.at_s;
    }
    (void)overlay_note(s->otad->overlay, &fact); /* an end only beyond twice the bound */
}

/* How far the answer is, or how it ended. */
static void tell(void *arg, const struct http_end *end)
{
    const struct sending *s = arg;
    if (s->transfer != 0)
        note_progress(s, end);
    int64_t acked = (int64_t)end->bytes_acked;
    if (s->leased && end->final)
        leases_taken(s->otad->leases, &s->lease, s->build, s->first, acked,
                     s->first + acked == s->size_bytes);
}

static void note_begin(const struct ask *a, const struct sending *s)
{
    struct fact fact = {.kind = FACT_SERVE,
                        .product = a->row.product,
                        .mac = a->in.mac,
                        .mode = a->in.mode,
                        .build = a->row.build,
                        .first = s->first,
                        .by_token = !s->leased,
                        .at_s = clock_wall_s(&a->otad->clock)};
    struct transfer *t = &fact.transfer;
    t->id = s->transfer;
    t->size_bytes = a->row.size_bytes;
    t->started_at_s = fact.at_s;
    (void)snprintf(t->client, sizeof t->client, "%s", a->in.said.agent);
    (void)snprintf(t->address, sizeof t->address, "%s", a->in.said.address);
    (void)overlay_note(a->otad->overlay, &fact); /* as above */
}

static void lease(const struct ask *a, const struct lease_key *key, const struct http_sent *sent,
                  bool head)
{
    const struct lease_gift gift = {.build = a->row.build,
                                    .first = (int64_t)sent->first,
                                    .last = (int64_t)sent->last,
                                    .head = head,
                                    .now_ms = clock_mono_ms(&a->otad->clock),
                                    .life_ms =
                                        otad_config_int(a->otad, &a->otad->config.resume_s) * 1000};
    leases_give(a->otad->leases, key, &gift);
}

/* Records what is about to be sent. A HEAD is told about the image, and isn't offered it. */
static enum otad_err begin(struct http_req *req, const struct ask *a, const struct http_sent *sent,
                           struct otad_errinfo *ei)
{
    bool head = http_req_is_head(req);
    const struct lease_key key = resume_key(a);
    if (a->leased && head)
        lease(a, &key, sent, head);
    if (head || (!a->registered && !a->leased))
        return OTAD_E_OK;
    struct sending *s = malloc(sizeof *s);
    if (s == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    if (a->leased)
        lease(a, &key, sent, head);
    *s = (struct sending){.otad = a->otad,
                          .product = a->row.product,
                          .mac = a->in.mac,
                          .mode = a->in.mode,
                          .leased = a->leased,
                          .build = a->row.build,
                          .first = (int64_t)sent->first,
                          .bytes = (int64_t)(sent->last - sent->first + 1),
                          .size_bytes = a->row.size_bytes,
                          .lease = key};
    if (http_req_proxy(req)[0] != '\0')
        s->proxy = strdup(http_req_proxy(req)); /* without memory the ledger says less */
    if (a->registered) {
        s->transfer = transfer_new_id(clock_wall_ms(&a->otad->clock));
        note_begin(a, s);
    }
    const struct http_follow follow = {
        .tag = ask_tag(a->slug, a->in.mac), .tell = tell, .free_arg = free_sending, .arg = s};
    if (http_req_follow(req, &follow) != OTAD_E_OK)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    return OTAD_E_OK;
}

/* ESP32 updaters want it in hex and fail on anything else; Blynk's want base64 and fail on hex. */
static void add_sha256(struct http_reply *reply, const struct ask *a)
{
    uint8_t sha256[OTAD_SHA256_LEN];
    char text[BASE64_LEN(OTAD_SHA256_LEN) + 1];
    if (strncmp(a->in.said.agent, "ESP32-http-Update", 17) == 0) {
        http_reply_header(reply, "x-SHA256", a->row.sha256);
    } else if (hex_decode(a->row.sha256, sizeof sha256, sha256)) {
        base64_encode(sha256, sizeof sha256, text);
        http_reply_header(reply, "x-sha256", text);
    }
}

/* Canonical names: some clients compare them case-sensitively. Content-Length is MHD's; what says
 * which bytes these are is there already. */
static void add_headers(struct http_reply *reply, const struct ask *a)
{
    const struct checkin_row *row = &a->row;
    char build[24], number[24];
    (void)snprintf(build, sizeof build, "%" PRIu64, (uint64_t)row->build_id);
    (void)snprintf(number, sizeof number, "%" PRId64, row->number);
    http_reply_header(reply, "Content-Type", "application/octet-stream");
    http_reply_header(reply, "x-MD5", row->md5);
    add_sha256(reply, a);
    http_reply_header(reply, "x-version", row->target_version);
    http_reply_header(reply, "x-fw-type", a->slug);
    http_reply_header(reply, "x-fw-ver", row->target_version);
    http_reply_header(reply, "x-fw-build", number);
    http_reply_header(reply, "X-Otad-Build", build);
    if (a->cors)
        http_reply_header(reply, "Access-Control-Allow-Origin", "*"); /* web flashers */
    http_reply_header(reply, "Cache-Control", "no-store"); /* which build is next may change */
}

/* Takes over the share. */
static enum otad_err send(struct http_req *req, const struct ask *a, struct blob *blob,
                          struct otad_errinfo *ei)
{
    char etag[2 * OTAD_SHA256_LEN + 3];
    (void)snprintf(etag, sizeof etag, "\"%s\"", a->row.sha256);
    const struct http_download d = {.data = blob_data(blob),
                                    .size = blob_bytes(blob),
                                    .etag = etag,
                                    .free_data = blob_release,
                                    .arg = blob};
    struct http_sent sent;
    struct http_reply *reply = http_download(req, &d, &sent);
    enum otad_err err = sent.status != 416 ? begin(req, a, &sent, ei) : OTAD_E_OK;
    if (err != OTAD_E_OK) {
        http_reply_discard(reply);
        return err;
    }
    if (sent.status != 416)
        add_headers(reply, a);
    return http_reply_send(req, reply, sent.status);
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
    return send(req, &load->ask, OTAD_STEAL(load->blob), ei);
}

static enum otad_err wait_for_image(struct http_req *req, const struct ask *a,
                                    struct otad_errinfo *ei)
{
    struct otad *o = a->otad;
    struct http_wait *wait = http_wait_new(sizeof(struct load), free_load);
    if (wait == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    struct load *load = http_wait_work(wait);
    load->wait = wait;
    load->ask = *a;
    (void)http_wait_start(req, wait, otad_config_int(o, &o->config.load_timeout_s), resume);
    struct blob *blob;
    enum otad_err err = blob_get(o->blobs, a->row.image, &blob, loaded, load);
    if (err != OTAD_PENDING)
        loaded(load, err == OTAD_E_OK ? blob : NULL, err);
    return OTAD_PENDING;
}

enum otad_err serve_image(struct http_req *req, const struct ask *a, struct otad_errinfo *ei)
{
    struct blob *blob = blob_get_cached(a->otad->blobs, a->row.image);
    return blob != NULL ? send(req, a, blob, ei) : wait_for_image(req, a, ei);
}

enum otad_err serve_version(struct http_req *req, const struct ask *a)
{
    const char *version = a->row.target_version;
    if (a->decision.verdict == VERDICT_HOLD)
        version = a->in.said.version[0] != '\0' ? a->in.said.version : "0";
    struct http_reply *reply = http_reply_empty();
    http_reply_header(reply, "x-version", version);
    http_reply_header(reply, "x-MD5", a->row.md5);
    return http_reply_send(req, reply, 200);
}
