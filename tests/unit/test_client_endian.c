/* SPDX-License-Identifier: MIT
 * The boot record as a big-endian chip stores it, for want of one: its code, made for one, must
 * turn every number around on the way to the port and back. On this little-endian machine the
 * stored numbers are then big-endian. */
#include <check.h>
#include <string.h>

#define OTAC_BIG_ENDIAN 1
#include "../../client/src/record.c"
#include "support/unit.h"

static uint8_t stored[OTAC_RECORD_SIZE];

static int load(void *ctx, void *buf, size_t n)
{
    (void)ctx;
    memcpy(buf, stored, n);
    return (int)n;
}

static int save(void *ctx, const void *data, size_t n)
{
    (void)ctx;
    memcpy(stored, data, n);
    return OTAC_OK;
}

static uint64_t big(size_t at, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | stored[at + i];
    return value;
}

START_TEST(every_number_is_turned_around)
{
    const struct otac_port port = {.record_load = load, .record_save = save};
    struct otac client = {.port = &port};
    struct otac_record *r = &client.record;
    memcpy(r, fresh, sizeof fresh);
    r->active = 1;
    r->report_code = OTAC_E_SHA256;
    r->report_build = UINT64_C(0x0102030405060708);
    r->rejected = 0x11223344;
    r->counter = 0x55667788;
    r->slot[1].build = UINT64_C(0x1112131415161718);
    r->slot[1].size = 0x21222324;
    r->slot[1].state = OTAC_IMAGE_KNOWN;
    r->slot[0].state = 0x00030200;
    const struct otac_record before = *r;
    ck_assert_int_eq(otac_record_store(&client, r), OTAC_OK);
    ck_assert_int_eq((int32_t)big(8, 4), OTAC_E_SHA256);
    ck_assert_uint_eq(big(12, 4), 0x11223344);
    ck_assert_uint_eq(big(16, 8), UINT64_C(0x0102030405060708));
    ck_assert_uint_eq(big(24 + 44, 4), 0x00030200);
    ck_assert_uint_eq(big(136, 8), UINT64_C(0x1112131415161718));
    ck_assert_uint_eq(big(136 + 40, 4), 0x21222324);
    ck_assert_uint_eq(big(136 + 44, 4), UINT32_MAX);
    ck_assert_uint_eq(big(248, 4), 0x55667788);
    ck_assert_uint_eq(big(252, 4), crc32(stored, 252));
    ck_assert_mem_eq(r, &before, offsetof(struct otac_record, crc)); /* as it was */
    memset(r, 0, sizeof *r);
    ck_assert_int_eq(otac_record_load(&client), OTAC_OK);
    ck_assert_mem_eq(r, &before, offsetof(struct otac_record, crc));
}
END_TEST

/* As on a little-endian chip: records of both must call the same build the same. */
START_TEST(fingerprint_is_of_the_stored_bytes)
{
    struct otac_image image = {.build = UINT64_C(0x0102030405060708)};
    uint8_t raw[8 + 32] = {1, 2, 3, 4, 5, 6, 7, 8};
    ck_assert_uint_eq(otac_fingerprint(&image), crc32(raw, sizeof raw));
    ck_assert(image.build == UINT64_C(0x0102030405060708));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("client_endian");
    TCase *tc = tcase_create("record");
    tcase_add_test(tc, every_number_is_turned_around);
    tcase_add_test(tc, fingerprint_is_of_the_stored_bytes);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
