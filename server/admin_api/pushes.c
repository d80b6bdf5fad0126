/* SPDX-License-Identifier: MIT
 * Owns /devices/{mac}/push and /pushes: updates that otad begins. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_api/admin_api.h"
#include "admin_api/shapes.h"
#include "admin_api/target.h"
#include "base/json.h"
#include "base/mac.h"
#include "fleet/ledger_transfer.h"
#include "fleet/push_step.h"
#include "http/reply.h"
#include "push/discovery.h"
#include "push/jobs.h"

/* ---- shape -------------------------------------------------------------------------------- */

static json_t *step(const char *name, const char *outcome, int64_t began_ms, int64_t took_ms,
                    int64_t tries, const char *detail)
{
    return json_pack("{s:s, s:s, s:o, s:I, s:I, s:o}", "step", name, "outcome", outcome, "began_at",
                     json_time(began_ms / 1000), "took_ms", (json_int_t)took_ms, "tries",
                     (json_int_t)tries, "detail", json_text(detail));
}

static enum otad_err add_step(void *arg, const struct push_step_row *s)
{
    json_t *shape = step(s->step, s->ok ? "ok" : "failed", s->began_at_ms,
                         s->ended_at_ms - s->began_at_ms, s->tries, s->detail);
    return json_array_append_new(arg, shape) == 0 ? OTAD_E_OK : OTAD_E_NOMEM;
}

json_t *shape_push_steps(struct db *db, int64_t transfer)
{
    json_t *steps = json_array();
    if (steps != NULL && push_step_list(db, transfer, add_step, steps, NULL) == OTAD_E_OK)
        return steps;
    json_decref(steps);
    return NULL;
}

static json_t *lines(const char *text)
{
    json_t *items = json_array();
    while (text[0] != '\0') {
        size_t n = strcspn(text, "\n");
        (void)json_array_append_new(items, json_stringn(text, n));
        text += n + (text[n] == '\n');
    }
    return items;
}

/* The step it is at, behind those that have ended. */
static void add_live(struct otad *o, json_t *steps, const struct push_live *live)
{
    const json_t *last = json_array_get(steps, json_array_size(steps) - 1);
    const char *name = push_step_name(live->step);
    const char *ended = json_string_value(json_object_get(last, "step"));
    if (!live->waiting && (ended == NULL || strcmp(ended, name) != 0))
        (void)json_array_append_new(steps, step(name, "running", live->began_at_ms,
                                                clock_wall_ms(&o->clock) - live->began_at_ms,
                                                live->step == PUSH_INVITE ? live->tries : 0, ""));
}

static enum otad_err shape_push(struct otad *o, struct db *db, const struct product *p,
                                const struct transfer *t, json_t **out, struct otad_errinfo *ei)
{
    struct update u;
    struct push_live live = {.waiting = true};
    char mac[OTAD_MAC_TEXT], causes[PUSH_CAUSES_MAX];
    bool runs = o->pusher != NULL && pusher_look(o->pusher, t->id, &live);
    enum otad_err err = update_find(db, t->update, &u, ei);
    if (err == OTAD_E_OK)
        err = transfer_causes(db, t->id, causes, sizeof causes, ei);
    json_t *steps = err == OTAD_E_OK ? shape_push_steps(db, t->id) : NULL;
    if (steps == NULL)
        return err != OTAD_E_OK ? err : otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    if (runs)
        add_live(o, steps, &live);
    mac_text(u.mac, mac);
    bool open = runs || t->state == TRANSFER_DOWNLOADING;
    *out = json_pack(
        "{s:o, s:s, s:s, s:s, s:o, s:s, s:o, s:s, s:I, s:I, s:I, s:s, s:o, s:o, s:o, s:o, s:o}",
        "id", json_id(t->id), "state",
        open                        ? live.waiting ? "waiting" : "running"
        : t->state == TRANSFER_SENT ? "ok"
                                    : "failed",
        "product", p->slug, "mac", mac, "build", json_id(u.build_id), "version", u.to_version,
        "update", json_id(u.id), "address", t->address, "size_bytes", (json_int_t)t->size_bytes,
        "bytes_acked", (json_int_t)(runs ? live.bytes_acked : t->bytes_acked), "bytes_per_s",
        (json_int_t)(runs ? live.bytes_per_s : t->bytes_per_s), "cause", t->cause, "detail",
        json_text(t->detail), "causes", lines(causes), "steps", steps, "started_at",
        json_time(t->started_at_s), "ended_at", json_time(t->ended_at_s));
    return *out != NULL ? OTAD_E_OK : otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
}

/* ---- what is asked for -------------------------------------------------------------------- */

/* Of a change that starts a push, until it is durable. */
struct starting {
    struct push_job *job;
    struct push_order order;
};

static enum otad_err read_order(struct change *c, struct push_order *order, bool *has_password,
                                struct otad_errinfo *ei)
{
    const char *address, *password;
    int64_t port = 0, patience_s = 0;
    enum otad_err err = target_kind(c, &order->fs, ei);
    if (err == OTAD_E_OK)
        err = json_get_str(c->body, "address", PUSH_HOST_MAX - 1, false, &address, ei);
    if (err == OTAD_E_OK)
        err = json_get_str(c->body, "password", PUSH_PASSWORD_MAX, false, &password, ei);
    if (err == OTAD_E_OK)
        err = json_get_int(c->body, "port", 1, 65535, false, &port, ei);
    if (err == OTAD_E_OK)
        err = json_get_int(c->body, "patience_s", 1, 3600, false, &patience_s, ei);
    if (err != OTAD_E_OK)
        return err;
    order->port = (uint16_t)port;
    order->patience_ms = patience_s * 1000;
    *has_password = password != NULL;
    (void)snprintf(order->host, sizeof order->host, "%s", address != NULL ? address : "");
    (void)snprintf(order->password, sizeof order->password, "%s", password != NULL ? password : "");
    return OTAD_E_OK;
}

/* Only addresses can be judged now; what a name stands for is when it is resolved. */
static enum otad_err check_address(struct change *c, const char *host, struct otad_errinfo *ei)
{
    struct net_list networks;
    struct net_addr address;
    uint16_t first, last;
    pusher_limits(c->otad, &networks, &first, &last);
    if (!net_addr_parse(host, &address) || push_may_target(&address, &networks))
        return OTAD_E_OK;
    (void)otad_fail(ei, OTAD_E_FORBIDDEN,
                    "%.45s is no private, link-local or loopback address: it may not be pushed to",
                    host);
    return otad_hint(ei, "push.networks in the configuration allows further networks.");
}

/* Where a device that announces itself says it is. */
static void look_around(struct change *c, struct push_order *order)
{
    char address[NET_TEXT_MAX];
    uint64_t mac;
    if (order->host[0] == '\0' && c->otad->discovery != NULL && mac_parse(c->name, &mac) &&
        candidates_address(discovery_found(c->otad->discovery), mac, address))
        (void)snprintf(order->host, sizeof order->host, "%s", address);
}

/* The device, registered when somebody says where it is: one that is only pushed to never checks
 * in. */
static enum otad_err find_device(struct change *c, struct db *db, struct push_order *order,
                                 struct device *d, struct otad_errinfo *ei)
{
    uint64_t mac;
    look_around(c, order);
    enum otad_err err = target_device(c, db, d, ei);
    if (err == OTAD_E_NOENT && order->host[0] != '\0' && mac_parse(c->name, &mac)) {
        err = check_address(c, order->host, ei);
        if (err == OTAD_E_OK)
            err = device_register(db, c->product.id, mac, order->host, c->now_s, ei);
        if (err == OTAD_E_OK)
            err = target_device(c, db, d, ei);
    } else if (err == OTAD_E_NOENT && mac_parse(c->name, &mac)) {
        return otad_hint(ei, "Give \"address\" to push to a device that has never checked in.");
    }
    if (err != OTAD_E_OK)
        return err;
    if (d->blocked)
        return otad_fail(ei, OTAD_E_CONFLICT, "The device is blocked");
    if (order->host[0] == '\0')
        (void)snprintf(order->host, sizeof order->host, "%s", d->last.address);
    if (order->host[0] != '\0')
        return check_address(c, order->host, ei);
    (void)otad_fail(ei, OTAD_E_CONFLICT, "No address of the device is known");
    return otad_hint(ei, "Give it as \"address\".");
}

static bool is_esp8266(const char *chip)
{
    return strcmp(chip, "ESP8266") == 0;
}

static enum otad_err find_build(struct change *c, struct db *db, const struct device *d,
                                struct push_order *order, struct build *b, struct otad_errinfo *ei)
{
    enum otad_err err = target_named_build(c, db, d, order->fs, b, ei);
    if (err != OTAD_E_OK)
        return err;
    if (b->kind == BUILD_FACTORY || b->withdrawn_at_s != 0)
        return otad_fail(ei, OTAD_E_CONFLICT, "Build %s %s", b->version,
                         b->kind == BUILD_FACTORY ? "is for first installs by wire"
                                                  : "was withdrawn");
    if (json_object_get(c->body, "kind") != NULL && order->fs != (b->kind == BUILD_FS))
        return otad_fail(ei, OTAD_E_CONFLICT, "Build %s is of kind %s", b->version,
                         build_kind_name(b->kind));
    if (d->last.chip[0] != '\0' && b->chip[0] != '\0' &&
        is_esp8266(d->last.chip) != is_esp8266(b->chip))
        return otad_fail(ei, OTAD_E_CONFLICT, "Build %s is for %s, the device is an %s", b->version,
                         b->chip, d->last.chip);
    return OTAD_E_OK;
}

static void fill_order(struct push_order *order, const struct change *c, const struct device *d,
                       const struct build *b)
{
    const char *chip = b->chip[0] != '\0'        ? b->chip
                       : d->last.chip[0] != '\0' ? d->last.chip
                                                 : c->product.chip;
    order->product = c->product.id;
    order->mac = d->mac;
    order->build_id = b->id;
    order->image = b->image;
    order->size_bytes = b->size_bytes;
    order->fs = b->kind == BUILD_FS;
    order->esp32 = !is_esp8266(chip) && chip[0] != '\0';
    order->free_space = order->fs ? -1 : d->last.free_space;
    (void)snprintf(order->version, sizeof order->version, "%s", b->version);
    (void)snprintf(order->filename, sizeof order->filename, "%s", b->filename);
}

/* ---- start -------------------------------------------------------------------------------- */

static void started(struct change *c, bool durable)
{
    struct starting *s = c->extra;
    struct pusher *p = c->otad->pusher;
    c->extra = NULL;
    if (s == NULL)
        return;
    if (durable)
        pusher_start(p, s->job, &s->order);
    else
        pusher_give_back(p, s->job);
    explicit_bzero(s, sizeof *s); /* it holds a password */
    free(s);
}

/* A place for the push. The change may run again: it keeps the place it has. */
static enum otad_err reserve(struct change *c, const struct device *d, struct starting **out,
                             struct otad_errinfo *ei)
{
    struct starting *s = c->extra;
    if (s == NULL) {
        s = calloc(1, sizeof *s);
        if (s == NULL)
            return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
        enum otad_err err = pusher_reserve(c->otad->pusher, c->product.id, d->mac, &s->job, ei);
        if (err != OTAD_E_OK) {
            free(s);
            return err;
        }
        c->extra = s;
        c->ended = started;
    }
    *out = s;
    return OTAD_E_OK;
}

/* The transfer begins: from here on the ledger knows of it. As with a token, what holds the device
 * from fetching the build stays: only a push that gets through and is seen running says otherwise.
 */
static enum otad_err begin(struct change *c, struct db *db, const struct device *d,
                           const struct build *b, struct push_order *order, struct transfer *t,
                           struct otad_errinfo *ei)
{
    struct fact fact = {.kind = FACT_SERVE,
                        .by_token = true,
                        .product = c->product.id,
                        .mac = d->mac,
                        .build = b->seq,
                        .at_s = c->now_s};
    fact.transfer = (struct transfer){.id = transfer_new_id(clock_wall_ms(&c->otad->clock)),
                                      .kind = TRANSFER_PUSH,
                                      .size_bytes = b->size_bytes,
                                      .client = "espota",
                                      .started_at_s = c->now_s};
    (void)snprintf(fact.transfer.address, sizeof fact.transfer.address, "%.45s", order->host);
    enum otad_err err = ledger_transfer_begin(db, &fact, &c->batch, ei);
    if (err == OTAD_E_OK)
        err = transfer_find(db, fact.transfer.id, t, ei);
    order->transfer = t->id;
    order->update = t->update;
    return err;
}

static enum otad_err start(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    struct push_order order = {.transfer = 0};
    struct starting *s = NULL;
    struct device d;
    struct build b;
    struct transfer t = {.id = 0};
    bool has_password;
    if (c->otad->pusher == NULL) {
        (void)otad_fail(ei, OTAD_E_CONFLICT, "Pushing is off on this server");
        return otad_hint(ei, "push.concurrent_max in its configuration is 0.");
    }
    enum otad_err err = read_order(c, &order, &has_password, ei);
    if (err == OTAD_E_OK)
        err = find_device(c, db, &order, &d, ei);
    if (err == OTAD_E_OK)
        err = find_build(c, db, &d, &order, &b, ei);
    if (err == OTAD_E_OK && !has_password)
        err = push_password_get(db, c->otad->seal_key, c->product.id, d.mac, order.password, ei);
    if (err == OTAD_E_OK)
        err = reserve(c, &d, &s, ei);
    if (err == OTAD_E_OK)
        err = begin(c, db, &d, &b, &order, &t, ei);
    if (err != OTAD_E_OK || s == NULL)
        return err;
    fill_order(&order, c, &d, &b);
    s->order = order;
    c->status = 202;
    return shape_push(c->otad, db, &c->product, &t, &c->result, ei);
}

enum otad_err admin_device_push(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {"build",    "kind",       "address", "port",
                                        "password", "patience_s", NULL};
    return change_submit(req, "device.push", start, known, ei);
}

/* ---- one push ----------------------------------------------------------------------------- */

static enum otad_err find(struct db *db, const struct product *p, const char *text,
                          struct transfer *t, struct otad_errinfo *ei)
{
    struct update u;
    char *end;
    errno = 0;
    int64_t id = strtoll(text, &end, 10);
    if (text[0] == '\0' || *end != '\0' || errno != 0)
        return otad_fail(ei, OTAD_E_NOENT, "'%.40s' is no push's id", text);
    enum otad_err err = transfer_find(db, id, t, ei);
    if (err == OTAD_E_OK)
        err = update_find(db, t->update, &u, ei);
    if (err == OTAD_E_NOENT ||
        (err == OTAD_E_OK && (t->kind != TRANSFER_PUSH || u.product != p->id)))
        return otad_fail(ei, OTAD_E_NOENT, "The product %s has no push %s", p->slug, text);
    return err;
}

static enum otad_err read(struct http_req *req, struct otad_errinfo *ei)
{
    struct db *db;
    struct product p;
    struct transfer t;
    json_t *shape = NULL;
    enum otad_err err = otad_reader(http_req_app(req), &db, ei);
    if (err == OTAD_E_OK)
        err = product_find(db, http_req_param(req, "product"), &p, ei);
    if (err == OTAD_E_OK)
        err = find(db, &p, http_req_param(req, "push"), &t, ei);
    if (err == OTAD_E_OK)
        err = shape_push(http_req_app(req), db, &p, &t, &shape, ei);
    return err == OTAD_E_OK ? http_reply_json(req, 200, shape) : err;
}

enum otad_err admin_push_read(struct http_req *req, struct otad_errinfo *ei)
{
    return fresh_read(req, read, ei);
}

static enum otad_err cancel(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    struct transfer t;
    enum otad_err err = find(db, &c->product, c->name, &t, ei);
    if (err == OTAD_E_OK && (c->otad->pusher == NULL || !pusher_cancel(c->otad->pusher, t.id)))
        return otad_fail(ei, OTAD_E_CONFLICT, "The push has ended already");
    return err;
}

enum otad_err admin_push_cancel(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {NULL};
    return change_submit(req, "push.cancel", cancel, known, ei);
}
