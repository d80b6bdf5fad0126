/* SPDX-License-Identifier: MIT
 * Product keys: made, listed, revoked, and what the check-in's one read makes of them. */
#include <stdio.h>

#include "base/digest.h"
#include "fleet/checkin.h"
#include "fleet/product_key.h"
#include "support/store.h"

#define URL_ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

static struct product_key create(struct store *s, int64_t product, const char *name,
                                 char text[PRODUCT_KEY_LEN + 1])
{
    struct product_key k = {.product = product, .created_at_s = 42};
    OK(product_key_set_name(&k, name, EI));
    OK(product_key_create(s->db, &k, text, EI));
    return k;
}

/* What a check-in at that product learns of a presented text. */
static bool opens(struct store *s, const char *slug, const char *text)
{
    uint8_t hash[OTAD_SHA256_LEN];
    struct checkin_row row;
    struct checkin_query q = {.slug = slug, .channel = ""};
    if (text != NULL && product_key_hash(text, hash))
        q.key_hash = hash;
    OK(checkin_load(s->db, &q, &row, EI));
    return row.key_ok;
}

START_TEST(key_stands_in_urls_as_it_is)
{
    struct store s;
    char text[PRODUCT_KEY_LEN + 1], other[PRODUCT_KEY_LEN + 1];
    store_memory(&s);
    int64_t lamp = store_product(s.db, "lamp");
    struct product_key k = create(&s, lamp, "first", text);
    (void)create(&s, lamp, "second", other);
    ck_assert_uint_eq(strlen(text), PRODUCT_KEY_LEN);
    ck_assert_uint_eq(strspn(text, URL_ALPHABET), PRODUCT_KEY_LEN);
    ck_assert_str_ne(text, other);
    ck_assert_int_eq(strncmp(k.hint, text, strlen(k.hint)), 0);
    ck_assert_uint_lt(strlen(k.hint), 8);
    ck_assert_int_ne(k.id, 0);
    store_close(&s);
}
END_TEST

START_TEST(only_the_hash_is_stored)
{
    struct store s;
    char text[PRODUCT_KEY_LEN + 1], part[16];
    uint8_t hash[OTAD_SHA256_LEN];
    size_t n = 0;
    store_memory(&s);
    (void)create(&s, store_product(s.db, "lamp"), "k", text);
    struct db_q q = db_query(s.db, "SELECT hash FROM product_key");
    ck_assert(db_step(&q));
    OK(digest_sha256(text, strlen(text), hash));
    const void *stored = db_blob(&q, 0, &n);
    ck_assert_uint_eq(n, sizeof hash);
    ck_assert_mem_eq(stored, hash, n);
    OK(db_end(&q, EI));
    struct db_q r = db_query(s.db, "SELECT count(*) FROM product_key"
                                   " WHERE instr(quote(hash) || name || hint, :part) > 0");
    (void)snprintf(part, sizeof part, "%.10s", text + 20);
    db_bind_text(&r, ":part", part);
    ck_assert(db_step(&r));
    ck_assert_int_eq(db_int(&r, 0), 0);
    OK(db_end(&r, EI));
    store_close(&s);
}
END_TEST

START_TEST(each_key_in_force_opens_its_own_product)
{
    struct store s;
    char old[PRODUCT_KEY_LEN + 1], new[PRODUCT_KEY_LEN + 1], plug[PRODUCT_KEY_LEN + 1];
    store_memory(&s);
    int64_t lamp = store_product(s.db, "lamp");
    (void)create(&s, lamp, "old", old);
    (void)create(&s, lamp, "new", new);
    (void)create(&s, store_product(s.db, "plug"), "old", plug);
    ck_assert(opens(&s, "lamp", old) && opens(&s, "lamp", new) && opens(&s, "plug", plug));
    ck_assert(!opens(&s, "lamp", plug) && !opens(&s, "plug", old));
    ck_assert(!opens(&s, "lamp", NULL) && !opens(&s, "lamp", ""));
    OK(product_key_revoke(s.db, lamp, "old", 77, EI));
    ck_assert(!opens(&s, "lamp", old) && opens(&s, "lamp", new) && opens(&s, "plug", plug));
    store_close(&s);
}
END_TEST

START_TEST(every_other_text_opens_nothing)
{
    struct store s;
    char text[PRODUCT_KEY_LEN + 1], wrong[PRODUCT_KEY_LEN + 2];
    store_memory(&s);
    (void)create(&s, store_product(s.db, "lamp"), "k", text);
    for (size_t i = 0; i < PRODUCT_KEY_LEN; i++) {
        memcpy(wrong, text, sizeof text);
        wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
        ck_assert_msg(!opens(&s, "lamp", wrong), "character %zu", i);
    }
    (void)snprintf(wrong, sizeof wrong, "%sA", text);
    ck_assert(!opens(&s, "lamp", wrong));
    wrong[PRODUCT_KEY_LEN - 1] = '\0';
    ck_assert(!opens(&s, "lamp", wrong));
    store_close(&s);
}
END_TEST

START_TEST(text_of_another_length_is_no_key)
{
    uint8_t hash[OTAD_SHA256_LEN], before[OTAD_SHA256_LEN];
    memset(hash, 0x5a, sizeof hash);
    memcpy(before, hash, sizeof hash);
    ck_assert(!product_key_hash("", hash));
    ck_assert(!product_key_hash("otad_0123456789", hash));
    ck_assert_mem_eq(hash, before, sizeof hash);
}
END_TEST

START_TEST(access_and_client_of_the_product_are_in_the_row)
{
    struct store s;
    struct checkin_row row;
    const struct checkin_query q = {.slug = "lamp", .channel = ""};
    store_memory(&s);
    (void)store_product(s.db, "lamp");
    OK(checkin_load(s.db, &q, &row, EI));
    ck_assert(!row.needs_key && !row.key_ok && !row.tasmota);
    store_exec(s.db, "UPDATE product SET access = 'key', client = 'tasmota'");
    OK(checkin_load(s.db, &q, &row, EI));
    ck_assert(row.needs_key && !row.key_ok && row.tasmota);
    store_close(&s);
}
END_TEST

START_TEST(name_is_taken_within_its_product_only)
{
    struct store s;
    struct product_key k = {.id = 99};
    char text[PRODUCT_KEY_LEN + 1];
    store_memory(&s);
    int64_t lamp = store_product(s.db, "lamp");
    (void)create(&s, lamp, "k", text);
    (void)create(&s, store_product(s.db, "plug"), "k", text);
    OK(product_key_revoke(s.db, lamp, "k", 7, EI));
    k.product = lamp;
    OK(product_key_set_name(&k, "k", EI));
    FAILS(OTAD_E_CONFLICT, product_key_create(s.db, &k, text, EI));
    HOLDS(store_ei.hint, "revoked");
    ck_assert_int_eq(k.id, 99);
    FAILS(OTAD_E_INVALID, product_key_set_name(&k, "a/b", EI));
    FAILS(OTAD_E_INVALID, product_key_set_name(&k, "", EI));
    ck_assert_str_eq(k.name, "k");
    store_close(&s);
}
END_TEST

START_TEST(revoking_needs_a_key_in_force_of_that_product)
{
    struct store s;
    char text[PRODUCT_KEY_LEN + 1];
    store_memory(&s);
    int64_t lamp = store_product(s.db, "lamp"), plug = store_product(s.db, "plug");
    (void)create(&s, lamp, "k", text);
    FAILS(OTAD_E_NOENT, product_key_revoke(s.db, plug, "k", 7, EI));
    FAILS(OTAD_E_NOENT, product_key_revoke(s.db, lamp, "x", 7, EI));
    OK(product_key_revoke(s.db, lamp, "k", 7, EI));
    FAILS(OTAD_E_NOENT, product_key_revoke(s.db, lamp, "k", 8, EI));
    ck_assert_int_eq(store_int(s.db, "SELECT revoked_at_s FROM product_key"), 7);
    store_close(&s);
}
END_TEST

static enum otad_err each_key(void *arg, const struct product_key *k)
{
    char *text = arg;
    size_t n = strlen(text);
    (void)snprintf(text + n, 64 - n, "%s/%d/%d ", k->name, (int)k->created_at_s,
                   (int)k->revoked_at_s);
    return OTAD_E_OK;
}

START_TEST(list_is_the_products_own_oldest_first)
{
    struct store s;
    char text[PRODUCT_KEY_LEN + 1], list[64] = "";
    store_memory(&s);
    int64_t lamp = store_product(s.db, "lamp");
    (void)create(&s, lamp, "b", text);
    (void)create(&s, store_product(s.db, "plug"), "x", text);
    (void)create(&s, lamp, "a", text);
    OK(product_key_revoke(s.db, lamp, "b", 7, EI));
    OK(product_key_list(s.db, lamp, each_key, list, EI));
    ck_assert_str_eq(list, "b/42/7 a/42/0 ");
    store_close(&s);
}
END_TEST

START_TEST(keys_go_with_their_product)
{
    struct store s;
    char text[PRODUCT_KEY_LEN + 1];
    store_memory(&s);
    (void)create(&s, store_product(s.db, "lamp"), "k", text);
    store_exec(s.db, "DELETE FROM product");
    ck_assert_int_eq(store_int(s.db, "SELECT count(*) FROM product_key"), 0);
    store_close(&s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("product_key");
    TCase *t = tcase_create("product keys");
    tcase_add_test(t, key_stands_in_urls_as_it_is);
    tcase_add_test(t, only_the_hash_is_stored);
    tcase_add_test(t, each_key_in_force_opens_its_own_product);
    tcase_add_test(t, every_other_text_opens_nothing);
    tcase_add_test(t, text_of_another_length_is_no_key);
    tcase_add_test(t, access_and_client_of_the_product_are_in_the_row);
    tcase_add_test(t, name_is_taken_within_its_product_only);
    tcase_add_test(t, revoking_needs_a_key_in_force_of_that_product);
    tcase_add_test(t, list_is_the_products_own_oldest_first);
    tcase_add_test(t, keys_go_with_their_product);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
