/* SPDX-License-Identifier: MIT
 * Owns the JSON keys of the API. */
#include "admin_api/shapes.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mac.h"
#include "fleet/blob.h"
#include "fleet/meaning.h"
#include "fleet/push_password.h"
#include "fleet/report.h"
#include "fleet/story.h"
#include "fleet/transfer.h"

/* A NULL from a nested shape must not be packed. */
static json_t *out_of_memory(struct otad_errinfo *ei)
{
    (void)otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    return NULL;
}

static json_t *checked(json_t *shape, struct otad_errinfo *ei)
{
    return shape != NULL ? shape : out_of_memory(ei);
}

static int add_policy(json_t *shape, const struct product_policy *p)
{
    json_t *policy = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I}", "attempts", (json_int_t)p->attempts_max,
        "attempts_window_s", (json_int_t)p->attempts_window_s, "patience_s",
        (json_int_t)p->patience_s, "stop_failures", (json_int_t)p->stop_failures, "stop_percent",
        (json_int_t)p->stop_percent, "stop_window_s", (json_int_t)p->stop_window_s);
    return json_object_update_new(shape, policy);
}

/* Whether a password for pushes is set; never which. */
static int has_password(struct db *db, int64_t product, uint64_t mac)
{
    bool set = false;
    return push_password_is_set(db, product, mac, &set, NULL) == OTAD_E_OK && set;
}

json_t *shape_product(struct db *db, const struct product *p, struct otad_errinfo *ei)
{
    json_t *shape = json_pack(
        "{s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:b, s:o}", "slug", p->slug,
        "name", p->name, "chip", p->chip, "disabled", p->disabled, "access",
        product_access_name(p->access), "client", product_client_name(p->client), "default_channel",
        p->default_channel, "max_devices", (json_int_t)p->max_devices, "devices",
        (json_int_t)p->device_count, "anonymous_checkins", (json_int_t)p->anonymous_checkins,
        "last_number", (json_int_t)p->last_number, "push_password", has_password(db, p->id, 0),
        "created_at", json_time(p->created_at_s));
    if (shape != NULL && add_policy(shape, &p->policy) != 0) {
        json_decref(shape);
        shape = NULL;
    }
    return checked(shape, ei);
}

static enum otad_err add_name(void *arg, const char *name)
{
    return json_array_append_new(arg, json_string(name)) == 0 ? OTAD_E_OK : OTAD_E_NOMEM;
}

static json_t *image_facts(struct db *db, int64_t image)
{
    char *text = NULL;
    if (blob_facts(db, image, &text, NULL) != OTAD_E_OK)
        return json_object();
    json_t *facts = json_loads(text, 0, NULL);
    free(text);
    return facts != NULL ? facts : json_object();
}

json_t *shape_build(struct db *db, const char *slug, const struct build *b, struct otad_errinfo *ei)
{
    char md5[2 * OTAD_MD5_LEN + 1], sha256[2 * OTAD_SHA256_LEN + 1];
    hex_encode(b->md5, sizeof b->md5, md5);
    hex_encode(b->sha256, sizeof b->sha256, sha256);
    json_t *channels = json_array();
    if (channels == NULL || channel_of_build(db, b->seq, add_name, channels, ei) != OTAD_E_OK) {
        json_decref(channels);
        return NULL;
    }
    return checked(
        json_pack(
            "{s:o, s:s, s:s, s:I, s:s, s:s, s:I, s:s, s:s, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o}",
            "id", json_id(b->id), "product", slug, "version", b->version, "number",
            (json_int_t)b->number, "kind", build_kind_name(b->kind), "chip", b->chip, "size",
            (json_int_t)b->size_bytes, "md5", md5, "sha256", sha256, "filename",
            json_text(b->filename), "channels", channels, "notes", json_text(b->notes), "forced",
            b->forced, "created_at", json_time(b->created_at_s), "withdrawn_at",
            json_time(b->withdrawn_at_s), "pruned_at", json_time(b->pruned_at_s), "image",
            image_facts(db, b->image)),
        ei);
}

static json_t *build_ref(struct db *db, int64_t seq)
{
    struct build b;
    if (seq == 0 || build_find_seq(db, seq, &b, NULL) != OTAD_E_OK)
        return json_null();
    return json_pack("{s:o, s:s, s:I}", "id", json_id(b.id), "version", b.version, "number",
                     (json_int_t)b.number);
}

json_t *shape_channel(struct db *db, const char *slug, const struct channel *c,
                      struct otad_errinfo *ei)
{
    return checked(json_pack("{s:s, s:s, s:o, s:o, s:b, s:o, s:o, s:s}", "name", c->name, "product",
                             slug, "app", build_ref(db, c->app), "fs", build_ref(db, c->fs),
                             "paused", c->paused, "released_at", json_time(c->released_at_s),
                             "stopped_at", json_time(c->stopped_at_s), "stop_reason",
                             c->stop_reason),
                   ei);
}

/* How far its newest download or push got, without the story. */
static json_t *newest_transfer(struct db *db, int64_t update)
{
    struct transfer t;
    if (transfer_newest(db, update, &t, NULL) != OTAD_E_OK)
        return json_null();
    return json_pack("{s:o, s:s, s:s, s:s, s:I, s:I}", "id", json_id(t.id), "kind",
                     transfer_kind_name(t.kind), "state", transfer_state_name(t.state), "cause",
                     t.cause, "size", (json_int_t)t.size_bytes, "bytes_acked",
                     (json_int_t)t.bytes_acked);
}

static json_t *current_update(struct db *db, int64_t device)
{
    struct update u;
    if (update_newest(db, device, 0, &u, NULL) != OTAD_E_OK)
        return json_null();
    return json_pack("{s:o, s:o, s:s, s:s, s:s, s:o, s:I, s:o}", "id", json_id(u.id), "build",
                     json_id(u.build_id), "version", u.to_version, "state",
                     update_state_name(u.state), "cause", u.cause, "detail", json_text(u.detail),
                     "attempts", (json_int_t)u.attempts, "transfer", newest_transfer(db, u.id));
}

/* -1 = not said. */
static json_t *bytes_or_null(int64_t n)
{
    return n >= 0 ? json_integer(n) : json_null();
}

static json_t *pin_of(struct db *db, const struct device *d)
{
    struct build b;
    if (d->pin == 0 || build_find_seq(db, d->pin, &b, NULL) != OTAD_E_OK)
        return json_null();
    return json_id(b.id);
}

/* When it is due again, if it keeps to its habit. */
static json_t *expected_at(int64_t last_seen_s, int64_t interval_s)
{
    return json_time(interval_s > 0 ? last_seen_s + interval_s : 0);
}

json_t *shape_device(struct db *db, const char *slug, const struct device *d,
                     struct otad_errinfo *ei)
{
    char mac[OTAD_MAC_TEXT];
    mac_text(d->mac, mac);
    return checked(
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:b, s:b, s:o, s:o, s:o, s:b, s:o,"
                  " s:s, s:s, s:s, s:s, s:o, s:o, s:I, s:o, s:b}",
                  "mac", mac, "product", slug, "version", d->last.version, "chip", d->last.chip,
                  "address", d->last.address, "channel", d->channel, "pin", pin_of(db, d), "held",
                  d->held, "blocked", d->blocked, "note", json_text(d->note), "first_seen",
                  json_time(d->first_seen_s), "last_seen", json_time(d->last.at_s), "authenticated",
                  d->last.authenticated, "update", current_update(db, d->id), "md5", d->last.md5,
                  "sha256", d->last.sha256, "agent", d->last.agent, "mode", d->last.mode,
                  "free_space", bytes_or_null(d->last.free_space), "chip_size",
                  bytes_or_null(d->last.chip_size), "interval_s", (json_int_t)d->interval_s,
                  "expected_at", expected_at(d->last.at_s, d->interval_s), "push_password",
                  has_password(db, d->product, d->mac)),
        ei);
}

/* The transfers of an update, being gathered. */
struct transfers {
    struct db *db;
    json_t *items;
};

static enum otad_err add_transfer(void *arg, const struct transfer *t)
{
    struct transfers *all = arg;
    json_t *item = json_pack(
        "{s:o, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:o, s:o}", "id", json_id(t->id),
        "kind", transfer_kind_name(t->kind), "state", transfer_state_name(t->state), "cause",
        t->cause, "size", (json_int_t)t->size_bytes, "bytes_acked", (json_int_t)t->bytes_acked,
        "resumed", (json_int_t)t->resumed, "bytes_per_s", (json_int_t)t->bytes_per_s, "client",
        t->client, "address", t->address, "detail", t->detail, "started_at",
        json_time(t->started_at_s), "ended_at", json_time(t->ended_at_s));
    if (t->kind == TRANSFER_PUSH)
        (void)json_object_set_new(item, "steps", shape_push_steps(all->db, t->id));
    return json_array_append_new(all->items, item) == 0 ? OTAD_E_OK : OTAD_E_NOMEM;
}

/* The reports of one update, and the device they came from. */
struct reports {
    json_t *items;
    struct db *db;
    const struct update *update;
    bool looked; /* whose is known; most updates have no report, and most reports no code */
    enum meaning_of whose;
};

/* What the chip or client means by the code. "" = nothing known. */
static const char *meaning(struct reports *r, int64_t code, char text[MEANING_MAX])
{
    struct device d;
    if (!r->looked && device_find(r->db, r->update->product, r->update->mac, &d, NULL) == OTAD_E_OK)
        r->whose = meaning_whose(d.last.chip, d.last.agent);
    r->looked = true;
    (void)meaning_text(r->whose, code, text);
    return text;
}

static enum otad_err add_report(void *arg, const struct report *r)
{
    struct reports *reports = arg;
    char words[MEANING_MAX];
    json_t *item = json_pack(
        "{s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:b, s:s}", "result", r->result, "code",
        r->has_code ? json_integer(r->code) : json_null(), "message", json_text(r->message),
        "meaning", r->has_code ? meaning(reports, r->code, words) : "", "version",
        json_text(r->version), "build", r->has_build ? json_id(r->build) : json_null(), "at",
        json_time(r->at_s), "authenticated", r->authenticated, "address", r->address);
    return json_array_append_new(reports->items, item) == 0 ? OTAD_E_OK : OTAD_E_NOMEM;
}

/* What a device says of itself is shown beside what was seen, also when one can't be true. */
static json_t *contradiction(const struct update *u, json_t *reports)
{
    size_t n = json_array_size(reports);
    if (n == 0)
        return json_null();
    const char *result =
        json_string_value(json_object_get(json_array_get(reports, n - 1), "result"));
    bool success = result != NULL && strcmp(result, "success") == 0;
    if (success && story_is_failure(u))
        return json_sprintf("The device reported success, but it was seen: %s. %s",
                            update_state_name(u->state), u->detail);
    if (success && u->state == UPDATE_IN_PROGRESS)
        return json_sprintf(
            "The device reported success, but not all of the image has arrived%s%s.",
            u->detail[0] != '\0' ? ": " : "", u->detail);
    if (!success && u->state == UPDATE_INSTALLED)
        return json_sprintf("The device reported %s, but it was seen running version %s.",
                            result != NULL ? result : "", u->to_version);
    return json_null();
}

json_t *shape_update(struct db *db, const char *slug, const struct update *u,
                     struct otad_errinfo *ei)
{
    char mac[OTAD_MAC_TEXT];
    mac_text(u->mac, mac);
    json_t *transfers = json_array(), *reports = json_array();
    struct transfers sent = {.db = db, .items = transfers};
    struct reports told = {.items = reports, .db = db, .update = u};
    if (transfers == NULL || reports == NULL ||
        transfer_list(db, u->id, add_transfer, &sent, ei) != OTAD_E_OK ||
        report_list(db, u->id, add_report, &told, ei) != OTAD_E_OK) {
        json_decref(transfers);
        json_decref(reports);
        return NULL;
    }
    return checked(
        json_pack("{s:o, s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:o}",
                  "id", json_id(u->id), "product", slug, "mac", mac, "build", json_id(u->build_id),
                  "from_version", u->from_version, "to_version", u->to_version, "state",
                  update_state_name(u->state), "cause", u->cause, "detail", json_text(u->detail),
                  "attempts", (json_int_t)u->attempts, "created_at", json_time(u->created_at_s),
                  "updated_at", json_time(u->updated_at_s), "transfers", transfers, "contradiction",
                  contradiction(u, reports), "reports", reports),
        ei);
}

json_t *shape_preflight(const struct preflight *p)
{
    json_t *shown = json_array();
    for (size_t i = 0; i < p->n_shown; i++) {
        char mac[OTAD_MAC_TEXT];
        mac_text(p->shown[i].mac, mac);
        (void)json_array_append_new(
            shown, json_pack("{s:s, s:s}", "mac", mac, "reason", reason_name(p->shown[i].reason)));
    }
    return json_pack("{s:I, s:I, s:{s:I, s:I}, s:o}", "devices", (json_int_t)p->devices,
                     "would_refuse", (json_int_t)p->wont_fit + (json_int_t)p->wrong_chip, "reasons",
                     "wont_fit", (json_int_t)p->wont_fit, "wrong_chip", (json_int_t)p->wrong_chip,
                     "shown", shown);
}

json_t *shape_key(const struct key *k)
{
    return json_pack("{s:o, s:s, s:o, s:s, s:o, s:o}", "name", json_text(k->name), "role",
                     key_role_name(k->role), "product",
                     k->product != 0 ? json_string(k->product_slug) : json_null(), "hint", k->hint,
                     "created_at", json_time(k->created_at_s), "revoked_at",
                     json_time(k->revoked_at_s));
}

json_t *shape_product_key(const struct product_key *k)
{
    return json_pack("{s:o, s:s, s:o, s:o}", "name", json_text(k->name), "hint", k->hint,
                     "created_at", json_time(k->created_at_s), "revoked_at",
                     json_time(k->revoked_at_s));
}

json_t *shape_audit(const struct audit *a)
{
    json_t *detail = json_loads(a->detail, 0, NULL);
    return json_pack("{s:o, s:o, s:o, s:s, s:s, s:s, s:o, s:o}", "id", json_id(a->id), "at",
                     json_time(a->at_s), "who", json_text(a->who), "address", a->address, "action",
                     a->action, "product", a->product, "object", json_text(a->object), "detail",
                     detail != NULL ? detail : json_text(a->detail));
}

static void set_text(json_t *shape, const char *key, const char *text)
{
    if (text[0] != '\0')
        (void)json_object_set_new(shape, key, json_text(text));
}

static void set_id(json_t *shape, const char *key, int64_t id)
{
    if (id != 0)
        (void)json_object_set_new(shape, key, json_id(id));
}

json_t *shape_event(const struct event *e, const char *slug)
{
    bool change = e->kind == EVENT_CHANGE;
    json_t *shape =
        json_pack("{s:s, s:o}", "kind", event_kind_name(e->kind), "at", json_time(e->at_s));
    set_text(shape, "product", e->slug[0] != '\0' || e->product == 0 ? e->slug : slug);
    if (e->mac != 0) {
        char mac[OTAD_MAC_TEXT];
        mac_text(e->mac, mac);
        set_text(shape, "mac", mac);
    }
    set_id(shape, "update", e->update);
    set_id(shape, "transfer", e->transfer);
    set_id(shape, "build", e->build);
    set_text(shape, "version", e->version);
    set_text(shape, "state", e->state);
    set_text(shape, change ? "action" : "cause", e->cause);
    set_text(shape, change ? "object" : "text", e->text);
    if (e->size > 0) {
        (void)json_object_set_new(shape, "bytes", json_integer((json_int_t)e->bytes));
        (void)json_object_set_new(shape, "size", json_integer((json_int_t)e->size));
    }
    return shape;
}
