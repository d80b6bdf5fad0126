/* SPDX-License-Identifier: MIT
 * Owns the table `transfer`. */
#include "fleet/transfer.h"

#include <stdatomic.h>
#include <string.h>

#define SELECT                                                                                     \
    "SELECT id, \"update\", state, cause, size_bytes, bytes_acked, resumed, bytes_per_s, client,"  \
    " address, detail, started_at_s, ended_at_s, counted, idle_since_s, kind FROM transfer "

static const char sql_insert[] =
    "INSERT INTO transfer (id, \"update\", state, size_bytes, resumed, client, address,"
    " started_at_s, counted, kind) VALUES (:id, :update, 'downloading', :size, :resumed, :client,"
    " :address, :started, :counted, :kind)";
static const char sql_save[] =
    "UPDATE transfer SET state = :state, cause = :cause, bytes_acked = :bytes, resumed = :resumed,"
    " bytes_per_s = :rate, detail = :detail, ended_at_s = nullif(:ended, 0), ranges = :ranges,"
    " idle_since_s = :idle, counted = :counted WHERE id = :id";
static const char sql_attempts[] =
    "SELECT count(*) FROM transfer WHERE \"update\" = :update AND state = 'sent' AND counted"
    " AND ended_at_s >= :since";
static const char sql_forgive[] =
    "UPDATE transfer SET counted = 0 WHERE \"update\" = :update AND state = 'sent'";
static const char sql_idle[] = SELECT "WHERE state = 'downloading' AND idle_since_s > 0"
                                      " AND idle_since_s < :before ORDER BY id LIMIT :room";
static const char sql_of_part[] = "SELECT transfer FROM transfer_part WHERE id = :id";
static const char sql_arrived[] = "SELECT ranges FROM transfer WHERE id = :id";
static const char sql_newest[] = SELECT "WHERE \"update\" = :update ORDER BY id DESC LIMIT 1";
static const char sql_newest_pull[] =
    SELECT "WHERE \"update\" = :update AND kind = 'pull' ORDER BY id DESC LIMIT 1";
/* Not pushes: those end by themselves, whatever the device fetches meanwhile. */
static const char sql_supersede[] =
    "UPDATE transfer SET state = 'aborted', cause = 'superseded', ended_at_s = :now,"
    " detail = bytes_acked || ' of ' || size_bytes || ' bytes acknowledged when the next began'"
    " WHERE \"update\" = :update AND state = 'downloading' AND kind = 'pull'";
static const char sql_part_begin[] = "INSERT INTO transfer_part VALUES (:id, :transfer)";
static const char sql_part_end[] = "DELETE FROM transfer_part WHERE id = :id RETURNING transfer";
static const char sql_parts[] = "SELECT count(*) FROM transfer_part WHERE transfer = :transfer";
static const char sql_parts_forget[] = "DELETE FROM transfer_part WHERE id < :before";
static const char sql_find[] = SELECT "WHERE id = :id";
static const char sql_list[] = SELECT "WHERE \"update\" = :update ORDER BY id";
static const char sql_abort_open[] =
    "UPDATE transfer SET state = 'aborted', cause = :cause, detail = :detail, ended_at_s = :now"
    " WHERE state = 'downloading' AND id < :before";
/* The last of the rows that one step of pruning looks at. */
static const char sql_prune_last[] =
    "SELECT id FROM transfer WHERE id > :after AND id < :before ORDER BY id LIMIT 1 OFFSET :skip";
static const char sql_prune[] =
    "DELETE FROM transfer WHERE id > :after AND id <= :last AND state <> 'downloading'"
    " AND NOT EXISTS (SELECT 1 FROM \"update\" AS u WHERE u.id = transfer.\"update\""
    "  AND u.id = (SELECT max(id) FROM \"update\" WHERE device = u.device))";
static const char sql_delete_some[] =
    "DELETE FROM transfer WHERE id IN"
    " (SELECT id FROM transfer WHERE \"update\" = :update LIMIT :room)";

static const char sql_set_causes[] = "UPDATE transfer SET causes = :causes WHERE id = :id";
static const char sql_causes[] = "SELECT causes FROM transfer WHERE id = :id";
static const char sql_open_pushes[] = SELECT "WHERE state = 'downloading' AND kind = 'push'"
                                             " AND id < :before ORDER BY id LIMIT :room";

static const char *const kinds[] = {[TRANSFER_PULL] = "pull", [TRANSFER_PUSH] = "push"};
static const char *const states[] = {"downloading", "sent", "aborted"};

const char *transfer_state_name(enum transfer_state state)
{
    return states[state];
}

const char *transfer_kind_name(enum transfer_kind kind)
{
    return kinds[kind];
}

/* The lowest id of a millisecond. */
static int64_t id_of(int64_t wall_ms)
{
    return wall_ms << 20;
}

int64_t transfer_new_id(int64_t wall_ms)
{
    static _Atomic int64_t last; /* the one number that all threads must share */
    int64_t before = atomic_load(&last), id;
    do {
        id = id_of(wall_ms);
        if (id <= before)
            id = before + 1;
    } while (!atomic_compare_exchange_weak(&last, &before, id));
    return id;
}

static void read_row(struct db_q *q, struct transfer *t)
{
    t->id = db_int(q, 0);
    t->update = db_int(q, 1);
    t->state = TRANSFER_DOWNLOADING;
    const char *state = db_text(q, 2);
    for (size_t i = 0; state != NULL && i < OTAD_COUNT(states); i++)
        if (strcmp(state, states[i]) == 0)
            t->state = (enum transfer_state)i;
    db_copy_text(q, 3, t->cause, sizeof t->cause);
    t->size_bytes = db_int(q, 4);
    t->bytes_acked = db_int(q, 5);
    t->resumed = db_int(q, 6);
    t->bytes_per_s = db_int(q, 7);
    db_copy_text(q, 8, t->client, sizeof t->client);
    db_copy_text(q, 9, t->address, sizeof t->address);
    db_copy_text(q, 10, t->detail, sizeof t->detail);
    t->started_at_s = db_int(q, 11);
    t->ended_at_s = db_int(q, 12);
    t->counted = db_int(q, 13) != 0;
    t->idle_since_s = db_int(q, 14);
    const char *kind = db_text(q, 15);
    t->kind =
        kind != NULL && strcmp(kind, kinds[TRANSFER_PUSH]) == 0 ? TRANSFER_PUSH : TRANSFER_PULL;
}

enum otad_err transfer_insert(struct db *db, const struct transfer *t, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_insert);
    db_bind_int(&q, ":id", t->id);
    db_bind_int(&q, ":update", t->update);
    db_bind_int(&q, ":size", t->size_bytes);
    db_bind_int(&q, ":resumed", t->resumed);
    db_bind_text(&q, ":client", t->client);
    db_bind_text(&q, ":address", t->address);
    db_bind_int(&q, ":started", t->started_at_s);
    db_bind_int(&q, ":counted", t->counted);
    db_bind_text(&q, ":kind", kinds[t->kind]);
    return db_run(&q, ei);
}

enum otad_err transfer_save(struct db *db, const struct transfer *t,
                            const struct intervals *arrived, struct otad_errinfo *ei)
{
    char ranges[INTERVALS_TEXT];
    intervals_text(arrived, ranges);
    struct db_q q = db_query(db, sql_save);
    db_bind_text(&q, ":state", states[t->state]);
    db_bind_text(&q, ":cause", t->cause);
    db_bind_int(&q, ":bytes", t->bytes_acked);
    db_bind_int(&q, ":resumed", t->resumed);
    db_bind_int(&q, ":rate", t->bytes_per_s);
    db_bind_text(&q, ":detail", t->detail);
    db_bind_int(&q, ":ended", t->ended_at_s);
    db_bind_text(&q, ":ranges", ranges);
    db_bind_int(&q, ":idle", t->idle_since_s);
    db_bind_int(&q, ":counted", t->counted);
    db_bind_int(&q, ":id", t->id);
    return db_run(&q, ei);
}

enum otad_err transfer_arrived(struct db *db, int64_t id, struct intervals *out,
                               struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_arrived);
    db_bind_int(&q, ":id", id);
    const char *ranges = db_step(&q) ? db_text(&q, 0) : NULL;
    if (ranges == NULL || !intervals_parse(ranges, out))
        out->n = 0; /* nothing known counts as nothing arrived */
    return db_end(&q, ei);
}

enum otad_err transfer_supersede(struct db *db, int64_t update, int64_t now_s,
                                 struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_supersede);
    db_bind_int(&q, ":update", update);
    db_bind_int(&q, ":now", now_s);
    return db_run(&q, ei);
}

enum otad_err transfer_attempts(struct db *db, int64_t update, int64_t since_s, int64_t *n,
                                struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_attempts);
    db_bind_int(&q, ":update", update);
    db_bind_int(&q, ":since", since_s);
    *n = db_step(&q) ? db_int(&q, 0) : 0;
    return db_end(&q, ei);
}

enum otad_err transfer_forgive(struct db *db, int64_t update, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_forgive);
    db_bind_int(&q, ":update", update);
    return db_run(&q, ei);
}

static enum otad_err read_some(struct db_q *q, struct transfer *out, size_t room, size_t *n,
                               struct otad_errinfo *ei)
{
    db_bind_int(q, ":room", (int64_t)room);
    *n = 0;
    while (*n < room && db_step(q))
        read_row(q, &out[(*n)++]);
    return db_end(q, ei);
}

enum otad_err transfer_idle(struct db *db, int64_t before_s, struct transfer *out, size_t room,
                            size_t *n, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_idle);
    db_bind_int(&q, ":before", before_s);
    return read_some(&q, out, room, n, ei);
}

enum otad_err transfer_open_pushes(struct db *db, int64_t before, struct transfer *out, size_t room,
                                   size_t *n, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_open_pushes);
    db_bind_int(&q, ":before", before);
    return read_some(&q, out, room, n, ei);
}

enum otad_err transfer_set_causes(struct db *db, int64_t id, const char *causes,
                                  struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_set_causes);
    db_bind_int(&q, ":id", id);
    db_bind_text(&q, ":causes", causes);
    return db_run(&q, ei);
}

enum otad_err transfer_causes(struct db *db, int64_t id, char *out, size_t room,
                              struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_causes);
    db_bind_int(&q, ":id", id);
    out[0] = '\0';
    if (db_step(&q))
        db_copy_text(&q, 0, out, room);
    return db_end(&q, ei);
}

enum otad_err transfer_of_part(struct db *db, int64_t id, int64_t *transfer,
                               struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_of_part);
    db_bind_int(&q, ":id", id);
    int64_t of = db_step(&q) ? db_int(&q, 0) : id;
    enum otad_err err = db_end(&q, ei);
    if (err == OTAD_E_OK)
        *transfer = of;
    return err;
}

enum otad_err transfer_part_begin(struct db *db, int64_t id, int64_t transfer,
                                  struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_part_begin);
    db_bind_int(&q, ":id", id);
    db_bind_int(&q, ":transfer", transfer);
    return db_run(&q, ei);
}

enum otad_err transfer_part_end(struct db *db, int64_t id, int64_t *transfer, int64_t *others,
                                struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_part_end);
    db_bind_int(&q, ":id", id);
    int64_t of = db_step(&q) ? db_int(&q, 0) : id;
    enum otad_err err = db_end(&q, ei);
    if (err != OTAD_E_OK)
        return err;
    q = db_query(db, sql_parts);
    db_bind_int(&q, ":transfer", of);
    *others = db_step(&q) ? db_int(&q, 0) : 0;
    *transfer = of;
    return db_end(&q, ei);
}

static enum otad_err read_one(struct db_q *q, struct transfer *out, struct otad_errinfo *ei)
{
    struct transfer t;
    bool found = db_step(q);
    if (found)
        read_row(q, &t);
    enum otad_err err = db_end(q, ei);
    if (err != OTAD_E_OK)
        return err;
    if (!found)
        return otad_fail(ei, OTAD_E_NOENT, "There is no such transfer");
    *out = t;
    return OTAD_E_OK;
}

enum otad_err transfer_find(struct db *db, int64_t id, struct transfer *out,
                            struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_find);
    db_bind_int(&q, ":id", id);
    return read_one(&q, out, ei);
}

enum otad_err transfer_newest(struct db *db, int64_t update, struct transfer *out,
                              struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_newest);
    db_bind_int(&q, ":update", update);
    return read_one(&q, out, ei);
}

enum otad_err transfer_newest_pull(struct db *db, int64_t update, struct transfer *out,
                                   struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_newest_pull);
    db_bind_int(&q, ":update", update);
    return read_one(&q, out, ei);
}

enum otad_err transfer_list(struct db *db, int64_t update,
                            enum otad_err (*each)(void *arg, const struct transfer *t), void *arg,
                            struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_list);
    db_bind_int(&q, ":update", update);
    enum otad_err err = OTAD_E_OK;
    while (err == OTAD_E_OK && db_step(&q)) {
        struct transfer t;
        read_row(&q, &t);
        err = each(arg, &t);
    }
    enum otad_err end = db_end(&q, ei);
    return err != OTAD_E_OK ? err : end;
}

enum otad_err transfer_abort_open(struct db *db, int64_t before, const char *cause,
                                  const char *detail, int64_t now_s, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_abort_open);
    db_bind_int(&q, ":before", before);
    db_bind_text(&q, ":cause", cause);
    db_bind_text(&q, ":detail", detail);
    db_bind_int(&q, ":now", now_s);
    enum otad_err err = db_run(&q, ei);
    if (err != OTAD_E_OK)
        return err;
    q = db_query(db, sql_parts_forget);
    db_bind_int(&q, ":before", before);
    return db_run(&q, ei);
}

/* @param last  below `before` when there are more rows than p->rows */
static enum otad_err find_last(struct db *db, const struct prune *p, int64_t before, int64_t *last,
                               struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_prune_last);
    db_bind_int(&q, ":after", p->after_id);
    db_bind_int(&q, ":before", before);
    db_bind_int(&q, ":skip", p->rows - 1);
    *last = db_step(&q) ? db_int(&q, 0) : before;
    return db_end(&q, ei);
}

enum otad_err transfer_prune(struct db *db, struct prune *p, struct otad_errinfo *ei)
{
    int64_t last, before = p->before_s > 0 ? id_of(p->before_s * 1000) : 0;
    enum otad_err err = find_last(db, p, before, &last, ei);
    if (err != OTAD_E_OK)
        return err;
    struct db_q q = db_query(db, sql_prune);
    db_bind_int(&q, ":after", p->after_id);
    db_bind_int(&q, ":last", last < before ? last : before - 1);
    err = db_run(&q, ei);
    if (err != OTAD_E_OK)
        return err;
    p->gone += db_changes(db);
    p->after_id = last;
    p->done = last >= before;
    return OTAD_E_OK;
}

enum otad_err transfer_delete_some(struct db *db, int64_t update, int64_t room, int64_t *gone,
                                   struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_delete_some);
    db_bind_int(&q, ":update", update);
    db_bind_int(&q, ":room", room);
    enum otad_err err = db_run(&q, ei);
    if (err == OTAD_E_OK)
        *gone = db_changes(db);
    return err;
}
