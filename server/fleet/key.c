/* SPDX-License-Identifier: MIT
 * Owns the table `api_key`. */
#include "fleet/key.h"

#include <string.h>

#include "base/digest.h"
#include "base/hex.h"

#define SELECT                                                                                     \
    "SELECT k.id, k.name, k.role, k.product, p.slug, k.hint, k.created_at_s, k.revoked_at_s,"      \
    " k.hash FROM api_key AS k LEFT JOIN product AS p ON p.id = k.product "

static const char sql_insert[] =
    "INSERT INTO api_key (name, role, product, hash, hint, created_at_s)"
    " VALUES (:name, :role, :product, :hash, :hint, :now) RETURNING id";
static const char sql_by_hash[] = SELECT "WHERE k.hash = :hash AND k.revoked_at_s IS NULL";
static const char sql_by_id[] = SELECT "WHERE k.id = :id AND k.revoked_at_s IS NULL";
static const char sql_list[] = SELECT "ORDER BY k.id";
static const char sql_revoke[] =
    "UPDATE api_key SET revoked_at_s = :now WHERE name = :name AND revoked_at_s IS NULL";

static const char *const roles[] = {"", "viewer", "publisher", "admin"};
static const char prefix[] = "otad_";

const char *key_role_name(enum key_role role)
{
    return roles[role];
}

bool key_role_parse(const char *text, enum key_role *out)
{
    for (size_t i = KEY_VIEWER; i <= KEY_ADMIN; i++)
        if (strcmp(text, roles[i]) == 0) {
            *out = (enum key_role)i;
            return true;
        }
    return false;
}

enum otad_err key_name_check(const char *name, struct otad_errinfo *ei)
{
    size_t n = strlen(name);
    if (n == 0 || n > OTAD_NAME_MAX)
        return otad_fail(ei, OTAD_E_INVALID, "A key's name must have 1 to %d bytes", OTAD_NAME_MAX);
    for (const char *at = name; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f || *at == '/')
            return otad_fail(ei, OTAD_E_INVALID,
                             "A key's name can't hold a slash or a control character");
    return OTAD_E_OK;
}

enum otad_err key_set_name(struct key *k, const char *name, struct otad_errinfo *ei)
{
    enum otad_err err = key_name_check(name, ei);
    if (err == OTAD_E_OK)
        memcpy(k->name, name, strlen(name) + 1);
    return err;
}

static enum otad_err make_secret(char text[KEY_TEXT], uint8_t hash[OTAD_SHA256_LEN],
                                 struct otad_errinfo *ei)
{
    uint8_t secret[32];
    if (random_bytes(secret, sizeof secret) != OTAD_E_OK)
        return otad_fail(ei, OTAD_E_INTERNAL, "No randomness for a key");
    memcpy(text, prefix, sizeof prefix - 1);
    hex_encode(secret, sizeof secret, text + sizeof prefix - 1);
    if (digest_sha256(text, strlen(text), hash) != OTAD_E_OK)
        return otad_fail(ei, OTAD_E_INTERNAL, "Hashing the key failed");
    return OTAD_E_OK;
}

enum otad_err key_create(struct db *db, struct key *k, char text[KEY_TEXT], struct otad_errinfo *ei)
{
    uint8_t hash[OTAD_SHA256_LEN];
    enum otad_err err = make_secret(text, hash, ei);
    if (err != OTAD_E_OK)
        return err;
    memcpy(k->hint, text, sizeof k->hint - 1);
    k->hint[sizeof k->hint - 1] = '\0';
    struct db_q q = db_query(db, sql_insert);
    db_bind_text(&q, ":name", k->name);
    db_bind_text(&q, ":role", roles[k->role]);
    if (k->product != 0)
        db_bind_int(&q, ":product", k->product);
    db_bind_blob(&q, ":hash", hash, sizeof hash);
    db_bind_text(&q, ":hint", k->hint);
    db_bind_int(&q, ":now", k->created_at_s);
    int64_t id = db_step(&q) ? db_int(&q, 0) : 0;
    err = db_end(&q, ei);
    if (err == OTAD_E_CONFLICT) {
        (void)otad_fail(ei, err, "There is already a key named '%s'", k->name);
        return otad_hint(ei, "Choose another name; names of revoked keys stay taken.");
    }
    if (err == OTAD_E_OK)
        k->id = id;
    return err;
}

static void read_row(struct db_q *q, struct key *k)
{
    k->id = db_int(q, 0);
    db_copy_text(q, 1, k->name, sizeof k->name);
    k->role = KEY_VIEWER;
    const char *role = db_text(q, 2);
    if (role != NULL)
        (void)key_role_parse(role, &k->role); /* the table's CHECK allows no other word */
    k->product = db_int(q, 3);
    db_copy_text(q, 4, k->product_slug, sizeof k->product_slug);
    db_copy_text(q, 5, k->hint, sizeof k->hint);
    k->created_at_s = db_int(q, 6);
    k->revoked_at_s = db_int(q, 7);
}

enum otad_err key_check(struct db *db, const char *secret, struct key *out, struct otad_errinfo *ei)
{
    uint8_t hash[OTAD_SHA256_LEN];
    if (digest_sha256(secret, strlen(secret), hash) != OTAD_E_OK)
        return otad_fail(ei, OTAD_E_INTERNAL, "Hashing the key failed");
    /* What the index compares is the hash of the secret: its timing says nothing about the key. */
    struct db_q q = db_query(db, sql_by_hash);
    db_bind_blob(&q, ":hash", hash, sizeof hash);
    struct key k;
    bool same = false;
    if (db_step(&q)) {
        size_t n;
        const void *stored = db_blob(&q, 8, &n);
        same = n == sizeof hash && digest_equal(stored, hash, n);
        read_row(&q, &k);
    }
    enum otad_err err = db_end(&q, ei);
    if (err != OTAD_E_OK)
        return err;
    if (!same) {
        (void)otad_fail(ei, OTAD_E_UNAUTHORIZED, "This key is unknown or was revoked");
        return otad_hint(ei, "Make one on the server: otad key create --data-dir DIR --name NAME "
                             "--role publisher");
    }
    *out = k;
    return OTAD_E_OK;
}

enum otad_err key_find_in_force(struct db *db, int64_t id, struct key *out, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_by_id);
    db_bind_int(&q, ":id", id);
    struct key k;
    bool found = db_step(&q);
    if (found)
        read_row(&q, &k);
    enum otad_err err = db_end(&q, ei);
    if (err != OTAD_E_OK)
        return err;
    if (!found)
        return otad_fail(ei, OTAD_E_NOENT, "This key was revoked");
    *out = k;
    return OTAD_E_OK;
}

enum otad_err key_revoke(struct db *db, const char *name, int64_t now_s, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_revoke);
    db_bind_int(&q, ":now", now_s);
    db_bind_text(&q, ":name", name);
    enum otad_err err = db_run(&q, ei);
    if (err == OTAD_E_OK && db_changes(db) == 0) {
        (void)otad_fail(ei, OTAD_E_NOENT, "No key in force is named '%.128s'", name);
        return otad_hint(ei, "List the keys: otad key list --data-dir DIR");
    }
    return err;
}

enum otad_err key_list(struct db *db, enum otad_err (*each)(void *arg, const struct key *k),
                       void *arg, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_list);
    enum otad_err err = OTAD_E_OK;
    while (err == OTAD_E_OK && db_step(&q)) {
        struct key k;
        read_row(&q, &k);
        err = each(arg, &k);
    }
    enum otad_err end = db_end(&q, ei);
    return err != OTAD_E_OK ? err : end;
}
