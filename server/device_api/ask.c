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

static bool ends_with(const char *text, const char *tail)
{
    size_t n = strlen(text), t = strlen(tail);
    return n >= t && strcmp(text + n - t, tail) == 0;
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
        fact.said = a->in.said;
    }
    (void)overlay_note(a->otad->overlay, &fact); /* evidence may be dropped under pressure */
}

static void judge(struct ask *a)
{
    const struct decide_facts facts = {
        .product_disabled = a->row.disabled,
        .device_blocked = a->row.blocked,
        .device_held = a->row.held,
        .channel_paused = a->row.paused,
        .mode = a->in.mode,
        .has_target = a->row.has_target,
        .target = checkin_identity(&a->row),
        .running = {.version = a->in.said.version,
                    .md5 = a->in.said.md5,
                    .sha256 = a->in.said.sha256},
    };
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
                                        .channel = a->in.channel,
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

enum otad_err ask(struct http_req *req, const char *path_word, bool record, struct ask *a,
                  struct otad_errinfo *ei)
{
    a->otad = http_req_app(req);
    a->registered = a->cors = false;
    a->leased = true;
    identify(req, path_word, clock_wall_s(&a->otad->clock), &a->in);
    enum otad_err err = load(req, 0, a, ei);
    if (err != OTAD_E_OK)
        return err;
    if (record)
        note(a);
    return OTAD_E_OK;
}

enum otad_err ask_build(struct http_req *req, int64_t build_id, int32_t number, struct ask *a,
                        bool *withdrawn, struct otad_errinfo *ei)
{
    struct db *db;
    uint64_t mac;
    a->otad = http_req_app(req);
    a->decision = (struct decision){VERDICT_SERVE, REASON_NONE};
    a->leased = false;
    identify(req, NULL, clock_wall_s(&a->otad->clock), &a->in);
    enum otad_err err = otad_reader(a->otad, &db, ei);
    if (err != OTAD_E_OK)
        return err;
    const struct checkin_build_query query = {
        .build_id = build_id, .device_number = number, .mac = a->in.mac};
    err = checkin_load_build(db, &query, &a->row, a->slug, &mac, withdrawn, ei);
    if (err != OTAD_E_OK)
        return err;
    a->in.said.authenticated = number != 0 || a->row.needs_key;
    a->cors = !a->row.needs_key;
    if (number != 0)
        a->in.mac = mac; /* the token names the device, whatever the headers say */
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
