/* SPDX-License-Identifier: MIT
 * The table `product`. */
#include <stdio.h>

#include "fleet/product.h"
#include "support/store.h"

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *what;
    const char *text;
    bool want;
} slug_rows[] = {
    {"plain",              "lamp",        true },
    {"one character",      "l",           true },
    {"digit first",        "3d-printer",  true },
    {"all marks",          "a._-b",       true },
    {"63 characters",      A63,           true },
    {"64 characters",      A63 "a",       false},
    {"empty",              "",            false},
    {"capital",            "Lamp",        false},
    {"point first",        ".lamp",       false},
    {"dash first",         "-lamp",       false},
    {"underscore first",   "_lamp",       false},
    {"blank",              "la mp",       false},
    {"slash",              "la/mp",       false},
    {"UTF-8",              "l\xc3\xa4mp", false},
    {"newline at the end", "lamp\n",      false},
};

START_TEST(slug_row)
{
    ck_assert_msg(product_slug_is_valid(slug_rows[_i].text) == slug_rows[_i].want, "%s",
                  slug_rows[_i].what);
}
END_TEST

START_TEST(created_product_is_found_by_slug_and_id)
{
    struct store s;
    struct product p = {.slug = "lamp", .name = "Lamp", .max_devices = 7, .created_at_s = 42}, q;
    store_memory(&s);
    OK(product_create(s.db, &p, EI));
    ck_assert_int_gt(p.id, 0);
    OK(product_find(s.db, "lamp", &q, EI));
    ck_assert_int_eq(q.id, p.id);
    ck_assert_str_eq(q.name, "Lamp");
    ck_assert_str_eq(q.chip, "");
    ck_assert_str_eq(q.default_channel, "stable");
    ck_assert_int_eq(q.max_devices, 7);
    ck_assert_int_eq(q.created_at_s, 42);
    ck_assert(!q.disabled);
    OK(product_find_id(s.db, p.id, &q, EI));
    ck_assert_str_eq(q.slug, "lamp");
    store_close(&s);
}
END_TEST

START_TEST(taken_slug_is_a_conflict)
{
    struct store s;
    struct product p = {.slug = "lamp", .id = 99};
    store_memory(&s);
    (void)store_product(s.db, "lamp");
    FAILS(OTAD_E_CONFLICT, product_create(s.db, &p, EI));
    HOLDS(store_ei.msg, "'lamp'");
    ck_assert_int_eq(p.id, 99);
    store_close(&s);
}
END_TEST

START_TEST(missing_product_is_noent_with_a_hint)
{
    struct store s;
    struct product p = {.id = 99};
    store_memory(&s);
    FAILS(OTAD_E_NOENT, product_find(s.db, "lamp", &p, EI));
    HOLDS(store_ei.hint, "POST /api/v1/products");
    FAILS(OTAD_E_NOENT, product_find_id(s.db, 5, &p, EI));
    ck_assert_int_eq(p.id, 99);
    store_close(&s);
}
END_TEST

START_TEST(saving_writes_policy_and_keeps_counters)
{
    struct store s;
    struct product p;
    store_memory(&s);
    int64_t id = store_product(s.db, "lamp");
    (void)store_device(s.db, id, 1, "1", 5);
    OK(product_find_id(s.db, id, &p, EI));
    (void)snprintf(p.name, sizeof p.name, "New");
    (void)snprintf(p.chip, sizeof p.chip, "ESP32");
    (void)snprintf(p.default_channel, sizeof p.default_channel, "beta");
    p.disabled = true;
    p.access = PRODUCT_ACCESS_KEY;
    p.client = PRODUCT_CLIENT_TASMOTA;
    p.max_devices = 3;
    p.device_count = p.anonymous_checkins = p.last_number = 77;
    OK(product_save(s.db, &p, EI));
    OK(product_find_id(s.db, id, &p, EI));
    ck_assert_str_eq(p.name, "New");
    ck_assert_str_eq(p.chip, "ESP32");
    ck_assert_str_eq(p.default_channel, "beta");
    ck_assert(p.disabled);
    ck_assert_int_eq((int)p.access, PRODUCT_ACCESS_KEY);
    ck_assert_int_eq((int)p.client, PRODUCT_CLIENT_TASMOTA);
    ck_assert_int_eq(p.max_devices, 3);
    ck_assert_int_eq(p.device_count, 1);
    ck_assert_int_eq(p.anonymous_checkins, 0);
    ck_assert_int_eq(p.last_number, 0);
    store_close(&s);
}
END_TEST

START_TEST(policy_has_words)
{
    enum product_access access = PRODUCT_ACCESS_KEY;
    enum product_client client = PRODUCT_CLIENT_TASMOTA;
    ck_assert(!product_access_parse("", &access) && !product_access_parse("closed", &access));
    ck_assert(!product_client_parse("esphome", &client));
    ck_assert(access == PRODUCT_ACCESS_KEY && client == PRODUCT_CLIENT_TASMOTA);
    ck_assert(product_access_parse("open", &access) && product_client_parse("", &client));
    ck_assert(access == PRODUCT_ACCESS_OPEN && client == PRODUCT_CLIENT_ANY);
    ck_assert_str_eq(product_access_name(PRODUCT_ACCESS_KEY), "key");
    ck_assert_str_eq(product_client_name(PRODUCT_CLIENT_TASMOTA), "tasmota");
}
END_TEST

START_TEST(first_build_sets_the_chip_and_the_highest_number_stays)
{
    struct store s;
    struct product p;
    store_memory(&s);
    int64_t id = store_product(s.db, "lamp");
    OK(product_note_build(s.db, id, 5, "", EI));
    OK(product_note_build(s.db, id, 3, "ESP8266", EI));
    OK(product_note_build(s.db, id, 4, "ESP32", EI));
    OK(product_find_id(s.db, id, &p, EI));
    ck_assert_str_eq(p.chip, "ESP8266");
    ck_assert_int_eq(p.last_number, 5);
    store_close(&s);
}
END_TEST

START_TEST(devices_and_strangers_are_counted)
{
    struct store s;
    struct product p;
    store_memory(&s);
    int64_t id = store_product(s.db, "lamp");
    int64_t other = store_product(s.db, "plug");
    int64_t device = store_device(s.db, id, 1, "1", 5);
    (void)store_device(s.db, id, 2, "1", 5);
    (void)store_device(s.db, id, 2, "1", 6); /* again */
    (void)store_device(s.db, other, 2, "1", 5);
    OK(device_delete(s.db, device, EI));
    OK(product_count_anonymous(s.db, id, 3, EI));
    OK(product_count_anonymous(s.db, id, 4, EI));
    OK(product_find_id(s.db, id, &p, EI));
    ck_assert_int_eq(p.device_count, 1);
    ck_assert_int_eq(p.anonymous_checkins, 7);
    OK(product_find_id(s.db, other, &p, EI));
    ck_assert_int_eq(p.device_count, 1);
    store_close(&s);
}
END_TEST

static enum otad_err each(void *arg, const struct product *p)
{
    char *text = arg;
    size_t n = strlen(text);
    (void)snprintf(text + n, 64 - n, "%s ", p->slug);
    return strcmp(p->slug, "stop") == 0 ? OTAD_E_GONE : OTAD_E_OK;
}

START_TEST(list_goes_by_slug_in_pages)
{
    struct store s;
    char text[64] = "";
    store_memory(&s);
    (void)store_product(s.db, "b");
    (void)store_product(s.db, "a");
    (void)store_product(s.db, "c");
    OK(product_list(s.db, "", 2, each, text, EI));
    ck_assert_str_eq(text, "a b ");
    OK(product_list(s.db, "b", 2, each, text, EI));
    ck_assert_str_eq(text, "a b c ");
    (void)store_product(s.db, "stop");
    (void)store_product(s.db, "tail");
    text[0] = '\0';
    FAILS(OTAD_E_GONE, product_list(s.db, "c", 9, each, text, EI));
    ck_assert_str_eq(text, "stop ");
    store_close(&s);
}
END_TEST

START_TEST(deleting_takes_everything_in_it)
{
    struct store s;
    store_memory(&s);
    int64_t id = store_product(s.db, "lamp");
    (void)store_build(s.db, id, "1", BUILD_APP);
    (void)store_device(s.db, id, 1, "1", 5);
    OK(product_delete(s.db, id, EI));
    ck_assert_int_eq(store_int(s.db, "SELECT (SELECT count(*) FROM product)"
                                     " + (SELECT count(*) FROM channel)"
                                     " + (SELECT count(*) FROM build)"
                                     " + (SELECT count(*) FROM device)"),
                     0);
    store_close(&s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("product");
    TCase *t = tcase_create("product");
    tcase_add_loop_test(t, slug_row, 0, (int)OTAD_COUNT(slug_rows));
    tcase_add_test(t, created_product_is_found_by_slug_and_id);
    tcase_add_test(t, taken_slug_is_a_conflict);
    tcase_add_test(t, missing_product_is_noent_with_a_hint);
    tcase_add_test(t, saving_writes_policy_and_keeps_counters);
    tcase_add_test(t, policy_has_words);
    tcase_add_test(t, first_build_sets_the_chip_and_the_highest_number_stays);
    tcase_add_test(t, devices_and_strangers_are_counted);
    tcase_add_test(t, list_goes_by_slug_in_pages);
    tcase_add_test(t, deleting_takes_everything_in_it);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
