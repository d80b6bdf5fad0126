/* SPDX-License-Identifier: MIT
 * Owns the table `device`. */
#include "fleet/device.h"

#include <string.h>

#include "base/mac.h"
#include "base/net.h"

#define COLUMNS                                                                                    \
    "id, product, mac, version, chip, md5, sha256, address, agent, mode, free_space, chip_size,"   \
    " authenticated, first_seen_s, last_seen_s, channel, pin, held, blocked, note, interval_s,"    \
    " asked_channel, said"

static const char sql_find[] =
    "SELECT " COLUMNS " FROM device WHERE product = :product AND mac = :mac";
/* The MAC as 12 hex digits is compared only for rows of one product; q is NULL in most calls. */
#define LIST                                                                                       \
    "SELECT " COLUMNS " FROM device WHERE product = :product"                                      \
    " AND (:version IS NULL OR version = :version)"                                                \
    " AND (:q IS NULL OR instr(printf('%012X', mac), :q) > 0)"
#define SEEN_LAST                                                                                  \
    " AND (last_seen_s, id) < (:after, :after_id) ORDER BY last_seen_s DESC, id DESC LIMIT :limit"
#define SEEN_FIRST                                                                                 \
    " AND (last_seen_s, id) > (:after, :after_id) ORDER BY last_seen_s, id LIMIT :limit"
static const char sql_seen_last[] = LIST SEEN_LAST;
static const char sql_seen_first[] = LIST SEEN_FIRST;
static const char sql_by_mac[] = LIST " AND mac > :after ORDER BY mac LIMIT :limit";
static const char sql_by_mac_down[] = LIST " AND mac < :after ORDER BY mac DESC LIMIT :limit";
static const char sql_state_seen_last[] = LIST " AND state = :state" SEEN_LAST;
static const char sql_state_seen_first[] = LIST " AND state = :state" SEEN_FIRST;
static const char sql_state_by_mac[] =
    LIST " AND +state = :state AND mac > :after ORDER BY mac LIMIT :limit";
static const char sql_state_by_mac_down[] =
    LIST " AND +state = :state AND mac < :after ORDER BY mac DESC LIMIT :limit";
static const char sql_seen[] =
    "INSERT INTO device (product, mac, version, chip, md5, sha256, address, agent, mode,"
    " free_space, chip_size, authenticated, origin, asked_channel, said, first_seen_s, "
    "last_seen_s) SELECT :product, "
    ":mac,"
    " :version, :chip, :md5, :sha256, :address, :agent, :mode, :free_space, :chip_size,"
    " :authenticated, :origin, :asked_channel, :said, :at_s, :at_s FROM product AS p WHERE p.id = "
    ":product"
    " AND (p.device_count < p.max_devices"
    "  OR EXISTS (SELECT 1 FROM device WHERE product = :product AND mac = :mac))"
    " ON CONFLICT (product, mac) DO UPDATE SET"
    " version = CASE WHEN excluded.version <> '' THEN excluded.version ELSE version END,"
    " chip = CASE WHEN excluded.chip <> '' THEN excluded.chip ELSE chip END,"
    " md5 = CASE WHEN excluded.md5 <> '' THEN excluded.md5 ELSE md5 END,"
    " sha256 = CASE WHEN excluded.sha256 <> '' THEN excluded.sha256 ELSE sha256 END,"
    " address = excluded.address, agent = excluded.agent,"
    " mode = excluded.mode,"
    " free_space = CASE WHEN excluded.free_space >= 0 THEN excluded.free_space ELSE free_space END,"
    " chip_size = CASE WHEN excluded.chip_size >= 0 THEN excluded.chip_size ELSE chip_size END,"
    " authenticated = excluded.authenticated, origin = excluded.origin,"
    " asked_channel = excluded.asked_channel, said = excluded.said, last_seen_s = "
    "excluded.last_seen_s,"
    /* The requests of one visit don't count as an interval, nor does a season in a drawer. */
    " interval_s = CASE WHEN excluded.last_seen_s - last_seen_s NOT BETWEEN 5 AND 2592000"
    "  THEN interval_s WHEN interval_s = 0 THEN excluded.last_seen_s - last_seen_s"
    "  ELSE (3 * interval_s + excluded.last_seen_s - last_seen_s) / 4 END RETURNING id";
static const char sql_register[] =
    "INSERT INTO device (product, mac, address, free_space, chip_size, first_seen_s, last_seen_s)"
    " SELECT :product, :mac, :address, -1, -1, :now, 0 FROM product AS p WHERE p.id = :product"
    " AND p.device_count < p.max_devices ON CONFLICT (product, mac) DO NOTHING RETURNING id";
static const char sql_save[] =
    "UPDATE device SET channel = :channel, pin = :pin, held = :held, blocked = :blocked,"
    " note = :note WHERE id = :id";
static const char sql_delete[] = "DELETE FROM device WHERE id = :id";

static const char sql_scan_fit[] =
    "SELECT mac, chip, agent, free_space, chip_size FROM device WHERE product = :product"
    " ORDER BY mac";
static const char sql_any_pinned[] = "SELECT 1 FROM device WHERE pin = :build LIMIT 1";

unsigned device_said(const struct device_facts *f)
{
    return (f->version[0] != '\0' ? DEVICE_SAID_VERSION : 0) |
           (f->md5[0] != '\0' ? DEVICE_SAID_MD5 : 0) |
           (f->sha256[0] != '\0' ? DEVICE_SAID_SHA256 : 0) |
           (f->free_space >= 0 ? DEVICE_SAID_SPACE : 0) |
           (f->chip_size >= 0 ? DEVICE_SAID_CHIP_SIZE : 0) |
           (f->chip[0] != '\0' ? DEVICE_SAID_CHIP : 0);
}

void device_only_said(struct device_facts *f)
{
    if ((f->said & DEVICE_SAID_VERSION) == 0)
        f->version[0] = '\0';
    if ((f->said & DEVICE_SAID_MD5) == 0)
        f->md5[0] = '\0';
    if ((f->said & DEVICE_SAID_SHA256) == 0)
        f->sha256[0] = '\0';
    if ((f->said & DEVICE_SAID_SPACE) == 0)
        f->free_space = -1;
    if ((f->said & DEVICE_SAID_CHIP_SIZE) == 0)
        f->chip_size = -1;
    if ((f->said & DEVICE_SAID_CHIP) == 0)
        f->chip[0] = '\0';
}

static void read_row(struct db_q *q, struct device *d)
{
    d->id = db_int(q, 0);
    d->product = db_int(q, 1);
    d->mac = (uint64_t)db_int(q, 2);
    db_copy_text(q, 3, d->last.version, sizeof d->last.version);
    db_copy_text(q, 4, d->last.chip, sizeof d->last.chip);
    db_copy_text(q, 5, d->last.md5, sizeof d->last.md5);
    db_copy_text(q, 6, d->last.sha256, sizeof d->last.sha256);
    db_copy_text(q, 7, d->last.address, sizeof d->last.address);
    db_copy_text(q, 8, d->last.agent, sizeof d->last.agent);
    db_copy_text(q, 9, d->last.mode, sizeof d->last.mode);
    d->last.free_space = db_int(q, 10);
    d->last.chip_size = db_int(q, 11);
    d->last.authenticated = db_int(q, 12) != 0;
    d->first_seen_s = db_int(q, 13);
    d->last.at_s = db_int(q, 14);
    db_copy_text(q, 15, d->channel, sizeof d->channel);
    d->pin = db_int(q, 16);
    d->held = db_int(q, 17) != 0;
    d->blocked = db_int(q, 18) != 0;
    db_copy_text(q, 19, d->note, sizeof d->note);
    d->interval_s = db_int(q, 20);
    db_copy_text(q, 21, d->last.channel, sizeof d->last.channel);
    d->last.said = (unsigned)db_int(q, 22);
}

enum otad_err device_find(struct db *db, int64_t product, uint64_t mac, struct device *out,
                          struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_find);
    db_bind_int(&q, ":product", product);
    db_bind_int(&q, ":mac", (int64_t)mac);
    struct device d;
    bool found = db_step(&q);
    if (found)
        read_row(&q, &d);
    enum otad_err err = db_end(&q, ei);
    if (err != OTAD_E_OK)
        return err;
    if (!found) {
        char text[OTAD_MAC_TEXT];
        mac_text(mac, text);
        (void)otad_fail(ei, OTAD_E_NOENT, "Device %s has never checked in for this product", text);
        return otad_hint(ei,
                         "A device appears with its first request to /fw/{product}/latest or "
                         "/fw/{product}/%s.version.",
                         text);
    }
    *out = d;
    return OTAD_E_OK;
}

enum otad_err device_seen(struct db *db, int64_t product, uint64_t mac,
                          const struct device_facts *facts, int64_t *id, struct otad_errinfo *ei)
{
    char origin[46];
    net_origin(facts->address, origin);
    struct db_q q = db_query(db, sql_seen);
    db_bind_int(&q, ":product", product);
    db_bind_int(&q, ":mac", (int64_t)mac);
    db_bind_text(&q, ":version", facts->version);
    db_bind_text(&q, ":chip", facts->chip);
    db_bind_text(&q, ":md5", facts->md5);
    db_bind_text(&q, ":sha256", facts->sha256);
    db_bind_text(&q, ":address", facts->address);
    db_bind_text(&q, ":agent", facts->agent);
    db_bind_text(&q, ":mode", facts->mode);
    db_bind_int(&q, ":free_space", facts->free_space);
    db_bind_int(&q, ":chip_size", facts->chip_size);
    db_bind_int(&q, ":authenticated", facts->authenticated);
    db_bind_text(&q, ":asked_channel", facts->channel);
    db_bind_int(&q, ":said", facts->said);
    db_bind_text(&q, ":origin", facts->authenticated ? "" : origin);
    db_bind_int(&q, ":at_s", facts->at_s);
    int64_t row = db_step(&q) ? db_int(&q, 0) : 0;
    enum otad_err err = db_end(&q, ei);
    if (err == OTAD_E_OK && row == 0)
        return otad_fail(ei, OTAD_E_NOENT, "The product is gone or has its max_devices");
    if (err == OTAD_E_OK)
        *id = row;
    return err;
}

enum otad_err device_register(struct db *db, int64_t product, uint64_t mac, const char *address,
                              int64_t now_s, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_register);
    db_bind_int(&q, ":product", product);
    db_bind_int(&q, ":mac", (int64_t)mac);
    db_bind_text(&q, ":address", address);
    db_bind_int(&q, ":now", now_s);
    bool made = db_step(&q);
    enum otad_err err = db_end(&q, ei);
    if (err != OTAD_E_OK || made)
        return err;
    (void)otad_fail(ei, OTAD_E_CONFLICT, "The product has its max_devices");
    return otad_hint(ei, "Raise max_devices: PATCH /api/v1/products/{product}.");
}

enum otad_err device_save(struct db *db, const struct device *d, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_save);
    db_bind_text(&q, ":channel", d->channel);
    if (d->pin != 0)
        db_bind_int(&q, ":pin", d->pin);
    db_bind_int(&q, ":held", d->held);
    db_bind_int(&q, ":blocked", d->blocked);
    db_bind_text(&q, ":note", d->note);
    db_bind_int(&q, ":id", d->id);
    return db_run(&q, ei);
}

enum otad_err device_delete(struct db *db, int64_t id, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_delete);
    db_bind_int(&q, ":id", id);
    return db_run(&q, ei);
}

void device_list_begin(struct device_filter *f)
{
    bool down = f->sort == DEVICE_SEEN_LAST || f->sort == DEVICE_BY_MAC_DOWN;
    f->after = f->after_id = down ? INT64_MAX : -1;
}

enum otad_err device_list(struct db *db, const struct device_filter *f,
                          enum otad_err (*each)(void *arg, const struct device *d), void *arg,
                          struct otad_errinfo *ei)
{
    static const char *const all[] = {
        [DEVICE_SEEN_LAST] = sql_seen_last,
        [DEVICE_SEEN_FIRST] = sql_seen_first,
        [DEVICE_BY_MAC] = sql_by_mac,
        [DEVICE_BY_MAC_DOWN] = sql_by_mac_down,
    };
    static const char *const of_state[] = {
        [DEVICE_SEEN_LAST] = sql_state_seen_last,
        [DEVICE_SEEN_FIRST] = sql_state_seen_first,
        [DEVICE_BY_MAC] = sql_state_by_mac,
        [DEVICE_BY_MAC_DOWN] = sql_state_by_mac_down,
    };
    const char *sql = f->state != NULL ? of_state[f->sort] : all[f->sort];
    struct db_q q = db_query(db, sql);
    db_bind_int(&q, ":product", f->product);
    db_bind_int(&q, ":after", f->after);
    if (f->sort == DEVICE_SEEN_LAST || f->sort == DEVICE_SEEN_FIRST)
        db_bind_int(&q, ":after_id", f->after_id);
    if (f->state != NULL)
        db_bind_text(&q, ":state", f->state);
    db_bind_text(&q, ":version", f->version);
    db_bind_text(&q, ":q", f->q);
    db_bind_int(&q, ":limit", f->limit);
    enum otad_err err = OTAD_E_OK;
    while (err == OTAD_E_OK && db_step(&q)) {
        struct device d;
        read_row(&q, &d);
        err = each(arg, &d);
    }
    enum otad_err end = db_end(&q, ei);
    return err != OTAD_E_OK ? err : end;
}

enum otad_err device_scan_fit(struct db *db, int64_t product,
                              enum otad_err (*each)(void *arg, const struct device *d), void *arg,
                              struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_scan_fit);
    db_bind_int(&q, ":product", product);
    enum otad_err err = OTAD_E_OK;
    struct device d = {.product = product};
    while (err == OTAD_E_OK && db_step(&q)) {
        d.mac = (uint64_t)db_int(&q, 0);
        db_copy_text(&q, 1, d.last.chip, sizeof d.last.chip);
        db_copy_text(&q, 2, d.last.agent, sizeof d.last.agent);
        d.last.free_space = db_int(&q, 3);
        d.last.chip_size = db_int(&q, 4);
        err = each(arg, &d);
    }
    enum otad_err end = db_end(&q, ei);
    return err != OTAD_E_OK ? err : end;
}

enum otad_err device_any_pinned(struct db *db, int64_t build_seq, bool *out,
                                struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_any_pinned);
    db_bind_int(&q, ":build", build_seq);
    *out = db_step(&q);
    return db_end(&q, ei);
}
