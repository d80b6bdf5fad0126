/* SPDX-License-Identifier: MIT
 * Owns the table `product_key`. */
#include "fleet/product_key.h"

#include <string.h>

#include "base/base64.h"
#include "base/digest.h"
#include "fleet/key.h"

static const char sql_insert[] = "INSERT INTO product_key (product, name, hash, hint, created_at_s)"
                                 " VALUES (:product, :name, :hash, :hint, :now) RETURNING id";
static const char sql_list[] =
    "SELECT id, product, name, hint, created_at_s, revoked_at_s FROM product_key"
    " WHERE product = :product ORDER BY id";
static const char sql_revoke[] =
    "UPDATE product_key SET revoked_at_s = :now"
    " WHERE product = :product AND name = :name AND revoked_at_s IS NULL";

enum otad_err product_key_set_name(struct product_key *k, const char *name, struct otad_errinfo *ei)
{
    enum otad_err err = key_name_check(name, ei);
    if (err == OTAD_E_OK)
        memcpy(k->name, name, strlen(name) + 1);
    return err;
}

/* Base64 in its URL alphabet, without the padding. */
static enum otad_err make_secret(char text[PRODUCT_KEY_LEN + 1])
{
    uint8_t secret[32];
    char padded[BASE64_LEN(sizeof secret) + 1];
    if (random_bytes(secret, sizeof secret) != OTAD_E_OK)
        return OTAD_E_INTERNAL;
    base64_encode(secret, sizeof secret, padded);
    for (size_t i = 0; i < PRODUCT_KEY_LEN; i++)
        text[i] = (char)(padded[i] == '+' ? '-' : padded[i] == '/' ? '_' : padded[i]);
    text[PRODUCT_KEY_LEN] = '\0';
    return OTAD_E_OK;
}

bool product_key_hash(const char *text, uint8_t out[OTAD_SHA256_LEN])
{
    return strlen(text) == PRODUCT_KEY_LEN &&
           digest_sha256(text, PRODUCT_KEY_LEN, out) == OTAD_E_OK;
}

enum otad_err product_key_create(struct db *db, struct product_key *k,
                                 char text[PRODUCT_KEY_LEN + 1], struct otad_errinfo *ei)
{
    uint8_t hash[OTAD_SHA256_LEN];
    if (make_secret(text) != OTAD_E_OK || !product_key_hash(text, hash))
        return otad_fail(ei, OTAD_E_INTERNAL, "Making a key failed");
    memcpy(k->hint, text, sizeof k->hint - 1);
    k->hint[sizeof k->hint - 1] = '\0';
    struct db_q q = db_query(db, sql_insert);
    db_bind_int(&q, ":product", k->product);
    db_bind_text(&q, ":name", k->name);
    db_bind_blob(&q, ":hash", hash, sizeof hash);
    db_bind_text(&q, ":hint", k->hint);
    db_bind_int(&q, ":now", k->created_at_s);
    int64_t id = db_step(&q) ? db_int(&q, 0) : 0;
    enum otad_err err = db_end(&q, ei);
    if (err == OTAD_E_CONFLICT) {
        (void)otad_fail(ei, err, "The product already has a key named '%s'", k->name);
        return otad_hint(ei, "Choose another name; names of revoked keys stay taken.");
    }
    if (err == OTAD_E_OK)
        k->id = id;
    return err;
}

enum otad_err product_key_revoke(struct db *db, int64_t product, const char *name, int64_t now_s,
                                 struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_revoke);
    db_bind_int(&q, ":now", now_s);
    db_bind_int(&q, ":product", product);
    db_bind_text(&q, ":name", name);
    enum otad_err err = db_run(&q, ei);
    if (err == OTAD_E_OK && db_changes(db) == 0) {
        (void)otad_fail(ei, OTAD_E_NOENT, "The product has no key in force named '%.128s'", name);
        return otad_hint(ei, "GET …/keys lists them.");
    }
    return err;
}

static void read_row(struct db_q *q, struct product_key *k)
{
    k->id = db_int(q, 0);
    k->product = db_int(q, 1);
    db_copy_text(q, 2, k->name, sizeof k->name);
    db_copy_text(q, 3, k->hint, sizeof k->hint);
    k->created_at_s = db_int(q, 4);
    k->revoked_at_s = db_int(q, 5);
}

enum otad_err product_key_list(struct db *db, int64_t product,
                               enum otad_err (*each)(void *arg, const struct product_key *k),
                               void *arg, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_list);
    db_bind_int(&q, ":product", product);
    enum otad_err err = OTAD_E_OK;
    while (err == OTAD_E_OK && db_step(&q)) {
        struct product_key k;
        read_row(&q, &k);
        err = each(arg, &k);
    }
    enum otad_err end = db_end(&q, ei);
    return err != OTAD_E_OK ? err : end;
}
