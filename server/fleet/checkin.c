/* SPDX-License-Identifier: MIT
 * Owns the one read of the hot path. */
#include "fleet/checkin.h"

#include <string.h>

#include "base/hex.h"
#include "fleet/preflight.h"

/* One statement over seven tables, so one read transaction: two lock calls instead of ten. Every
 * table is reached by a unique index. A withdrawn build is no target, whoever still names it. */
static const char sql_checkin[] =
    "SELECT p.id, p.disabled, p.max_devices, p.device_count, d.id, d.blocked, d.held, d.version,"
    " c.paused AND (:fs OR d.pin IS NULL), b.seq, b.id, b.version, b.number, i.id, i.size_bytes, "
    "i.md5,"
    " i.sha256, i.identities, b.kind, p.access = 'key', p.client = 'tasmota',"
    " CASE WHEN :key IS NULL THEN 0 ELSE EXISTS (SELECT 1 FROM product_key AS k"
    "  WHERE k.product = p.id AND k.hash = :key AND k.revoked_at_s IS NULL) END,"
    " i.flash_bytes, b.chip, u.state, u.attempts, u.from_version, u.from_md5, p.attempts_max"
    " FROM product AS p"
    " LEFT JOIN device AS d ON d.product = p.id AND d.mac = :mac"
    " LEFT JOIN channel AS c ON c.product = p.id AND c.name = CASE"
    "  WHEN coalesce(d.channel, '') <> '' THEN d.channel"
    "  WHEN :channel <> '' THEN :channel ELSE p.default_channel END"
    " LEFT JOIN build AS b ON b.seq = CASE WHEN :build <> 0 THEN :build WHEN :fs THEN c.fs"
    "  ELSE coalesce(d.pin, c.app) END"
    "  AND b.withdrawn_at_s IS NULL"
    " LEFT JOIN image AS i ON i.id = b.image"
    " LEFT JOIN \"update\" AS u ON u.id = (SELECT max(id) FROM \"update\""
    "  WHERE build = b.seq AND device = d.id)"
    " WHERE p.slug = :slug";

/* The same columns for a build that is named, then what only this needs. */
static const char sql_build[] =
    "SELECT p.id, p.disabled, p.max_devices, p.device_count, d.id, d.blocked, d.held, d.version,"
    " 0, b.seq, b.id, b.version, b.number, i.id, i.size_bytes, i.md5, i.sha256, i.identities,"
    " b.kind, p.access = 'key', p.client = 'tasmota', 0, i.flash_bytes, b.chip, NULL, 0, '', '',"
    " p.attempts_max, p.slug, d.mac, b.withdrawn_at_s IS NOT NULL"
    " FROM build AS b JOIN product AS p ON p.id = b.product JOIN image AS i ON i.id = b.image"
    " LEFT JOIN device AS d ON d.product = p.id AND d.id = CASE WHEN :device <> 0 THEN :device"
    "  ELSE (SELECT id FROM device WHERE product = b.product AND mac = :mac) END"
    " WHERE b.id = :build";

static void read_digest(struct db_q *q, int column, size_t want, char *out)
{
    size_t n;
    const void *data = db_blob(q, column, &n);
    if (n == want)
        hex_encode(data, n, out);
    else
        out[0] = '\0';
}

static void read_row(struct db_q *q, struct checkin_row *r)
{
    r->product = db_int(q, 0);
    r->disabled = db_int(q, 1) != 0;
    r->max_devices = db_int(q, 2);
    r->device_count = db_int(q, 3);
    r->device = db_int(q, 4);
    r->blocked = db_int(q, 5) != 0;
    r->held = db_int(q, 6) != 0;
    db_copy_text(q, 7, r->version, sizeof r->version);
    r->paused = db_int(q, 8) != 0;
    r->build = db_int(q, 9);
    r->build_id = db_int(q, 10);
    db_copy_text(q, 11, r->target_version, sizeof r->target_version);
    r->number = db_int(q, 12);
    r->image = db_int(q, 13);
    r->has_target = r->image != 0;
    r->size_bytes = db_int(q, 14);
    read_digest(q, 15, OTAD_MD5_LEN, r->md5);
    read_digest(q, 16, OTAD_SHA256_LEN, r->sha256);
    db_copy_text(q, 17, r->also, sizeof r->also);
    const char *kind = db_text(q, 18);
    r->kind = BUILD_APP;
    if (kind != NULL)
        (void)build_kind_parse(kind, &r->kind); /* the table's CHECK allows no other word */
    r->needs_key = db_int(q, 19) != 0;
    r->tasmota = db_int(q, 20) != 0;
    r->key_ok = db_int(q, 21) != 0;
    r->flash_bytes = db_int(q, 22);
    db_copy_text(q, 23, r->chip, sizeof r->chip);
    const char *state = db_text(q, 24);
    r->state = UPDATE_PENDING;
    r->has_update = state != NULL && update_state_parse(state, &r->state);
    r->attempts = db_int(q, 25);
    db_copy_text(q, 26, r->from_version, sizeof r->from_version);
    db_copy_text(q, 27, r->from_md5, sizeof r->from_md5);
    r->attempts_max = db_int(q, 28);
}

enum otad_err checkin_load(struct db *db, const struct checkin_query *query,
                           struct checkin_row *out, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_checkin);
    db_bind_text(&q, ":slug", query->slug);
    db_bind_int(&q, ":mac", (int64_t)query->mac);
    db_bind_text(&q, ":channel", query->channel);
    db_bind_int(&q, ":fs", query->fs);
    db_bind_int(&q, ":build", query->build);
    /* The index compares hashes of the key: its timing says nothing about the key. */
    db_bind_blob(&q, ":key", query->key_hash, OTAD_SHA256_LEN);
    struct checkin_row row;
    bool found = db_step(&q);
    if (found)
        read_row(&q, &row);
    enum otad_err err = db_end(&q, ei);
    if (err != OTAD_E_OK)
        return err;
    if (!found)
        return otad_fail(ei, OTAD_E_NOENT, "no_product");
    *out = row;
    return OTAD_E_OK;
}

enum otad_err checkin_load_build(struct db *db, const struct checkin_build_query *query,
                                 struct checkin_row *out, char slug[OTAD_SLUG_MAX + 1],
                                 uint64_t *mac, bool *withdrawn, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_build);
    db_bind_int(&q, ":build", query->build_id);
    db_bind_int(&q, ":device", query->device_number);
    db_bind_int(&q, ":mac", (int64_t)query->mac);
    bool found = db_step(&q);
    if (found) {
        read_row(&q, out);
        db_copy_text(&q, 29, slug, OTAD_SLUG_MAX + 1);
        *mac = (uint64_t)db_int(&q, 30);
        *withdrawn = db_int(&q, 31) != 0;
    }
    enum otad_err err = db_end(&q, ei);
    return err == OTAD_E_OK && !found ? otad_fail(ei, OTAD_E_NOENT, "no_build") : err;
}

enum checkin_mode checkin_mode(const char *word)
{
    static const char *const filesystems[] = {"spiffs", "fatfs", "littlefs", "flashfs"};
    if (word == NULL || word[0] == '\0' || strcmp(word, "sketch") == 0)
        return MODE_SKETCH;
    if (strcmp(word, "version") == 0)
        return MODE_VERSION;
    for (size_t i = 0; i < OTAD_COUNT(filesystems); i++)
        if (strcmp(word, filesystems[i]) == 0)
            return MODE_FS;
    return MODE_UNKNOWN;
}

bool checkin_is_before(const char *from_version, const char *from_md5,
                       const struct device_facts *said)
{
    if (said->version[0] != '\0' && from_version[0] != '\0')
        return strcmp(said->version, from_version) == 0;
    return said->md5[0] != '\0' && strcmp(said->md5, from_md5) == 0;
}

static enum reason unfit(const struct checkin_row *row, const struct device_facts *said)
{
    const struct fit_need need = {.kind = row->kind,
                                  .chip = row->chip,
                                  .size_bytes = row->size_bytes,
                                  .flash_bytes = row->flash_bytes};
    return preflight_check(&need, said);
}

struct decide_facts checkin_facts(const struct checkin_row *row, const struct device_facts *said,
                                  enum checkin_mode mode)
{
    bool installed = row->has_update && row->state == UPDATE_INSTALLED;
    return (struct decide_facts){
        .product_disabled = row->disabled,
        .device_blocked = row->blocked,
        .device_held = row->held,
        .channel_paused = row->paused,
        .mode = mode,
        .has_target = row->has_target,
        .target = {.version = row->target_version,
                   .md5 = row->md5,
                   .sha256 = row->sha256,
                   .also = row->also},
        .running = {.version = said->version,                              .md5 = said->md5, .sha256 = said->sha256},
        .unfit = row->has_target ? unfit(row, said) : REASON_NONE,
        .done = installed && mode == MODE_FS && said->version[0] == '\0',
        .rolled_back = (row->has_update && row->state == UPDATE_ROLLED_BACK) ||
                       (installed && checkin_is_before(row->from_version, row->from_md5, said)),
        .attempts = row->attempts,
        .attempts_max = row->attempts_max,
    };
}

bool checkin_is_evidence(const struct checkin_row *row, const struct device_facts *said,
                         enum checkin_mode mode, bool asks_image)
{
    if (!row->has_update)
        return false;
    const struct decide_facts facts = checkin_facts(row, said, mode);
    bool installed = row->state == UPDATE_INSTALLED;
    if (identity_match(&facts.target, &facts.running, mode) != REASON_NONE)
        return !installed;
    if (installed)
        return facts.rolled_back || (asks_image && said->version[0] == '\0');
    if (row->state == UPDATE_SENT)
        return true;
    bool open = row->state == UPDATE_IN_PROGRESS || row->state == UPDATE_FAILED;
    return open && row->attempts_max > 0 && row->attempts >= row->attempts_max;
}
