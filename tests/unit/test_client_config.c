/* SPDX-License-Identifier: MIT
 * The device client's configuration, and how long it waits between rounds. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "support/client_world.h"
#include "support/unit.h"

static struct client_world w;

static void setup(void)
{
    client_world_make(&w, 512, false);
}

/* ---- waiting ------------------------------------------------------------------------------- */

struct wait_row {
    const char *what;
    uint32_t interval_s, retry_after_s, random;
    uint8_t failures;
    uint32_t want_s;
};

/* clang-format off */
static const struct wait_row wait_rows[] = {
    {"all well", 3600, 0, 0, 0, 3600},
    {"most jitter", 3600, 0, 450, 0, 4050},
    {"jitter wraps", 3600, 0, 451, 0, 3600},
    {"one failure", 60, 0, 0, 1, 120},
    {"four failures", 60, 0, 0, 4, 960},
    {"many failures", 60, 0, 0, 255, 960},
    {"not beyond a day", 50000, 0, 0, 4, 50000},
    {"an interval of two days", 172800, 0, 0, 4, 172800},
    {"Retry-After is the least", 60, 600, 0, 0, 600},
    {"Retry-After below", 3600, 600, 0, 0, 3600},
    {"Retry-After beyond a day", 60, 4294967295u, 0, 0, 86400},
    {"no interval", 0, 0, 12345, 3, 0},
    {"longest interval", OTAC_INTERVAL_MAX_S, 0, 0, 0, OTAC_INTERVAL_MAX_S},
    {"longest interval, most jitter", OTAC_INTERVAL_MAX_S, 0, 475000, 4, 4275000},
    {"beyond the longest interval", 4294967295u, 0, 0, 1, OTAC_INTERVAL_MAX_S},
};
/* clang-format on */

START_TEST(wait_follows_failures_and_the_server)
{
    const struct wait_row *row = &wait_rows[_i];
    w.port.random = row->random;
    w.client.failures = row->failures;
    w.client.answer.retry_after_s = row->retry_after_s;
    uint32_t got = otac_wait_s(&w.client, row->interval_s);
    ck_assert_msg(got == row->want_s, "%s: %u", row->what, got);
    otac_wait(&w.client, row->interval_s);
    ck_assert_uint_eq(w.port.slept_ms, UINT64_C(1000) * got); /* and no wrapping */
}
END_TEST

START_TEST(failures_are_counted_and_forgotten)
{
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_CONNECT);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_CONNECT);
    ck_assert_uint_eq(w.client.failures, 2);
    client_world_script(&w, "HTTP/1.1 404 Not Found\r\n\r\n"); /* asked again at the usual time */
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_NOT_FOUND);
    ck_assert_uint_eq(w.client.failures, 0);
}
END_TEST

/* ---- configuration ------------------------------------------------------------------------- */

#define X16 "xxxxxxxxxxxxxxxx"
#define X64 X16 X16 X16 X16
#define X255 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 "xxxxxxxxxxxxxxx"

struct config_row {
    const char *what;
    struct otac_config config;
    int want;
};

#define GOOD .host = "h", .port = 1, .product = "p", .mac = "m", .version = "1"

/* clang-format off */
static const struct config_row config_rows[] = {
    {"least", {GOOD}, OTAC_OK},
    {"longest text", {.host = X255, .port = 1, .product = "p", .mac = "m", .version = "1"}, OTAC_OK},
    {"too long a text", {.host = X255 "y", .port = 1, .product = "p", .mac = "m", .version = "1"}, OTAC_E_CONFIG},
    {"longest version", {.host = "h", .port = 1, .product = "p", .mac = "m", .version = X64}, OTAC_OK},
    {"too long a version", {.host = "h", .port = 1, .product = "p", .mac = "m", .version = X64 "y"}, OTAC_E_CONFIG},
    {"no host", {.port = 1, .product = "p", .mac = "m", .version = "1"}, OTAC_E_CONFIG},
    {"empty host", {.host = "", .port = 1, .product = "p", .mac = "m", .version = "1"}, OTAC_E_CONFIG},
    {"host of two lines", {.host = "h\r\nX: 1", .port = 1, .product = "p", .mac = "m", .version = "1"}, OTAC_E_CONFIG},
    {"host with a newline behind", {.host = "h\n", .port = 1, .product = "p", .mac = "m", .version = "1"}, OTAC_E_CONFIG},
    {"no port", {.host = "h", .product = "p", .mac = "m", .version = "1"}, OTAC_E_CONFIG},
    {"no product", {.host = "h", .port = 1, .mac = "m", .version = "1"}, OTAC_E_CONFIG},
    {"empty product", {.host = "h", .port = 1, .product = "", .mac = "m", .version = "1"}, OTAC_E_CONFIG},
    {"no MAC", {.host = "h", .port = 1, .product = "p", .version = "1"}, OTAC_E_CONFIG},
    {"MAC of two lines", {.host = "h", .port = 1, .product = "p", .mac = "a\nb", .version = "1"}, OTAC_E_CONFIG},
    {"no version", {.host = "h", .port = 1, .product = "p", .mac = "m"}, OTAC_E_CONFIG},
    {"empty version", {.host = "h", .port = 1, .product = "p", .mac = "m", .version = ""}, OTAC_E_CONFIG},
    {"family", {GOOD, .family = "ESP32"}, OTAC_OK},
    {"family of two lines", {GOOD, .family = "ESP32-a: b\r\nx"}, OTAC_E_CONFIG},
    {"chip", {GOOD, .chip = "ESP32-C3"}, OTAC_OK},
    {"chip with a tab", {GOOD, .chip = "ESP32\t"}, OTAC_E_CONFIG},
    {"key", {GOOD, .key = "aB+/=?"}, OTAC_OK},
    {"empty key", {GOOD, .key = ""}, OTAC_E_CONFIG},
    {"key with a newline", {GOOD, .key = "a\nb"}, OTAC_E_CONFIG},
};
/* clang-format on */

START_TEST(config_is_checked_before_anything_happens)
{
    const struct config_row *row = &config_rows[_i];
    struct otac client;
    int rc = otac_init(&client, &row->config, &w.port.port, w.work, sizeof w.work);
    ck_assert_msg(rc == row->want, "%s: %s", row->what, otac_err_word(rc));
}
END_TEST

START_TEST(buffer_has_a_least_size_and_is_aligned)
{
    struct otac client;
    static uint8_t huge[100000];
    ck_assert_int_eq(otac_init(&client, &w.config, &w.port.port, w.work, OTAC_BUF_MIN - 1),
                     OTAC_E_CONFIG);
    ck_assert_int_eq(otac_init(&client, &w.config, &w.port.port, w.work, 79), OTAC_OK);
    ck_assert_uint_eq(client.buf_n, 64);
    ck_assert_int_eq(otac_init(&client, &w.config, &w.port.port, huge, sizeof huge), OTAC_OK);
    ck_assert_uint_eq(client.buf_n, 65520);
    ck_assert_uint_le(sizeof client, 512);
}
END_TEST

static int verify_nothing(void *ctx, const void *keys, const uint8_t digest[32],
                          const uint8_t *signature, size_t n)
{
    (void)ctx, (void)keys, (void)digest, (void)signature, (void)n;
    return OTAC_OK;
}

/* Keys that nothing would look at are a mistake, and no reason to take unsigned images. */
START_TEST(keys_need_a_port_that_verifies_and_a_larger_buffer)
{
    struct otac client;
    const size_t least = OTAC_BUF_MIN + OTAC_SIGNATURE_MAX;
    w.config.signing = &otac_signing;
    w.port.port.verify = verify_nothing;
    ck_assert_int_eq(otac_init(&client, &w.config, &w.port.port, w.work, least), OTAC_E_CONFIG);
    w.config.sign_keys = "";
    w.port.port.verify = NULL;
    ck_assert_int_eq(otac_init(&client, &w.config, &w.port.port, w.work, least), OTAC_E_CONFIG);
    w.port.port.verify = verify_nothing;
    ck_assert_int_eq(otac_init(&client, &w.config, &w.port.port, w.work, least - 1), OTAC_E_CONFIG);
    ck_assert_int_eq(otac_init(&client, &w.config, &w.port.port, w.work, least), OTAC_OK);
    ck_assert_uint_eq(client.buf_n, OTAC_BUF_MIN);
    w.port.record[20] ^= 1; /* with keys too it is called what it is: ports mend it */
    ck_assert_int_eq(otac_init(&client, &w.config, &w.port.port, w.work, least), OTAC_E_RECORD);
    w.port.record[20] ^= 1;
    w.config.signing = NULL;
    ck_assert_int_eq(otac_init(&client, &w.config, &w.port.port, w.work, least), OTAC_E_CONFIG);
}
END_TEST

START_TEST(port_without_a_log_works)
{
    w.port.port.log = NULL;
    client_world_script_offer(&w);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("client_config");
    TCase *tc = tcase_create("round");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, wait_follows_failures_and_the_server, 0,
                        sizeof wait_rows / sizeof wait_rows[0]);
    tcase_add_test(tc, failures_are_counted_and_forgotten);
    tcase_add_loop_test(tc, config_is_checked_before_anything_happens, 0,
                        sizeof config_rows / sizeof config_rows[0]);
    tcase_add_test(tc, buffer_has_a_least_size_and_is_aligned);
    tcase_add_test(tc, keys_need_a_port_that_verifies_and_a_larger_buffer);
    tcase_add_test(tc, port_without_a_log_works);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
