/* SPDX-License-Identifier: MIT
 * The device client's reports: what they say, when they go out, and that none is lost. */
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

static bool contains(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

#define REASON "X-Otad-Reason: no_update\r\n\r\n" /* what otad gives, and nobody else */

struct report_row {
    const char *what, *answer; /* to the report; NULL: the connection is refused */
    bool kept;
};

static const struct report_row report_rows[] = {
    {"taken",          client_world_taken,                          false},
    {"no such update", "HTTP/1.1 404 Not Found\r\n" REASON,         false},
    {"not understood", "HTTP/1.1 400 Bad Request\r\n" REASON,       false},
    {"a sign-in page", "HTTP/1.1 200 OK\r\n\r\n<html>",             true },
    {"a proxy's 404",  "HTTP/1.1 404 Not Found\r\n\r\n",            true },
    {"a proxy's 401",  "HTTP/1.1 401 Unauthorized\r\n\r\n",         true },
    {"too soon",       "HTTP/1.1 429 Too Many Requests\r\n" REASON, true },
    {"busy",           "HTTP/1.1 503 Service Unavailable\r\n\r\n",  true },
    {"redirected",     "HTTP/1.1 302 Found\r\n\r\n",                true },
    {"no answer",      "",                                          true },
    {"refused",        NULL,                                        true },
};

/* A report of success that can't be delivered stays for the next round, over restarts too. */
START_TEST(success_report_is_sent_until_it_is_settled)
{
    const struct report_row *row = &report_rows[_i];
    client_world_script_offer(&w);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    for (int round = 0; round < 2; round++) {
        client_port_rewind(&w.port);
        client_world_start(&w);
        client_world_script(&w, client_world_nothing_new);
        if (row->answer != NULL)
            client_world_script(&w, row->answer);
        ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
        bool due = round == 0 || row->kept;
        ck_assert_msg((w.port.sent_n[1] > 0) == (due && row->answer != NULL), "%s", row->what);
        ck_assert_msg((w.client.record.report_kind != 0) == row->kept, "%s", row->what);
        ck_assert_uint_eq(w.client.failures, 0);
        ck_assert_uint_le(w.port.saves, row->kept ? 0 : 1); /* kept costs no flash */
    }
}
END_TEST

START_TEST(failure_report_is_kept_and_sent_after_the_next_check_in)
{
    w.offer[w.offer_n - 1] ^= 1;
    client_world_script_offer(&w); /* and nobody there for the report */
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_SHA256);
    ck_assert(client_port_saw(&w.port, OTAC_EV_REPORT_KEPT, OTAC_E_CONNECT));
    ck_assert(!client_world_boots_new(&w, "failed"));
    client_port_rewind(&w.port);
    client_world_start(&w);
    client_world_script(&w, client_world_nothing_new);
    client_world_script(&w, client_world_taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
    ck_assert(contains(w.port.sent[1], "?result=failed&code=-245&message=sha256_mismatch"
                                       "&build=18446744073709551615 HTTP/1.1\r\n"));
    client_port_rewind(&w.port);
    client_world_start(&w);
    client_world_script(&w, client_world_nothing_new);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
    ck_assert_uint_eq(w.port.connects, 1);
}
END_TEST

/* The older one says more: the new failure comes again with the next round. */
START_TEST(failure_waits_for_the_report_before_it)
{
    client_world_script_offer(&w);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    client_port_rewind(&w.port);
    client_world_start(&w);
    client_world_make_offer(&w, w.old_image, CLIENT_WORLD_OLD, "1.0.1", "43");
    w.offer[w.offer_n - 1] ^= 1;
    client_world_script_offer(&w);
    client_world_script(&w, "HTTP/1.1 429 Too Many Requests\r\n\r\n"); /* the success */
    client_world_script_offer(&w);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_SHA256);
    ck_assert_uint_eq(w.port.connects, 3);
    client_port_rewind(&w.port);
    client_world_start(&w);
    client_world_script_offer(&w);
    client_world_script(&w, client_world_taken); /* the success */
    client_world_script_offer(&w);
    client_world_script(&w, client_world_taken); /* the failure */
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_SHA256);
    ck_assert(contains(w.port.sent[1], "result=success&code=0"));
    ck_assert(contains(w.port.sent[3], "result=failed&code=-245"));
    client_world_start(&w);
    ck_assert_uint_eq(w.client.record.report_kind, 0);
}
END_TEST

/* A page that isn't the server's says nothing of any build, and costs nothing that is there. */
START_TEST(sign_in_page_takes_no_report_and_no_download)
{
    client_port_resumable(&w.port);
    client_world_script_offer(&w);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    client_world_start(&w);
    client_port_rewind(&w.port);
    client_world_make_offer(&w, w.old_image, CLIENT_WORLD_OLD, "1.0.1", "43");
    client_world_script(&w, client_world_nothing_new);
    client_world_script(&w, "HTTP/1.1 503 Busy\r\n\r\n");
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
    w.client.record.slot[0].state = CLIENT_PORT_BLOCK; /* half a download */
    const struct otac_record before = w.client.record;
    ck_assert_uint_ne(before.report_kind, 0);
    client_world_script(&w, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>");
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_NO_SHA256);
    ck_assert_mem_eq(&w.client.record, &before, offsetof(struct otac_record, crc));
    ck_assert_uint_eq(w.port.connects, 3);
}
END_TEST

/* Of a build that never came near a slot. */
START_TEST(failure_of_a_build_that_is_nowhere_names_its_number)
{
    client_world_script(&w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nx-version: 7\r\n"
                            "X-Otad-Build: 77\r\n\r\n");
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_CHUNKED);
    client_port_rewind(&w.port);
    client_world_start(&w);
    client_world_script(&w, client_world_nothing_new);
    client_world_script(&w, client_world_taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
    ck_assert(contains(w.port.sent[1], "code=-217&message=transfer_encoding&build=77"));
}
END_TEST

static const int unreported[] = {OTAC_E_BUSY, OTAC_E_REDIRECT, OTAC_E_UNAUTHORIZED, OTAC_E_STATUS};
static const char *const unreported_answers[] = {
    "HTTP/1.1 503 Busy\r\n\r\n", "HTTP/1.1 307 Temporary Redirect\r\n\r\n",
    "HTTP/1.1 401 Unauthorized\r\n\r\n", "HTTP/1.1 500 Error\r\n\r\n"};

START_TEST(report_waits_for_a_check_in_that_was_answered)
{
    client_world_script_offer(&w);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    client_port_rewind(&w.port);
    client_world_start(&w);
    client_world_script(&w, unreported_answers[_i]);
    ck_assert_int_eq(otac_update(&w.client), unreported[_i]);
    ck_assert_uint_eq(w.port.connects, 1);
    client_port_rewind(&w.port);
    client_world_script(&w, "HTTP/1.1 404 Not Found\r\nX-Otad-Reason: no_build\r\n\r\n");
    client_world_script(&w, client_world_taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_NOT_FOUND);
    ck_assert_uint_eq(w.port.connects, 2);
    ck_assert_str_eq(w.client.answer.reason, "no_build"); /* the check-in's, not the report's */
}
END_TEST

/* A server that doesn't tell a build: it takes the report for the newest update. */
START_TEST(report_without_build)
{
    memcpy(strstr(w.offer, "X-Otad-Build"), "Y", 1);
    client_world_script_offer(&w);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    client_port_rewind(&w.port);
    client_world_start(&w);
    client_world_script(&w, client_world_nothing_new);
    client_world_script(&w, client_world_taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
    ck_assert(contains(w.port.sent[1], "/report?result=success&code=0 HTTP/1.1\r\n"));
    ck_assert(contains(w.port.sent[1], "\r\nContent-Length: 0\r\n\r\n"));
}
END_TEST

/* A report whose delivery can't be stored goes out once more after the next start. */
START_TEST(report_is_sent_again_rather_than_lost)
{
    client_world_script_offer(&w);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    client_world_start(&w);
    client_port_rewind(&w.port);
    w.port.fail_at = 7; /* connect, send, receive of the check-in, then of the report, then save */
    client_world_script(&w, client_world_nothing_new);
    client_world_script(&w, client_world_taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
    ck_assert(w.port.failed);
    ck_assert(client_port_saw(&w.port, OTAC_EV_REPORTED, 204));
    ck_assert(client_port_saw(&w.port, OTAC_EV_REPORT_KEPT, OTAC_E_RECORD_IO));
    client_world_start(&w);
    ck_assert_uint_ne(w.client.record.report_kind, 0);
}
END_TEST

START_TEST(success_report_without_an_image_names_the_build_only)
{
    w.client.record.active = OTAC_NO_SLOT;
    w.client.record.report_kind = 1;
    w.client.record.report_build = 7;
    client_world_script(&w, client_world_nothing_new);
    client_world_script(&w, client_world_taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
    ck_assert(contains(w.port.sent[1], "?result=success&code=0&build=7 HTTP/1.1\r\n"));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("client_report");
    TCase *tc = tcase_create("round");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, success_report_is_sent_until_it_is_settled, 0,
                        sizeof report_rows / sizeof report_rows[0]);
    tcase_add_test(tc, failure_report_is_kept_and_sent_after_the_next_check_in);
    tcase_add_test(tc, failure_waits_for_the_report_before_it);
    tcase_add_loop_test(tc, report_waits_for_a_check_in_that_was_answered, 0,
                        sizeof unreported / sizeof unreported[0]);
    tcase_add_test(tc, sign_in_page_takes_no_report_and_no_download);
    tcase_add_test(tc, failure_of_a_build_that_is_nowhere_names_its_number);
    tcase_add_test(tc, report_is_sent_again_rather_than_lost);
    tcase_add_test(tc, success_report_without_an_image_names_the_build_only);
    tcase_add_test(tc, report_without_build);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
