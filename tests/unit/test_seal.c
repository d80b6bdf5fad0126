/* SPDX-License-Identifier: MIT
 * Secrets at rest, and the passwords that are kept so. */
#include <string.h>

#include "fleet/push_password.h"
#include "support/store.h"

static const uint8_t secret[SECRET_LEN] = {1, 2, 3}, other_secret[SECRET_LEN] = {1, 2, 4};
static uint8_t key[SEAL_KEY_LEN], other_key[SEAL_KEY_LEN];

static void make_keys(void)
{
    ck_assert_int_eq(seal_key(secret, key), OTAD_E_OK);
    ck_assert_int_eq(seal_key(other_secret, other_key), OTAD_E_OK);
    ck_assert_int_ne(memcmp(key, other_key, sizeof key), 0);
    ck_assert_int_ne(memcmp(key, secret, sizeof key), 0);
}

START_TEST(what_is_sealed_opens_only_with_its_key_at_its_place)
{
    static const char text[] = "s3cret";
    uint8_t sealed[sizeof text + SEAL_EXTRA], again[sizeof text + SEAL_EXTRA];
    char open[sizeof text];
    make_keys();
    ck_assert_int_eq(seal(key, "here", text, sizeof text, sealed), OTAD_E_OK);
    ck_assert_int_eq(seal(key, "here", text, sizeof text, again), OTAD_E_OK);
    ck_assert_int_ne(memcmp(sealed, again, sizeof sealed), 0); /* the same text tells nothing */
    ck_assert_int_eq(seal_open(key, "here", sealed, sizeof sealed, open), OTAD_E_OK);
    ck_assert_str_eq(open, text);
    ck_assert_int_eq(seal_open(other_key, "here", sealed, sizeof sealed, open), OTAD_E_INVALID);
    ck_assert_int_eq(seal_open(key, "there", sealed, sizeof sealed, open), OTAD_E_INVALID);
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 1;
        ck_assert_int_eq(seal_open(key, "here", sealed, sizeof sealed, open), OTAD_E_INVALID);
        sealed[i] ^= 1;
    }
    for (size_t n = 0; n < sizeof sealed; n++)
        ck_assert_int_eq(seal_open(key, "here", sealed, n, open), OTAD_E_INVALID);
}
END_TEST

START_TEST(empty_text_can_be_sealed)
{
    uint8_t sealed[SEAL_EXTRA], open[1] = {7};
    make_keys();
    ck_assert_int_eq(seal(key, "", "", 0, sealed), OTAD_E_OK);
    ck_assert_int_eq(seal_open(key, "", sealed, sizeof sealed, open), OTAD_E_OK);
    ck_assert_int_eq(open[0], 7);
}
END_TEST

/* An empty database with the product 1. */
static void with_product(struct store *s)
{
    make_keys();
    store_memory(s);
    ck_assert_int_eq(store_product(s->db, "lamp"), 1);
}

static void expect(struct db *db, uint64_t mac, const char *want)
{
    char password[PUSH_PASSWORD_MAX + 1];
    OK(push_password_get(db, key, 1, mac, password, EI));
    ck_assert_str_eq(password, want);
}

START_TEST(device_before_product_before_none)
{
    struct store s;
    bool set = true;
    with_product(&s);
    expect(s.db, 5, "");
    OK(push_password_set(s.db, key, 1, 0, "of the product", EI));
    expect(s.db, 5, "of the product");
    OK(push_password_is_set(s.db, 1, 5, &set, EI));
    ck_assert(!set);
    OK(push_password_set(s.db, key, 1, 5, "of the device", EI));
    OK(push_password_set(s.db, key, 1, 5, "its next", EI));
    expect(s.db, 5, "its next");
    expect(s.db, 6, "of the product");
    OK(push_password_set(s.db, key, 1, 5, NULL, EI));
    expect(s.db, 5, "of the product");
    OK(push_password_set(s.db, key, 1, 0, "", EI));
    expect(s.db, 5, "");
    store_close(&s);
}
END_TEST

/* Somebody who can write the database can't move a password to a device of his own. */
START_TEST(sealed_password_stays_at_its_device)
{
    struct store s;
    char password[PUSH_PASSWORD_MAX + 1];
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    with_product(&s);
    OK(push_password_set(s.db, key, 1, 5, "s3cret", EI));
    store_exec(s.db, "UPDATE push_password SET mac = 6");
    ck_assert_int_eq(push_password_get(s.db, key, 1, 6, password, &ei), OTAD_E_CONFLICT);
    ck_assert_str_eq(password, "");
    ck_assert_ptr_null(strstr(ei.msg, "s3cret"));
    store_exec(s.db, "UPDATE push_password SET mac = 5");
    ck_assert_int_eq(push_password_get(s.db, other_key, 1, 5, password, &ei), OTAD_E_CONFLICT);
    store_close(&s);
}
END_TEST

START_TEST(longest_password_fits_and_a_longer_one_is_refused)
{
    struct store s;
    char longest[PUSH_PASSWORD_MAX + 2];
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    with_product(&s);
    memset(longest, 'x', sizeof longest - 1);
    longest[PUSH_PASSWORD_MAX + 1] = '\0';
    ck_assert_int_eq(push_password_set(s.db, key, 1, 5, longest, &ei), OTAD_E_INTERNAL);
    longest[PUSH_PASSWORD_MAX] = '\0';
    OK(push_password_set(s.db, key, 1, 5, longest, EI));
    expect(s.db, 5, longest);
    store_close(&s);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("seal");
    TCase *t = tcase_create("seal");
    tcase_add_test(t, what_is_sealed_opens_only_with_its_key_at_its_place);
    tcase_add_test(t, empty_text_can_be_sealed);
    suite_add_tcase(s, t);
    t = tcase_create("passwords");
    tcase_add_test(t, device_before_product_before_none);
    tcase_add_test(t, sealed_password_stays_at_its_device);
    tcase_add_test(t, longest_password_fits_and_a_longer_one_is_refused);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(suite)
