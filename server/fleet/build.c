/* SPDX-License-Identifier: MIT
 * Owns the table `build`. */
#include "fleet/build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

#define SELECT                                                                                     \
    "SELECT b.seq, b.id, b.product, b.image, b.kind, b.version, b.number, b.chip, b.filename,"     \
    " b.notes, b.forced, b.created_at_s, b.withdrawn_at_s, i.size_bytes, i.md5, i.sha256,"         \
    " i.flash_bytes, b.pruned_at_s FROM build AS b JOIN image AS i ON i.id = b.image "

static const char sql_by_id[] =
    SELECT "WHERE b.id = :id AND (:product = 0 OR b.product = :product)";
static const char sql_by_seq[] = SELECT "WHERE b.seq = :seq";
static const char sql_by_version[] =
    SELECT "WHERE b.product = :product AND b.kind = :kind AND b.version = :version";
static const char sql_by_sha256[] =
    SELECT "WHERE i.sha256 = :sha256 AND i.linked_at_s IS NOT NULL AND i.pruned_at_s IS NULL"
           " AND b.product = :product"
           " ORDER BY b.seq DESC LIMIT 1";
static const char sql_factory[] =
    SELECT "WHERE b.product = :product AND b.kind = 'factory' AND b.withdrawn_at_s IS NULL"
           " ORDER BY b.seq DESC LIMIT 1";
static const char sql_list[] =
    SELECT "WHERE b.product = :product AND b.seq < :before ORDER BY b.seq DESC LIMIT :limit";
static const char sql_insert[] =
    "INSERT INTO build (id, product, image, kind, version, number, chip, filename, notes, forced,"
    " created_at_s) VALUES (:id, :product, :image, :kind, :version, :number, :chip, :filename,"
    " :notes, :forced, :created_at_s) RETURNING seq";
static const char sql_withdraw[] = "UPDATE build SET withdrawn_at_s = :at WHERE seq = :seq";
static const char sql_notes[] = "UPDATE build SET notes = :notes WHERE seq = :seq";
static const char sql_delete[] = "DELETE FROM build WHERE seq = :seq";
/* Builds are few, and most of them are looked at once a pass of retention. */
static const char sql_surplus[] = SELECT
    "WHERE b.seq > :after AND b.pruned_at_s IS NULL AND EXISTS ("
    " SELECT 1 FROM build AS n WHERE n.product = b.product AND n.kind = b.kind AND n.seq > b.seq"
    " AND n.pruned_at_s IS NULL ORDER BY n.seq LIMIT 1 OFFSET :keep - 1) ORDER BY b.seq LIMIT 1";
static const char sql_prune[] =
    "UPDATE build SET pruned_at_s = :now, withdrawn_at_s = coalesce(withdrawn_at_s, :now)"
    " WHERE seq = :seq";
static const char sql_restore[] =
    "UPDATE build SET pruned_at_s = NULL, withdrawn_at_s = NULL, image = :image WHERE seq = :seq";

static const char *const kinds[] = {"app", "fs", "factory"};

const char *build_kind_name(enum build_kind kind)
{
    return kinds[kind];
}

bool build_kind_parse(const char *text, enum build_kind *out)
{
    for (size_t i = 0; i < OTAD_COUNT(kinds); i++)
        if (strcmp(text, kinds[i]) == 0) {
            *out = (enum build_kind)i;
            return true;
        }
    return false;
}

bool build_id_parse(const char *text, int64_t *out)
{
    size_t n = strspn(text, "0123456789");
    if (n == 0 || n > 20 || text[n] != '\0')
        return false;
    errno = 0;
    unsigned long long value = strtoull(text, NULL, 10);
    if (errno != 0)
        return false;
    *out = (int64_t)value;
    return true;
}

static void read_row(struct db_q *q, struct build *b)
{
    size_t n;
    const void *digest;
    b->seq = db_int(q, 0);
    b->id = db_int(q, 1);
    b->product = db_int(q, 2);
    b->image = db_int(q, 3);
    b->kind = BUILD_APP;
    const char *kind = db_text(q, 4);
    if (kind != NULL)
        (void)build_kind_parse(kind, &b->kind); /* the table's CHECK allows no other word */
    db_copy_text(q, 5, b->version, sizeof b->version);
    b->number = db_int(q, 6);
    db_copy_text(q, 7, b->chip, sizeof b->chip);
    db_copy_text(q, 8, b->filename, sizeof b->filename);
    db_copy_text(q, 9, b->notes, sizeof b->notes);
    b->forced = db_int(q, 10) != 0;
    b->created_at_s = db_int(q, 11);
    b->withdrawn_at_s = db_int(q, 12);
    b->size_bytes = db_int(q, 13);
    digest = db_blob(q, 14, &n);
    if (n == OTAD_MD5_LEN)
        memcpy(b->md5, digest, n);
    digest = db_blob(q, 15, &n);
    if (n == OTAD_SHA256_LEN)
        memcpy(b->sha256, digest, n);
    b->flash_bytes = db_int(q, 16);
    b->pruned_at_s = db_int(q, 17);
}

static enum otad_err read_one(struct db_q *q, struct build *out, struct otad_errinfo *ei)
{
    struct build b = {.seq = 0};
    bool found = db_step(q);
    if (found)
        read_row(q, &b);
    enum otad_err err = db_end(q, ei);
    if (err != OTAD_E_OK)
        return err;
    if (!found) {
        (void)otad_fail(ei, OTAD_E_NOENT, "There is no such build");
        return otad_hint(ei, "GET /api/v1/products/{product}/builds lists the builds.");
    }
    *out = b;
    return OTAD_E_OK;
}

enum otad_err build_find(struct db *db, int64_t product, int64_t id, struct build *out,
                         struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_by_id);
    db_bind_int(&q, ":id", id);
    db_bind_int(&q, ":product", product);
    return read_one(&q, out, ei);
}

enum otad_err build_find_seq(struct db *db, int64_t seq, struct build *out, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_by_seq);
    db_bind_int(&q, ":seq", seq);
    return read_one(&q, out, ei);
}

enum otad_err build_find_version(struct db *db, int64_t product, enum build_kind kind,
                                 const char *version, struct build *out, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_by_version);
    db_bind_int(&q, ":product", product);
    db_bind_text(&q, ":kind", kinds[kind]);
    db_bind_text(&q, ":version", version);
    return read_one(&q, out, ei);
}

enum otad_err build_find_factory(struct db *db, int64_t product, struct build *out,
                                 struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_factory);
    db_bind_int(&q, ":product", product);
    return read_one(&q, out, ei);
}

enum otad_err build_find_sha256(struct db *db, int64_t product,
                                const uint8_t sha256[OTAD_SHA256_LEN], struct build *out,
                                struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_by_sha256);
    db_bind_blob(&q, ":sha256", sha256, OTAD_SHA256_LEN);
    db_bind_int(&q, ":product", product);
    return read_one(&q, out, ei);
}

enum otad_err build_insert(struct db *db, struct build *b, struct otad_errinfo *ei)
{
    int64_t id;
    if (random_bytes(&id, sizeof id) != OTAD_E_OK)
        return otad_fail(ei, OTAD_E_INTERNAL, "No randomness for the build's id");
    struct db_q q = db_query(db, sql_insert);
    db_bind_int(&q, ":id", id);
    db_bind_int(&q, ":product", b->product);
    db_bind_int(&q, ":image", b->image);
    db_bind_text(&q, ":kind", kinds[b->kind]);
    db_bind_text(&q, ":version", b->version);
    db_bind_int(&q, ":number", b->number);
    db_bind_text(&q, ":chip", b->chip);
    db_bind_text(&q, ":filename", b->filename);
    db_bind_text(&q, ":notes", b->notes);
    db_bind_int(&q, ":forced", b->forced);
    db_bind_int(&q, ":created_at_s", b->created_at_s);
    int64_t seq = db_step(&q) ? db_int(&q, 0) : 0;
    enum otad_err err = db_end(&q, ei);
    if (err != OTAD_E_OK)
        return err;
    b->id = id;
    b->seq = seq;
    return OTAD_E_OK;
}

enum otad_err build_set_withdrawn(struct db *db, int64_t seq, int64_t at_s, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_withdraw);
    db_bind_int(&q, ":at", at_s);
    db_bind_int(&q, ":seq", seq);
    return db_run(&q, ei);
}

enum otad_err build_set_notes(struct db *db, int64_t seq, const char *notes,
                              struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_notes);
    db_bind_text(&q, ":notes", notes);
    db_bind_int(&q, ":seq", seq);
    return db_run(&q, ei);
}

enum otad_err build_delete(struct db *db, int64_t seq, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_delete);
    db_bind_int(&q, ":seq", seq);
    return db_run(&q, ei);
}

enum otad_err build_list(struct db *db, int64_t product, int64_t before, int64_t limit,
                         enum otad_err (*each)(void *arg, const struct build *b), void *arg,
                         struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_list);
    db_bind_int(&q, ":product", product);
    db_bind_int(&q, ":before", before > 0 ? before : INT64_MAX);
    db_bind_int(&q, ":limit", limit);
    enum otad_err err = OTAD_E_OK;
    while (err == OTAD_E_OK && db_step(&q)) {
        struct build b = {.seq = 0};
        read_row(&q, &b);
        err = each(arg, &b);
    }
    enum otad_err end = db_end(&q, ei);
    return err != OTAD_E_OK ? err : end;
}

enum otad_err build_find_surplus(struct db *db, int64_t after, int64_t keep, struct build *out,
                                 struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_surplus);
    db_bind_int(&q, ":after", after);
    db_bind_int(&q, ":keep", keep);
    return read_one(&q, out, ei);
}

enum otad_err build_prune(struct db *db, int64_t seq, int64_t now_s, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_prune);
    db_bind_int(&q, ":now", now_s);
    db_bind_int(&q, ":seq", seq);
    return db_run(&q, ei);
}

enum otad_err build_restore(struct db *db, int64_t seq, int64_t image, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_restore);
    db_bind_int(&q, ":image", image);
    db_bind_int(&q, ":seq", seq);
    return db_run(&q, ei);
}
