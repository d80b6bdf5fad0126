/* SPDX-License-Identifier: MIT
 * Owns the tables `image` and `image_chunk`. */
#include "fleet/blob.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

static const char sql_variants_known[] = "SELECT mode_variants FROM image WHERE id = :id";
static const char sql_set_variants[] =
    "UPDATE image SET identities = :identities, mode_variants = 1 WHERE id = :id";
static const char sql_stage[] =
    "INSERT INTO image (sha256, md5, size_bytes, flash_bytes, facts, identities)"
    " VALUES (:sha256, :md5, :size, :flash, :facts, :identities) RETURNING id";
static const char sql_chunk[] =
    "INSERT INTO image_chunk (image, seq, data) VALUES (:image, :seq, :data)";
static const char sql_link[] = "UPDATE image SET linked_at_s = :now WHERE id = :id";
static const char sql_find[] =
    "SELECT id FROM image WHERE sha256 = :sha256 AND linked_at_s IS NOT NULL"
    " AND pruned_at_s IS NULL";
static const char sql_unstage[] = "DELETE FROM image WHERE id = :id AND linked_at_s IS NULL";
static const char sql_unstage_all[] = "DELETE FROM image WHERE linked_at_s IS NULL";
static const char sql_drop_unused[] =
    "DELETE FROM image WHERE id = :id AND NOT EXISTS (SELECT 1 FROM build WHERE image = :id)";
static const char sql_drop_all_unused[] =
    "DELETE FROM image WHERE linked_at_s IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM build WHERE build.image = image.id)";
static const char sql_meta[] =
    "SELECT size_bytes, sha256, identities, facts, pruned_at_s FROM image WHERE id = :id";
static const char sql_prune[] = "UPDATE image SET pruned_at_s = :now WHERE id = :id AND NOT EXISTS"
                                " (SELECT 1 FROM build WHERE image = :id AND pruned_at_s IS NULL)";
static const char sql_prune_chunks[] =
    "DELETE FROM image_chunk WHERE rowid IN (SELECT c.rowid FROM image AS i"
    " JOIN image_chunk AS c ON c.image = i.id WHERE i.pruned_at_s IS NOT NULL LIMIT :room)";
static const char sql_read[] = "SELECT data FROM image_chunk WHERE image = :image AND seq = :seq";

enum otad_err blob_stage(struct db *db, const struct blob_meta *meta, int64_t *id,
                         struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_stage);
    db_bind_blob(&q, ":sha256", meta->sha256, sizeof meta->sha256);
    db_bind_blob(&q, ":md5", meta->md5, sizeof meta->md5);
    db_bind_int(&q, ":size", meta->size_bytes);
    db_bind_int(&q, ":flash", meta->flash_bytes);
    db_bind_text(&q, ":facts", meta->facts);
    db_bind_text(&q, ":identities", meta->identities);
    int64_t row = db_step(&q) ? db_int(&q, 0) : 0;
    enum otad_err err = db_end(&q, ei);
    if (err == OTAD_E_OK)
        *id = row;
    return err;
}

enum otad_err blob_put_chunk(struct db *db, int64_t image, int64_t seq, const void *data, size_t n,
                             struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_chunk);
    db_bind_int(&q, ":image", image);
    db_bind_int(&q, ":seq", seq);
    db_bind_blob(&q, ":data", data, n);
    return db_run(&q, ei);
}

enum otad_err blob_link(struct db *db, int64_t image, int64_t now_s, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_link);
    db_bind_int(&q, ":now", now_s);
    db_bind_int(&q, ":id", image);
    return db_run(&q, ei);
}

enum otad_err blob_find(struct db *db, const uint8_t sha256[OTAD_SHA256_LEN], int64_t *id,
                        struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_find);
    db_bind_blob(&q, ":sha256", sha256, OTAD_SHA256_LEN);
    int64_t row = db_step(&q) ? db_int(&q, 0) : 0;
    enum otad_err err = db_end(&q, ei);
    if (err != OTAD_E_OK)
        return err;
    if (row == 0)
        return otad_fail(ei, OTAD_E_NOENT, "There is no such image");
    *id = row;
    return OTAD_E_OK;
}

enum otad_err blob_unstage(struct db *db, int64_t image, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, image != 0 ? sql_unstage : sql_unstage_all);
    if (image != 0)
        db_bind_int(&q, ":id", image);
    return db_run(&q, ei);
}

enum otad_err blob_drop_unused(struct db *db, int64_t image, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, image != 0 ? sql_drop_unused : sql_drop_all_unused);
    if (image != 0)
        db_bind_int(&q, ":id", image);
    return db_run(&q, ei);
}

/* Where the chunks of one image go: to `out` when it isn't NULL, and through the digest. */
struct reading {
    uint8_t *out;
    int64_t size, done;
    struct digest *digest;
};

/* Reads the next chunk. @return false when it is missing or too long. */
static bool read_chunk(struct db *db, int64_t image, int64_t seq, struct reading *r)
{
    struct db_q q OTAD_AUTO(db_q_free) = db_query(db, sql_read);
    db_bind_int(&q, ":image", image);
    db_bind_int(&q, ":seq", seq);
    if (!db_step(&q))
        return false;
    size_t n;
    const void *data = db_blob(&q, 0, &n);
    if (n == 0 || (int64_t)n > r->size - r->done)
        return false;
    if (r->out != NULL)
        memcpy(r->out + r->done, data, n);
    digest_update(r->digest, data, n);
    r->done += (int64_t)n;
    return true;
}

/* What the image's row says it should be. */
static enum otad_err read_want(struct db *db, int64_t image, int64_t *size,
                               uint8_t sha256[OTAD_SHA256_LEN], struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_meta);
    db_bind_int(&q, ":id", image);
    size_t n = 0;
    bool exists = db_step(&q) && db_is_null(&q, 4);
    const void *digest = exists ? db_blob(&q, 1, &n) : NULL;
    if (digest != NULL && n == OTAD_SHA256_LEN)
        memcpy(sha256, digest, n);
    *size = exists ? db_int(&q, 0) : -1;
    enum otad_err err = db_end(&q, ei);
    if (err == OTAD_E_OK && !exists)
        return otad_fail(ei, OTAD_E_NOENT, "There is no such image");
    return err;
}

static enum otad_err read_all(struct db *db, int64_t image, struct reading *r,
                              struct otad_errinfo *ei)
{
    uint8_t want[OTAD_SHA256_LEN] = {0}, found[OTAD_SHA256_LEN];
    int64_t size;
    enum otad_err err = read_want(db, image, &size, want, ei);
    if (err != OTAD_E_OK)
        return err;
    for (int64_t seq = 0; size == r->size && r->done < size; seq++)
        if (!read_chunk(db, image, seq, r))
            break;
    if (r->done != size || digest_final(r->digest, NULL, found) != OTAD_E_OK ||
        !digest_equal(want, found, sizeof want))
        return otad_fail(ei, OTAD_E_IO,
                         "Image %lld in the database is damaged: its bytes do not "
                         "have the SHA-256 they were stored with",
                         (long long)image);
    return OTAD_E_OK;
}

enum otad_err blob_read(struct db *db, int64_t image, uint8_t *out, size_t size,
                        struct otad_errinfo *ei)
{
    struct digest *digest OTAD_AUTO(digest_free) = digest_new();
    if (digest == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory reading an image");
    struct reading r = {.out = out, .size = (int64_t)size, .digest = digest};
    return read_all(db, image, &r, ei);
}

enum otad_err blob_verify(struct db *db, int64_t image, int64_t size, struct otad_errinfo *ei)
{
    return blob_read(db, image, NULL, (size_t)size, ei);
}

/* One text column of an image, or its size. */
static enum otad_err meta(struct db *db, int64_t image, struct db_q *q, struct otad_errinfo *ei)
{
    *q = db_query(db, sql_meta);
    db_bind_int(q, ":id", image);
    if (db_step(q))
        return OTAD_E_OK;
    enum otad_err err = db_end(q, ei);
    return err != OTAD_E_OK ? err : otad_fail(ei, OTAD_E_NOENT, "There is no such image");
}

enum otad_err blob_size(struct db *db, int64_t image, int64_t *out, struct otad_errinfo *ei)
{
    struct db_q q;
    enum otad_err err = meta(db, image, &q, ei);
    if (err != OTAD_E_OK)
        return err;
    *out = db_int(&q, 0);
    return db_end(&q, ei);
}

enum otad_err blob_variants_known(struct db *db, int64_t image, bool *known,
                                  struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_variants_known);
    db_bind_int(&q, ":id", image);
    *known = !db_step(&q) || db_int(&q, 0) != 0;
    return db_end(&q, ei);
}

enum otad_err blob_set_variants(struct db *db, int64_t image, const char *identities,
                                struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_set_variants);
    db_bind_text(&q, ":identities", identities);
    db_bind_int(&q, ":id", image);
    return db_run(&q, ei);
}

enum otad_err blob_identities(struct db *db, int64_t image, char out[BLOB_IDENTITIES_MAX],
                              struct otad_errinfo *ei)
{
    struct db_q q;
    enum otad_err err = meta(db, image, &q, ei);
    if (err != OTAD_E_OK)
        return err;
    db_copy_text(&q, 2, out, BLOB_IDENTITIES_MAX);
    return db_end(&q, ei);
}

enum otad_err blob_facts(struct db *db, int64_t image, char **out, struct otad_errinfo *ei)
{
    struct db_q q;
    enum otad_err err = meta(db, image, &q, ei);
    if (err != OTAD_E_OK)
        return err;
    const char *text = db_text(&q, 3);
    char *copy = strdup(text != NULL ? text : "{}");
    err = db_end(&q, ei);
    if (copy == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory reading an image's facts");
    if (err != OTAD_E_OK) {
        free(copy);
        return err;
    }
    *out = copy;
    return OTAD_E_OK;
}

enum otad_err blob_prune(struct db *db, int64_t image, int64_t now_s, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_prune);
    db_bind_int(&q, ":now", now_s);
    db_bind_int(&q, ":id", image);
    return db_run(&q, ei);
}

enum otad_err blob_prune_chunks(struct db *db, int64_t room, int64_t *gone, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_prune_chunks);
    db_bind_int(&q, ":room", room);
    enum otad_err err = db_run(&q, ei);
    if (err == OTAD_E_OK)
        *gone = db_changes(db);
    return err;
}
