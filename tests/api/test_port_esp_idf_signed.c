/* SPDX-License-Identifier: MIT
 * The client's port to ESP-IDF with keys, as menuconfig sets them, on a fake ESP32 against a server
 * of signed images: only what one of the keys signed is taken, and nothing that is older. */
#include <stdio.h>
#include <string.h>

#include <openssl/ec.h>

#include "esp_transport_tcp.h"
#include "fake_idf.h"
#include "otad_client_esp_idf.h"
#include "support/certificates.h"
#include "support/image_server.h"
#include "support/unit.h"

enum { IMAGE_N = 9000 };

static struct image_server server;
static EVP_PKEY *ours, *spare, *foreign;
static char keys[2 * PUBLIC_KEY_TEXT];
static uint8_t images[3][IMAGE_N]; /* versions 1.0.0, 1.1.0, 1.2.0 */

static void setup(void)
{
    char text[2][PUBLIC_KEY_TEXT];
    ours = EVP_EC_gen("P-256");
    spare = EVP_EC_gen("P-256");
    foreign = EVP_EC_gen("P-256");
    public_key_text(ours, text[0]);
    public_key_text(spare, text[1]);
    (void)snprintf(keys, sizeof keys, "%s %s", text[0], text[1]);
    fake_idf_keys = keys;
    for (unsigned i = 0; i < 3; i++) {
        memset(images[i], (int)i, IMAGE_N);
        images[i][0] = 0xe9;
    }
    image_server_start(&server, NULL);
    (void)snprintf(fake_idf_host, sizeof fake_idf_host, "127.0.0.1");
    fake_idf_port = server.port;
    fake_idf_factory(images[0], IMAGE_N, "1.0.0");
    fake_idf.rollback = true;
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
    static const char *const names[] = {"1.0.0", "1.1.0", "1.2.0"};
    image_server_offer(&server, &(struct image_offer){.image = images[version],
                                                      .n = IMAGE_N,
                                                      .version = names[version],
                                                      .build = 40 + version,
                                                      .key = key,
                                                      .counter = counter,
                                                      .fault = fault});
}

static bool runs(unsigned version)
{
    return memcmp(fake_idf.flash[fake_idf.running], images[version], IMAGE_N) == 0;
}

enum end { CUT, SLEEPS, RESTARTS, ENDS };

static enum end live_once(void)
{
    (void)fake_idf_boot();
    int how = setjmp(fake_idf.power);
    if (how == 0) {
        otac_esp_idf_task(NULL);
        return ENDS;
    }
    (void)esp_transport_close(esp_transport_tcp_init()); /* power ends connections too */
    return how == 2 ? SLEEPS : fake_idf.restarted ? RESTARTS : CUT;
}

static void expect_refused(int want)
{
    char report[32];
    const unsigned runs_now = fake_idf.running;
    const long changes = fake_idf.changes;
    fake_idf.log[0] = '\0';
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert_msg(strstr(fake_idf.log, otac_err_text(want)) != NULL, "%s", fake_idf.log);
    ck_assert_msg(fake_idf.running == runs_now && fake_idf.changes == changes, "%s", fake_idf.log);
    (void)snprintf(report, sizeof report, "result=failed&code=%d&", want);
    const struct image_seen seen = image_server_seen(&server);
    ck_assert_msg(strstr(seen.report, report) != NULL, "%s", seen.report);
}

START_TEST(image_signed_by_any_key_is_taken)
{
    offer(1, _i == 0 ? ours : spare, 5, IMAGE_RIGHT);
    ck_assert_int_eq(live_once(), RESTARTS);
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert_msg(runs(1), "%s", fake_idf.log);
    ck_assert_int_eq(fake_idf_state(), ESP_OTA_IMG_VALID);
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
    ck_assert(runs(1));
}

static void expect_old_counter(void)
{
    offer(0, ours, 4, IMAGE_RIGHT);
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert_msg(strstr(fake_idf.log, otac_err_text(OTAC_E_OLD_COUNTER)) != NULL, "%s",
                  fake_idf.log);
    ck_assert(runs(1));
}

START_TEST(older_signed_image_is_refused)
{
    install_first();
    offer(0, ours, 4, IMAGE_RIGHT);
    expect_refused(OTAC_E_OLD_COUNTER);
    ck_assert(runs(1));
}
END_TEST

START_TEST(counter_outlives_a_rollback)
{
    install_first();
    offer(2, ours, 6, IMAGE_RIGHT);
    ck_assert_int_eq(live_once(), RESTARTS);
    (void)fake_idf_boot(); /* and no more */
    (void)fake_idf_boot();
    ck_assert_uint_eq(fake_idf.went_back, 1);
    expect_old_counter();
}
END_TEST

START_TEST(counter_outlives_a_power_cut_before_otadata)
{
    install_first();
    offer(2, ours, 6, IMAGE_RIGHT);
    fake_idf.cut_at_switch = 1 + _i;
    ck_assert_int_eq(live_once(), CUT);
    expect_old_counter();
}
END_TEST

START_TEST(damaged_record_is_mended_with_keys_too)
{
    install_first();
    fake_idf.nvs[20] ^= 1;
    offer(2, ours, 6, IMAGE_RIGHT);
    ck_assert_int_eq(live_once(), RESTARTS);
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert_msg(runs(2), "%s", fake_idf.log);
}
END_TEST

/* Whoever flashes a device by cable doesn't open it to images of before. */
START_TEST(counter_outlives_a_cable)
{
    install_first();
    memcpy(fake_idf.flash[fake_idf.running], images[2], IMAGE_N);
    offer(0, ours, 4, IMAGE_RIGHT);
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert_msg(strstr(fake_idf.log, otac_err_text(OTAC_E_OLD_COUNTER)) != NULL, "%s",
                  fake_idf.log);
    ck_assert(runs(2));
    offer(1, ours, 5, IMAGE_RIGHT);
    ck_assert_int_eq(live_once(), RESTARTS);
}
END_TEST

/* A build with a wrong address meets something that answers: that makes it no good one. */
START_TEST(foreign_answer_confirms_nothing)
{
    offer(1, ours, 5, IMAGE_RIGHT);
    ck_assert_int_eq(live_once(), RESTARTS);
    offer(1, ours, 5, IMAGE_PORTAL);
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert_msg(runs(1), "%s", fake_idf.log);
    ck_assert_int_eq(fake_idf_state(), ESP_OTA_IMG_PENDING_VERIFY);
    offer(1, ours, 5, IMAGE_RIGHT);
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert_msg(runs(0), "%s", fake_idf.log);
    const struct image_seen seen = image_server_seen(&server);
    ck_assert_msg(strstr(seen.report, "result=rolled_back&code=-260") != NULL, "%s", seen.report);
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
        text[60] ^= 1; /* no point on the curve */
    else
        memcpy(text + 125, "x", 2); /* a second one */
    fake_idf_keys = text;
    offer(1, ours, 5, IMAGE_RIGHT);
    ck_assert_int_eq(live_once(), ENDS);
    ck_assert_msg(strstr(fake_idf.log, otac_err_text(OTAC_E_CONFIG)) != NULL, "%s", fake_idf.log);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("port_esp_idf_signed");
    TCase *tcase = tcase_create("port");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, image_signed_by_any_key_is_taken, 0, 2);
    tcase_add_loop_test(tcase, other_image_is_refused_before_anything_is_erased, 0,
                        sizeof refused_rows / sizeof refused_rows[0]);
    tcase_add_test(tcase, older_signed_image_is_refused);
    tcase_add_test(tcase, counter_outlives_a_rollback);
    tcase_add_loop_test(tcase, counter_outlives_a_power_cut_before_otadata, 0, 2);
    tcase_add_test(tcase, damaged_record_is_mended_with_keys_too);
    tcase_add_test(tcase, counter_outlives_a_cable);
    tcase_add_test(tcase, foreign_answer_confirms_nothing);
    tcase_add_loop_test(tcase, broken_keys_are_noticed_at_the_start, 0, 5);
    suite_add_tcase(suite, tcase);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
