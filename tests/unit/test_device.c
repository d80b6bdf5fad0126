/* SPDX-License-Identifier: MIT
 * The table `device`: what a device said stays until it says something else. */
#include <stdio.h>

#include "fleet/device.h"
#include "fleet/update.h"
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

/* ALL = from the beginning. */
#define ALL INT64_MIN

static const struct {
    const char *what;
    const char *version, *q, *state;
    enum device_sort sort;
    int64_t after, after_id, limit;
    const char *want;
} list_rows[] = {
    {"all, last seen first",     NULL, NULL,           NULL,     DEVICE_SEEN_LAST,   ALL, 0, 9, "d c b a "},
    {"limited",                  NULL, NULL,           NULL,     DEVICE_SEEN_LAST,   ALL, 0, 2, "d c "    },
    {"after one of a second",    NULL, NULL,           NULL,     DEVICE_SEEN_LAST,   20,  3, 9, "b a "    },
    {"after a second",           NULL, NULL,           NULL,     DEVICE_SEEN_LAST,   20,  0, 9, "a "      },
    {"of a version",             "2",  NULL,           NULL,     DEVICE_SEEN_LAST,   ALL, 0, 9, "c b "    },
    {"by digits of the MAC",     NULL, "00000D",       NULL,     DEVICE_SEEN_LAST,   ALL, 0, 9, "d "      },
    {"by the whole MAC",         NULL, "00000000000A", NULL,     DEVICE_SEEN_LAST,   ALL, 0, 9, "a "      },
    {"lower case is not asked",  NULL, "a",            NULL,     DEVICE_SEEN_LAST,   ALL, 0, 9, ""        },
    {"both filters",             "2",  "C",            NULL,     DEVICE_SEEN_LAST,   ALL, 0, 9, "c "      },
    {"first seen first",         NULL, NULL,           NULL,     DEVICE_SEEN_FIRST,  ALL, 0, 9, "a b c d "},
    {"the same, after one",      NULL, NULL,           NULL,     DEVICE_SEEN_FIRST,  20,  2, 9, "c d "    },
    {"by MAC",                   NULL, NULL,           NULL,     DEVICE_BY_MAC,      ALL, 0, 2, "a b "    },
    {"by MAC, after one",        NULL, NULL,           NULL,     DEVICE_BY_MAC,      0xb, 0, 9, "c d "    },
    {"by MAC, down",             NULL, NULL,           NULL,     DEVICE_BY_MAC_DOWN, ALL, 0, 9, "d c b a "},
    {"by MAC, down, after one",  NULL, NULL,           NULL,     DEVICE_BY_MAC_DOWN, 0xc, 0, 9, "b a "    },
    {"in a state",               NULL, NULL,           "failed", DEVICE_SEEN_LAST,   ALL, 0, 9, "d b "    },
    {"in a state, first first",  NULL, NULL,           "failed", DEVICE_SEEN_FIRST,  ALL, 0, 9, "b d "    },
    {"in a state, after one",    NULL, NULL,           "failed", DEVICE_SEEN_LAST,   30,  4, 9, "b "      },
    {"in a state, by MAC",       NULL, NULL,           "failed", DEVICE_BY_MAC,      ALL, 0, 9, "b d "    },
    {"in a state, by MAC, down", NULL, NULL,           "failed", DEVICE_BY_MAC_DOWN, ALL, 0, 9, "d b "    },
    {"in a state and a version", "1",  NULL,           "failed", DEVICE_SEEN_LAST,   ALL, 0, 9, "d "      },
    {"without an update",        NULL, NULL,           "",       DEVICE_SEEN_LAST,   ALL, 0, 9, "c a "    },
    {"in a state nobody is in",  NULL, NULL,           "sent",   DEVICE_SEEN_LAST,   ALL, 0, 9, ""        },
};

static struct update put_update(struct store *s, int64_t product, int64_t device,
                                const struct build *b, enum update_state state)
{
    struct update u = {.product = product, .device = device, .build = b->seq, .created_at_s = 5};
    OK(update_insert(s->db, &u, EI));
    u.state = state;
    OK(update_save(s->db, &u, EI));
    return u;
}

START_TEST(list_row)
{
    struct store s;
    char text[64] = "";
    store_memory(&s);
    int64_t product = store_product(s.db, "lamp"), other = store_product(s.db, "plug");
    (void)store_device(s.db, product, 0xa, "1", 10);
    int64_t b = store_device(s.db, product, 0xb, "2", 20);
    (void)store_device(s.db, product, 0xc, "2", 20);
    int64_t d = store_device(s.db, product, 0xd, "1", 30);
    int64_t e = store_device(s.db, other, 0xe, "2", 40);
    struct build build = store_build(s.db, product, "9", BUILD_APP);
    (void)put_update(&s, product, b, &build, UPDATE_FAILED);
    (void)put_update(&s, product, d, &build, UPDATE_FAILED);
    build = store_build(s.db, other, "9", BUILD_APP);
    (void)put_update(&s, other, e, &build, UPDATE_FAILED);
    struct device_filter f = {.product = product,
                              .version = list_rows[_i].version,
                              .q = list_rows[_i].q,
                              .state = list_rows[_i].state,
                              .sort = list_rows[_i].sort,
                              .limit = list_rows[_i].limit};
    device_list_begin(&f);
    if (list_rows[_i].after != ALL) {
        f.after = list_rows[_i].after;
        f.after_id = list_rows[_i].after_id;
    }
    OK(device_list(s.db, &f, each, text, EI));
    ck_assert_msg(strcmp(text, list_rows[_i].want) == 0, "%s: %s", list_rows[_i].what, text);
    store_close(&s);
}
END_TEST

static const char *state_of(struct store *s, const char *state)
{
    static char text[64];
    struct device_filter f = {.product = 1, .state = state, .limit = 9};
    text[0] = '\0';
    device_list_begin(&f);
    OK(device_list(s->db, &f, each, text, EI));
    return text;
}

START_TEST(state_is_that_of_the_newest_update)
{
    struct store s;
    store_memory(&s);
    int64_t product = store_product(s.db, "lamp");
    int64_t device = store_device(s.db, product, 0xa, "1", 10);
    struct build one = store_build(s.db, product, "1", BUILD_APP);
    struct build two = store_build(s.db, product, "2", BUILD_APP);
    struct update first = put_update(&s, product, device, &one, UPDATE_INSTALLED);
    ck_assert_str_eq(state_of(&s, "installed"), "a ");
    struct update second = put_update(&s, product, device, &two, UPDATE_SENT);
    ck_assert_str_eq(state_of(&s, "sent"), "a ");
    ck_assert_str_eq(state_of(&s, "installed"), "");
    first.state = UPDATE_ROLLED_BACK; /* what becomes of an older one doesn't count */
    OK(update_save(s.db, &first, EI));
    ck_assert_str_eq(state_of(&s, "sent"), "a ");
    OK(update_delete(s.db, second.id, EI));
    ck_assert_str_eq(state_of(&s, "rolled_back"), "a ");
    OK(update_delete(s.db, first.id, EI));
    ck_assert_str_eq(state_of(&s, ""), "a ");
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
    tcase_add_test(t, state_is_that_of_the_newest_update);
    tcase_add_test(t, scan_tells_what_bears_on_fitting);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
