/* SPDX-License-Identifier: MIT
 * The client's Arduino library and its example sketch on a fake ESP8266, against the daemon: the
 * device takes an update, with the power cut at every change of flash and files. */
#include <stdio.h>
#include <string.h>

#include "fake_esp8266.h"
#include "support/http.h"
#include "support/unit.h"

#define DEVICE "/api/v1/products/lamp/devices/5CCF7FA1B2C3"

static struct daemon d;
static char admin[DAEMON_KEY];
static struct img old_image, new_image;

static void setup(void)
{
    static const char *const flags[] = {"--storage-flush-interval-ms", "20",
                                        "--devices-new-devices-per-hour", "10000", NULL};
    daemon_start(&d, flags);
    daemon_key(&d, "root", "admin", NULL, admin);
    make_product(&d, admin, "lamp");
    publish(&d, admin, "lamp", "1.1.0", NULL, 2, NULL);
    old_image = image_of("ESP8266", 1, 0);
    new_image = image_of("ESP8266", 2, 0);
    fake_8266.port = d.port;
    fake_8266_factory(old_image.data, old_image.n, "1.0.0");
}

static void teardown(void)
{
    img_free(&old_image);
    img_free(&new_image);
    daemon_free(&d);
}

static bool runs(const struct img *image)
{
    return memcmp(fake_8266.flash, image->data, image->n) == 0;
}

enum end { SLEEPS, CUT, RESTARTS };

/* One start of the device, until the sketch has nothing to do, or power or a restart end it. */
static enum end live_once(enum end before)
{
    fake_8266_boot(before == CUT);
    ck_assert_msg(runs(&old_image) || runs(&new_image), "what boots is neither image");
    (void)snprintf(fake_8266.version, sizeof fake_8266.version, "%s",
                   runs(&new_image) ? "1.1.0" : "1.0.0");
    int how = setjmp(fake_8266.power);
    if (how == 0) {
        fake_8266_start();
        for (int i = 0; i < 100; i++)
            fake_8266_loop();
    }
    return how == 0 ? SLEEPS : how == 1 ? CUT : RESTARTS;
}

START_TEST(sketch_takes_the_update)
{
    ck_assert_int_eq(live_once(SLEEPS), RESTARTS);
    ck_assert_int_eq(live_once(RESTARTS), SLEEPS);
    ck_assert_msg(runs(&new_image), "%s", fake_8266.said);
    ck_assert_str_eq(fake_8266.said, "up to date\n");
    struct reply r = get(&d, admin, DEVICE);
    CK_STATUS("device", r, 200);
    ck_assert_msg(strstr(r.body, "\"1.1.0\"") != NULL, "%s", r.body);
    reply_free(&r);
    ck_assert_int_eq(live_once(SLEEPS), SLEEPS);
}
END_TEST

START_TEST(power_cut_at_every_change_leaves_a_device_that_updates)
{
    for (long cut_at = 1;; cut_at++) {
        fake_8266_factory(old_image.data, old_image.n, "1.0.0");
        fake_8266.cut_at = cut_at;
        fake_8266.serial = (uint8_t)cut_at; /* to the server a new device each time */
        enum end end = live_once(SLEEPS);
        if (end == RESTARTS)
            end = live_once(RESTARTS);
        const bool was_cut = fake_8266.changes >= cut_at;
        for (unsigned starts = 0; starts < 4 && !(end == SLEEPS && runs(&new_image)); starts++)
            end = live_once(end);
        ck_assert_msg(end == SLEEPS && runs(&new_image), "cut at change %ld: %s", cut_at,
                      fake_8266.said);
        if (!was_cut) {
            ck_assert_int_gt(cut_at, 8);
            break;
        }
    }
}
END_TEST

/* The order to copy is lost with the power: the record names a sketch that doesn't run. */
START_TEST(power_cut_before_the_copy_is_noticed)
{
    ck_assert_int_eq(live_once(SLEEPS), RESTARTS);
    ck_assert_int_eq(live_once(CUT), RESTARTS);
    ck_assert(runs(&old_image));
    ck_assert_int_eq(live_once(RESTARTS), SLEEPS);
    ck_assert(runs(&new_image));
}
END_TEST

START_TEST(download_that_lost_power_goes_on)
{
    img_free(&new_image);
    new_image = image_of("ESP8266", 4, 200000);
    const struct part parts[] = {
        {.name = "file",          .filename = "lamp.bin", .data = new_image.data, .n = new_image.n},
        {.name = "version", .text = "1.3.0"},
        {.name = NULL                      }
    };
    struct reply r = upload(&d, admin, "lamp", parts);
    CK_STATUS("upload", r, 201);
    reply_free(&r);
    fake_8266.cut_at = 300; /* of 400 writes and 50 erases */
    ck_assert_int_eq(live_once(SLEEPS), CUT);
    const long before = fake_8266.changes;
    ck_assert_int_eq(live_once(CUT), RESTARTS);
    ck_assert_int_lt(fake_8266.changes - before, 350);
    ck_assert_int_eq(live_once(RESTARTS), SLEEPS);
    ck_assert(runs(&new_image));
}
END_TEST

START_TEST(image_for_another_flash_mode_is_refused)
{
    fake_8266.flash[2] = 3; /* DOUT, as esptool leaves it; the build is for another mode */
    old_image.data[2] = 3;
    ck_assert_int_eq(live_once(SLEEPS), SLEEPS);
    ck_assert(runs(&old_image));
    ck_assert_str_eq(fake_8266.said, "writing the image to flash failed\n");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("port_arduino");
    TCase *tcase = tcase_create("port");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, sketch_takes_the_update);
    tcase_add_test(tcase, power_cut_at_every_change_leaves_a_device_that_updates);
    tcase_add_test(tcase, power_cut_before_the_copy_is_noticed);
    tcase_add_test(tcase, download_that_lost_power_goes_on);
    tcase_add_test(tcase, image_for_another_flash_mode_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
