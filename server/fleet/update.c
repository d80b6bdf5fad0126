/* SPDX-License-Identifier: MIT
 * Owns the table `update`. */
#include "fleet/update.h"

#include <string.h>

#define SELECT                                                                                     \
    "SELECT u.id, u.product, u.device, d.mac, u.build, b.id, b.version, u.from_version, u.state,"  \
    " u.cause, u.detail, u.attempts, u.created_at_s, u.updated_at_s, u.from_md5, u.polled_at_s,"   \
    " u.retried_at_s, d.last_seen_s FROM \"update\" AS u"                                          \
    " JOIN device AS d ON d.id = u.device JOIN build AS b ON b.seq = u.build "

static const char sql_find[] = SELECT "WHERE u.id = :id";
static const char sql_newest[] = SELECT "WHERE u.device = :device ORDER BY u.id DESC LIMIT 1";
static const char sql_newest_for[] =
    SELECT "WHERE u.build = :build AND u.device = :device ORDER BY u.id DESC LIMIT 1";
static const char sql_open[] =
    SELECT "WHERE u.device = :device AND u.state IN ('pending', 'in_progress', 'sent')"
           " ORDER BY u.id LIMIT :room";
static const char sql_insert[] =
    "INSERT INTO \"update\" (product, device, build, from_version, from_md5, state, created_at_s,"
    " updated_at_s) VALUES (:product, :device, :build, :from_version, :from_md5, :state, :now, "
    ":now)"
    " RETURNING id";
static const char sql_save[] =
    "UPDATE \"update\" SET state = :state, cause = :cause, detail = :detail, attempts = :attempts,"
    " polled_at_s = :polled, retried_at_s = :retried, updated_at_s = :now WHERE id = :id";
static const char sql_newest_kind[] =
    SELECT "WHERE u.device = (SELECT id FROM device WHERE product = :product AND mac = :mac)"
           " AND b.kind = :kind ORDER BY u.id DESC LIMIT 1";
static const char sql_silent[] =
    SELECT "JOIN product AS p ON p.id = u.product WHERE u.state IN ('in_progress', 'sent')"
           " AND u.id > :after AND d.last_seen_s > 0 AND max(u.updated_at_s, d.last_seen_s)"
           "  + max(p.patience_s, 3 * d.interval_s) < :now"
           " AND NOT EXISTS (SELECT 1 FROM transfer AS t WHERE t.\"update\" = u.id"
           "  AND t.state = 'downloading') ORDER BY u.id LIMIT :room";
static const char sql_stayed_away[] =
    SELECT "WHERE u.state IN ('in_progress', 'sent') AND u.state = 'sent' AND u.polled_at_s > 0"
           " AND u.polled_at_s < :before ORDER BY u.id LIMIT :room";
static const char sql_fs_seen[] =
    SELECT "WHERE u.state IN ('in_progress', 'sent') AND u.state = 'sent' AND b.kind = 'fs'"
           " AND d.last_seen_s > u.updated_at_s ORDER BY u.id LIMIT :room";
#define OF_PRODUCT SELECT "WHERE u.product = :product" FILTERS
#define OF_DEVICE                                                                                  \
    SELECT                                                                                         \
    "WHERE u.device = (SELECT id FROM device WHERE product = :product AND mac = :mac)" FILTERS
#define FILTERS                                                                                    \
    " AND (:build IS NULL OR b.id = :build)"                                                       \
    " AND (:state IS NULL OR u.state = :state) AND (:cause IS NULL OR u.cause = :cause)"           \
    " AND u.created_at_s >= :since AND u.created_at_s < :until"
#define NEWEST " AND u.id < :after_id ORDER BY u.id DESC LIMIT :limit"
#define OLDEST " AND u.id > :after_id ORDER BY u.id LIMIT :limit"
#define CHANGED_LAST                                                                               \
    " AND (u.updated_at_s, u.id) < (:after_s, :after_id)"                                          \
    " ORDER BY u.updated_at_s DESC, u.id DESC LIMIT :limit"
#define CHANGED_FIRST                                                                              \
    " AND (u.updated_at_s, u.id) > (:after_s, :after_id)"                                          \
    " ORDER BY u.updated_at_s, u.id LIMIT :limit"
static const char sql_list_newest[] = OF_PRODUCT NEWEST;
static const char sql_list_oldest[] = OF_PRODUCT OLDEST;
static const char sql_list_changed_last[] = OF_PRODUCT CHANGED_LAST;
static const char sql_list_changed_first[] = OF_PRODUCT CHANGED_FIRST;
static const char sql_device_newest[] = OF_DEVICE NEWEST;
static const char sql_device_oldest[] = OF_DEVICE OLDEST;
static const char sql_device_changed_last[] = OF_DEVICE CHANGED_LAST;
static const char sql_device_changed_first[] = OF_DEVICE CHANGED_FIRST;

/* By enum update_sort. */
static const struct {
    const char *name;
    const char *sql_of_product, *sql_of_device;
    bool up, by_change;
} sorts[] = {
    {"-id",         sql_list_newest,        sql_device_newest,        false, false},
    {"id",          sql_list_oldest,        sql_device_oldest,        true,  false},
    {"-updated_at", sql_list_changed_last,  sql_device_changed_last,  false, true },
    {"updated_at",  sql_list_changed_first, sql_device_changed_first, true,  true },
};
static const char sql_any_open[] = "SELECT 1 FROM \"update\" WHERE build = :build"
                                   " AND state IN ('pending', 'in_progress', 'sent') LIMIT 1";
static const char sql_next_old[] =
    "SELECT u.created_at_s, u.id, u.updated_at_s < :before"
    " AND u.state NOT IN ('pending', 'in_progress', 'sent')"
    " AND u.id <> (SELECT max(id) FROM \"update\" WHERE device = u.device)"
    " FROM \"update\" AS u WHERE (u.created_at_s, u.id) > (:after_s, :after_id)"
    " AND u.created_at_s < :before ORDER BY u.created_at_s, u.id LIMIT 1";
static const char sql_delete[] = "DELETE FROM \"update\" WHERE id = :id";

static const char *const states[] = {
    "pending", "in_progress", "sent", "installed", "failed", "rolled_back", "attempts_exhausted"};

const char *update_state_name(enum update_state state)
{
    return states[state];
}

bool update_state_parse(const char *text, enum update_state *out)
{
    for (size_t i = 0; i < OTAD_COUNT(states); i++)
        if (strcmp(text, states[i]) == 0) {
            *out = (enum update_state)i;
            return true;
        }
    return false;
}

static void read_row(struct db_q *q, struct update *u)
{
    u->id = db_int(q, 0);
    u->product = db_int(q, 1);
    u->device = db_int(q, 2);
    u->mac = (uint64_t)db_int(q, 3);
    u->build = db_int(q, 4);
    u->build_id = db_int(q, 5);
    db_copy_text(q, 6, u->to_version, sizeof u->to_version);
    db_copy_text(q, 7, u->from_version, sizeof u->from_version);
    u->state = UPDATE_PENDING;
    const char *state = db_text(q, 8);
    if (state != NULL)
        (void)update_state_parse(state, &u->state); /* the table's CHECK allows no other word */
    db_copy_text(q, 9, u->cause, sizeof u->cause);
    db_copy_text(q, 10, u->detail, sizeof u->detail);
    u->attempts = db_int(q, 11);
    u->created_at_s = db_int(q, 12);
    u->updated_at_s = db_int(q, 13);
    db_copy_text(q, 14, u->from_md5, sizeof u->from_md5);
    u->polled_at_s = db_int(q, 15);
    u->retried_at_s = db_int(q, 16);
    u->device_seen_s = db_int(q, 17);
}

static enum otad_err read_one(struct db_q *q, struct update *out, struct otad_errinfo *ei)
{
    struct update u;
    bool found = db_step(q);
    if (found)
        read_row(q, &u);
    enum otad_err err = db_end(q, ei);
    if (err != OTAD_E_OK)
        return err;
    if (!found)
        return otad_fail(ei, OTAD_E_NOENT, "There is no such update");
    *out = u;
    return OTAD_E_OK;
}

enum otad_err update_find(struct db *db, int64_t id, struct update *out, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_find);
    db_bind_int(&q, ":id", id);
    return read_one(&q, out, ei);
}

enum otad_err update_newest(struct db *db, int64_t device, int64_t build_seq, struct update *out,
                            struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, build_seq != 0 ? sql_newest_for : sql_newest);
    db_bind_int(&q, ":device", device);
    if (build_seq != 0)
        db_bind_int(&q, ":build", build_seq);
    return read_one(&q, out, ei);
}

enum otad_err update_newest_kind(struct db *db, int64_t product, uint64_t mac, enum build_kind kind,
                                 struct update *out, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_newest_kind);
    db_bind_int(&q, ":product", product);
    db_bind_int(&q, ":mac", (int64_t)mac);
    db_bind_text(&q, ":kind", build_kind_name(kind));
    return read_one(&q, out, ei);
}

enum otad_err update_insert(struct db *db, struct update *u, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_insert);
    db_bind_int(&q, ":product", u->product);
    db_bind_int(&q, ":device", u->device);
    db_bind_int(&q, ":build", u->build);
    db_bind_text(&q, ":from_version", u->from_version);
    db_bind_text(&q, ":from_md5", u->from_md5);
    db_bind_text(&q, ":state", states[u->state]);
    db_bind_int(&q, ":now", u->created_at_s);
    int64_t id = db_step(&q) ? db_int(&q, 0) : 0;
    enum otad_err err = db_end(&q, ei);
    if (err == OTAD_E_OK)
        u->id = id;
    return err;
}

enum otad_err update_save(struct db *db, const struct update *u, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_save);
    db_bind_text(&q, ":state", states[u->state]);
    db_bind_text(&q, ":cause", u->cause);
    db_bind_text(&q, ":detail", u->detail);
    db_bind_int(&q, ":attempts", u->attempts);
    db_bind_int(&q, ":polled", u->polled_at_s);
    db_bind_int(&q, ":retried", u->retried_at_s);
    db_bind_int(&q, ":now", u->updated_at_s);
    db_bind_int(&q, ":id", u->id);
    return db_run(&q, ei);
}

static enum otad_err read_some(struct db_q *q, struct update *out, size_t room, size_t *n,
                               struct otad_errinfo *ei)
{
    db_bind_int(q, ":room", (int64_t)room);
    *n = 0;
    while (*n < room && db_step(q))
        read_row(q, &out[(*n)++]);
    return db_end(q, ei);
}

enum otad_err update_open(struct db *db, int64_t device, struct update *out, size_t room, size_t *n,
                          struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_open);
    db_bind_int(&q, ":device", device);
    return read_some(&q, out, room, n, ei);
}

enum otad_err update_silent(struct db *db, int64_t now_s, int64_t after, struct update *out,
                            size_t room, size_t *n, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_silent);
    db_bind_int(&q, ":now", now_s);
    db_bind_int(&q, ":after", after);
    return read_some(&q, out, room, n, ei);
}

enum otad_err update_stayed_away(struct db *db, int64_t before_s, struct update *out, size_t room,
                                 size_t *n, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_stayed_away);
    db_bind_int(&q, ":before", before_s);
    return read_some(&q, out, room, n, ei);
}

enum otad_err update_fs_seen(struct db *db, struct update *out, size_t room, size_t *n,
                             struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_fs_seen);
    return read_some(&q, out, room, n, ei);
}

bool update_sort_parse(const char *text, enum update_sort *out)
{
    for (size_t i = 0; i < OTAD_COUNT(sorts); i++)
        if (strcmp(text, sorts[i].name) == 0) {
            *out = (enum update_sort)i;
            return true;
        }
    return false;
}

void update_first(struct update_filter *f)
{
    f->after_id = f->after_s = sorts[f->sort].up ? -1 : INT64_MAX;
}

static struct db_q list_query(struct db *db, const struct update_filter *f)
{
    struct db_q q =
        db_query(db, f->mac != 0 ? sorts[f->sort].sql_of_device : sorts[f->sort].sql_of_product);
    if (f->mac != 0)
        db_bind_int(&q, ":mac", (int64_t)f->mac);
    if (sorts[f->sort].by_change)
        db_bind_int(&q, ":after_s", f->after_s);
    db_bind_int(&q, ":after_id", f->after_id);
    db_bind_int(&q, ":product", f->product);
    return q;
}

enum otad_err update_list(struct db *db, const struct update_filter *f,
                          enum otad_err (*each)(void *arg, const struct update *u), void *arg,
                          struct otad_errinfo *ei)
{
    struct db_q q = list_query(db, f);
    if (f->by_build)
        db_bind_int(&q, ":build", f->build_id);
    db_bind_text(&q, ":state", f->state);
    db_bind_text(&q, ":cause", f->cause);
    db_bind_int(&q, ":since", f->since_s);
    db_bind_int(&q, ":until", f->until_s);
    db_bind_int(&q, ":limit", f->limit);
    enum otad_err err = OTAD_E_OK;
    while (err == OTAD_E_OK && db_step(&q)) {
        struct update u;
        read_row(&q, &u);
        err = each(arg, &u);
    }
    enum otad_err end = db_end(&q, ei);
    return err != OTAD_E_OK ? err : end;
}

enum otad_err update_any_open(struct db *db, int64_t build_seq, bool *out, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_any_open);
    db_bind_int(&q, ":build", build_seq);
    *out = db_step(&q);
    return db_end(&q, ei);
}

enum otad_err update_next_old(struct db *db, struct prune *p, int64_t *id, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_next_old);
    db_bind_int(&q, ":after_s", p->after_s);
    db_bind_int(&q, ":after_id", p->after_id);
    db_bind_int(&q, ":before", p->before_s);
    *id = 0;
    p->done = !db_step(&q);
    if (!p->done) {
        p->after_s = db_int(&q, 0);
        p->after_id = db_int(&q, 1);
        *id = db_int(&q, 2) != 0 ? p->after_id : 0;
    }
    return db_end(&q, ei);
}

enum otad_err update_delete(struct db *db, int64_t id, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_delete);
    db_bind_int(&q, ":id", id);
    return db_run(&q, ei);
}
