/* SPDX-License-Identifier: MIT
 * Owns the table `session`. */
#include "fleet/session.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/hex.h"

#define EXPIRED_A_TIME 100 /* rows that one sign-in lets go of */

static const char sql_insert[] = "INSERT INTO session (hash, api_key, created_at_s, expires_at_s)"
                                 " VALUES (:hash, :key, :now, :expires)";
static const char sql_find[] =
    "SELECT api_key, expires_at_s FROM session WHERE hash = :hash AND expires_at_s > :now";
static const char sql_end[] = "DELETE FROM session WHERE hash = :hash";
static const char sql_end_surplus[] =
    "DELETE FROM session WHERE hash IN (SELECT hash FROM session WHERE api_key = :key"
    " ORDER BY created_at_s DESC LIMIT -1 OFFSET :keep)";
static const char sql_drop_expired[] =
    "DELETE FROM session WHERE hash IN (SELECT hash FROM session WHERE expires_at_s <= :now"
    " LIMIT :limit)";

static enum otad_err hash_of(const char *text, uint8_t hash[OTAD_SHA256_LEN],
                             struct otad_errinfo *ei)
{
    return digest_sha256(text, strlen(text), hash) == OTAD_E_OK
               ? OTAD_E_OK
               : otad_fail(ei, OTAD_E_INTERNAL, "Hashing the session failed");
}

static enum otad_err make_room(struct db *db, int64_t key, int64_t now_s, struct otad_errinfo *ei)
{
    struct db_q q = db_query(db, sql_drop_expired);
    db_bind_int(&q, ":now", now_s);
    db_bind_int(&q, ":limit", EXPIRED_A_TIME);
    enum otad_err err = db_run(&q, ei);
    if (err != OTAD_E_OK)
        return err;
    q = db_query(db, sql_end_surplus);
    db_bind_int(&q, ":key", key);
    db_bind_int(&q, ":keep", SESSIONS_PER_KEY - 1);
    return db_run(&q, ei);
}

enum otad_err session_create(struct db *db, const struct key *key, int64_t now_s,
                             int64_t expires_at_s, char text[SESSION_TEXT], struct otad_errinfo *ei)
{
    uint8_t secret[32], hash[OTAD_SHA256_LEN];
    if (random_bytes(secret, sizeof secret) != OTAD_E_OK)
        return otad_fail(ei, OTAD_E_INTERNAL, "No randomness for a session");
    hex_encode(secret, sizeof secret, text);
    enum otad_err err = hash_of(text, hash, ei);
    if (err == OTAD_E_OK)
        err = make_room(db, key->id, now_s, ei);
    if (err != OTAD_E_OK)
        return err;
    struct db_q q = db_query(db, sql_insert);
    db_bind_blob(&q, ":hash", hash, sizeof hash);
    db_bind_int(&q, ":key", key->id);
    db_bind_int(&q, ":now", now_s);
    db_bind_int(&q, ":expires", expires_at_s);
    return db_run(&q, ei);
}

static enum otad_err no_session(struct otad_errinfo *ei)
{
    (void)otad_fail(ei, OTAD_E_UNAUTHORIZED, "You are not signed in any more");
    return otad_hint(ei, "Sign in again with an API key.");
}

enum otad_err session_check(struct db *db, const char *text, int64_t now_s, struct session *out,
                            struct otad_errinfo *ei)
{
    uint8_t hash[OTAD_SHA256_LEN];
    struct session s = {.expires_at_s = 0};
    enum otad_err err = hash_of(text, hash, ei);
    if (err != OTAD_E_OK)
        return err;
    /* What the index compares is the hash: its timing says nothing about the cookie. */
    struct db_q q = db_query(db, sql_find);
    db_bind_blob(&q, ":hash", hash, sizeof hash);
    db_bind_int(&q, ":now", now_s);
    bool found = db_step(&q);
    int64_t key = found ? db_int(&q, 0) : 0;
    s.expires_at_s = found ? db_int(&q, 1) : 0;
    err = db_end(&q, ei);
    if (err == OTAD_E_OK && found)
        err = key_find_in_force(db, key, &s.key, NULL);
    if (err == OTAD_E_NOENT || (err == OTAD_E_OK && !found))
        return no_session(ei);
    if (err == OTAD_E_OK)
        *out = s;
    return err;
}

enum otad_err session_end(struct db *db, const char *text, struct otad_errinfo *ei)
{
    uint8_t hash[OTAD_SHA256_LEN];
    enum otad_err err = hash_of(text, hash, ei);
    if (err != OTAD_E_OK)
        return err;
    struct db_q q = db_query(db, sql_end);
    db_bind_blob(&q, ":hash", hash, sizeof hash);
    return db_run(&q, ei);
}

enum otad_err session_csrf(const char *text, char out[SESSION_CSRF])
{
    char labelled[16 + SESSION_TEXT];
    uint8_t hash[OTAD_SHA256_LEN];
    int n = snprintf(labelled, sizeof labelled, "otad-csrf-1 %s", text);
    if (n < 0 || (size_t)n >= sizeof labelled)
        return OTAD_E_INTERNAL;
    enum otad_err err = digest_sha256(labelled, (size_t)n, hash);
    if (err == OTAD_E_OK)
        hex_encode(hash, SESSION_CSRF / 2, out);
    return err;
}
