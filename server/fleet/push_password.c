/* SPDX-License-Identifier: MIT
 * Owns the table `push_password`. */
#include "fleet/push_password.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char sql_set[] =
    "INSERT INTO push_password (product, mac, sealed) VALUES (:product, :mac, :sealed)"
    " ON CONFLICT (product, mac) DO UPDATE SET sealed = excluded.sealed";
static const char sql_forget[] =
    "DELETE FROM push_password WHERE product = :product AND mac = :mac";
static const char sql_get[] = "SELECT mac, sealed FROM push_password WHERE product = :product"
                              " AND mac IN (0, :mac) ORDER BY mac DESC LIMIT 1";
static const char sql_is_set[] =
    "SELECT 1 FROM push_password WHERE product = :product AND mac = :mac";

/* What a sealed password belongs to: a row copied to another device opens nothing. */
static void place(int64_t product, uint64_t mac, char out[64])
{
    (void)snprintf(out, 64, "push %" PRId64 " %" PRIX64, product, mac);
}

enum otad_err push_password_set(struct db *db, const uint8_t key[SEAL_KEY_LEN], int64_t product,
                                uint64_t mac, const char *password, struct otad_errinfo *ei)
{
    uint8_t sealed[PUSH_PASSWORD_MAX + SEAL_EXTRA];
    char where[64];
    size_t n = password != NULL ? strlen(password) : 0;
    place(product, mac, where);
    if (n > PUSH_PASSWORD_MAX || (n > 0 && seal(key, where, password, n, sealed) != OTAD_E_OK))
        return otad_fail(ei, OTAD_E_INTERNAL, "Sealing the password failed");
    struct db_q q = db_query(db, n > 0 ? sql_set : sql_forget);
    db_bind_int(&q, ":product", product);
    db_bind_int(&q, ":mac", (int64_t)mac);
    if (n > 0)
        db_bind_blob(&q, ":sealed", sealed, n + SEAL_EXTRA);
    return db_run(&q, ei);
}

enum otad_err push_password_get(struct db *db, const uint8_t key[SEAL_KEY_LEN], int64_t product,
                                uint64_t mac, char out[PUSH_PASSWORD_MAX + 1],
                                struct otad_errinfo *ei)
{
    char where[64];
    size_t n = 0;
    bool opened = true;
    struct db_q q = db_query(db, sql_get);
    db_bind_int(&q, ":product", product);
    db_bind_int(&q, ":mac", (int64_t)mac);
    memset(out, 0, PUSH_PASSWORD_MAX + 1);
    if (db_step(&q)) {
        const void *sealed = db_blob(&q, 1, &n);
        place(product, (uint64_t)db_int(&q, 0), where);
        opened = n <= PUSH_PASSWORD_MAX + SEAL_EXTRA &&
                 seal_open(key, where, sealed, n, out) == OTAD_E_OK;
    }
    enum otad_err err = db_end(&q, ei);
    if (err != OTAD_E_OK || opened)
        return err;
    out[0] = '\0';
    (void)otad_fail(ei, OTAD_E_CONFLICT,
                    "The stored password can't be opened: it was sealed with "
                    "another DATA_DIR/secret");
    return otad_hint(ei, "Set push_password of the device or product again.");
}

enum otad_err push_password_is_set(struct db *db, int64_t product, uint64_t mac, bool *out,
                                   struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_is_set);
    db_bind_int(&q, ":product", product);
    db_bind_int(&q, ":mac", (int64_t)mac);
    *out = db_step(&q);
    return db_end(&q, ei);
}
