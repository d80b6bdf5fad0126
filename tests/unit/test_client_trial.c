/* SPDX-License-Identifier: MIT
 * The device client's trial of a new image: its starts, its end either way, and what the server
 * hears of it. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "../../client/src/internal.h"
#include "support/client_world.h"
#include "support/unit.h"

enum { OLD_SLOT = 0, NEW_SLOT = 1 };

static struct client_world w;

static int boot(void)
{
    int slot = otac_boot(&w.client, &w.port.port, w.work, w.work_n);
    if (slot >= 0)
        client_world_start(&w);
    return slot;
}

/* A device with the new image installed and not yet started. */
static void setup(void)
{
    client_world_make(&w, 512, false);
    client_world_serve(&w);
    w.config.trial_boots = 2;
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    client_port_rewind(&w.port);
}

static void roll_back(void)
{
    ck_assert_int_eq(boot(), NEW_SLOT);
    ck_assert_int_eq(boot(), NEW_SLOT);
    ck_assert_int_eq(boot(), OLD_SLOT);
    client_port_rewind(&w.port);
}

static void offer_other(const char *build)
{
    for (size_t i = 0; i < CLIENT_WORLD_NEW; i++)
        w.new_image[i] ^= 0x33;
    client_world_make_offer(&w, w.new_image, CLIENT_WORLD_NEW, "1.2.0", build);
}

START_TEST(unconfirmed_image_is_rolled_back_and_reported)
{
    ck_assert_int_eq(boot(), NEW_SLOT);
    ck_assert_uint_eq(w.client.record.report_kind, 0); /* no success before it is one */
    ck_assert_int_eq(boot(), NEW_SLOT);
    ck_assert_int_eq(boot(), OLD_SLOT);
    ck_assert(client_port_saw(&w.port, OTAC_EV_ROLLED_BACK, OTAC_E_UNCONFIRMED));
    ck_assert_int_eq(otac_slot_check(&w.client, NEW_SLOT), OTAC_OK); /* better than none at all */
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_REJECTED);
    ck_assert_str_eq(w.report, "result=rolled_back&code=-260&message=not_confirmed"
                               "&build=18446744073709551615");
    ck_assert_uint_eq(w.client.failures, 0);
    ck_assert_uint_eq(w.port.begins, 0);
    ck_assert_int_eq(boot(), OLD_SLOT);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_REJECTED);
    ck_assert_uint_eq(w.rollbacks, 1);
    ck_assert_uint_eq(w.successes + w.failures, 0);
}
END_TEST

START_TEST(confirmed_image_stays)
{
    ck_assert_int_eq(boot(), NEW_SLOT);
    ck_assert_int_eq(boot(), NEW_SLOT);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE); /* it may ask before it is sure */
    ck_assert_uint_eq(w.successes, 0);
    ck_assert_int_eq(otac_confirm(&w.client), OTAC_OK);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(boot(), NEW_SLOT);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
    ck_assert_str_eq(w.report, "result=success&code=0&build=18446744073709551615");
    unsigned saves = w.port.saves;
    ck_assert_int_eq(otac_confirm(&w.client), OTAC_OK);
    ck_assert_int_eq(otac_reject(&w.client), OTAC_E_CONFIG);
    ck_assert_uint_eq(w.port.saves, saves);
}
END_TEST

/* The program that installed it can't speak for it. */
START_TEST(image_that_was_never_started_is_not_confirmed)
{
    ck_assert_int_eq(otac_confirm(&w.client), OTAC_OK);
    ck_assert_int_eq(otac_reject(&w.client), OTAC_E_CONFIG);
    ck_assert_uint_eq(w.port.saves, 0);
    roll_back();
}
END_TEST

START_TEST(confirm_that_cannot_be_saved_is_none)
{
    ck_assert_int_eq(boot(), NEW_SLOT);
    w.port.calls = 0;
    w.port.fail_at = 1;
    ck_assert_int_eq(otac_confirm(&w.client), OTAC_E_RECORD_IO);
    ck_assert_uint_ne(w.client.record.trial, 0);
    ck_assert_uint_eq(w.client.record.report_kind, 0);
    ck_assert_int_eq(otac_confirm(&w.client), OTAC_OK);
    ck_assert_uint_eq(w.client.record.trial, 0);
}
END_TEST

START_TEST(unfit_image_makes_way_at_once)
{
    ck_assert_int_eq(boot(), NEW_SLOT);
    w.port.calls = 0;
    w.port.fail_at = 1;
    ck_assert_int_eq(otac_reject(&w.client), OTAC_E_RECORD_IO);
    ck_assert_uint_eq(w.client.record.active, NEW_SLOT);
    ck_assert_uint_eq(w.client.record.slot[NEW_SLOT].state, OTAC_IMAGE_KNOWN);
    ck_assert_int_eq(otac_reject(&w.client), OTAC_OK);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert_uint_eq(w.port.begins, 0);
    ck_assert_int_eq(boot(), OLD_SLOT);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_REJECTED);
    ck_assert_ptr_nonnull(strstr(w.report, "=rolled_back&code=-261&message=unhealthy&build=1844"));
}
END_TEST

START_TEST(nothing_is_installed_during_a_trial)
{
    ck_assert_int_eq(boot(), NEW_SLOT);
    offer_other("50");
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_TRIAL);
    ck_assert_uint_eq(w.port.begins, 0);
    ck_assert_uint_eq(w.client.failures, 0);
    ck_assert_uint_eq(w.port.connects, w.port.closes);
    ck_assert_int_eq(otac_confirm(&w.client), OTAC_OK);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
}
END_TEST

START_TEST(rolled_back_bytes_may_come_as_another_build)
{
    roll_back();
    client_world_make_offer(&w, w.new_image, CLIENT_WORLD_NEW, "1.1.0", "51");
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert(client_world_boots_new(&w, "insisted"));
}
END_TEST

START_TEST(rolled_back_build_stays_out_until_another_is_confirmed)
{
    uint8_t bad[CLIENT_WORLD_NEW];
    memcpy(bad, w.new_image, sizeof bad);
    roll_back();
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_REJECTED);
    client_port_resumable(&w.port);
    offer_other("50");
    w.drop_at = w.head_n + 600;
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_CONN_LOST); /* half of another */
    client_world_make_offer(&w, bad, sizeof bad, "1.1.0", "18446744073709551615");
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_REJECTED);
    client_world_make_offer(&w, w.new_image, CLIENT_WORLD_NEW, "1.2.0", "50");
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert_int_eq(boot(), NEW_SLOT);
    ck_assert_uint_ne(w.client.record.rejected, 0);
    ck_assert_int_eq(otac_confirm(&w.client), OTAC_OK);
    ck_assert_uint_eq(w.client.record.rejected, 0);
    client_world_make_offer(&w, bad, sizeof bad, "1.1.0", "18446744073709551615");
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
}
END_TEST

/* Without a number of the server the content alone tells builds apart. */
START_TEST(rolled_back_build_without_a_number_stays_out)
{
    client_world_make(&w, 512, false);
    client_world_serve(&w);
    w.config.trial_boots = 2;
    memcpy(strstr(w.offer, "X-Otad-Build"), "Y", 1);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    roll_back();
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_REJECTED);
    ck_assert_ptr_null(strstr(w.report, "build="));
}
END_TEST

/* ---- damage -------------------------------------------------------------------------------- */

START_TEST(damaged_image_makes_way_for_the_other)
{
    if (_i == 1) { /* also after the trial */
        ck_assert_int_eq(boot(), NEW_SLOT);
        ck_assert_int_eq(otac_confirm(&w.client), OTAC_OK);
    }
    w.port.slot[NEW_SLOT][77] ^= 4;
    ck_assert_int_eq(boot(), OLD_SLOT);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_REJECTED);
    ck_assert_ptr_nonnull(strstr(w.report, "result=rolled_back&code=-244&message=flash_verify"));
}
END_TEST

START_TEST(nothing_whole_is_an_error_and_changes_nothing)
{
    w.port.slot[NEW_SLOT][77] ^= 4;
    w.port.slot[OLD_SLOT][77] ^= 4;
    ck_assert_int_eq(boot(), OTAC_E_FLASH_VERIFY);
    ck_assert_uint_eq(w.port.saves, 0);
    w.port.slot[OLD_SLOT][77] ^= 4;
    ck_assert_int_eq(boot(), OLD_SLOT);
    w.port.slot[OLD_SLOT][77] ^= 4; /* what was rolled back is no way back */
    ck_assert_int_eq(boot(), OTAC_E_FLASH_VERIFY);
}
END_TEST

START_TEST(damaged_first_image_makes_way_for_the_factory)
{
    client_world_make(&w, 512, false);
    client_world_serve(&w);
    w.port.has_record = false;
    w.config.trial_boots = 2;
    ck_assert_int_eq(boot(), OTAC_NO_SLOT);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    w.port.slot[OLD_SLOT][77] ^= 4;
    ck_assert_int_eq(boot(), OTAC_NO_SLOT);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_REJECTED);
    ck_assert_uint_eq(w.rollbacks, 1);
}
END_TEST

/* The way back rots while the new image runs, which then finds itself unfit. */
START_TEST(rejected_image_boots_rather_than_none)
{
    ck_assert_int_eq(boot(), NEW_SLOT);
    w.port.slot[OLD_SLOT][77] ^= 4;
    ck_assert_int_eq(otac_reject(&w.client), OTAC_OK);
    ck_assert_int_eq(boot(), NEW_SLOT);
}
END_TEST

/* A trial that is over, and nowhere to go: better the new image than none. */
START_TEST(trial_without_a_way_back_goes_on)
{
    ck_assert_int_eq(boot(), NEW_SLOT);
    ck_assert_int_eq(boot(), NEW_SLOT);
    w.port.slot[OLD_SLOT][77] ^= 4;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(boot(), NEW_SLOT);
    ck_assert_uint_ne(w.client.record.trial, 0); /* still nobody has said that it is healthy */
    ck_assert_int_eq(otac_confirm(&w.client), OTAC_OK);
}
END_TEST

/* ---- a platform whose own boot loader goes back --------------------------------------------- */

static unsigned running;

static unsigned what_runs(void *ctx)
{
    (void)ctx;
    return running;
}

START_TEST(boot_loader_that_goes_back_is_followed)
{
    w.port.port.running_slot = what_runs;
    running = NEW_SLOT;
    client_world_start(&w);
    ck_assert_uint_ne(w.client.record.trial, 0);
    running = OLD_SLOT;
    w.port.fail_at = w.port.calls + 2; /* the save after the load */
    ck_assert_int_eq(otac_init(&w.client, &w.config, &w.port.port, w.work, w.work_n),
                     OTAC_E_RECORD_IO);
    client_world_start(&w);
    ck_assert_uint_eq(w.client.record.active, OLD_SLOT);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_REJECTED);
    ck_assert_ptr_nonnull(strstr(w.report, "result=rolled_back&code=-260"));
}
END_TEST

/* The first image of ours: what runs again is the factory's, which the record doesn't know. */
START_TEST(boot_loader_goes_back_to_what_the_record_does_not_know)
{
    w.client.record.slot[OLD_SLOT].state = 0;
    ck_assert_int_eq(otac_record_store(&w.client, &w.client.record), OTAC_OK);
    w.port.port.running_slot = what_runs;
    running = OLD_SLOT;
    client_world_start(&w);
    ck_assert_uint_eq(w.client.record.active, OTAC_NO_SLOT);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_REJECTED);
    ck_assert_uint_eq(w.rollbacks, 1);
}
END_TEST

struct loader_row {
    const char *what;
    unsigned runs;
    bool forgotten; /* the record doesn't know what is in the slot that runs */
    uint8_t active;
    unsigned into; /* slot of the next image */
};

static const struct loader_row loader_rows[] = {
    {"as recorded",         NEW_SLOT,     false, NEW_SLOT,     OLD_SLOT},
    {"the other",           OLD_SLOT,     false, OLD_SLOT,     NEW_SLOT},
    {"the other, by cable", OLD_SLOT,     true,  OTAC_NO_SLOT, NEW_SLOT},
    {"the factory's",       OTAC_NO_SLOT, false, OTAC_NO_SLOT, OLD_SLOT},
};

/* Without a trial it is no roll back, but what runs is still not written. */
START_TEST(boot_loader_knows_what_runs)
{
    const struct loader_row *row = &loader_rows[_i];
    ck_assert_int_eq(boot(), NEW_SLOT);
    ck_assert_int_eq(otac_confirm(&w.client), OTAC_OK);
    if (row->forgotten) {
        w.client.record.slot[OLD_SLOT].state = 0;
        ck_assert_int_eq(otac_record_store(&w.client, &w.client.record), OTAC_OK);
    }
    w.port.port.running_slot = what_runs;
    running = row->runs;
    client_world_start(&w);
    ck_assert_msg(w.client.record.active == row->active, "%s", row->what);
    w.port.has_record = false; /* the port's own watch goes by the record */
    offer_other("60");
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert_msg(w.client.record.active == row->into, "%s", row->what);
    ck_assert_uint_eq(w.rollbacks, 0);
}
END_TEST

START_TEST(image_that_does_not_run_is_no_success)
{
    client_world_make(&w, 512, false);
    w.config.trial_boots = 0;
    w.port.port.running_slot = what_runs;
    running = OLD_SLOT;
    client_world_serve(&w);
    client_world_start(&w);
    running = w.client.record.active;
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    client_world_start(&w); /* the loader started the same slot again */
    ck_assert_int_ge(otac_update(&w.client), OTAC_UP_TO_DATE);
    ck_assert_uint_eq(w.successes, 0);
}
END_TEST

/* ---- what fails at a start ----------------------------------------------------------------- */

START_TEST(start_needs_a_record_and_a_buffer)
{
    struct otac c;
    ck_assert_int_eq(otac_boot(&c, &w.port.port, w.work, OTAC_BUF_MIN - 1), OTAC_E_CONFIG);
    ck_assert_int_eq(otac_boot(&c, &w.port.port, w.work, OTAC_BUF_MIN), NEW_SLOT);
    w.port.calls = 0;
    w.port.fail_at = 1;
    ck_assert_int_eq(boot(), OTAC_E_RECORD_IO);
    w.port.record[20] ^= 1;
    ck_assert_int_eq(boot(), OTAC_E_RECORD);
}
END_TEST

/* One call after the other fails, at every start of the trial: the next start finds its way. */
START_TEST(fault_at_every_call_of_a_start)
{
    bool through = false;
    for (long fail_at = 1; !through; fail_at++) {
        setup();
        for (int i = 0; i < _i; i++)
            ck_assert_int_eq(boot(), NEW_SLOT);
        w.port.calls = 0;
        w.port.failed = false;
        w.port.fail_at = fail_at;
        ck_assert_int_ne(otac_boot(&w.client, &w.port.port, w.work, w.work_n), OTAC_NO_SLOT);
        through = !w.port.failed;
        w.port.fail_at = 0;
        int slot = boot(), again = boot(), third = boot();
        ck_assert_msg(slot >= 0 && again >= 0, "call %ld: %s", fail_at, otac_err_word(slot));
        ck_assert_msg(third == OLD_SLOT || _i < 1, "call %ld", fail_at);
        ck_assert_ptr_null(w.port.broken);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("client_trial");
    TCase *tc = tcase_create("trial");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, unconfirmed_image_is_rolled_back_and_reported);
    tcase_add_test(tc, confirmed_image_stays);
    tcase_add_test(tc, image_that_was_never_started_is_not_confirmed);
    tcase_add_test(tc, confirm_that_cannot_be_saved_is_none);
    tcase_add_test(tc, unfit_image_makes_way_at_once);
    tcase_add_test(tc, nothing_is_installed_during_a_trial);
    tcase_add_test(tc, rolled_back_bytes_may_come_as_another_build);
    tcase_add_test(tc, rolled_back_build_stays_out_until_another_is_confirmed);
    tcase_add_test(tc, rolled_back_build_without_a_number_stays_out);
    tcase_add_loop_test(tc, damaged_image_makes_way_for_the_other, 0, 2);
    tcase_add_test(tc, nothing_whole_is_an_error_and_changes_nothing);
    tcase_add_test(tc, damaged_first_image_makes_way_for_the_factory);
    tcase_add_test(tc, trial_without_a_way_back_goes_on);
    tcase_add_test(tc, rejected_image_boots_rather_than_none);
    tcase_add_test(tc, boot_loader_that_goes_back_is_followed);
    tcase_add_test(tc, image_that_does_not_run_is_no_success);
    tcase_add_test(tc, boot_loader_goes_back_to_what_the_record_does_not_know);
    tcase_add_loop_test(tc, boot_loader_knows_what_runs, 0,
                        sizeof loader_rows / sizeof loader_rows[0]);
    tcase_add_test(tc, start_needs_a_record_and_a_buffer);
    tcase_add_loop_test(tc, fault_at_every_call_of_a_start, 0, 3);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
