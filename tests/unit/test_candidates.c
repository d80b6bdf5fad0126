/* SPDX-License-Identifier: MIT
 * Devices that announce themselves. */
#include <stdio.h>
#include <string.h>

#include "push/candidates.h"
#include "support/unit.h"

static struct candidate found[CANDIDATES_MAX];

START_TEST(announcement_is_read)
{
    static const char *const txt[] = {"tcp_check=no", "board=esp32dev", "auth_upload=yes"};
    struct candidates *list = candidates_new();
    candidates_put(list, "esp32-30aea48436f0", "esp32-30aea48436f0.local", 2, "192.0.2.7", 3232,
                   txt, OTAD_COUNT(txt), 1000);
    ck_assert_uint_eq(candidates_copy(list, found, CANDIDATES_MAX), 1);
    ck_assert_str_eq(found[0].name, "esp32-30aea48436f0");
    ck_assert_str_eq(found[0].host, "esp32-30aea48436f0.local");
    ck_assert_str_eq(found[0].address, "192.0.2.7");
    ck_assert_uint_eq(found[0].port, 3232);
    ck_assert_str_eq(found[0].board, "esp32dev");
    ck_assert(found[0].auth);
    ck_assert_uint_eq(found[0].mac, 0x30AEA48436F0);
    ck_assert_int_eq(found[0].seen_s, 1000);
    candidates_free(&list);
    ck_assert_ptr_null(list);
}
END_TEST

START_TEST(other_names_tell_no_mac)
{
    struct candidates *list = candidates_new();
    candidates_put(list, "esp8266-a1b2c3", "x", 1, "192.0.2.7", 8266, NULL, 0, 1);
    candidates_put(list, "esp32-lamp", "x", 1, "192.0.2.7", 3232, NULL, 0, 1);
    candidates_put(list, "esp32-30aea48436f0x", "x", 1, "192.0.2.7", 3232, NULL, 0, 1);
    ck_assert_uint_eq(candidates_copy(list, found, CANDIDATES_MAX), 3);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(found[i].mac, 0);
    ck_assert(!found[0].auth);
    ck_assert_str_eq(found[0].board, "");
    candidates_free(&list);
}
END_TEST

START_TEST(same_name_and_interface_is_the_same_device)
{
    struct candidates *list = candidates_new();
    candidates_put(list, "lamp", "x", 1, "192.0.2.7", 1, NULL, 0, 1);
    candidates_put(list, "lamp", "x", 1, "192.0.2.8", 2, NULL, 0, 2);
    candidates_put(list, "lamp", "x", 2, "198.51.100.8", 2, NULL, 0, 2);
    candidates_put(list, "desk", "x", 1, "192.0.2.9", 2, NULL, 0, 2);
    char address[NET_TEXT_MAX] = "";
    ck_assert(!candidates_address(list, 0, address));
    ck_assert(!candidates_address(list, 0x30AEA48436F0, address));
    candidates_put(list, "esp32-30aea48436f0", "x", 1, "192.0.2.10", 2, NULL, 0, 2);
    ck_assert(candidates_address(list, 0x30AEA48436F0, address));
    ck_assert_str_eq(address, "192.0.2.10");
    candidates_remove(list, "esp32-30aea48436f0", 1);
    ck_assert_uint_eq(candidates_copy(list, found, CANDIDATES_MAX), 3);
    ck_assert_str_eq(found[0].name, "desk"); /* by name */
    ck_assert_str_eq(found[1].address, "192.0.2.8");
    ck_assert_int_eq(found[2].interface, 2);
    candidates_remove(list, "lamp", 1);
    candidates_remove(list, "lamp", 7);
    ck_assert_uint_eq(candidates_copy(list, found, CANDIDATES_MAX), 2);
    ck_assert_int_eq(found[1].interface, 2);
    candidates_clear(list);
    ck_assert_uint_eq(candidates_copy(list, found, CANDIDATES_MAX), 0);
    candidates_free(&list);
}
END_TEST

/* Anybody in the network may announce anything, any number of times. */
START_TEST(a_flood_and_garbage_are_bounded)
{
    char name[300];
    static const char *const txt[] = {"", "board=\xff\x01<b>", "auth_upload=YES", "board"};
    struct candidates *list = candidates_new();
    for (int i = 0; i < CANDIDATES_MAX + 50; i++) {
        (void)snprintf(name, sizeof name, "n%04d", i);
        candidates_put(list, name, "x", 1, "192.0.2.7", 1, txt, OTAD_COUNT(txt), 1);
    }
    ck_assert_uint_eq(candidates_copy(list, found, CANDIDATES_MAX), CANDIDATES_MAX);
    ck_assert_str_eq(found[0].board, "?\?<b>");
    ck_assert(!found[0].auth);
    ck_assert_uint_eq(candidates_copy(list, found, 3), 3);
    candidates_clear(list);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    candidates_put(list, name, name, 1, "192.0.2.7", 1, txt, OTAD_COUNT(txt), 1);
    candidates_put(list, name, name, 1, "192.0.2.7", 1, txt, OTAD_COUNT(txt), 1);
    ck_assert_uint_eq(candidates_copy(list, found, CANDIDATES_MAX), 1);
    ck_assert_uint_eq(strlen(found[0].name), CANDIDATE_TEXT - 1);
    candidates_remove(list, name, 1);
    ck_assert_uint_eq(candidates_copy(list, found, CANDIDATES_MAX), 0);
    candidates_free(&list);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("candidates");
    TCase *t = tcase_create("list");
    tcase_add_test(t, announcement_is_read);
    tcase_add_test(t, other_names_tell_no_mac);
    tcase_add_test(t, same_name_and_interface_is_the_same_device);
    tcase_add_test(t, a_flood_and_garbage_are_bounded);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(suite)
