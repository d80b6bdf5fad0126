/* SPDX-License-Identifier: MIT
 * The client's Arduino library with keys on a fake ESP8266, against a server of signed images: only
 * what one of the keys signed is taken, and nothing that is older. */
#include <stdio.h>
#include <string.h>

#include <openssl/ec.h>

#include "fake_esp8266.h"
#include "otad_client.h"
#include "support/certificates.h"
#include "support/image_server.h"
#include "support/unit.h"

enum { IMAGE_N = 9000 };

static struct image_server server;
static EVP_PKEY *ours, *spare, *foreign;
static char keys[2 * PUBLIC_KEY_TEXT];
static uint8_t images[2][IMAGE_N]; /* versions 1.0.0 and 1.1.0 */

static void setup(void)
{
    char text[2][PUBLIC_KEY_TEXT];
    ours = EVP_EC_gen("P-256");
    spare = EVP_EC_gen("P-256");
    foreign = EVP_EC_gen("P-256");
    public_key_text(ours, text[0]);
    public_key_text(spare, text[1]);
    (void)snprintf(keys, sizeof keys, "%s %s", text[0], text[1]);
    for (unsigned i = 0; i < 2; i++) {
        memset(images[i], (int)i, IMAGE_N);
        images[i][0] = 0xe9;
        images[i][2] = 2;
    }
    image_server_start(&server, NULL);
    fake_8266_factory(images[0], IMAGE_N, "1.0.0");
    fake_8266.port = server.port;
    fake_8266.keys = keys;
}

static void teardown(void)
{
    image_server_stop(&server);
    EVP_PKEY_free(ours);
    EVP_PKEY_free(spare);
    EVP_PKEY_free(foreign);
}

static void offer(unsigned version, EVP_PKEY *key, uint32_t counter, enum image_fault fault)
{
    image_server_offer(&server, &(struct image_offer){.image = images[version],
                                                      .n = IMAGE_N,
                                                      .version = version == 0 ? "1.0.0" : "1.1.0",
                                                      .build = 40 + version,
                                                      .key = key,
                                                      .counter = counter,
                                                      .fault = fault});
}

static bool runs(unsigned version)
{
    return memcmp(fake_8266.flash, images[version], IMAGE_N) == 0;
}

enum end { SLEEPS, CUT, RESTARTS };

static enum end live_once(void)
{
    fake_8266_boot(false);
    fake_8266.said[0] = '\0';
    int how = setjmp(fake_8266.power);
    if (how == 0) {
        fake_8266_start();
        for (int i = 0; i < 100; i++)
            fake_8266_loop();
    }
    return how == 0 ? SLEEPS : how == 1 ? CUT : RESTARTS;
}

static void expect_refused(int want)
{
    char report[32];
    const long changes = fake_8266.changes;
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert_msg(strstr(fake_8266.said, otac_err_text(want)) != NULL, "%s", fake_8266.said);
    ck_assert_int_eq(fake_8266.changes, changes);
    (void)snprintf(report, sizeof report, "result=failed&code=%d&", want);
    const struct image_seen seen = image_server_seen(&server);
    ck_assert_msg(strstr(seen.report, report) != NULL, "%s", seen.report);
}

START_TEST(image_signed_by_any_key_is_taken)
{
    offer(1, _i == 0 ? ours : spare, 5, IMAGE_RIGHT);
    ck_assert_int_eq(live_once(), RESTARTS);
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert_msg(runs(1), "%s", fake_8266.said);
    offer(0, ours, 4, IMAGE_RIGHT);
    expect_refused(OTAC_E_OLD_COUNTER);
    ck_assert(runs(1));
}
END_TEST

struct refused_row {
    enum image_fault fault;
    bool foreign;
    int want;
};

static const struct refused_row refused_rows[] = {
    {IMAGE_RIGHT,         true,  OTAC_E_SIGNATURE    },
    {IMAGE_UNSIGNED,      false, OTAC_E_NO_SIGNATURE },
    {IMAGE_NO_BASE64,     false, OTAC_E_BAD_SIGNATURE},
    {IMAGE_OTHER_COUNTER, false, OTAC_E_SIGNATURE    },
    {IMAGE_OTHER_IMAGE,   false, OTAC_E_SIGNATURE    },
};

START_TEST(other_image_is_refused_before_anything_is_erased)
{
    const struct refused_row *row = &refused_rows[_i];
    offer(1, row->foreign ? foreign : ours, 5, row->fault);
    expect_refused(row->want);
    ck_assert(runs(0));
    offer(1, ours, 5, IMAGE_RIGHT);
    ck_assert_int_eq(live_once(), RESTARTS);
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert(runs(1));
}
END_TEST

static void install_first(void)
{
    offer(1, ours, 5, IMAGE_RIGHT);
    ck_assert_int_eq(live_once(), RESTARTS);
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert_msg(runs(1), "%s", fake_8266.said);
}

START_TEST(damaged_record_is_mended_with_keys_too)
{
    install_first();
    for (unsigned i = 0; i < 2; i++)
        fake_8266.file[i].data[20] ^= 1;
    offer(0, ours, 6, IMAGE_RIGHT);
    ck_assert_int_eq(live_once(), RESTARTS);
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert_msg(runs(0), "%s", fake_8266.said);
}
END_TEST

/* The image of counter 6 never ran, but an older one is older than it all the same. */
START_TEST(counter_outlives_a_power_cut_before_the_copy)
{
    install_first();
    offer(0, ours, 6, IMAGE_RIGHT);
    ck_assert_int_eq(live_once(), RESTARTS);
    fake_8266_boot(true);
    ck_assert(runs(1));
    const unsigned before = image_server_seen(&server).reports;
    offer(0, ours, 5, IMAGE_RIGHT);
    ck_assert_int_eq(live_once(), SLEEPS);
    const struct image_seen seen = image_server_seen(&server);
    ck_assert_msg(seen.reports == before + 1 && strstr(seen.report, "failed") != NULL,
                  "what never ran is no success: %u reports, %s", seen.reports - before,
                  seen.report);
    ck_assert_msg(strstr(fake_8266.said, otac_err_text(OTAC_E_OLD_COUNTER)) != NULL, "%s",
                  fake_8266.said);
    ck_assert(runs(1));
    offer(0, ours, 6, IMAGE_RIGHT);
    ck_assert_int_eq(live_once(), RESTARTS);
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert(runs(0));
}
END_TEST

/* The boot loader would unpack it, and what runs would not be what was proved. */
START_TEST(compressed_image_is_refused)
{
    images[1][0] = 0x1f;
    offer(1, ours, 5, IMAGE_RIGHT);
    expect_refused(OTAC_E_FLASH_WRITE);
    ck_assert(runs(0));
}
END_TEST

START_TEST(broken_keys_are_noticed_at_the_start)
{
    static char text[2 * PUBLIC_KEY_TEXT];
    (void)snprintf(text, sizeof text, "%s", keys);
    if (_i == 0)
        text[0] = '\0';
    else if (_i == 1)
        text[123] = '\0'; /* a character short */
    else if (_i == 2)
        text[7] ^= 1; /* another kind of key */
    else if (_i == 3)
        text[60] = '?'; /* no base64 */
    else
        memcpy(text + 125, "x", 2); /* a second one */
    fake_8266.keys = text;
    offer(1, ours, 5, IMAGE_RIGHT);
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert(runs(0));
    ck_assert_msg(strstr(fake_8266.said, otac_err_text(OTAC_E_CONFIG)) != NULL, "%s",
                  fake_8266.said);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("port_arduino_signed");
    TCase *tcase = tcase_create("port");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, image_signed_by_any_key_is_taken, 0, 2);
    tcase_add_loop_test(tcase, other_image_is_refused_before_anything_is_erased, 0,
                        sizeof refused_rows / sizeof refused_rows[0]);
    tcase_add_test(tcase, damaged_record_is_mended_with_keys_too);
    tcase_add_test(tcase, counter_outlives_a_power_cut_before_the_copy);
    tcase_add_test(tcase, compressed_image_is_refused);
    tcase_add_loop_test(tcase, broken_keys_are_noticed_at_the_start, 0, 5);
    suite_add_tcase(suite, tcase);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
