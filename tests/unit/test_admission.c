/* SPDX-License-Identifier: MIT
 * How many devices one address may bring in an hour. */
#include <stdio.h>

#include "fleet/admission.h"
#include "otad/err.h"
#include "support/unit.h"

#define HOUR_MS 3600000

START_TEST(address_may_bring_its_share_and_no_more)
{
    struct admission *a = admission_new();
    for (int i = 0; i < 60; i++)
        ck_assert_msg(admission_take(a, "192.0.2.1", 60, 1000 + i), "device %d", i);
    ck_assert(!admission_take(a, "192.0.2.1", 60, 2000));
    ck_assert(admission_take(a, "192.0.2.2", 60, 2000));
    ck_assert(admission_take(a, "2001:db8::1", 60, 2000));
    admission_free(&a);
    ck_assert_ptr_null(a);
    admission_free(&a);
}
END_TEST

START_TEST(hour_begins_with_the_first_device)
{
    struct admission *a = admission_new();
    ck_assert(admission_take(a, "192.0.2.1", 2, 500));
    ck_assert(admission_take(a, "192.0.2.1", 2, 500 + HOUR_MS / 2));
    ck_assert(!admission_take(a, "192.0.2.1", 2, 500 + HOUR_MS - 1));
    ck_assert(admission_take(a, "192.0.2.1", 2, 500 + HOUR_MS));
    ck_assert(admission_take(a, "192.0.2.1", 2, 500 + HOUR_MS));
    ck_assert(!admission_take(a, "192.0.2.1", 2, 500 + 2 * HOUR_MS - 1));
    admission_free(&a);
}
END_TEST

START_TEST(refused_ones_do_not_count)
{
    struct admission *a = admission_new();
    ck_assert(!admission_take(a, "192.0.2.1", 0, 1));
    ck_assert(!admission_take(a, "192.0.2.1", 0, 2));
    ck_assert(admission_take(a, "192.0.2.1", 1, 3)); /* the limit was raised by a reload */
    ck_assert(!admission_take(a, "192.0.2.1", 1, 4));
    admission_free(&a);
}
END_TEST

/* Memory is bounded: addresses may push each other out, but nobody is refused for another's sake.
 */
START_TEST(many_addresses_never_refuse_a_fresh_one)
{
    struct admission *a = admission_new();
    for (unsigned i = 0; i < 20000; i++) {
        char address[32];
        (void)snprintf(address, sizeof address, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        ck_assert_msg(admission_take(a, address, 1, 5), "%s", address);
    }
    admission_free(&a);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("admission");
    TCase *t = tcase_create("admission");
    tcase_add_test(t, address_may_bring_its_share_and_no_more);
    tcase_add_test(t, hour_begins_with_the_first_device);
    tcase_add_test(t, refused_ones_do_not_count);
    tcase_add_test(t, many_addresses_never_refuse_a_fresh_one);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
