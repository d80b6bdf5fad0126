/* SPDX-License-Identifier: MIT
 * The device client's round, against a scripted port: what is sent, what each answer leads to, and
 * that whatever fails the slot that ran before still boots. */
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

/* ---- what is sent -------------------------------------------------------------------------- */

START_TEST(requests_are_byte_exact)
{
    char want[1024], sha[65];
    client_world_sha256(w.old_image, CLIENT_WORLD_OLD, sha);
    client_world_script_offer(&w);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    (void)snprintf(want, sizeof want,
                   "GET /fw/lamp/latest?mac=5C:CF:7F:A1:B2:C3&version=1.0.0 HTTP/1.1\r\n"
                   "Host: 192.168.1.10:8070\r\nUser-Agent: otad-client/1\r\nConnection: close\r\n"
                   "x-ESP8266-STA-MAC: 5C:CF:7F:A1:B2:C3\r\nx-ESP8266-mode: sketch\r\n"
                   "x-ESP8266-free-space: 4096\r\nIf-None-Match: \"%s\"\r\n\r\n",
                   sha);
    ck_assert_str_eq(w.port.sent[0], want);
    ck_assert_uint_eq(w.port.sent_n[1], 0); /* nothing is reported before the restart */

    client_world_start(&w);
    client_port_rewind(&w.port);
    w.config.version = "1.1.0";
    client_world_script(&w, client_world_nothing_new);
    client_world_script(&w, client_world_taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
    client_world_sha256(w.new_image, CLIENT_WORLD_NEW, sha);
    ck_assert(contains(w.port.sent[0], "&version=1.1.0 HTTP/1.1\r\n"));
    ck_assert(contains(w.port.sent[0], sha));
    ck_assert_str_eq(w.port.sent[1],
                     "POST /fw/lamp/5C:CF:7F:A1:B2:C3/report?result=success&code=0"
                     "&build=18446744073709551615 HTTP/1.1\r\n"
                     "Host: 192.168.1.10:8070\r\nUser-Agent: otad-client/1\r\nConnection: close\r\n"
                     "Content-Length: 0\r\n\r\n");
}
END_TEST

START_TEST(factory_fresh_device_announces_no_content)
{
    memset(&w.port.record, 0, sizeof w.port.record);
    w.port.has_record = false;
    w.config.family = NULL;
    w.config.host = "fe80::1";
    w.config.key = "k3y";
    w.config.chip = "ESP32&C3";
    w.config.version = "0 beta/\xc3\xa9+&:";
    w.config.product = "la/mp?";
    w.config.mac = "5c-cf 7f";
    client_world_start(&w);
    ck_assert_ptr_null(otac_active(&w.client));
    client_world_script_offer(&w);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert_str_eq(
        w.port.sent[0],
        "GET /fw/la%2Fmp%3F/latest?mac=5c-cf%207f&version=0%20beta%2F%C3%A9%2B%26:&chip=ESP32%26C3 "
        "HTTP/1.1\r\nHost: [fe80::1]:8070\r\nUser-Agent: otad-client/1\r\n"
        "Connection: close\r\nAuthorization: Bearer k3y\r\n\r\n");
    ck_assert(client_world_boots_new(&w, "first image"));
    ck_assert_uint_eq(w.client.record.active, 0);
}
END_TEST

START_TEST(optional_lines_are_left_out)
{
    w.config.slot_size = 0;
    w.config.describe = NULL;
    w.offer[w.offer_n - 1] ^= 1;
    client_world_script_offer(&w);
    client_world_script(&w, client_world_taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_SHA256);
    ck_assert(contains(w.port.sent[0], "x-ESP8266-mode"));
    ck_assert(!contains(w.port.sent[0], "free-space"));
    ck_assert(contains(w.port.sent[1], "/report?result=failed&code=-245&build="));
    ck_assert(!contains(w.port.sent[1], "message"));
}
END_TEST

/* ---- what each answer leads to ------------------------------------------------------------- */

#define BUILD "X-Otad-Build: 5\r\n"
#define ETAG "ETag: \"00000000000000000000000000000000000000000000000000000000000000ff\"\r\n"

struct row {
    const char *what, *answer;
    int end;  /* how the connection ends */
    int want; /* of otac_update() */
    bool reports;
};

/* clang-format off: one row, one case */
static const struct row rows[] = {
    {"nothing new",     client_world_nothing_new,                                              0,                OTAC_UP_TO_DATE,   false},
    {"refused",         "HTTP/1.1 403 Forbidden\r\nX-Otad-Reason: blocked\r\n\r\n",            0,                OTAC_E_REFUSED,
     false                                                                                                                               },
    {"not found",       "HTTP/1.1 404 Not Found\r\n\r\n",                                      0,                OTAC_E_NOT_FOUND,  false},
    {"gone",            "HTTP/1.1 410 Gone\r\n\r\n",                                           0,                OTAC_E_GONE,       false},
    {"busy",            "HTTP/1.1 503 Busy\r\nRetry-After: 30\r\n\r\n",                        0,                OTAC_E_BUSY,       false},
    {"redirect",        "HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n\r\n",              0,                OTAC_E_REDIRECT,
     false                                                                                                                               },
    {"garbage",         "SSH-2.0-dropbear\r\n",                                                0,                OTAC_E_NOT_HTTP,   false},
    {"closed at once",  "",                                                                    0,                OTAC_E_NO_ANSWER,  false},
    {"reset at once",   "",                                                                    OTAC_E_CONN_LOST, OTAC_E_CONN_LOST,  false},
    {"silent",          "",                                                                    OTAC_E_TIMEOUT,   OTAC_E_TIMEOUT,    false},
    {"head cut",        "HTTP/1.1 200 OK\r\nContent-Le",                                       0,                OTAC_E_CUT_HEAD,   false},
    {"head broken off", "HTTP/1.1 200 OK\r\nContent-Le",                                       OTAC_E_CONN_LOST, OTAC_E_CONN_LOST,  false},
    {"chunked",         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" BUILD ETAG "\r\n", 0,
     OTAC_E_CHUNKED,                                                                                                                true },
    {"compressed",      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n" BUILD ETAG "\r\n",     0,
     OTAC_E_ENCODED,                                                                                                                true },
    {"no length",       "HTTP/1.1 200 OK\r\n" BUILD ETAG "\r\n",                               0,                OTAC_E_NO_LENGTH,  true },
    {"no hash",         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" BUILD "\r\n12345",          0,                OTAC_E_NO_SHA256,
     true                                                                                                                                },
    {"a sign-in page",  "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",                  0,                OTAC_E_NO_SHA256,
     false                                                                                                                               },
    {"empty",           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" BUILD ETAG "\r\n",          0,                OTAC_E_EMPTY,      true },
    {"too large",       "HTTP/1.1 200 OK\r\nContent-Length: 4097\r\n" ETAG "\r\nx",            0,                OTAC_E_NO_SPACE,
     true                                                                                                                                },
    {"short body",      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" ETAG "\r\n1234",            0,                OTAC_E_SHORT_BODY,
     false                                                                                                                               },
    {"body reset",      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" ETAG "\r\n1234",            OTAC_E_CONN_LOST,
     OTAC_E_CONN_LOST,                                                                                                              false},
    {"body stalled",    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" ETAG "\r\n1234",            OTAC_E_TIMEOUT,
     OTAC_E_TIMEOUT,                                                                                                                false},
    {"no body",         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" ETAG "\r\n",                0,                OTAC_E_SHORT_BODY,
     false                                                                                                                               },
    {"long body",       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" ETAG "\r\n123456",          0,                OTAC_E_LONG_BODY,
     true                                                                                                                                },
    {"unasked rest",
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 0-4/5\r\n" ETAG
     "\r\n12345",                                                                              0,                OTAC_E_RANGE,      false},
    {"wrong hash",      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" ETAG "\r\n12345",           0,                OTAC_E_SHA256,
     true                                                                                                                                },
};
/* clang-format on */

START_TEST(answer_leads_to_its_result_and_the_old_image_boots)
{
    const struct row *row = &rows[_i];
    client_port_answer(&w.port, row->answer, strlen(row->answer), row->end);
    client_world_script(&w, client_world_taken);
    int rc = otac_update(&w.client);
    ck_assert_msg(rc == row->want, "%s: %s", row->what, otac_err_word(rc));
    ck_assert_msg(!client_world_boots_new(&w, row->what), "%s", row->what);
    ck_assert_msg((w.port.connects == 2) == row->reports, "%s: %u connections", row->what,
                  w.port.connects);
    if (row->reports) {
        char want[64];
        (void)snprintf(want, sizeof want, "result=failed&code=%d&message=%s", row->want,
                       otac_err_word(row->want));
        ck_assert_msg(contains(w.port.sent[1], want), "%s: %s", row->what, w.port.sent[1]);
        ck_assert(client_port_saw(&w.port, OTAC_EV_REPORTED, 204));
    }
    ck_assert_uint_eq(w.client.record.report_kind, 0);
}
END_TEST

START_TEST(no_server_is_an_error_of_its_own)
{
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_CONNECT);
    ck_assert_uint_eq(w.client.answer.status, 0);
    ck_assert(!client_world_boots_new(&w, "no server"));
}
END_TEST

START_TEST(running_content_is_not_installed_again)
{
    client_world_make_offer(&w, w.old_image, CLIENT_WORLD_OLD, "9.9.9", "9");
    client_world_script_offer(&w);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
    ck_assert_uint_eq(w.port.begins, 0);
    ck_assert_uint_eq(w.port.connects, w.port.closes);
}
END_TEST

START_TEST(head_that_drips_in_is_given_up)
{
    w.port.piece = 1;
    w.port.recv_takes_ms = 1000;
    client_world_script(&w, client_world_nothing_new);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_TIMEOUT);
    client_port_rewind(&w.port);
    w.port.now_ms = UINT32_MAX - 5000; /* the clock may wrap */
    w.port.recv_takes_ms = 100;
    client_world_script(&w, client_world_nothing_new);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
}
END_TEST

START_TEST(bytes_that_come_late_are_too_many_too)
{
    w.port.piece = 1;
    w.offer[w.offer_n] = 'x';
    client_port_answer(&w.port, w.offer, w.offer_n + 1, 0);
    client_world_script(&w, client_world_taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_LONG_BODY);
    ck_assert(!client_world_boots_new(&w, "late bytes"));
    ck_assert(contains(w.port.sent[1], "code=-226"));
}
END_TEST

START_TEST(server_that_keeps_the_connection_open_is_no_obstacle)
{
    client_port_answer(&w.port, w.offer, w.offer_n, OTAC_E_TIMEOUT);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert(client_world_boots_new(&w, "kept open"));
}
END_TEST

START_TEST(wrong_md5_is_refused)
{
    char *md5 = strstr(w.offer, "x-MD5: ");
    md5[7] = md5[7] == '0' ? '1' : '0';
    client_world_script_offer(&w);
    client_world_script(&w, client_world_taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_MD5);
    ck_assert(!client_world_boots_new(&w, "wrong MD5"));
}
END_TEST

START_TEST(missing_md5_is_no_obstacle)
{
    memcpy(strstr(w.offer, "x-MD5: "), "x-ND5: ", 7);
    client_world_script_offer(&w);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert(client_world_boots_new(&w, "no MD5"));
}
END_TEST

START_TEST(flash_that_lies_is_found_by_reading_back)
{
    w.port.flash_lies = true;
    client_world_script_offer(&w);
    client_world_script(&w, client_world_taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_FLASH_VERIFY);
    ck_assert(!client_world_boots_new(&w, "flash lies"));
    ck_assert(contains(w.port.sent[1], "code=-244&message=flash_verify"));
}
END_TEST

/* ---- the update itself --------------------------------------------------------------------- */

START_TEST(update_alternates_between_slots)
{
    client_world_script_offer(&w);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert(client_world_boots_new(&w, "first"));
    ck_assert_uint_eq(w.client.record.active, 1);
    ck_assert(client_port_saw(&w.port, OTAC_EV_ANSWER, 200));
    ck_assert(client_port_saw(&w.port, OTAC_EV_OFFER, CLIENT_WORLD_NEW));
    ck_assert(client_port_saw(&w.port, OTAC_EV_PROGRESS, CLIENT_WORLD_NEW));
    ck_assert(client_port_saw(&w.port, OTAC_EV_VERIFY, CLIENT_WORLD_NEW));
    ck_assert(client_port_saw(&w.port, OTAC_EV_INSTALLED, 1));
    client_port_rewind(&w.port);
    client_world_start(&w);
    client_world_make_offer(&w, w.old_image, CLIENT_WORLD_OLD, "1.0.1", "43");
    client_world_script_offer(&w); /* dropped for the report that is due */
    client_world_script(&w, client_world_taken);
    client_world_script_offer(&w);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert_uint_eq(w.client.record.active, 0);
    ck_assert_uint_eq(w.port.connects, 3);
    ck_assert(contains(w.port.sent[1], "?result=success&code=0&build=18446744073709551615 "));
    ck_assert(!client_world_boots_new(&w, "second"));
}
END_TEST

static int write_some(void *ctx, unsigned slot, uint32_t offset, const void *data, size_t n)
{
    (void)ctx, (void)slot, (void)offset, (void)data;
    return (int)n;
}

/* A port that counts where it should say 0: no reason to restart for ever. */
START_TEST(odd_answer_of_a_port_is_no_update)
{
    w.port.port.slot_write = write_some;
    client_world_script_offer(&w);
    ck_assert_int_ne(otac_update(&w.client), OTAC_UPDATED);
    ck_assert_uint_eq(w.client.restart_due, 0);
    client_world_script(&w, client_world_nothing_new);
    ck_assert_int_ne(otac_update(&w.client), OTAC_UPDATED);
}
END_TEST

/* Known beforehand, so that the other image isn't forgotten for it. */
START_TEST(image_larger_than_the_slot_costs_nothing)
{
    client_world_make(&w, 512, true);
    w.config.slot_size = CLIENT_WORLD_NEW - 1;
    client_world_start(&w);
    client_world_script_offer(&w);
    client_world_script(&w, client_world_taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_NO_SPACE);
    ck_assert_uint_eq(w.port.begins, 0);
    ck_assert_int_eq(otac_slot_check(&w.client, 1), OTAC_OK);
    w.config.slot_size = CLIENT_WORLD_NEW;
    client_world_start(&w);
    client_world_script_offer(&w);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
}
END_TEST

START_TEST(update_waits_for_the_restart)
{
    client_world_script_offer(&w);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    client_port_rewind(&w.port);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert_int_eq(w.port.calls, 0);
}
END_TEST

static const size_t work_sizes[] = {OTAC_BUF_MIN, 256, 257, 1000};
static const size_t pieces[] = {0, 1, 7, 100};

/* Every work buffer, every shape of arrival: the same image in flash. */
START_TEST(update_works_with_any_buffer_and_any_pieces)
{
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        client_world_make(&w, work_sizes[_i], false);
        w.port.piece = pieces[i];
        client_world_script_offer(&w);
        ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
        ck_assert(client_world_boots_new(&w, "any buffer"));
    }
}
END_TEST

/* The connection ends after each byte of the whole answer, properly and not. */
START_TEST(drop_at_every_byte_leaves_the_old_image)
{
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        client_world_make(&w, work_sizes[_i], false);
        for (size_t cut = 0; cut < w.offer_n; cut++) {
            bool reset = cut % 2 == 1;
            client_port_rewind(&w.port);
            w.port.piece = pieces[i];
            client_port_answer(&w.port, w.offer, cut, reset ? OTAC_E_CONN_LOST : 0);
            int rc = otac_update(&w.client);
            int want = cut == 0         ? OTAC_E_NO_ANSWER
                       : cut < w.head_n ? OTAC_E_CUT_HEAD
                                        : OTAC_E_SHORT_BODY;
            ck_assert_int_eq(rc, reset ? OTAC_E_CONN_LOST : want);
            ck_assert(!client_world_boots_new(&w, "cut"));
            ck_assert_uint_eq(w.port.connects, 1); /* and no report: the build may be fine */
        }
        client_port_rewind(&w.port);
        client_world_script_offer(&w);
        ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
        ck_assert(client_world_boots_new(&w, "after all the drops"));
    }
}
END_TEST

/* One call of the port after the other fails, until a round gets through without reaching the
 * failing one. The device boots a whole image each time, the new one only when it was told so, and
 * ends updated as soon as nothing fails. */
START_TEST(fault_at_every_call_leaves_a_bootable_device)
{
    bool through = false;
    for (long fail_at = 1; !through; fail_at++) {
        client_world_make(&w, 256, _i / 2 == 1);
        w.port.save_then_fail = _i % 2 == 1;
        w.port.fail_at = fail_at;
        client_world_script_offer(&w);
        client_world_script(&w, client_world_taken);
        int rc = otac_update(&w.client);
        through = !w.port.failed;
        bool is_new = client_world_boots_new(&w, "fault");
        bool may_be_new = rc == OTAC_UPDATED || (_i % 2 == 1 && rc == OTAC_E_RECORD_IO);
        ck_assert_msg(is_new ? may_be_new : rc < 0, "call %ld: %s", fail_at, otac_err_word(rc));

        client_port_rewind(&w.port);
        client_world_start(&w);
        client_world_script_offer(&w);
        client_world_script(&w, client_world_taken);
        client_world_script_offer(&w);
        rc = otac_update(&w.client);
        ck_assert_msg(rc == (is_new ? OTAC_UP_TO_DATE : OTAC_UPDATED), "call %ld: %s", fail_at,
                      otac_err_word(rc));
        ck_assert(client_world_boots_new(&w, "after the fault"));
    }
}
END_TEST

/* The same without a restart: the program goes on with what it believes, and what is stored may be
 * something else. Nothing that the stored record names may be touched. */
START_TEST(fault_at_every_call_is_survived_without_a_restart)
{
    bool through = false;
    for (long fail_at = 1; !through; fail_at++) {
        client_world_make(&w, 256, _i / 2 % 2 == 1);
        client_world_serve(&w);
        w.config.trial_boots = _i / 4 == 1 ? 2 : 0;
        if (_i / 4 == 1)
            client_port_resumable(&w.port);
        w.port.save_then_fail = _i % 2 == 1;
        w.port.fail_at = fail_at;
        int rc = otac_update(&w.client);
        through = !w.port.failed;
        for (int round = 0; round < 3 && rc != OTAC_UPDATED; round++)
            rc = otac_update(&w.client);
        ck_assert_int_eq(rc, OTAC_UPDATED);
        ck_assert_msg(w.port.broken == NULL, "call %ld: %s", fail_at, w.port.broken);
        ck_assert(client_world_boots_new(&w, "in the end"));
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("client_update");
    TCase *tc = tcase_create("round");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, requests_are_byte_exact);
    tcase_add_test(tc, factory_fresh_device_announces_no_content);
    tcase_add_test(tc, optional_lines_are_left_out);
    tcase_add_loop_test(tc, answer_leads_to_its_result_and_the_old_image_boots, 0,
                        sizeof rows / sizeof rows[0]);
    tcase_add_test(tc, no_server_is_an_error_of_its_own);
    tcase_add_test(tc, running_content_is_not_installed_again);
    tcase_add_test(tc, head_that_drips_in_is_given_up);
    tcase_add_test(tc, bytes_that_come_late_are_too_many_too);
    tcase_add_test(tc, server_that_keeps_the_connection_open_is_no_obstacle);
    tcase_add_test(tc, wrong_md5_is_refused);
    tcase_add_test(tc, missing_md5_is_no_obstacle);
    tcase_add_test(tc, flash_that_lies_is_found_by_reading_back);
    tcase_add_test(tc, update_alternates_between_slots);
    tcase_add_test(tc, update_waits_for_the_restart);
    tcase_add_test(tc, odd_answer_of_a_port_is_no_update);
    tcase_add_test(tc, image_larger_than_the_slot_costs_nothing);
    tcase_add_loop_test(tc, update_works_with_any_buffer_and_any_pieces, 0,
                        sizeof work_sizes / sizeof work_sizes[0]);
    tcase_add_loop_test(tc, drop_at_every_byte_leaves_the_old_image, 0,
                        sizeof work_sizes / sizeof work_sizes[0]);
    tcase_add_loop_test(tc, fault_at_every_call_is_survived_without_a_restart, 0, 8);
    tcase_add_loop_test(tc, fault_at_every_call_leaves_a_bootable_device, 0, 4);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
