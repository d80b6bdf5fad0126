/* SPDX-License-Identifier: MIT
 * Owns the JSON keys of a product's numbers. */
#include "admin_api/shapes.h"

#include "base/json.h"
#include "fleet/stats.h"

#define BUILDS_MAX 20
#define HOURS_SHOWN 48
#define DAYS_SHOWN 90

struct filling {
    struct db *db;
    json_t *items; /* of the list being filled */
    int64_t sum;
    struct otad_errinfo *ei;
};

static enum otad_err append(json_t *items, json_t *item)
{
    return json_array_append_new(items, item) == 0 ? OTAD_E_OK : OTAD_E_NOMEM;
}

static enum otad_err add_version(void *arg, const char *version, int64_t devices, int64_t none)
{
    struct filling *f = arg;
    (void)none;
    f->sum += devices;
    return append(f->items, json_pack("{s:o, s:I}", "version", json_text(version), "devices",
                                      (json_int_t)devices));
}

static enum otad_err add_state(void *arg, const char *state, int64_t updates, int64_t none)
{
    (void)none;
    return json_object_set_new(arg, state, json_integer((json_int_t)updates)) == 0 ? OTAD_E_OK
                                                                                   : OTAD_E_NOMEM;
}

static enum otad_err add_device_state(void *arg, const char *state, int64_t devices, int64_t none)
{
    return add_state(arg, state[0] != '\0' ? state : "none", devices, none);
}

static enum otad_err add_channel(void *arg, const char *name, int64_t devices, int64_t none)
{
    struct filling *f = arg;
    (void)none;
    return append(f->items,
                  json_pack("{s:s, s:I}", "channel", name, "devices", (json_int_t)devices));
}

static enum otad_err add_build(void *arg, const struct build *b)
{
    struct filling *f = arg;
    json_t *states = json_object();
    enum otad_err err =
        states != NULL ? stats_states(f->db, b->seq, add_state, states, f->ei) : OTAD_E_NOMEM;
    json_t *item = json_pack("{s:o, s:s, s:I, s:s, s:o}", "build", json_id(b->id), "version",
                             b->version, "number", (json_int_t)b->number, "kind",
                             build_kind_name(b->kind), "states", states);
    enum otad_err added = append(f->items, item);
    return err != OTAD_E_OK ? err : added;
}

static enum otad_err add_failure(void *arg, const char *cause, int64_t day, int64_t week)
{
    struct filling *f = arg;
    return append(f->items, json_pack("{s:o, s:I, s:I}", "cause", json_text(cause), "last_24h",
                                      (json_int_t)day, "last_7d", (json_int_t)week));
}

static enum otad_err add_count(void *arg, const struct stats_count *c)
{
    struct filling *f = arg;
    return append(f->items, json_pack("{s:o, s:I, s:I, s:I}", "at", json_time(c->start_s),
                                      "check_ins", (json_int_t)c->checkins, "installed",
                                      (json_int_t)c->installed, "failed", (json_int_t)c->failed));
}

static enum otad_err add_adoption(void *arg, const char *version, int64_t devices, int64_t day_s)
{
    struct filling *f = arg;
    return append(f->items, json_pack("{s:o, s:o, s:I}", "at", json_time(day_s), "version",
                                      json_text(version), "devices", (json_int_t)devices));
}

/* Puts a new list under a key and makes it the one that is filled. */
static enum otad_err begin(struct filling *f, json_t *shape, const char *key)
{
    f->items = json_array();
    f->sum = 0;
    return json_object_set_new(shape, key, f->items) == 0 ? OTAD_E_OK : OTAD_E_NOMEM;
}

static enum otad_err fill_now(struct filling *f, json_t *shape, const struct product *p,
                              int64_t devices, int64_t now_s)
{
    enum otad_err err = begin(f, shape, "versions");
    if (err == OTAD_E_OK)
        err = stats_versions(f->db, p->id, add_version, f, f->ei);
    int64_t other = devices > f->sum ? devices - f->sum : 0;
    if (err == OTAD_E_OK &&
        json_object_set_new(shape, "other_versions", json_integer((json_int_t)other)) != 0)
        err = OTAD_E_NOMEM;
    if (err == OTAD_E_OK)
        err = begin(f, shape, "builds");
    if (err == OTAD_E_OK)
        err = build_list(f->db, p->id, 0, BUILDS_MAX, add_build, f, f->ei);
    if (err == OTAD_E_OK)
        err = begin(f, shape, "failures");
    return err == OTAD_E_OK ? stats_failures(f->db, p->id, now_s, add_failure, f, f->ei) : err;
}

static enum otad_err fill_devices(struct filling *f, json_t *shape, int64_t product)
{
    json_t *states = json_object();
    if (json_object_set_new(shape, "states", states) != 0)
        return OTAD_E_NOMEM;
    enum otad_err err = stats_devices(f->db, product, add_device_state, states, f->ei);
    if (err == OTAD_E_OK)
        err = begin(f, shape, "channels");
    return err == OTAD_E_OK ? stats_channels(f->db, product, add_channel, f, f->ei) : err;
}

static enum otad_err fill_over_time(struct filling *f, json_t *over_time, int64_t product,
                                    int64_t now_s)
{
    int64_t hours_s = now_s - now_s % STATS_HOUR_S - (HOURS_SHOWN - 1) * STATS_HOUR_S;
    int64_t days_s = now_s - now_s % STATS_DAY_S - (DAYS_SHOWN - 1) * (int64_t)STATS_DAY_S;
    enum otad_err err = begin(f, over_time, "hours");
    if (err == OTAD_E_OK)
        err = stats_over_time(f->db, product, STATS_HOUR_S, hours_s, add_count, f, f->ei);
    if (err == OTAD_E_OK)
        err = begin(f, over_time, "days");
    if (err == OTAD_E_OK)
        err = stats_over_time(f->db, product, STATS_DAY_S, days_s, add_count, f, f->ei);
    if (err == OTAD_E_OK)
        err = begin(f, over_time, "versions");
    return err == OTAD_E_OK ? stats_adoption(f->db, product, days_s, add_adoption, f, f->ei) : err;
}

static json_t *numbers(const struct product *p, const struct stats_totals *t, int64_t now_s)
{
    int64_t pct = t->devices > 0 ? t->on_current * 100 / t->devices : 0;
    return json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "product", p->slug, "at",
                     json_time(now_s), "devices", (json_int_t)t->devices, "seen_24h",
                     (json_int_t)t->seen, "anonymous_checkins", (json_int_t)p->anonymous_checkins,
                     "on_current", (json_int_t)t->on_current, "on_current_pct", (json_int_t)pct,
                     "in_flight", (json_int_t)t->in_flight, "failed_24h", (json_int_t)t->failed);
}

json_t *shape_stats(struct db *db, const struct product *p, int64_t now_s, struct otad_errinfo *ei)
{
    struct stats_totals totals;
    struct filling f = {.db = db, .ei = ei};
    if (stats_totals(db, p->id, now_s, &totals, ei) != OTAD_E_OK)
        return NULL;
    json_t *shape = numbers(p, &totals, now_s), *over_time = json_object();
    enum otad_err err = shape != NULL ? fill_now(&f, shape, p, totals.devices, now_s)
                                      : otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    if (err == OTAD_E_OK)
        err = fill_devices(&f, shape, p->id);
    if (err == OTAD_E_OK)
        err = fill_over_time(&f, over_time, p->id, now_s);
    if (json_object_set_new(shape, "over_time", over_time) != 0 && err == OTAD_E_OK)
        err = otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    if (err == OTAD_E_OK)
        return shape;
    json_decref(shape);
    return NULL;
}
