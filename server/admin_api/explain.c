/* SPDX-License-Identifier: MIT
 * Owns explain: the decision of a device's last check-in (or of one that might be), rule by rule
 * and in words. It runs the rules that the live path runs, over the same facts. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_api/admin_api.h"
#include "admin_api/change.h"
#include "base/json.h"
#include "base/mac.h"
#include "fleet/checkin.h"
#include "http/reply.h"

/* What one walk goes by. */
struct explain {
    struct device device;
    struct checkin_row row;
    struct device_facts said; /* of the last check-in, with what-ifs put in */
    enum checkin_mode mode;
    struct decide_facts facts;
};

/* ---- facts -------------------------------------------------------------------------------- */

static void take_text(const struct http_req *req, const char *key, char *to, size_t room)
{
    const char *value = http_req_query(req, key);
    if (value != NULL)
        (void)snprintf(to, room, "%s", value);
}

static enum otad_err take_bytes(const struct http_req *req, const char *key, int64_t *to,
                                struct otad_errinfo *ei)
{
    const char *value = http_req_query(req, key);
    char *end;
    if (value == NULL)
        return OTAD_E_OK;
    int64_t n = strtoll(value, &end, 10);
    if (value[0] == '\0' || *end != '\0' || n < 0)
        return otad_fail(ei, OTAD_E_INVALID, "'%s' must be a number of bytes", key);
    *to = n;
    return OTAD_E_OK;
}

/* "What if it said …": what isn't asked stays as it was said. */
static enum otad_err what_if(const struct http_req *req, struct device_facts *said,
                             struct otad_errinfo *ei)
{
    static const char *const known[] = {"version",   "md5",  "sha256", "free_space",
                                        "chip_size", "mode", "agent",  NULL};
    for (size_t i = 0; i < http_req_query_count(req); i++) {
        const char *key = http_req_query_key(req, i);
        size_t k = 0;
        while (known[k] != NULL && strcmp(known[k], key) != 0)
            k++;
        if (known[k] != NULL)
            continue;
        (void)otad_fail(ei, OTAD_E_INVALID, "Unknown parameter '%.40s'", key);
        return otad_hint(ei, "version, md5, sha256, free_space, chip_size, mode, agent");
    }
    take_text(req, "version", said->version, sizeof said->version);
    take_text(req, "md5", said->md5, sizeof said->md5);
    take_text(req, "sha256", said->sha256, sizeof said->sha256);
    take_text(req, "mode", said->mode, sizeof said->mode);
    take_text(req, "agent", said->agent, sizeof said->agent);
    if (http_req_query(req, "agent") != NULL)
        (void)snprintf(said->chip, sizeof said->chip, "%s",
                       strncmp(said->agent, "ESP8266", 7) == 0 ? "ESP8266" : "");
    enum otad_err err = take_bytes(req, "free_space", &said->free_space, ei);
    return err == OTAD_E_OK ? take_bytes(req, "chip_size", &said->chip_size, ei) : err;
}

static enum otad_err load(struct http_req *req, struct explain *x, struct otad_errinfo *ei)
{
    struct db *db;
    struct product p;
    uint64_t mac;
    if (!mac_parse(http_req_param(req, "mac"), &mac))
        return otad_fail(ei, OTAD_E_NOENT, "'%.40s' is no MAC address", http_req_param(req, "mac"));
    enum otad_err err = otad_reader(http_req_app(req), &db, ei);
    if (err == OTAD_E_OK)
        err = product_find(db, http_req_param(req, "product"), &p, ei);
    if (err == OTAD_E_OK)
        err = device_find(db, p.id, mac, &x->device, ei);
    if (err != OTAD_E_OK)
        return err;
    x->said = x->device.last;
    device_only_said(&x->said);
    err = what_if(req, &x->said, ei);
    x->mode = checkin_mode(x->said.mode);
    const struct checkin_query query = {
        .slug = p.slug, .mac = mac, .channel = x->said.channel, .fs = x->mode == MODE_FS};
    if (err == OTAD_E_OK)
        err = checkin_load(db, &query, &x->row, ei);
    if (err == OTAD_E_OK)
        x->facts = checkin_facts(&x->row, &x->said, x->mode);
    return err;
}

/* ---- words -------------------------------------------------------------------------------- */

static const char *or_nothing(const char *text)
{
    return text[0] != '\0' ? text : "nothing";
}

static void say_target(const struct explain *x, char *out, size_t room)
{
    const struct checkin_row *r = &x->row;
    const char *channel = x->device.channel[0] ? x->device.channel : x->said.channel;
    if (!r->has_target)
        (void)snprintf(out, room, "There is no build for it: nothing is released to its channel.");
    else if (x->device.pin != 0 && x->mode != MODE_FS)
        (void)snprintf(out, room, "It should run %s, because it is pinned to that.",
                       r->target_version);
    else
        (void)snprintf(out, room, "It should run %s, the build of %s%s.", r->target_version,
                       channel[0] ? "channel " : "its product's default channel", channel);
}

static void say_same(const struct explain *x, const struct decision *d, char *out, size_t room)
{
    if (d->reason == REASON_SAME_VERSION)
        (void)snprintf(out, room, "It says it runs %s: that is this build.", x->said.version);
    else if (d->reason == REASON_SAME_CONTENT && x->facts.done)
        (void)snprintf(out, room, "It got this filesystem, and can't say which one it has.");
    else if (d->reason == REASON_SAME_CONTENT)
        (void)snprintf(out, room, "The digest it reports is one of this build's image.");
    else
        (void)snprintf(out, room, "It says version %s and reports no digest of this build.",
                       or_nothing(x->said.version));
}

static void say_fit(const struct explain *x, const struct decision *d, char *out, size_t room)
{
    if (d->reason == REASON_WRONG_CHIP)
        (void)snprintf(out, room, "This build is for %s; the device is no such chip.", x->row.chip);
    else if (d->reason == REASON_WONT_FIT)
        (void)snprintf(out, room,
                       "The image has %" PRId64 " bytes and is made for a flash of %" PRId64
                       "; the device says it has room for %" PRId64 " and a flash of %" PRId64 ".",
                       x->row.size_bytes, x->row.flash_bytes, x->said.free_space,
                       x->said.chip_size);
    else
        (void)snprintf(out, room, "Nothing it says speaks against the %" PRId64 " bytes.",
                       x->row.size_bytes);
}

static void say_attempts(const struct explain *x, const struct decision *d, char *out, size_t room)
{
    if (d->reason == REASON_ROLLED_BACK)
        (void)snprintf(out, room,
                       "It ran this build and went back. It is held until you retry or release "
                       "another build.");
    else if (d->reason == REASON_ATTEMPTS_EXHAUSTED)
        (void)snprintf(out, room,
                       "%" PRId64
                       " whole images of this build arrived and it doesn't run it. It is "
                       "held until you retry or release another build.",
                       x->row.attempts);
    else
        (void)snprintf(out, room, "%" PRId64 " of %" PRId64 " attempts are used.", x->row.attempts,
                       x->row.attempts_max);
}

static void say_rest(const struct explain *x, enum decide_rule rule, const struct decision *d,
                     bool ends, char *out, size_t room)
{
    const char *text = "There is nothing against it: it is given the image.";
    if (rule == RULE_ALLOWED)
        text = !ends                          ? "Product and device are allowed."
               : d->reason == REASON_DISABLED ? "The product is disabled."
                                              : "The device is blocked.";
    else if (rule == RULE_MODE)
        text = ends ? "It asks in a mode that otad doesn't know." : "It asks for what there is.";
    else if (rule == RULE_HELD)
        text = !ends                      ? "Nobody holds it back."
               : d->reason == REASON_HELD ? "The device is held by hand."
                                          : "Its channel is paused.";
    (void)snprintf(out, room, "%s", text);
    (void)x;
}

static void say(const struct explain *x, enum decide_rule rule, const struct decision *d, bool ends,
                char *out, size_t room)
{
    const struct decision nothing = {VERDICT_SERVE, REASON_NONE};
    const struct decision *why = ends ? d : &nothing;
    if (rule == RULE_TARGET)
        say_target(x, out, room);
    else if (rule == RULE_SAME)
        say_same(x, why, out, room);
    else if (rule == RULE_FIT)
        say_fit(x, why, out, room);
    else if (rule == RULE_ATTEMPTS)
        say_attempts(x, why, out, room);
    else
        say_rest(x, rule, why, ends, out, room);
}

/* ---- JSON --------------------------------------------------------------------------------- */

static json_t *inputs(const struct explain *x, enum decide_rule rule)
{
    const struct checkin_row *r = &x->row;
    const struct device_facts *s = &x->said;
    switch (rule) {
    case RULE_ALLOWED:
        return json_pack("{s:b, s:b}", "product_disabled", r->disabled, "device_blocked",
                         r->blocked);
    case RULE_MODE:
        return json_pack("{s:s}", "mode", s->mode);
    case RULE_TARGET:
        return json_pack("{s:b, s:s, s:s}", "pinned", x->device.pin != 0, "channel",
                         x->device.channel[0] ? x->device.channel : s->channel, "version",
                         r->has_target ? r->target_version : "");
    case RULE_SAME:
        return json_pack("{s:s, s:s, s:s, s:s, s:s}", "reported_version", s->version,
                         "reported_md5", s->md5, "reported_sha256", s->sha256, "build_version",
                         r->target_version, "build_md5", r->md5);
    case RULE_FIT:
        return json_pack("{s:I, s:I, s:I, s:I, s:s, s:s, s:s}", "size", (json_int_t)r->size_bytes,
                         "free_space", (json_int_t)s->free_space, "flash_size",
                         (json_int_t)r->flash_bytes, "chip_size", (json_int_t)s->chip_size,
                         "build_chip", r->chip, "chip", s->chip, "agent", s->agent);
    case RULE_ATTEMPTS:
        return json_pack("{s:I, s:I, s:b, s:s}", "attempts", (json_int_t)r->attempts, "allowed",
                         (json_int_t)r->attempts_max, "rolled_back", x->facts.rolled_back,
                         "update_state", r->has_update ? update_state_name(r->state) : "");
    case RULE_HELD:
        return json_pack("{s:b, s:b}", "device_held", r->held, "channel_paused", r->paused);
    case RULE_SERVE:
    case RULES:
        break;
    }
    return json_object();
}

static const char *verdict_name(enum verdict verdict)
{
    static const char *const names[] = {"serve", "up_to_date", "hold", "refuse"};
    return names[verdict];
}

static json_t *describe(const struct explain *x)
{
    char text[256] = "";
    struct decision d = {VERDICT_SERVE, REASON_NONE};
    json_t *rules = json_array();
    bool ends = false;
    for (int i = 0; i < RULES && !ends; i++) {
        enum decide_rule rule = (enum decide_rule)i;
        ends = decide_rule(rule, &x->facts, &d);
        say(x, rule, &d, ends, text, sizeof text);
        json_t *step =
            json_pack("{s:s, s:o, s:s, s:o}", "rule", rule_name(rule), "inputs", inputs(x, rule),
                      "verdict", ends ? verdict_name(d.verdict) : "pass", "text", json_text(text));
        (void)json_array_append_new(rules, step);
    }
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "verdict", verdict_name(d.verdict), "reason",
                     reason_name(d.reason), "build",
                     x->row.has_target ? json_id(x->row.build_id) : json_null(), "rules", rules,
                     "text", json_text(text));
}

static enum otad_err explain(struct http_req *req, struct otad_errinfo *ei)
{
    struct explain x;
    enum otad_err err = load(req, &x, ei);
    return err == OTAD_E_OK ? http_reply_json(req, 200, describe(&x)) : err;
}

enum otad_err admin_device_explain(struct http_req *req, struct otad_errinfo *ei)
{
    return fresh_read(req, explain, ei);
}
