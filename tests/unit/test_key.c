/* SPDX-License-Identifier: MIT
 * API keys and the audit. */
#include <stdio.h>

#include "base/digest.h"
#include "fleet/audit.h"
#include "fleet/key.h"
#include "support/store.h"

START_TEST(roles_have_words)
{
    enum key_role role = KEY_ADMIN;
    for (int i = KEY_VIEWER; i <= KEY_ADMIN; i++) {
        ck_assert(key_role_parse(key_role_name((enum key_role)i), &role));
        ck_assert_int_eq((int)role, i);
    }
    ck_assert(!key_role_parse("", &role));
    ck_assert(!key_role_parse("root", &role));
    ck_assert_int_eq(role, KEY_ADMIN);
}
END_TEST

static struct key create(struct store *s, const char *name, enum key_role role, int64_t product,
                         char text[KEY_TEXT])
{
    struct key k = {.role = role, .product = product, .created_at_s = 42};
    (void)snprintf(k.name, sizeof k.name, "%s", name);
    OK(key_create(s->db, &k, text, EI));
    return k;
}

static const struct {
    const char *what, *name;
    enum otad_err want;
} names[] = {
    {"a word",               "ci",              OTAD_E_OK     },
    {"blanks and UTF-8",     "Büro, Laptop 2", OTAD_E_OK     },
    {"empty",                "",                OTAD_E_INVALID},
    {"a slash",              "a/b",             OTAD_E_INVALID},
    {"a line break",         "a\nb",            OTAD_E_INVALID},
    {"the delete character", "a\x7f",           OTAD_E_INVALID},
};

START_TEST(name_is_taken_or_refused_unchanged)
{
    struct key k = {.name = "poison"};
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    bool ok = names[_i].want == OTAD_E_OK;
    ck_assert_msg(key_set_name(&k, names[_i].name, &ei) == names[_i].want, "%s", names[_i].what);
    ck_assert_str_eq(k.name, ok ? names[_i].name : "poison");
}
END_TEST

START_TEST(created_key_is_the_one_that_is_checked)
{
    struct store s;
    struct key k;
    char text[KEY_TEXT], other[KEY_TEXT];
    store_memory(&s);
    int64_t product = store_product(s.db, "lamp");
    struct key made = create(&s, "ci", KEY_PUBLISHER, product, text);
    (void)create(&s, "boss", KEY_ADMIN, 0, other);
    ck_assert_uint_eq(strlen(text), KEY_TEXT - 1);
    ck_assert_int_eq(strncmp(text, "otad_", 5), 0);
    ck_assert_uint_eq(strspn(text + 5, "0123456789abcdef"), 64);
    ck_assert_str_ne(text, other);
    OK(key_check(s.db, text, &k, EI));
    ck_assert_int_eq(k.id, made.id);
    ck_assert_str_eq(k.name, "ci");
    ck_assert_int_eq(k.role, KEY_PUBLISHER);
    ck_assert_int_eq(k.product, product);
    ck_assert_str_eq(k.product_slug, "lamp");
    ck_assert_int_eq(k.created_at_s, 42);
    ck_assert_int_eq(strncmp(k.hint, text, strlen(k.hint)), 0);
    ck_assert_uint_lt(strlen(k.hint), 16);
    OK(key_check(s.db, other, &k, EI));
    ck_assert_int_eq(k.role, KEY_ADMIN);
    ck_assert_int_eq(k.product, 0);
    ck_assert_str_eq(k.product_slug, "");
    store_close(&s);
}
END_TEST

START_TEST(only_the_hash_is_stored)
{
    struct store s;
    char text[KEY_TEXT];
    uint8_t hash[OTAD_SHA256_LEN];
    store_memory(&s);
    (void)create(&s, "ci", KEY_VIEWER, 0, text);
    struct db_q q = db_query(s.db, "SELECT hash, hint FROM api_key");
    size_t n = 0;
    ck_assert(db_step(&q));
    OK(digest_sha256(text, strlen(text), hash));
    const void *stored = db_blob(&q, 0, &n);
    ck_assert_uint_eq(n, sizeof hash);
    ck_assert_mem_eq(stored, hash, n);
    OK(db_end(&q, EI));
    /* No column of the row holds more of it than the hint does. */
    struct db_q r = db_query(s.db, "SELECT count(*) FROM api_key WHERE instr(quote(hash) || name ||"
                                   " hint || role, :part) > 0");
    char part[16];
    (void)snprintf(part, sizeof part, "%.10s", text + 20);
    db_bind_text(&r, ":part", part);
    ck_assert(db_step(&r));
    ck_assert_int_eq(db_int(&r, 0), 0);
    OK(db_end(&r, EI));
    store_close(&s);
}
END_TEST

START_TEST(every_other_secret_is_unauthorized)
{
    struct store s;
    struct key k = {.id = 99};
    char text[KEY_TEXT], wrong[KEY_TEXT + 1];
    store_memory(&s);
    (void)create(&s, "ci", KEY_VIEWER, 0, text);
    for (size_t i = 0; i < KEY_TEXT - 1; i++) {
        memcpy(wrong, text, KEY_TEXT);
        wrong[i] = wrong[i] == '0' ? '1' : '0';
        FAILS(OTAD_E_UNAUTHORIZED, key_check(s.db, wrong, &k, EI));
    }
    (void)snprintf(wrong, sizeof wrong, "%sx", text);
    FAILS(OTAD_E_UNAUTHORIZED, key_check(s.db, wrong, &k, EI));
    FAILS(OTAD_E_UNAUTHORIZED, key_check(s.db, "", &k, EI));
    FAILS(OTAD_E_UNAUTHORIZED, key_check(s.db, text + 5, &k, EI));
    HOLDS(store_ei.hint, "otad key create");
    ck_assert_int_eq(k.id, 99);
    store_close(&s);
}
END_TEST

START_TEST(revoked_key_fails_at_once_and_its_name_stays_taken)
{
    struct store s;
    struct key k, again = {.name = "ci", .role = KEY_VIEWER, .id = 99};
    char text[KEY_TEXT], unused[KEY_TEXT];
    store_memory(&s);
    (void)create(&s, "ci", KEY_VIEWER, 0, text);
    OK(key_revoke(s.db, "ci", 77, EI));
    FAILS(OTAD_E_UNAUTHORIZED, key_check(s.db, text, &k, EI));
    FAILS(OTAD_E_NOENT, key_revoke(s.db, "ci", 78, EI));
    FAILS(OTAD_E_NOENT, key_revoke(s.db, "other", 78, EI));
    FAILS(OTAD_E_CONFLICT, key_create(s.db, &again, unused, EI));
    ck_assert_int_eq(again.id, 99);
    ck_assert_int_eq(store_int(s.db, "SELECT revoked_at_s FROM api_key"), 77);
    store_close(&s);
}
END_TEST

static enum otad_err each_key(void *arg, const struct key *k)
{
    char *text = arg;
    size_t n = strlen(text);
    (void)snprintf(text + n, 64 - n, "%s/%s/%d ", k->name, key_role_name(k->role),
                   (int)k->revoked_at_s);
    return OTAD_E_OK;
}

START_TEST(list_is_oldest_first_with_revoked_ones)
{
    struct store s;
    char text[KEY_TEXT], list[64] = "";
    store_memory(&s);
    (void)create(&s, "b", KEY_ADMIN, 0, text);
    (void)create(&s, "a", KEY_VIEWER, 0, text);
    OK(key_revoke(s.db, "b", 7, EI));
    OK(key_list(s.db, each_key, list, EI));
    ck_assert_str_eq(list, "b/admin/7 a/viewer/0 ");
    store_close(&s);
}
END_TEST

START_TEST(keys_go_with_their_product)
{
    struct store s;
    struct key k;
    char text[KEY_TEXT];
    store_memory(&s);
    int64_t product = store_product(s.db, "lamp");
    (void)create(&s, "ci", KEY_PUBLISHER, product, text);
    store_exec(s.db, "DELETE FROM product");
    FAILS(OTAD_E_UNAUTHORIZED, key_check(s.db, text, &k, EI));
    store_close(&s);
}
END_TEST

/* ---- audit -------------------------------------------------------------------------------- */

static enum otad_err each_audit(void *arg, const struct audit *a)
{
    char *text = arg;
    size_t n = strlen(text);
    (void)snprintf(text + n, 128 - n, "%d:%s@%s:%s:%s:%s:%s ", (int)a->at_s, a->who, a->address,
                   a->action, a->product, a->object, a->detail);
    return OTAD_E_OK;
}

START_TEST(audit_is_newest_first_in_pages)
{
    struct store s;
    char text[128] = "";
    struct audit a = {.at_s = 1,
                      .who = "ci",
                      .address = "192.0.2.1",
                      .action = "build.upload",
                      .product = "lamp",
                      .object = "7",
                      .detail = "{}"};
    store_memory(&s);
    OK(audit_add(s.db, &a, EI));
    a = (struct audit){.at_s = 2, .who = "cli:root", .action = "key.create"};
    OK(audit_add(s.db, &a, EI));
    OK(audit_list(s.db, 0, 1, each_audit, text, EI));
    ck_assert_str_eq(text, "2:cli:root@:key.create::: ");
    text[0] = '\0';
    OK(audit_list(s.db, 2, 9, each_audit, text, EI));
    ck_assert_str_eq(text, "1:ci@192.0.2.1:build.upload:lamp:7:{} ");
    store_close(&s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("key");
    TCase *t = tcase_create("keys");
    tcase_add_test(t, roles_have_words);
    tcase_add_loop_test(t, name_is_taken_or_refused_unchanged, 0, (int)OTAD_COUNT(names));
    tcase_add_test(t, created_key_is_the_one_that_is_checked);
    tcase_add_test(t, only_the_hash_is_stored);
    tcase_add_test(t, every_other_secret_is_unauthorized);
    tcase_add_test(t, revoked_key_fails_at_once_and_its_name_stays_taken);
    tcase_add_test(t, list_is_oldest_first_with_revoked_ones);
    tcase_add_test(t, keys_go_with_their_product);
    suite_add_tcase(s, t);
    t = tcase_create("audit");
    tcase_add_test(t, audit_is_newest_first_in_pages);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
