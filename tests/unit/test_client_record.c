/* SPDX-License-Identifier: MIT
 * The device client's boot record: its stored bytes, and that damage is never taken for a record.
 */
#include <check.h>
#include <string.h>

#include <zlib.h>

#include "../../client/src/internal.h"
#include "support/client_port.h"
#include "support/unit.h"

static struct client_port port;
static struct otac client;
static const struct otac_config config = {
    .host = "h", .port = 1, .product = "p", .mac = "m", .version = "1"};
static uint8_t work[OTAC_BUF_MIN];

static int load(void)
{
    memset(&client, 0xa5, sizeof client);
    return otac_init(&client, &config, &port.port, work, sizeof work);
}

static void seal(void)
{
    uint32_t crc = (uint32_t)crc32(0, port.record, 252);
    for (size_t i = 0; i < 4; i++)
        port.record[252 + i] = (uint8_t)(crc >> (8 * i));
}

static void setup(void)
{
    client_port_init(&port);
    ck_assert_int_eq(load(), OTAC_OK);
    struct otac_image *slot = client.record.slot;
    memset(slot[1].sha256, 0xab, sizeof slot[1].sha256);
    memset(slot[0].version, 'v', OTAC_VERSION_MAX - 1);
    memcpy(slot[1].version, "1.2.0", 6);
    slot[1].build = 0x0807060504030201;
    slot[1].size = 0x0d0c0b0a;
    slot[1].state = OTAC_IMAGE_KNOWN;
    client.record.active = 1;
    client.record.report_kind = OTAC_REPORT_FAILED;
    client.record.report_code = OTAC_E_SHA256;
    client.record.report_build = UINT64_MAX;
    ck_assert_int_eq(otac_record_store(&client, &client.record), OTAC_OK);
}

START_TEST(record_comes_back_as_it_was_stored)
{
    struct otac_record stored = client.record;
    ck_assert_int_eq(load(), OTAC_OK);
    ck_assert_uint_eq(client.record.active, 1);
    ck_assert_uint_eq(client.record.report_kind, OTAC_REPORT_FAILED);
    ck_assert_int_eq(client.record.report_code, OTAC_E_SHA256);
    ck_assert(client.record.report_build == UINT64_MAX);
    ck_assert(client.report_stored);
    for (size_t i = 0; i < OTAC_SLOTS; i++) {
        const struct otac_image *got = &client.record.slot[i], *want = &stored.slot[i];
        ck_assert(got->build == want->build);
        ck_assert_uint_eq(got->size, want->size);
        ck_assert_uint_eq(got->state, want->state);
        ck_assert_mem_eq(got->sha256, want->sha256, sizeof got->sha256);
        ck_assert_str_eq(got->version, want->version);
    }
    ck_assert_ptr_eq(otac_active(&client), &client.record.slot[1]);
}
END_TEST

/* The layout is public: boot loaders read it. */
START_TEST(record_has_its_documented_layout)
{
    static const uint8_t head[] = {'O', 'T', 'A', 'C', 2, 1, 2, 0, 0x0b, 0xff, 0xff, 0xff};
    static const uint8_t slot1[] = {1, 2, 3, 4, 5, 6, 7, 8, 0xab, 0xab};
    static const uint8_t size_state[] = {0x0a, 0x0b, 0x0c, 0x0d, 0xff, 0xff, 0xff, 0xff};
    ck_assert_mem_eq(port.record, head, sizeof head);
    ck_assert_uint_eq(port.record[23], 0xff);
    ck_assert_uint_eq(port.record[24 + 48 + 62], 'v');
    ck_assert_uint_eq(port.record[24 + 48 + 63], 0);
    ck_assert_mem_eq(port.record + 136, slot1, sizeof slot1);
    ck_assert_mem_eq(port.record + 136 + 40, size_state, sizeof size_state);
    ck_assert_mem_eq(port.record + 136 + 48, "1.2.0", 6);
    uint8_t crc[4];
    memcpy(crc, port.record + 252, sizeof crc);
    seal();
    ck_assert_mem_eq(crc, port.record + 252, sizeof crc);
}
END_TEST

START_TEST(any_damaged_byte_is_found)
{
    for (unsigned bit = 0; bit < 8; bit++) {
        port.record[_i] ^= (uint8_t)(1u << bit);
        ck_assert_int_eq(load(), OTAC_E_RECORD);
        port.record[_i] ^= (uint8_t)(1u << bit);
    }
    ck_assert_int_eq(load(), OTAC_OK);
}
END_TEST

struct row {
    const char *what;
    size_t at;
    uint8_t value;
    int want;
};

/* Whole by its checksum, but making no sense. */
static const struct row rows[] = {
    {"unchanged",                       5, 1,            OTAC_OK      },
    {"nothing boots",                   5, OTAC_NO_SLOT, OTAC_OK      },
    {"a slot that isn't known boots",   5, 0,            OTAC_E_RECORD},
    {"a slot that doesn't exist boots", 5, 2,            OTAC_E_RECORD},
    {"the format before",               4, 1,            OTAC_E_RECORD},
    {"a later format",                  4, 3,            OTAC_E_RECORD},
    {"a report of no kind",             6, 4,            OTAC_E_RECORD},
};

START_TEST(record_must_make_sense)
{
    port.record[rows[_i].at] = rows[_i].value;
    seal();
    ck_assert_msg(load() == rows[_i].want, "%s", rows[_i].what);
}
END_TEST

START_TEST(nothing_is_not_on_trial)
{
    port.record[7] = 2;
    seal();
    ck_assert_int_eq(load(), OTAC_OK);
    ck_assert_uint_eq(client.record.trial, 2);
    port.record[5] = OTAC_NO_SLOT;
    seal();
    ck_assert_int_eq(load(), OTAC_E_RECORD);
}
END_TEST

START_TEST(record_of_a_resume_and_a_trial)
{
    client.record.trial = 3;
    client.record.rejected = 0x44332211;
    client.record.counter = 0x88776655;
    client.record.slot[0].state = 0x04030201;
    ck_assert_int_eq(otac_record_store(&client, &client.record), OTAC_OK);
    static const uint8_t rejected[] = {0x11, 0x22, 0x33, 0x44},
                         counter[] = {0x55, 0x66, 0x77, 0x88};
    static const uint8_t progress[] = {1, 2, 3, 4};
    ck_assert_uint_eq(port.record[7], 3);
    ck_assert_mem_eq(port.record + 12, rejected, sizeof rejected);
    ck_assert_mem_eq(port.record + 248, counter, sizeof counter);
    ck_assert_mem_eq(port.record + 24 + 44, progress, sizeof progress);
    ck_assert_int_eq(load(), OTAC_OK);
    ck_assert_uint_eq(client.record.trial, 3);
    ck_assert_uint_eq(client.record.rejected, 0x44332211);
    ck_assert_uint_eq(client.record.counter, 0x88776655);
    ck_assert_uint_eq(client.record.slot[0].state, 0x04030201);
}
END_TEST

START_TEST(erased_flash_is_no_record)
{
    memset(port.record, 0xff, sizeof port.record);
    ck_assert_int_eq(load(), OTAC_E_RECORD);
    memset(port.record, 0, sizeof port.record);
    ck_assert_int_eq(load(), OTAC_E_RECORD);
}
END_TEST

static int load_short(void *ctx, void *buf, size_t n)
{
    (void)ctx;
    memcpy(buf, port.record, n - 1);
    return (int)n - 1;
}

START_TEST(load_failures_have_their_names)
{
    port.calls = 0;
    port.fail_at = 1;
    ck_assert_int_eq(load(), OTAC_E_RECORD_IO);
    port.port.record_load = load_short;
    ck_assert_int_eq(load(), OTAC_E_RECORD);
}
END_TEST

START_TEST(slot_check_needs_a_known_slot)
{
    ck_assert_int_eq(otac_slot_check(&client, 0), OTAC_E_FLASH_VERIFY);
    ck_assert_int_eq(otac_slot_check(&client, OTAC_SLOTS), OTAC_E_FLASH_VERIFY);
    client.record.slot[1].size = 100;
    ck_assert_int_eq(otac_slot_check(&client, 1), OTAC_E_FLASH_VERIFY);
    port.calls = 0;
    port.fail_at = 2;
    ck_assert_int_eq(otac_slot_check(&client, 1), OTAC_E_FLASH_READ);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("client_record");
    TCase *tc = tcase_create("record");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, record_comes_back_as_it_was_stored);
    tcase_add_test(tc, record_has_its_documented_layout);
    tcase_add_loop_test(tc, any_damaged_byte_is_found, 0, OTAC_RECORD_SIZE);
    tcase_add_loop_test(tc, record_must_make_sense, 0, sizeof rows / sizeof rows[0]);
    tcase_add_test(tc, nothing_is_not_on_trial);
    tcase_add_test(tc, record_of_a_resume_and_a_trial);
    tcase_add_test(tc, erased_flash_is_no_record);
    tcase_add_test(tc, load_failures_have_their_names);
    tcase_add_test(tc, slot_check_needs_a_known_slot);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
