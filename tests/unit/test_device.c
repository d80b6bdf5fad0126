/* SPDX-License-Identifier: MIT
 * The table `device`: what a device said stays until it says something else. */
#include <stdio.h>

#include "fleet/device.h"
#include "support/store.h"

#define LAMP 0x30AEA48436F0ULL

static struct device_facts silent(int64_t at_s)
{
    return (struct device_facts){
        .address = "192.0.2.9", .agent = "", .free_space = -1, .chip_size = -1, .at_s = at_s};
}

static struct device_facts full(void)
{
    return (struct device_facts){.version = "1.0",
                                 .chip = "ESP8266",
                                 .md5 = "0123456789abcdef0123456789abcdef",
                                 .sha256 = "ff",
                                 .address = "192.0.2.1",
                                 .agent = "ESP8266-http-Update",
                                 .mode = "sketch",
                                 .free_space = 1000,
                                 .chip_size = 4194304,
                                 .at_s = 100,
                                 .authenticated = true};
}

START_TEST(first_check_in_makes_the_device)
{
    struct store s;
    struct device d;
    struct device_facts said = full();
    int64_t id = -1;
    store_memory(&s);
    int64_t product = store_product(s.db, "lamp");
    OK(device_seen(s.db, product, LAMP, &said, &id, EI));
    OK(device_find(s.db, product, LAMP, &d, EI));
    ck_assert_int_eq(d.id, id);
    ck_assert_int_eq(d.first_seen_s, 100);
    ck_assert_str_eq(d.last.version, "1.0");
    ck_assert_str_eq(d.last.chip, "ESP8266");
    ck_assert_str_eq(d.last.md5, said.md5);
    ck_assert_str_eq(d.last.sha256, "ff");
    ck_assert_str_eq(d.last.address, "192.0.2.1");
    ck_assert_str_eq(d.last.agent, "ESP8266-http-Update");
    ck_assert_str_eq(d.last.mode, "sketch");
    ck_assert_int_eq(d.last.free_space, 1000);
    ck_assert_int_eq(d.last.chip_size, 4194304);
    ck_assert_int_eq(d.last.at_s, 100);
    ck_assert(d.last.authenticated);
    ck_assert_int_eq(d.pin, 0);
    ck_assert(!d.held && !d.blocked);
    ck_assert_str_eq(d.channel, "");
    store_close(&s);
}
END_TEST

START_TEST(what_is_not_said_stays)
{
    struct store s;
    struct device d;
    struct device_facts said = full(), quiet = silent(200);
    int64_t id = -1, again = -2;
    store_memory(&s);
    int64_t product = store_product(s.db, "lamp");
    OK(device_seen(s.db, product, LAMP, &said, &id, EI));
    OK(device_seen(s.db, product, LAMP, &quiet, &again, EI));
    ck_assert_int_eq(id, again);
    OK(device_find(s.db, product, LAMP, &d, EI));
    ck_assert_str_eq(d.last.version, "1.0");
    ck_assert_str_eq(d.last.chip, "ESP8266");
    ck_assert_str_eq(d.last.md5, said.md5);
    ck_assert_str_eq(d.last.sha256, "ff");
    ck_assert_str_eq(d.last.mode, ""); /* of the last request */
    ck_assert_int_eq(d.last.free_space, 1000);
    ck_assert_int_eq(d.last.chip_size, 4194304);
    /* Where it comes from, when, and how sure we are, is always the latest. */
    ck_assert_str_eq(d.last.address, "192.0.2.9");
    ck_assert_str_eq(d.last.agent, "");
    ck_assert_int_eq(d.last.at_s, 200);
    ck_assert_int_eq(d.first_seen_s, 100);
    ck_assert(!d.last.authenticated);
    store_close(&s);
}
END_TEST

START_TEST(what_is_said_again_replaces)
{
    struct store s;
    struct device d;
    struct device_facts said = full(), more = silent(200);
    int64_t id = -1;
    store_memory(&s);
    int64_t product = store_product(s.db, "lamp");
    OK(device_seen(s.db, product, LAMP, &said, &id, EI));
    (void)snprintf(more.version, sizeof more.version, "2.0");
    (void)snprintf(more.md5, sizeof more.md5, "aa");
    more.free_space = 0;
    OK(device_seen(s.db, product, LAMP, &more, &id, EI));
    OK(device_find(s.db, product, LAMP, &d, EI));
    ck_assert_str_eq(d.last.version, "2.0");
    ck_assert_str_eq(d.last.md5, "aa");
    ck_assert_int_eq(d.last.free_space, 0);
    ck_assert_int_eq(d.last.chip_size, 4194304);
    store_close(&s);
}
END_TEST

START_TEST(owners_choices_survive_check_ins)
{
    struct store s;
    struct device d;
    struct device_facts said = full();
    int64_t id = -1;
    store_memory(&s);
    int64_t product = store_product(s.db, "lamp");
    struct build b = store_build(s.db, product, "7", BUILD_APP);
    (void)store_device(s.db, product, LAMP, "1.0", 50);
    OK(device_find(s.db, product, LAMP, &d, EI));
    (void)snprintf(d.channel, sizeof d.channel, "beta");
    (void)snprintf(d.note, sizeof d.note, "kitchen");
    d.pin = b.seq;
    d.held = d.blocked = true;
    OK(device_save(s.db, &d, EI));
    OK(device_seen(s.db, product, LAMP, &said, &id, EI));
    OK(device_find(s.db, product, LAMP, &d, EI));
    ck_assert_str_eq(d.channel, "beta");
    ck_assert_str_eq(d.note, "kitchen");
    ck_assert_int_eq(d.pin, b.seq);
    ck_assert(d.held && d.blocked);
    d.pin = 0;
    d.held = d.blocked = false;
    OK(device_save(s.db, &d, EI));
    OK(device_find(s.db, product, LAMP, &d, EI));
    ck_assert_int_eq(d.pin, 0);
    ck_assert(!d.held && !d.blocked);
    d.pin = 4711;
    FAILS(OTAD_E_CONFLICT, device_save(s.db, &d, EI));
    store_close(&s);
}
END_TEST

START_TEST(same_mac_of_two_products_is_two_devices)
{
    struct store s;
    struct device d = {.id = 99};
    store_memory(&s);
    int64_t lamp = store_product(s.db, "lamp"), plug = store_product(s.db, "plug");
    int64_t of_lamp = store_device(s.db, lamp, LAMP, "1", 5);
    FAILS(OTAD_E_NOENT, device_find(s.db, plug, LAMP, &d, EI));
    HOLDS(store_ei.msg, "30:AE:A4:84:36:F0");
    ck_assert_int_eq(d.id, 99);
    int64_t of_plug = store_device(s.db, plug, LAMP, "2", 5);
    ck_assert_int_ne(of_lamp, of_plug);
    OK(device_delete(s.db, of_lamp, EI));
    OK(device_find(s.db, plug, LAMP, &d, EI));
    ck_assert_str_eq(d.last.version, "2");
    store_close(&s);
}
END_TEST

START_TEST(device_of_no_product_is_noent)
{
    struct store s;
    struct device_facts said = full();
    int64_t id = 99;
    store_memory(&s);
    FAILS(OTAD_E_NOENT, device_seen(s.db, 4711, LAMP, &said, &id, EI));
    ck_assert_int_eq(id, 99);
    store_close(&s);
}
END_TEST

static enum otad_err each(void *arg, const struct device *d)
{
    char *text = arg;
    size_t n = strlen(text);
    (void)snprintf(text + n, 64 - n, "%x ", (unsigned)d->mac);
    return OTAD_E_OK;
}

static const struct {
    const char *what;
    const char *version, *q;
    int64_t before_s, before_id, limit;
    const char *want;
} list_rows[] = {
    {"all, last seen first",    NULL, NULL,           INT64_MAX, INT64_MAX, 9, "d c b a "},
    {"limited",                 NULL, NULL,           INT64_MAX, INT64_MAX, 2, "d c "    },
    {"after one of a second",   NULL, NULL,           20,        3,         9, "b a "    },
    {"after a second",          NULL, NULL,           20,        0,         9, "a "      },
    {"of a version",            "2",  NULL,           INT64_MAX, INT64_MAX, 9, "c b "    },
    {"by digits of the MAC",    NULL, "00000D",       INT64_MAX, INT64_MAX, 9, "d "      },
    {"by the whole MAC",        NULL, "00000000000A", INT64_MAX, INT64_MAX, 9, "a "      },
    {"lower case is not asked", NULL, "a",            INT64_MAX, INT64_MAX, 9, ""        },
    {"both filters",            "2",  "C",            INT64_MAX, INT64_MAX, 9, "c "      },
};

START_TEST(list_row)
{
    struct store s;
    char text[64] = "";
    store_memory(&s);
    int64_t product = store_product(s.db, "lamp"), other = store_product(s.db, "plug");
    (void)store_device(s.db, product, 0xa, "1", 10);
    (void)store_device(s.db, product, 0xb, "2", 20);
    (void)store_device(s.db, product, 0xc, "2", 20);
    (void)store_device(s.db, product, 0xd, "1", 30);
    (void)store_device(s.db, other, 0xe, "2", 40);
    struct device_filter f = {.product = product,
                              .version = list_rows[_i].version,
                              .q = list_rows[_i].q,
                              .before_s = list_rows[_i].before_s,
                              .before_id = list_rows[_i].before_id,
                              .limit = list_rows[_i].limit};
    OK(device_list(s.db, &f, each, text, EI));
    ck_assert_msg(strcmp(text, list_rows[_i].want) == 0, "%s: %s", list_rows[_i].what, text);
    store_close(&s);
}
END_TEST

START_TEST(scan_tells_what_bears_on_fitting)
{
    struct store s;
    struct device_facts said = full();
    int64_t id;
    char text[64] = "";
    store_memory(&s);
    int64_t product = store_product(s.db, "lamp"), other = store_product(s.db, "plug");
    OK(device_seen(s.db, product, 0xa, &said, &id, EI));
    (void)store_device(s.db, product, 0xb, "2", 20);
    (void)store_device(s.db, other, 0xc, "2", 20);
    OK(device_scan_fit(s.db, product, each, text, EI));
    ck_assert_str_eq(text, "a b ");
    store_close(&s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("device");
    TCase *t = tcase_create("device");
    tcase_add_test(t, first_check_in_makes_the_device);
    tcase_add_test(t, what_is_not_said_stays);
    tcase_add_test(t, what_is_said_again_replaces);
    tcase_add_test(t, owners_choices_survive_check_ins);
    tcase_add_test(t, same_mac_of_two_products_is_two_devices);
    tcase_add_test(t, device_of_no_product_is_noent);
    tcase_add_loop_test(t, list_row, 0, (int)OTAD_COUNT(list_rows));
    tcase_add_test(t, scan_tells_what_bears_on_fitting);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
