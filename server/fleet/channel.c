/* SPDX-License-Identifier: MIT
 * Owns the tables `channel` and `channel_history`. */
#include "fleet/channel.h"

#include <string.h>

static const char sql_find[] = "SELECT name, app, fs, paused, released_at_s FROM channel"
                               " WHERE product = :product AND name = :name";
static const char sql_list[] =
    "SELECT name, app, fs, paused, released_at_s FROM channel WHERE product = :product"
    " ORDER BY name";
static const char sql_ensure[] =
    "INSERT INTO channel (product, name) VALUES (:product, :name) ON CONFLICT DO NOTHING";
static const char sql_point[] =
    "UPDATE channel SET app = CASE WHEN :kind = 'app' THEN :build ELSE app END,"
    " fs = CASE WHEN :kind = 'fs' THEN :build ELSE fs END, released_at_s = :now"
    " WHERE product = :product AND name = :name";
static const char sql_remember[] = "INSERT INTO channel_history (product, name, kind, build, at_s)"
                                   " VALUES (:product, :name, :kind, :build, :now)";
/* The newest move to another build than the present one that is still deliverable. */
static const char sql_previous[] =
    "SELECT h.seq, h.build FROM channel_history AS h JOIN build AS b ON b.seq = h.build"
    " WHERE h.product = :product AND h.name = :name AND h.kind = :kind AND h.build <> :build"
    " AND b.withdrawn_at_s IS NULL ORDER BY h.seq DESC LIMIT 1";
/* What lies behind the point gone back to is forgotten, so a second undo goes further back. */
static const char sql_forget[] =
    "DELETE FROM channel_history WHERE product = :product AND name = :name AND kind = :kind"
    " AND seq > :seq";
static const char sql_pause[] =
    "UPDATE channel SET paused = :paused WHERE product = :product AND name = :name";
static const char sql_of_build[] =
    "SELECT name FROM channel WHERE app = :build UNION SELECT name FROM channel WHERE fs = :build"
    " ORDER BY 1";
/* The inner SELECT is sql_previous of each channel. */
static const char sql_wants[] =
    "SELECT 1 FROM channel AS c WHERE c.product = :product AND :build IN (c.app, c.fs,"
    " (SELECT h.build FROM channel_history AS h JOIN build AS b ON b.seq = h.build"
    "  WHERE h.product = c.product AND h.name = c.name AND h.kind = :kind"
    "  AND h.build <> coalesce(CASE :kind WHEN 'app' THEN c.app ELSE c.fs END, 0)"
    "  AND b.withdrawn_at_s IS NULL ORDER BY h.seq DESC LIMIT 1)) LIMIT 1";

bool channel_name_is_valid(const char *text)
{
    static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t n = strlen(text);
    return n >= 1 && n <= OTAD_CHANNEL_MAX && strspn(text, rest) == n && text[0] != '.' &&
           text[0] != '_' && text[0] != '-' && strcmp(text, "none") != 0;
}

static void read_row(struct db_q *q, struct channel *c)
{
    db_copy_text(q, 0, c->name, sizeof c->name);
    c->app = db_int(q, 1);
    c->fs = db_int(q, 2);
    c->paused = db_int(q, 3) != 0;
    c->released_at_s = db_int(q, 4);
}

enum otad_err channel_find(struct db *db, int64_t product, const char *name, struct channel *out,
                           struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_find);
    db_bind_int(&q, ":product", product);
    db_bind_text(&q, ":name", name);
    struct channel c;
    bool found = db_step(&q);
    if (found)
        read_row(&q, &c);
    enum otad_err err = db_end(&q, ei);
    if (err != OTAD_E_OK)
        return err;
    if (!found) {
        (void)otad_fail(ei, OTAD_E_NOENT, "The product has no channel '%.32s'", name);
        return otad_hint(ei,
                         "A channel comes to life when a build is released to it: "
                         "-F channel=%.32s at upload.",
                         name);
    }
    *out = c;
    return OTAD_E_OK;
}

enum otad_err channel_ensure(struct db *db, int64_t product, const char *name,
                             struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_ensure);
    db_bind_int(&q, ":product", product);
    db_bind_text(&q, ":name", name);
    return db_run(&q, ei);
}

/* Sets the pointer; build 0 = none. */
static enum otad_err point(struct db *db, int64_t product, const char *name, enum build_kind kind,
                           int64_t build, int64_t now_s, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_point);
    db_bind_text(&q, ":kind", build_kind_name(kind));
    if (build != 0)
        db_bind_int(&q, ":build", build);
    else
        db_bind_null(&q, ":build");
    db_bind_int(&q, ":now", now_s);
    db_bind_int(&q, ":product", product);
    db_bind_text(&q, ":name", name);
    return db_run(&q, ei);
}

enum otad_err channel_release(struct db *db, int64_t product, const char *name,
                              const struct build *b, int64_t now_s, struct otad_errinfo *ei)
{
    if (b->kind == BUILD_FACTORY) {
        (void)otad_fail(ei, OTAD_E_INVALID, "A factory image can't be on a channel");
        return otad_hint(ei,
                         "It is for first installs by cable; upload the application for updates.");
    }
    enum otad_err err = channel_ensure(db, product, name, ei);
    if (err == OTAD_E_OK)
        err = point(db, product, name, b->kind, b->seq, now_s, ei);
    if (err != OTAD_E_OK)
        return err;
    struct db_q q = db_query(db, sql_remember);
    db_bind_int(&q, ":product", product);
    db_bind_text(&q, ":name", name);
    db_bind_text(&q, ":kind", build_kind_name(b->kind));
    db_bind_int(&q, ":build", b->seq);
    db_bind_int(&q, ":now", now_s);
    return db_run(&q, ei);
}

static enum otad_err previous(struct db *db, int64_t product, const char *name,
                              enum build_kind kind, int64_t current, int64_t *seq, int64_t *build,
                              struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_previous);
    db_bind_int(&q, ":product", product);
    db_bind_text(&q, ":name", name);
    db_bind_text(&q, ":kind", build_kind_name(kind));
    db_bind_int(&q, ":build", current);
    *seq = *build = 0;
    if (db_step(&q)) {
        *seq = db_int(&q, 0);
        *build = db_int(&q, 1);
    }
    return db_end(&q, ei);
}

static enum otad_err forget_after(struct db *db, int64_t product, const char *name,
                                  enum build_kind kind, int64_t seq, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_forget);
    db_bind_int(&q, ":product", product);
    db_bind_text(&q, ":name", name);
    db_bind_text(&q, ":kind", build_kind_name(kind));
    db_bind_int(&q, ":seq", seq);
    return db_run(&q, ei);
}

/* Goes back one step; to none when there is no earlier build. */
static enum otad_err go_back(struct db *db, int64_t product, const char *name, enum build_kind kind,
                             int64_t current, int64_t now_s, int64_t *to, struct otad_errinfo *ei)
{
    int64_t seq, build;
    enum otad_err err = previous(db, product, name, kind, current, &seq, &build, ei);
    if (err == OTAD_E_OK)
        err = forget_after(db, product, name, kind, seq, ei);
    if (err == OTAD_E_OK)
        err = point(db, product, name, kind, build, now_s, ei);
    if (err == OTAD_E_OK)
        *to = build;
    return err;
}

enum otad_err channel_undo(struct db *db, int64_t product, const char *name, enum build_kind kind,
                           int64_t now_s, int64_t *undone_to, struct otad_errinfo *ei)
{
    struct channel c;
    enum otad_err err = channel_find(db, product, name, &c, ei);
    if (err != OTAD_E_OK)
        return err;
    int64_t seq, build, current = kind == BUILD_FS ? c.fs : c.app;
    err = previous(db, product, name, kind, current, &seq, &build, ei);
    if (err != OTAD_E_OK)
        return err;
    if (build == 0) {
        (void)otad_fail(ei, OTAD_E_CONFLICT, "Channel '%s' has no earlier build to go back to",
                        c.name);
        return otad_hint(ei,
                         "To stop devices from updating, pause the channel instead: "
                         "POST …/channels/%s/pause.",
                         c.name);
    }
    return go_back(db, product, name, kind, current, now_s, undone_to, ei);
}

enum otad_err channel_set_paused(struct db *db, int64_t product, const char *name, bool paused,
                                 struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_pause);
    db_bind_int(&q, ":paused", paused);
    db_bind_int(&q, ":product", product);
    db_bind_text(&q, ":name", name);
    return db_run(&q, ei);
}

/* Channels of a build: few, so collected first and moved after. */
struct names {
    char items[64][OTAD_CHANNEL_MAX + 1];
    size_t n;
};

static enum otad_err collect(void *arg, const char *name)
{
    struct names *names = arg;
    if (names->n < OTAD_COUNT(names->items)) {
        memcpy(names->items[names->n], name, strlen(name) + 1);
        names->n++;
    }
    return OTAD_E_OK;
}

enum otad_err channel_leave_build(struct db *db, const struct build *b, int64_t now_s,
                                  struct otad_errinfo *ei)
{
    struct names names;
    enum otad_err err;
    do {
        names.n = 0;
        err = channel_of_build(db, b->seq, collect, &names, ei);
        for (size_t i = 0; i < names.n && err == OTAD_E_OK; i++) {
            int64_t to;
            err = go_back(db, b->product, names.items[i], b->kind, b->seq, now_s, &to, ei);
        }
    } while (err == OTAD_E_OK && names.n == OTAD_COUNT(names.items)); /* there may be more */
    return err;
}

enum otad_err channel_list(struct db *db, int64_t product,
                           enum otad_err (*each)(void *arg, const struct channel *c), void *arg,
                           struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_list);
    db_bind_int(&q, ":product", product);
    enum otad_err err = OTAD_E_OK;
    while (err == OTAD_E_OK && db_step(&q)) {
        struct channel c;
        read_row(&q, &c);
        err = each(arg, &c);
    }
    enum otad_err end = db_end(&q, ei);
    return err != OTAD_E_OK ? err : end;
}

enum otad_err channel_of_build(struct db *db, int64_t build_seq,
                               enum otad_err (*each)(void *arg, const char *name), void *arg,
                               struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_of_build);
    db_bind_int(&q, ":build", build_seq);
    enum otad_err err = OTAD_E_OK;
    while (err == OTAD_E_OK && db_step(&q))
        err = each(arg, db_text(&q, 0));
    enum otad_err end = db_end(&q, ei);
    return err != OTAD_E_OK ? err : end;
}

enum otad_err channel_wants(struct db *db, const struct build *b, bool *out,
                            struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_wants);
    db_bind_int(&q, ":product", b->product);
    db_bind_int(&q, ":build", b->seq);
    db_bind_text(&q, ":kind", build_kind_name(b->kind));
    *out = db_step(&q);
    return db_end(&q, ei);
}
