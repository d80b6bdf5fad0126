/* SPDX-License-Identifier: MIT
 * The client's port to ESP-IDF on a fake ESP32, against the daemon: the task of a device takes an
 * update, with the power cut at every change of flash, NVS and otadata; and goes back. */
#include <stdio.h>
#include <string.h>

#include "esp_transport_tcp.h"
#include "fake_idf.h"
#include "otad_client_esp_idf.h"
#include "support/http.h"
#include "support/unit.h"

#define DEVICE "/api/v1/products/sensor/devices/240AC4A3153C"

static struct daemon d;
static char admin[DAEMON_KEY];
static struct img old_image, new_image;

static void put_build(const char *version, const struct img *img)
{
    const struct part parts[] = {
        {.name = "file",     .filename = "sensor.bin", .data = img->data, .n = img->n},
        {.name = "version", .text = version},
        {.name = NULL                 }
    };
    struct reply r = upload(&d, admin, "sensor", parts);
    CK_STATUS(version, r, 201);
    reply_free(&r);
}

static void setup(void)
{
    static const char *const flags[] = {"--storage-flush-interval-ms", "20",
                                        "--devices-new-devices-per-hour", "10000", NULL};
    daemon_start(&d, flags);
    daemon_key(&d, "root", "admin", NULL, admin);
    make_product(&d, admin, "sensor");
    old_image = image_of("ESP32-C3", 1, 9000);
    new_image = image_of("ESP32-C3", 2, 14000);
    put_build("1.1.0", &new_image);
    (void)snprintf(fake_idf_host, sizeof fake_idf_host, "127.0.0.1");
    fake_idf_port = d.port;
    fake_idf_factory(old_image.data, old_image.n, "1.0.0");
}

static void teardown(void)
{
    img_free(&old_image);
    img_free(&new_image);
    daemon_free(&d);
}

static bool runs(const struct img *image)
{
    return memcmp(fake_idf.flash[fake_idf.running], image->data, image->n) == 0;
}

enum end { CUT, SLEEPS, RESTARTS };

/* One start of the device: the boot loader, and the task until power, sleep or restart end it. */
static enum end live_once(void)
{
    (void)fake_idf_boot();
    ck_assert_msg(runs(&old_image) || runs(&new_image), "what boots is neither image");
    (void)snprintf(fake_idf.version, sizeof fake_idf.version, "%s",
                   runs(&new_image) ? "1.1.0" : "1.0.0");
    int how = setjmp(fake_idf.power);
    if (how == 0) {
        otac_esp_idf_task(NULL);
        ck_abort_msg("the task ended: %s", fake_idf.log);
    }
    (void)esp_transport_close(esp_transport_tcp_init()); /* power ends connections too */
    if (how == 2)
        return SLEEPS;
    return fake_idf.restarted ? RESTARTS : CUT;
}

static void check_device(const char *version)
{
    struct reply r = get(&d, admin, DEVICE);
    CK_STATUS("device", r, 200);
    ck_assert_msg(strstr(r.body, version) != NULL, "not %s: %s", version, r.body);
    reply_free(&r);
}

START_TEST(device_takes_the_update_and_confirms_it)
{
    fake_idf.rollback = true;
    ck_assert_int_eq(live_once(), RESTARTS);
    ck_assert(!runs(&new_image));
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert_msg(runs(&new_image), "%s", fake_idf.log);
    ck_assert_int_eq(fake_idf_state(), ESP_OTA_IMG_VALID);
    check_device("1.1.0");
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert(runs(&new_image));
}
END_TEST

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;
    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
        n++;
    return n;
}

/* What the client says when it learns that the boot loader went back. */
static unsigned rollbacks_told(void)
{
    return count(fake_idf.log, "the one before is back");
}

/* It runs the new image; or the server has seen it there, and back on the old one because power
 * went before it could confirm. */
static bool is_settled(enum end last)
{
    return last == SLEEPS &&
           (runs(&new_image) || strstr(fake_idf.log, "nothing new: rolled_back") != NULL);
}

START_TEST(power_cut_at_every_change_leaves_a_device_that_updates)
{
    unsigned stayed = 0;
    for (long cut_at = 1;; cut_at++) {
        fake_idf_factory(old_image.data, old_image.n, "1.0.0");
        fake_idf.rollback = true;
        fake_idf.cut_at = cut_at;
        fake_idf.serial = (uint8_t)cut_at; /* to the server a new device each time */
        enum end first = live_once();
        if (first == RESTARTS)
            first = live_once();
        const bool was_cut = fake_idf.changes >= cut_at;
        for (unsigned starts = 0; starts < 4 && !is_settled(first); starts++)
            first = live_once();
        ck_assert_msg(is_settled(first), "cut at change %ld: %s", cut_at, fake_idf.log);
        ck_assert_msg(rollbacks_told() == fake_idf.went_back, "cut at change %ld: %s", cut_at,
                      fake_idf.log);
        stayed += !runs(&new_image);
        if (!was_cut) {
            ck_assert_int_gt(cut_at, 20);
            break;
        }
    }
    ck_assert_uint_le(stayed, 2); /* the two steps between being seen and confirmed */
}
END_TEST

/* The server's story of this device's updates. */
static bool server_has(const char *text)
{
    struct reply r = get(&d, admin, "/api/v1/products/sensor/updates?mac=240AC4A3153C");
    CK_STATUS("updates", r, 200);
    const bool has = strstr(r.body, text) != NULL;
    reply_free(&r);
    return has;
}

/* One start of the device, that ends so. */
static void expect_life(enum end want)
{
    enum end end = live_once();
    ck_assert_msg(end == want, "%d, want %d: %s", (int)end, (int)want, fake_idf.log);
}

/* What runs, and how many rollbacks the client has told of. */
static void expect_state(const struct img *image, unsigned told)
{
    ck_assert_msg(runs(image), "the other image runs: %s", fake_idf.log);
    ck_assert_msg(rollbacks_told() == told, "%u rollbacks: %s", rollbacks_told(), fake_idf.log);
}

static void put_third_build(void)
{
    img_free(&new_image);
    new_image = image_of("ESP32-C3", 5, 12000);
    put_build("1.2.0", &new_image);
}

/* One start of an image that can't reach the server, and the next start after it. */
static void fail_new_image(void)
{
    fake_idf_port = 1;
    expect_life(SLEEPS);
    ck_assert(runs(&new_image) && fake_idf_state() == ESP_OTA_IMG_PENDING_VERIFY);
    fake_idf_port = d.port;
}

START_TEST(image_that_reaches_no_server_goes_back_and_is_reported)
{
    fake_idf.rollback = true;
    expect_life(RESTARTS);
    fail_new_image();
    ck_assert_uint_eq(rollbacks_told(), 0);
    expect_life(SLEEPS);
    expect_state(&old_image, 1);
    ck_assert_uint_eq(fake_idf.went_back, 1);
    ck_assert(server_has("rolled_back") && server_has("-260"));
    expect_life(SLEEPS); /* told once, and not tried again */
    expect_state(&old_image, 1);
    put_third_build();
    expect_life(RESTARTS);
    expect_life(SLEEPS);
    ck_assert_msg(runs(&new_image), "%s", fake_idf.log);
}
END_TEST

/* The record names the new image, otadata doesn't: nobody has tried it. */
START_TEST(power_cut_before_otadata_is_no_rollback)
{
    fake_idf.rollback = _i / 2 == 1;
    fake_idf.cut_at_switch = 1 + _i % 2;
    expect_life(CUT);
    expect_life(RESTARTS);
    ck_assert(runs(&old_image) && rollbacks_told() == 0 && !server_has("-260"));
    expect_life(SLEEPS);
    ck_assert_msg(runs(&new_image), "%s", fake_idf.log);
    ck_assert(rollbacks_told() == 0 && fake_idf.went_back == 0);
    check_device("1.1.0");
}
END_TEST

/* otadata still says that the partition's image before was given up. */
START_TEST(power_cut_before_otadata_after_a_rollback_is_no_rollback)
{
    fake_idf.rollback = true;
    expect_life(RESTARTS);
    fail_new_image();
    expect_life(SLEEPS);
    ck_assert_uint_eq(rollbacks_told(), 1);
    put_third_build();
    fake_idf.cut_at_switch = 1 + _i / 2;
    expect_life(CUT);
    expect_life(RESTARTS);
    expect_state(&old_image, 1);
    if (_i % 2 == 0) {
        expect_life(SLEEPS);
        expect_state(&new_image, 1);
        return;
    }
    fail_new_image(); /* and now it is one */
    expect_life(SLEEPS);
    expect_state(&old_image, 2);
}
END_TEST

static struct otac_esp_idf own_esp;
static struct otac_port own_port;
static struct otac_config own_config;
static struct otac own_client;
static uint8_t own_work[512];

/* The next start, of an application that calls the client itself. */
static void start_own(void)
{
    (void)fake_idf_boot();
    ck_assert_int_eq(otac_esp_idf_open(&own_esp), OTAC_OK);
    own_port = otac_esp_idf_port(&own_esp);
    own_config = (struct otac_config){.host = "127.0.0.1", .port = 1, .product = "sensor"};
    otac_esp_idf_identify(&own_esp, &own_config);
    ck_assert_int_eq(
        otac_esp_idf_init(&own_client, &own_config, &own_port, own_work, sizeof own_work), OTAC_OK);
}

/* The device has two images of ours now, and the server a third. */
static void move_on(void)
{
    expect_life(SLEEPS);
    ck_assert(runs(&new_image));
    img_free(&old_image);
    old_image = new_image;
    new_image = (struct img){0};
    put_third_build();
}

/* The application finds itself unfit; what it goes back to came over the cable, or from us. */
START_TEST(rejected_image_goes_back)
{
    fake_idf.rollback = true;
    expect_life(RESTARTS);
    if (_i == 1) {
        move_on();
        expect_life(RESTARTS);
    }
    start_own();
    ck_assert(runs(&new_image));
    ck_assert_int_eq(otac_reject(&own_client), OTAC_OK);
    otac_esp_idf_close(&own_esp);
    fake_idf_port = 1; /* what was good before needs no server to stay */
    for (int starts = 0; starts < 3; starts++) {
        expect_life(SLEEPS);
        expect_state(&old_image, 0);
    }
    fake_idf_port = d.port;
    expect_life(SLEEPS);
    ck_assert(runs(&old_image) && fake_idf_state() == ESP_OTA_IMG_VALID);
    ck_assert(server_has("rolled_back") && server_has("-261") && !server_has("-260"));
}
END_TEST

/* What the client knows of the old image, with nothing to tell of another. */
static void check_known(void)
{
    const struct otac_image *image = otac_active(&own_client);
    ck_assert(runs(&old_image));
    ck_assert(image != NULL && image->size == old_image.n && strcmp(image->version, "1.1.0") == 0);
    ck_assert_uint_eq(own_client.record.trial, 0);
    ck_assert_uint_eq(own_client.record.rejected, 0);
    ck_assert_uint_eq(own_client.record.report_kind, 0);
}

START_TEST(power_cut_before_otadata_keeps_what_is_known)
{
    fake_idf.rollback = true;
    expect_life(RESTARTS);
    move_on();
    for (int cuts = 0; cuts < 2; cuts++) {
        fake_idf.cut_at_switch = 1;
        expect_life(CUT);
    }
    for (int starts = 0; starts < 2; starts++) { /* the first puts it right, and says so */
        start_own();
        check_known();
        otac_esp_idf_close(&own_esp);
    }
}
END_TEST

/* otac_confirm() alone: the boot loader is told, and told first. */
START_TEST(confirming_tells_the_boot_loader)
{
    fake_idf.rollback = true;
    expect_life(RESTARTS);
    start_own();
    ck_assert_int_eq(own_client.record.trial, 2);
    ck_assert_int_eq(fake_idf_state(), ESP_OTA_IMG_PENDING_VERIFY);
    fake_idf.cut_at = fake_idf.changes + 3; /* otadata is two, and then NVS */
    if (setjmp(fake_idf.power) == 0)
        ck_abort_msg("the power stayed: %d", otac_confirm(&own_client));
    ck_assert_int_eq(fake_idf_state(), ESP_OTA_IMG_VALID);
    otac_esp_idf_close(&own_esp);
    expect_life(SLEEPS);
    expect_state(&new_image, 0);
    check_device("1.1.0");
}
END_TEST

START_TEST(image_flashed_over_serial_is_not_taken_for_the_recorded_one)
{
    ck_assert_int_eq(live_once(), RESTARTS);
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert(runs(&new_image));
    memset(fake_idf.flash[fake_idf.running], 0xff, FAKE_IDF_SLOT);
    memcpy(fake_idf.flash[fake_idf.running], old_image.data, old_image.n);
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert(runs(&old_image));
    ck_assert_ptr_nonnull(
        strstr(fake_idf.log, "nothing new: rolled_back")); /* and not same_content */
}
END_TEST

START_TEST(second_update_goes_where_the_first_image_was)
{
    ck_assert_int_eq(live_once(), RESTARTS);
    ck_assert_int_eq(live_once(), SLEEPS);
    const unsigned first = fake_idf.running;
    img_free(&old_image);
    old_image = new_image;
    new_image = image_of("ESP32-C3", 3, 11000);
    put_build("1.2.0", &new_image);
    ck_assert_int_eq(live_once(), RESTARTS);
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert(runs(&new_image) && fake_idf.running != first);
}
END_TEST

START_TEST(download_that_lost_power_goes_on)
{
    img_free(&new_image);
    new_image = image_of("ESP32-C3", 4, 200000);
    put_build("1.3.0", &new_image);
    fake_idf.cut_at = 150; /* of 200 writes and 50 erases: behind the first step */
    ck_assert_int_eq(live_once(), CUT);
    ck_assert_int_eq(live_once(), RESTARTS);
    ck_assert_msg(strstr(fake_idf.log, "65536 bytes of it are here") != NULL, "%s", fake_idf.log);
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert(runs(&new_image));
}
END_TEST

START_TEST(port_says_who_the_device_is)
{
    static struct otac_esp_idf esp;
    struct otac_config config = {0};
    ck_assert_int_eq(otac_esp_idf_open(&esp), OTAC_OK);
    otac_esp_idf_identify(&esp, &config);
    ck_assert_str_eq(config.mac, "24:0A:C4:A3:15:3C");
    ck_assert_str_eq(config.chip, "ESP32-C3");
    ck_assert_str_eq(config.family, "ESP32");
    ck_assert_str_eq(config.version, "1.0.0");
    ck_assert_uint_eq(config.slot_size, FAKE_IDF_SLOT);
    struct otac_port port = otac_esp_idf_port(&esp);
    ck_assert_int_eq(port.slot_begin(port.ctx, 0, FAKE_IDF_SLOT + 1), OTAC_E_NO_SPACE);
    ck_assert_int_eq(port.slot_begin(port.ctx, 1, 16), OTAC_E_FLASH_ERASE); /* it runs */
    otac_esp_idf_close(&esp);
}
END_TEST

/* otadata's entry of the new image is lost while it is confirmed: nobody has given it up. */
START_TEST(power_cut_while_confirming_is_no_rollback)
{
    uint8_t record[OTAC_RECORD_SIZE];
    fake_idf.rollback = true;
    ck_assert_int_eq(live_once(), RESTARTS);
    start_own();
    ck_assert_int_eq(own_port.record_load(own_port.ctx, record, sizeof record), OTAC_RECORD_SIZE);
    ck_assert_int_eq(own_port.record_save(own_port.ctx, record, sizeof record), OTAC_OK);
    fake_idf.cut_at = fake_idf.changes + 2;
    if (setjmp(fake_idf.power) == 0)
        ck_abort_msg("the power stayed: %d", otac_confirm(&own_client));
    otac_esp_idf_close(&own_esp);
    ck_assert_int_eq(live_once(), RESTARTS);
    expect_state(&old_image, 0);
    ck_assert_int_eq(live_once(), SLEEPS);
    ck_assert(runs(&new_image));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("port_esp_idf");
    TCase *tcase = tcase_create("port");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, device_takes_the_update_and_confirms_it);
    tcase_add_test(tcase, power_cut_at_every_change_leaves_a_device_that_updates);
    tcase_add_test(tcase, image_that_reaches_no_server_goes_back_and_is_reported);
    tcase_add_loop_test(tcase, power_cut_before_otadata_is_no_rollback, 0, 4);
    tcase_add_loop_test(tcase, power_cut_before_otadata_after_a_rollback_is_no_rollback, 0, 4);
    tcase_add_loop_test(tcase, rejected_image_goes_back, 0, 2);
    tcase_add_test(tcase, power_cut_before_otadata_keeps_what_is_known);
    tcase_add_test(tcase, power_cut_while_confirming_is_no_rollback);
    tcase_add_test(tcase, confirming_tells_the_boot_loader);
    tcase_add_test(tcase, image_flashed_over_serial_is_not_taken_for_the_recorded_one);
    tcase_add_test(tcase, second_update_goes_where_the_first_image_was);
    tcase_add_test(tcase, download_that_lost_power_goes_on);
    tcase_add_test(tcase, port_says_who_the_device_is);
    suite_add_tcase(suite, tcase);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
