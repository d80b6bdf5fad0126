/* SPDX-License-Identifier: MIT
 * Owns the way of a check-in up to its verdict. */
#include "device_api/ask.h"

#include <stdio.h>
#include <string.h>

#include "base/mac.h"
#include "device_api/access.h"
#include "fleet/admission.h"
#include "fleet/overlay.h"
#include "http/reply.h"
#include "http/wait.h"

static bool ends_with(const char *text, const char *tail)
{
    size_t n = strlen(text), t = strlen(tail);
    return n >= t && strcmp(text + n - t, tail) == 0;
}

uint64_t ask_tag(const char *slug, uint64_t mac)
{
    uint64_t tag = 0xCBF29CE484222325ULL; /* FNV-1a */
    for (; *slug != '\0'; slug++)
        tag = (tag ^ (unsigned char)*slug) * 0x100000001B3ULL;
    return tag ^ mac;
}

int64_t ask_number(const struct ask *a)
{
    return a->in.said.authenticated ? a->row.device : -a->row.device;
}

bool ask_is_word(const char *word)
{
    return mac_is_word(word) && !ends_with(word, "-minimal") && !ends_with(word, "-safeboot");
}

/* Whether the device has a row, is about to have one, or may get one now. */
static bool may_register(struct ask *a)
{
    struct otad *o = a->otad;
    if (a->row.device != 0 || overlay_knows(o->overlay, a->row.product, a->in.mac))
        return true;
    if (a->row.device_count >= a->row.max_devices)
        return false;
    return admission_take(o->admission, a->in.said.address,
                          otad_config_int(o, &o->config.new_devices_per_hour),
                          clock_mono_ms(&o->clock));
}

static void note(struct ask *a)
{
    struct fact fact = {.kind = FACT_ANONYMOUS, .product = a->row.product, .count = 1};
    a->registered = a->in.mac != 0 && may_register(a);
    if (a->registered) {
        fact.kind = FACT_CHECKIN;
        fact.mac = a->in.mac;
        fact.mode = a->in.mode;
        fact.ask = a->what;
        fact.said = a->in.said;
        fact.said.said = device_said(&fact.said);
    }
    (void)overlay_note(a->otad->overlay, &fact); /* evidence may be dropped under pressure */
}

static void judge(struct ask *a)
{
    const struct decide_facts facts = checkin_facts(&a->row, &a->in.said, a->in.mode);
    a->decision = decide(&facts);
}

/* Loads the facts of a check-in and judges them. */
static enum otad_err load(struct http_req *req, int64_t build, struct ask *a,
                          struct otad_errinfo *ei)
{
    struct db *db;
    struct access access;
    access_read(req, &access);
    enum otad_err err = otad_reader(a->otad, &db, ei);
    if (err != OTAD_E_OK)
        return err;
    const struct checkin_query query = {.slug = access.slug,
                                        .mac = a->in.mac,
                                        .channel = a->in.said.channel,
                                        .fs = a->in.mode == MODE_FS,
                                        .build = build,
                                        .key_hash = access_hash(&access)};
    err = checkin_load(db, &query, &a->row, ei);
    if (err == OTAD_E_OK)
        err = access_check(req, &access, &a->row, ei);
    if (err != OTAD_E_OK)
        return err;
    a->in.said.authenticated = a->row.key_ok;
    a->in.tasmota = a->in.tasmota || a->row.tasmota;
    (void)snprintf(a->slug, sizeof a->slug, "%s", query.slug);
    judge(a);
    if (a->decision.verdict == VERDICT_SERVE && identify_has(req, a->row.sha256)) {
        a->decision = (struct decision){VERDICT_UP_TO_DATE, REASON_SAME_CONTENT};
        a->in.updater = true; /* whoever sends a condition understands 304 */
    }
    return OTAD_E_OK;
}

enum otad_err ask_again(struct http_req *req, int64_t build, struct ask *a, struct otad_errinfo *ei)
{
    return load(req, build, a, ei);
}

/* ---- waiting for the ledger ---------------------------------------------------------------- */

#define LEDGER_WAIT_S 3 /* less than the 5 s after which the stock HTTPClient gives up */

struct settling {
    struct write_job job; /* first: the writer knows only this */
    struct http_wait *wait;
    struct ask ask;
    ask_then then;
};

static enum otad_err wait_and_go_on(struct http_req *req, const struct ask *a, ask_then then,
                                    struct otad_errinfo *ei);

static void note_once(struct ask *a)
{
    if (a->what != ASK_NOTHING && !a->noted)
        note(a);
    a->noted = true;
}

static enum otad_err go_on(struct http_req *req, struct ask *a, ask_then then,
                           struct otad_errinfo *ei)
{
    note_once(a);
    /* A URL in the answer must name the device: its row is made first. */
    if (a->what == ASK_OTHER && a->registered && a->row.device == 0 && !a->waited)
        return wait_and_go_on(req, a, then, ei);
    return then(req, a, ei);
}

/* What was noted before this job is folded before it, in the same transaction. */
static enum otad_err nothing_more(struct write_job *job, struct db *db, struct otad_errinfo *ei)
{
    (void)job;
    (void)db;
    (void)ei;
    return OTAD_E_OK;
}

static void settled(struct write_job *job, enum otad_err err, const struct otad_errinfo *ei)
{
    (void)err; /* a disk that takes no writes can still be read */
    (void)ei;
    http_wait_done(((struct settling *)job)->wait);
}

static enum otad_err resume(struct http_req *req, void *work, struct otad_errinfo *ei)
{
    struct settling *s = work;
    enum otad_err err = load(req, 0, &s->ask, ei);
    return err == OTAD_E_OK ? go_on(req, &s->ask, s->then, ei) : err;
}

static enum otad_err wait_and_go_on(struct http_req *req, const struct ask *a, ask_then then,
                                    struct otad_errinfo *ei)
{
    struct otad *o = a->otad;
    struct http_wait *wait = http_wait_new(sizeof(struct settling), NULL);
    if (wait == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    struct settling *s = http_wait_work(wait);
    s->job = (struct write_job){.run = nothing_more, .done = settled};
    s->wait = wait;
    s->ask = *a;
    s->ask.waited = true;
    s->then = then;
    http_wait_optional(wait); /* a disk that hangs keeps no device from its answer */
    (void)http_wait_start(req, wait, LEDGER_WAIT_S, resume);
    if (writer_submit(o->writer, &s->job, NULL) != OTAD_E_OK)
        http_wait_done(wait); /* too busy: what is on the disk must do */
    return OTAD_PENDING;
}

/* ---- check-ins ---------------------------------------------------------------------------- */

/* What this device's earlier answers have come to is told before anything is read. */
static void settle_earlier(struct http_req *req, const struct ask *a)
{
    struct access access;
    if (a->in.mac == 0)
        return;
    access_read(req, &access);
    http_settle(req, ask_tag(access.slug, a->in.mac));
}

/* What is stored isn't yet what the decision must go by: a download's end, or what this very
 * check-in proves. Or the writer is behind: a device that waits a moment is better than one whose
 * evidence is dropped. */
static bool must_wait(const struct ask *a)
{
    return overlay_crowded(a->otad->overlay) ||
           overlay_unsettled(a->otad->overlay, a->row.product, a->in.mac) ||
           (a->what != ASK_NOTHING &&
            checkin_is_evidence(&a->row, &a->in.said, a->in.mode, a->what == ASK_IMAGE));
}

/* Loads, and says whether that isn't yet what the decision must go by. A commit in between may have
 * taken with it both the sign that something was waiting and the truth of what was read before. */
static enum otad_err load_settled(struct http_req *req, struct ask *a, bool *wait,
                                  struct otad_errinfo *ei)
{
    for (int tries = 0; tries < 3; tries++) {
        size_t commits = overlay_commits(a->otad->overlay);
        enum otad_err err = load(req, 0, a, ei);
        if (err != OTAD_E_OK)
            return err;
        *wait = a->in.mac != 0 && must_wait(a);
        if (*wait || a->in.mac == 0 || a->decision.verdict != VERDICT_SERVE ||
            commits == overlay_commits(a->otad->overlay))
            return OTAD_E_OK;
    }
    *wait = true;
    return OTAD_E_OK;
}

enum otad_err ask(struct http_req *req, const char *path_word, enum fact_ask what, ask_then then,
                  struct otad_errinfo *ei)
{
    struct ask a = {.otad = http_req_app(req), .what = what, .leased = true};
    identify(req, path_word, clock_wall_s(&a.otad->clock), &a.in);
    settle_earlier(req, &a);
    bool wait = false;
    enum otad_err err = load_settled(req, &a, &wait, ei);
    if (err == OTAD_E_NOENT)
        return http_reply_refuse(req, 404, "no_product");
    if (err != OTAD_E_OK)
        return err;
    if (!wait)
        return go_on(req, &a, then, ei);
    note_once(&a); /* what it says is written with what it waits for */
    return wait_and_go_on(req, &a, then, ei);
}

/* ---- requests for one build --------------------------------------------------------------- */

enum otad_err ask_build(struct http_req *req, int64_t build_id, int32_t number, struct ask *a,
                        bool *withdrawn, struct otad_errinfo *ei)
{
    struct db *db;
    uint64_t mac;
    int64_t device = number < 0 ? -(int64_t)number : number;
    a->otad = http_req_app(req);
    a->decision = (struct decision){VERDICT_SERVE, REASON_NONE};
    a->leased = false;
    a->what = ASK_IMAGE;
    identify(req, NULL, clock_wall_s(&a->otad->clock), &a->in);
    enum otad_err err = otad_reader(a->otad, &db, ei);
    if (err != OTAD_E_OK)
        return err;
    const struct checkin_build_query query = {
        .build_id = build_id, .device_number = a->in.mac_by_header ? 0 : device, .mac = a->in.mac};
    err = checkin_load_build(db, &query, &a->row, a->slug, &mac, withdrawn, ei);
    if (err != OTAD_E_OK)
        return err;
    a->in.said.authenticated = a->row.needs_key || (number > 0 && a->row.device == device);
    a->cors = !a->row.needs_key;
    if (!a->in.mac_by_header && number != 0)
        a->in.mac = mac;
    note(a);
    return OTAD_E_OK;
}

static enum otad_err not_modified(struct http_req *req, const struct ask *a)
{
    struct http_reply *reply = http_reply_empty();
    char etag[2 * OTAD_SHA256_LEN + 3];
    etag[0] = '"';
    memcpy(etag + 1, a->row.sha256, 2 * OTAD_SHA256_LEN);
    memcpy(etag + 1 + 2 * OTAD_SHA256_LEN, "\"", 2);
    http_reply_header(reply, "X-Otad-Reason", reason_name(a->decision.reason));
    http_reply_header(reply, "ETag", etag);
    return http_reply_send(req, reply, 304);
}

enum otad_err ask_refuse(struct http_req *req, const struct ask *a)
{
    const char *reason = reason_name(a->decision.reason);
    if (a->decision.verdict == VERDICT_REFUSE)
        return http_reply_refuse(
            req,
            a->decision.reason == REASON_BLOCKED || a->decision.reason == REASON_DISABLED ? 403
                                                                                          : 404,
            reason);
    if (a->in.tasmota)
        return http_reply_refuse(req, 403, reason); /* it takes 304 for success and reboots */
    if (a->in.updater || a->in.mac != 0)
        return not_modified(req, a);
    return http_reply_refuse(req, 404, reason);
}
