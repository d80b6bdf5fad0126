/* SPDX-License-Identifier: MIT
 * Owns the tables `stat`, `stat_version`, `device_tally` and `update_tally`. */
#include "fleet/stats.h"

#define KEEP_HOURS_S (14 * STATS_DAY_S)
#define KEEP_DAYS_S (400 * STATS_DAY_S)

/* The last column tells whether the row is new. */
static const char sql_add[] =
    "INSERT INTO stat (product, span_s, start_s, checkins, installed, failed)"
    " SELECT id, :span, :start, :checkins, :installed, :failed FROM product WHERE id = :product"
    " ON CONFLICT (product, span_s, start_s) DO UPDATE SET checkins = checkins + excluded.checkins,"
    " installed = installed + excluded.installed, failed = failed + excluded.failed"
    " RETURNING checkins = :checkins AND installed = :installed AND failed = :failed";
static const char sql_prune[] =
    "DELETE FROM stat WHERE product = :product AND span_s = :span AND start_s < :before";
static const char sql_prune_versions[] =
    "DELETE FROM stat_version WHERE product = :product AND day_s < :before";
static const char sql_remember_versions[] =
    "INSERT INTO stat_version (product, day_s, version, devices)"
    " SELECT :product, :day, version, sum(devices) FROM device_tally WHERE product = :product"
    " GROUP BY version ORDER BY sum(devices) DESC LIMIT :limit ON CONFLICT DO NOTHING";

static const char sql_devices[] =
    "SELECT device_count, (SELECT count(*) FROM device WHERE product = :product"
    " AND last_seen_s >= :day) FROM product WHERE id = :product";
static const char sql_on_current[] =
    "SELECT sum(t.devices) FROM product AS p JOIN device_tally AS t ON t.product = p.id"
    " JOIN channel AS c ON c.product = p.id"
    " AND c.name = CASE WHEN t.channel = '' THEN p.default_channel ELSE t.channel END"
    " JOIN build AS b ON b.seq = c.app AND b.version = t.version WHERE p.id = :product";
static const char sql_in_flight[] =
    "SELECT sum(t.updates) FROM build AS b JOIN update_tally AS t ON t.build = b.seq"
    " WHERE b.product = :product AND t.state IN ('pending', 'in_progress', 'sent')";
/* As the partial index has it. */
#define UNSUCCESSFUL "state IN ('failed', 'rolled_back', 'attempts_exhausted')"
static const char sql_failed[] =
    "SELECT count(*) FROM \"update\" WHERE product = :product AND updated_at_s >= :day"
    " AND " UNSUCCESSFUL;
static const char sql_failures[] =
    "SELECT CASE WHEN cause <> '' THEN cause ELSE state END AS why, sum(updated_at_s >= :day),"
    " count(*) FROM \"update\" WHERE product = :product AND updated_at_s >= :week"
    " AND " UNSUCCESSFUL " GROUP BY why";
static const char sql_versions[] =
    "SELECT version, sum(devices), 0 FROM device_tally WHERE product = :product"
    " GROUP BY version ORDER BY sum(devices) DESC, version LIMIT :limit";
static const char sql_device_states[] =
    "SELECT state, count(*), 0 FROM device WHERE product = :product GROUP BY state";
static const char sql_channels[] =
    "SELECT CASE WHEN t.channel = '' THEN p.default_channel ELSE t.channel END AS name,"
    " sum(t.devices), 0 FROM product AS p JOIN device_tally AS t ON t.product = p.id"
    " WHERE p.id = :product GROUP BY name ORDER BY name";
static const char sql_states[] =
    "SELECT state, updates, 0 FROM update_tally WHERE build = :build AND updates > 0";
static const char sql_over_time[] =
    "SELECT start_s, checkins, installed, failed FROM stat WHERE product = :product"
    " AND span_s = :span AND start_s >= :since ORDER BY start_s";
static const char sql_adoption[] =
    "SELECT version, devices, day_s FROM stat_version WHERE product = :product"
    " AND day_s >= :since ORDER BY day_s, version";

/* ---- counting ----------------------------------------------------------------------------- */

static enum otad_err add(struct db *db, const struct stats_count *c, int64_t span_s, bool *fresh,
                         struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_add);
    db_bind_int(&q, ":product", c->product);
    db_bind_int(&q, ":span", span_s);
    db_bind_int(&q, ":start", c->start_s - c->start_s % span_s);
    db_bind_int(&q, ":checkins", c->checkins);
    db_bind_int(&q, ":installed", c->installed);
    db_bind_int(&q, ":failed", c->failed);
    *fresh = db_step(&q) && db_int(&q, 0) != 0;
    return db_end(&q, ei);
}

static enum otad_err prune(struct db *db, int64_t product, int64_t span_s, int64_t before_s,
                           struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_prune);
    db_bind_int(&q, ":product", product);
    db_bind_int(&q, ":span", span_s);
    db_bind_int(&q, ":before", before_s);
    return db_run(&q, ei);
}

static enum otad_err remember_versions(struct db *db, int64_t product, int64_t day_s,
                                       struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_remember_versions);
    db_bind_int(&q, ":product", product);
    db_bind_int(&q, ":day", day_s);
    db_bind_int(&q, ":limit", STATS_VERSIONS_MAX);
    enum otad_err err = db_run(&q, ei);
    if (err != OTAD_E_OK)
        return err;
    q = db_query(db, sql_prune_versions);
    db_bind_int(&q, ":product", product);
    db_bind_int(&q, ":before", day_s - KEEP_DAYS_S);
    return db_run(&q, ei);
}

enum otad_err stats_add(struct db *db, const struct stats_count *c, struct otad_errinfo *ei)
{
    bool fresh_hour, fresh_day = false;
    int64_t day_s = c->start_s - c->start_s % STATS_DAY_S;
    enum otad_err err = add(db, c, STATS_HOUR_S, &fresh_hour, ei);
    if (err == OTAD_E_OK)
        err = add(db, c, STATS_DAY_S, &fresh_day, ei);
    if (err == OTAD_E_OK && fresh_day)
        err = remember_versions(db, c->product, day_s, ei);
    if (err == OTAD_E_OK && fresh_day)
        err = prune(db, c->product, STATS_HOUR_S, day_s - KEEP_HOURS_S, ei);
    if (err == OTAD_E_OK && fresh_day)
        err = prune(db, c->product, STATS_DAY_S, day_s - KEEP_DAYS_S, ei);
    return err;
}

/* ---- reading ------------------------------------------------------------------------------ */

/* The first columns of the one row, of a statement that is bound. */
static enum otad_err read_numbers(struct db_q *q, int64_t *first, int64_t *second,
                                  struct otad_errinfo *ei)
{
    bool found = db_step(q);
    int64_t a = found ? db_int(q, 0) : 0, b = found && second != NULL ? db_int(q, 1) : 0;
    enum otad_err err = db_end(q, ei);
    if (err != OTAD_E_OK)
        return err;
    *first = a;
    if (second != NULL)
        *second = b;
    return OTAD_E_OK;
}

static enum otad_err read_number(struct db *db, const char *sql, int64_t product, int64_t *out,
                                 struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql);
    db_bind_int(&q, ":product", product);
    return read_numbers(&q, out, NULL, ei);
}

enum otad_err stats_totals(struct db *db, int64_t product, int64_t now_s, struct stats_totals *out,
                           struct otad_errinfo *ei)
{
    struct stats_totals t = {.devices = 0};
    struct db_q q = db_query(db, sql_devices);
    db_bind_int(&q, ":product", product);
    db_bind_int(&q, ":day", now_s - STATS_DAY_S);
    enum otad_err err = read_numbers(&q, &t.devices, &t.seen, ei);
    if (err == OTAD_E_OK)
        err = read_number(db, sql_on_current, product, &t.on_current, ei);
    if (err == OTAD_E_OK)
        err = read_number(db, sql_in_flight, product, &t.in_flight, ei);
    if (err != OTAD_E_OK)
        return err;
    q = db_query(db, sql_failed);
    db_bind_int(&q, ":product", product);
    db_bind_int(&q, ":day", now_s - STATS_DAY_S);
    err = read_numbers(&q, &t.failed, NULL, ei);
    if (err == OTAD_E_OK)
        *out = t;
    return err;
}

/* Goes through rows of a text and two numbers, of a statement that is bound. */
static enum otad_err walk(struct db_q *q, stats_each each, void *arg, struct otad_errinfo *ei)
{
    enum otad_err err = OTAD_E_OK;
    while (err == OTAD_E_OK && db_step(q))
        err = each(arg, db_text(q, 0), db_int(q, 1), db_int(q, 2));
    enum otad_err end = db_end(q, ei);
    return err != OTAD_E_OK ? err : end;
}

enum otad_err stats_versions(struct db *db, int64_t product, stats_each each, void *arg,
                             struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_versions);
    db_bind_int(&q, ":product", product);
    db_bind_int(&q, ":limit", STATS_VERSIONS_MAX);
    return walk(&q, each, arg, ei);
}

/* Goes through the rows of a statement about a product. */
static enum otad_err walk_product(struct db *db, const char *sql, int64_t product, stats_each each,
                                  void *arg, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql);
    db_bind_int(&q, ":product", product);
    return walk(&q, each, arg, ei);
}

enum otad_err stats_devices(struct db *db, int64_t product, stats_each each, void *arg,
                            struct otad_errinfo *ei)
{
    return walk_product(db, sql_device_states, product, each, arg, ei);
}

enum otad_err stats_channels(struct db *db, int64_t product, stats_each each, void *arg,
                             struct otad_errinfo *ei)
{
    return walk_product(db, sql_channels, product, each, arg, ei);
}

enum otad_err stats_states(struct db *db, int64_t build, stats_each each, void *arg,
                           struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_states);
    db_bind_int(&q, ":build", build);
    return walk(&q, each, arg, ei);
}

enum otad_err stats_failures(struct db *db, int64_t product, int64_t now_s, stats_each each,
                             void *arg, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_failures);
    db_bind_int(&q, ":product", product);
    db_bind_int(&q, ":day", now_s - STATS_DAY_S);
    db_bind_int(&q, ":week", now_s - 7 * STATS_DAY_S);
    return walk(&q, each, arg, ei);
}

enum otad_err stats_over_time(struct db *db, int64_t product, int64_t span_s, int64_t since_s,
                              enum otad_err (*each)(void *arg, const struct stats_count *count),
                              void *arg, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_over_time);
    db_bind_int(&q, ":product", product);
    db_bind_int(&q, ":span", span_s);
    db_bind_int(&q, ":since", since_s);
    enum otad_err err = OTAD_E_OK;
    while (err == OTAD_E_OK && db_step(&q)) {
        const struct stats_count count = {.product = product,
                                          .start_s = db_int(&q, 0),
                                          .checkins = db_int(&q, 1),
                                          .installed = db_int(&q, 2),
                                          .failed = db_int(&q, 3)};
        err = each(arg, &count);
    }
    enum otad_err end = db_end(&q, ei);
    return err != OTAD_E_OK ? err : end;
}

enum otad_err stats_adoption(struct db *db, int64_t product, int64_t since_s, stats_each each,
                             void *arg, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_adoption);
    db_bind_int(&q, ":product", product);
    db_bind_int(&q, ":since", since_s);
    return walk(&q, each, arg, ei);
}
