/* SPDX-License-Identifier: MIT
 * The device client's round, against a scripted port: what is sent, what each answer leads to, and
 * that whatever fails the slot that ran before still boots. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "otad_client.h"
#include "support/client_port.h"
#include "support/unit.h"

enum { OLD_N = 700, NEW_N = 1111, HEAD_MAX = 512 };

/* One device and the server's answers to it. */
struct world {
    struct client_port port;
    struct otac_config config;
    struct otac client;
    uint8_t work[1024];
    size_t work_n;
    uint8_t old_image[OLD_N], new_image[NEW_N];
    char offer[HEAD_MAX + NEW_N + 16];
    size_t offer_n, head_n;
};

static struct world w;
static const char nothing_new[] =
    "HTTP/1.1 304 Not Modified\r\nX-Otad-Reason: same_content\r\n\r\n";
static const char taken[] = "HTTP/1.1 204 No Content\r\n\r\n";

static void hex(const uint8_t *data, unsigned n, char *out)
{
    for (unsigned i = 0; i < n; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", data[i]);
}

static void sha256_hex(const uint8_t *data, size_t n, char out[65])
{
    uint8_t sum[32];
    ck_assert_int_eq(EVP_Digest(data, n, sum, NULL, EVP_sha256(), NULL), 1);
    hex(sum, sizeof sum, out);
}

/* Builds the answer that offers an image, as the daemon sends it. */
static void make_offer(const uint8_t *image, size_t n, const char *version, const char *build)
{
    char sha[65], md5_text[33];
    uint8_t md5[16];
    sha256_hex(image, n, sha);
    ck_assert_int_eq(EVP_Digest(image, n, md5, NULL, EVP_md5(), NULL), 1);
    hex(md5, sizeof md5, md5_text);
    int head_n = snprintf(w.offer, HEAD_MAX,
                          "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nETag: \"%s\"\r\nx-MD5: %s\r\n"
                          "x-version: %s\r\nX-Otad-Build: %s\r\n\r\n",
                          n, sha, md5_text, version, build);
    w.head_n = (size_t)head_n;
    memcpy(w.offer + head_n, image, n);
    w.offer_n = (size_t)head_n + n;
}

static void script(const char *text)
{
    client_port_answer(&w.port, text, strlen(text), 0);
}

static void script_offer(void)
{
    client_port_answer(&w.port, w.offer, w.offer_n, 0);
}

/* A restart of the device. */
static void start(void)
{
    memset(&w.client, 0xa5, sizeof w.client);
    ck_assert_int_eq(otac_init(&w.client, &w.config, &w.port.port, w.work, w.work_n), OTAC_OK);
}

/* A device that runs the old image from slot 0, and a server that has the new one. */
static void make_world(size_t work_n)
{
    memset(&w, 0, sizeof w);
    client_port_init(&w.port);
    w.work_n = work_n;
    w.config = (struct otac_config){.host = "192.168.1.10",
                                    .port = 8070,
                                    .product = "lamp",
                                    .mac = "5C:CF:7F:A1:B2:C3",
                                    .version = "1.0.0",
                                    .family = "ESP8266",
                                    .slot_size = CLIENT_PORT_SLOT,
                                    .describe = otac_err_word};
    for (size_t i = 0; i < OLD_N; i++)
        w.old_image[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < NEW_N; i++)
        w.new_image[i] = (uint8_t)(i * 13 + 1);
    start();
    make_offer(w.old_image, OLD_N, "1.0.0", "41");
    script_offer();
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    start();
    script(nothing_new);
    script(taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
    ck_assert_uint_eq(w.client.record.report.kind, 0);
    make_offer(w.new_image, NEW_N, "1.1.0", "18446744073709551615");
    client_port_rewind(&w.port);
}

static void setup(void)
{
    make_world(512);
}

/* What a restart finds: @return true for the new image, false for the old, fails on neither. */
static bool boots_new(const char *what)
{
    struct otac device;
    long fail_at = w.port.fail_at;
    w.port.fail_at = 0;
    ck_assert_msg(w.port.broken == NULL, "%s: %s", what, w.port.broken);
    ck_assert_msg(w.port.connects == w.port.closes, "%s: connection left open", what);
    ck_assert_int_eq(otac_init(&device, &w.config, &w.port.port, w.work, w.work_n), OTAC_OK);
    unsigned slot = device.record.active;
    ck_assert_msg(slot < OTAC_SLOTS, "%s: nothing boots", what);
    ck_assert_msg(otac_slot_check(&device, slot) == OTAC_OK, "%s: slot %u is damaged", what, slot);
    bool is_new = otac_active(&device)->size == NEW_N;
    ck_assert_mem_eq(w.port.slot[slot], is_new ? w.new_image : w.old_image, is_new ? NEW_N : OLD_N);
    w.port.fail_at = fail_at;
    return is_new;
}

static bool contains(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* ---- what is sent -------------------------------------------------------------------------- */

START_TEST(requests_are_byte_exact)
{
    char want[1024], sha[65];
    sha256_hex(w.old_image, OLD_N, sha);
    script_offer();
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    (void)snprintf(want, sizeof want,
                   "GET /fw/lamp/latest?mac=5C:CF:7F:A1:B2:C3&version=1.0.0 HTTP/1.1\r\n"
                   "Host: 192.168.1.10:8070\r\nUser-Agent: otad-client/1\r\nConnection: close\r\n"
                   "x-ESP8266-STA-MAC: 5C:CF:7F:A1:B2:C3\r\nx-ESP8266-mode: sketch\r\n"
                   "x-ESP8266-free-space: 4096\r\nIf-None-Match: \"%s\"\r\n\r\n",
                   sha);
    ck_assert_str_eq(w.port.sent[0], want);
    ck_assert_uint_eq(w.port.sent_n[1], 0); /* nothing is reported before the restart */

    start();
    client_port_rewind(&w.port);
    w.config.version = "1.1.0";
    script(nothing_new);
    script(taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
    sha256_hex(w.new_image, NEW_N, sha);
    ck_assert(contains(w.port.sent[0], "&version=1.1.0 HTTP/1.1\r\n"));
    ck_assert(contains(w.port.sent[0], sha));
    ck_assert_str_eq(w.port.sent[1],
                     "POST /fw/lamp/5C:CF:7F:A1:B2:C3/report HTTP/1.1\r\n"
                     "Host: 192.168.1.10:8070\r\nUser-Agent: otad-client/1\r\nConnection: close\r\n"
                     "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 62\r\n\r\n"
                     "result=success&code=0&version=1.1.0&build=18446744073709551615");
}
END_TEST

START_TEST(factory_fresh_device_announces_no_content)
{
    memset(&w.port.record, 0, sizeof w.port.record);
    w.port.has_record = false;
    w.config.family = NULL;
    w.config.host = "fe80::1";
    w.config.key = "k3y";
    w.config.version = "0 beta/\xc3\xa9+&";
    start();
    ck_assert_ptr_null(otac_active(&w.client));
    script_offer();
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert_str_eq(w.port.sent[0],
                     "GET /fw/lamp/latest?mac=5C:CF:7F:A1:B2:C3&version=0%20beta%2F%C3%A9%2B%26 "
                     "HTTP/1.1\r\nHost: [fe80::1]:8070\r\nUser-Agent: otad-client/1\r\n"
                     "Connection: close\r\nAuthorization: Bearer k3y\r\n\r\n");
    ck_assert(boots_new("first image"));
    ck_assert_uint_eq(w.client.record.active, 0);
}
END_TEST

START_TEST(optional_lines_are_left_out)
{
    w.config.slot_size = 0;
    w.config.describe = NULL;
    w.offer[w.offer_n - 1] ^= 1;
    script_offer();
    script(taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_SHA256);
    ck_assert(contains(w.port.sent[0], "x-ESP8266-mode"));
    ck_assert(!contains(w.port.sent[0], "free-space"));
    ck_assert(contains(w.port.sent[1], "\r\n\r\nresult=failed&code=-245&version=1.1.0&build="));
    ck_assert(!contains(w.port.sent[1], "message"));
}
END_TEST

/* ---- what each answer leads to ------------------------------------------------------------- */

#define ETAG "ETag: \"00000000000000000000000000000000000000000000000000000000000000ff\"\r\n"

struct row {
    const char *what, *answer;
    int end;  /* how the connection ends */
    int want; /* of otac_update() */
    bool reports;
};

/* clang-format off: one row, one case */
static const struct row rows[] = {
    {"nothing new",     nothing_new,                                                     0,                OTAC_UP_TO_DATE,   false},
    {"refused",         "HTTP/1.1 403 Forbidden\r\nX-Otad-Reason: blocked\r\n\r\n",      0,                OTAC_E_REFUSED,
     false                                                                                                                         },
    {"not found",       "HTTP/1.1 404 Not Found\r\n\r\n",                                0,                OTAC_E_NOT_FOUND,  false},
    {"gone",            "HTTP/1.1 410 Gone\r\n\r\n",                                     0,                OTAC_E_GONE,       false},
    {"busy",            "HTTP/1.1 503 Busy\r\nRetry-After: 30\r\n\r\n",                  0,                OTAC_E_BUSY,       false},
    {"redirect",        "HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n\r\n",        0,                OTAC_E_REDIRECT,
     false                                                                                                                         },
    {"garbage",         "SSH-2.0-dropbear\r\n",                                          0,                OTAC_E_NOT_HTTP,   false},
    {"closed at once",  "",                                                              0,                OTAC_E_NO_ANSWER,  false},
    {"reset at once",   "",                                                              OTAC_E_CONN_LOST, OTAC_E_CONN_LOST,  false},
    {"silent",          "",                                                              OTAC_E_TIMEOUT,   OTAC_E_TIMEOUT,    false},
    {"head cut",        "HTTP/1.1 200 OK\r\nContent-Le",                                 0,                OTAC_E_CUT_HEAD,   false},
    {"head broken off", "HTTP/1.1 200 OK\r\nContent-Le",                                 OTAC_E_CONN_LOST, OTAC_E_CONN_LOST,  false},
    {"chunked",         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" ETAG "\r\n", 0,                OTAC_E_CHUNKED,
     true                                                                                                                          },
    {"compressed",      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n" ETAG "\r\n",     0,                OTAC_E_ENCODED,
     true                                                                                                                          },
    {"no length",       "HTTP/1.1 200 OK\r\n" ETAG "\r\n",                               0,                OTAC_E_NO_LENGTH,  true },
    {"no hash",         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345",             0,                OTAC_E_NO_SHA256,  true },
    {"empty",           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" ETAG "\r\n",          0,                OTAC_E_EMPTY,      true },
    {"too large",       "HTTP/1.1 200 OK\r\nContent-Length: 4097\r\n" ETAG "\r\nx",      0,                OTAC_E_NO_SPACE,
     true                                                                                                                          },
    {"short body",      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" ETAG "\r\n1234",      0,                OTAC_E_SHORT_BODY,
     false                                                                                                                         },
    {"body reset",      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" ETAG "\r\n1234",      OTAC_E_CONN_LOST,
     OTAC_E_CONN_LOST,                                                                                                        false},
    {"body stalled",    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" ETAG "\r\n1234",      OTAC_E_TIMEOUT,
     OTAC_E_TIMEOUT,                                                                                                          false},
    {"no body",         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" ETAG "\r\n",          0,                OTAC_E_SHORT_BODY,
     false                                                                                                                         },
    {"long body",       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" ETAG "\r\n123456",    0,                OTAC_E_LONG_BODY,
     true                                                                                                                          },
    {"wrong hash",      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" ETAG "\r\n12345",     0,                OTAC_E_SHA256,
     true                                                                                                                          },
};
/* clang-format on */

START_TEST(answer_leads_to_its_result_and_the_old_image_boots)
{
    const struct row *row = &rows[_i];
    client_port_answer(&w.port, row->answer, strlen(row->answer), row->end);
    script(taken);
    int rc = otac_update(&w.client);
    ck_assert_msg(rc == row->want, "%s: %s", row->what, otac_err_word(rc));
    ck_assert_msg(!boots_new(row->what), "%s", row->what);
    ck_assert_msg((w.port.connects == 2) == row->reports, "%s: %u connections", row->what,
                  w.port.connects);
    if (row->reports) {
        char want[64];
        (void)snprintf(want, sizeof want, "result=failed&code=%d&message=%s", row->want,
                       otac_err_word(row->want));
        ck_assert_msg(contains(w.port.sent[1], want), "%s: %s", row->what, w.port.sent[1]);
        ck_assert(client_port_saw(&w.port, OTAC_EV_REPORTED, 204));
    }
    ck_assert_uint_eq(w.client.record.report.kind, 0);
}
END_TEST

START_TEST(no_server_is_an_error_of_its_own)
{
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_CONNECT);
    ck_assert_uint_eq(w.client.answer.status, 0);
    ck_assert(!boots_new("no server"));
}
END_TEST

START_TEST(running_content_is_not_installed_again)
{
    make_offer(w.old_image, OLD_N, "9.9.9", "9");
    script_offer();
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
    ck_assert_uint_eq(w.port.begins, 0);
    ck_assert_uint_eq(w.port.connects, w.port.closes);
}
END_TEST

START_TEST(head_that_drips_in_is_given_up)
{
    w.port.piece = 1;
    w.port.recv_takes_ms = 1000;
    script(nothing_new);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_TIMEOUT);
    client_port_rewind(&w.port);
    w.port.now_ms = UINT32_MAX - 5000; /* the clock may wrap */
    w.port.recv_takes_ms = 100;
    script(nothing_new);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
}
END_TEST

START_TEST(wrong_md5_is_refused)
{
    char *md5 = strstr(w.offer, "x-MD5: ");
    md5[7] = md5[7] == '0' ? '1' : '0';
    script_offer();
    script(taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_MD5);
    ck_assert(!boots_new("wrong MD5"));
}
END_TEST

START_TEST(missing_md5_is_no_obstacle)
{
    memcpy(strstr(w.offer, "x-MD5: "), "x-ND5: ", 7);
    script_offer();
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert(boots_new("no MD5"));
}
END_TEST

START_TEST(flash_that_lies_is_found_by_reading_back)
{
    w.port.flash_lies = true;
    script_offer();
    script(taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_FLASH_VERIFY);
    ck_assert(!boots_new("flash lies"));
    ck_assert(contains(w.port.sent[1], "code=-244&message=flash_verify"));
}
END_TEST

/* ---- the update itself --------------------------------------------------------------------- */

START_TEST(update_alternates_between_slots)
{
    script_offer();
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert(boots_new("first"));
    ck_assert_uint_eq(w.client.record.active, 1);
    ck_assert(client_port_saw(&w.port, OTAC_EV_ANSWER, 200));
    ck_assert(client_port_saw(&w.port, OTAC_EV_OFFER, NEW_N));
    ck_assert(client_port_saw(&w.port, OTAC_EV_PROGRESS, NEW_N));
    ck_assert(client_port_saw(&w.port, OTAC_EV_VERIFY, NEW_N));
    ck_assert(client_port_saw(&w.port, OTAC_EV_INSTALLED, 1));
    client_port_rewind(&w.port);
    start();
    make_offer(w.old_image, OLD_N, "1.0.1", "43");
    script_offer(); /* dropped for the report that is due */
    script(taken);
    script_offer();
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert_uint_eq(w.client.record.active, 0);
    ck_assert_uint_eq(w.port.connects, 3);
    ck_assert(contains(w.port.sent[1], "result=success&code=0&version=1.1.0&build=184467440737095"
                                       "51615"));
    ck_assert(!boots_new("second"));
}
END_TEST

START_TEST(update_waits_for_the_restart)
{
    script_offer();
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
        make_world(work_sizes[_i]);
        w.port.piece = pieces[i];
        script_offer();
        ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
        ck_assert(boots_new("any buffer"));
    }
}
END_TEST

/* The connection ends after each byte of the whole answer, properly and not. */
START_TEST(drop_at_every_byte_leaves_the_old_image)
{
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        make_world(work_sizes[_i]);
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
            ck_assert(!boots_new("cut"));
            ck_assert_uint_eq(w.port.connects, 1); /* and no report: the build may be fine */
        }
        client_port_rewind(&w.port);
        script_offer();
        ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
        ck_assert(boots_new("after all the drops"));
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
        make_world(256);
        w.port.save_then_fail = _i == 1;
        w.port.fail_at = fail_at;
        script_offer();
        script(taken);
        int rc = otac_update(&w.client);
        through = !w.port.failed;
        bool is_new = boots_new("fault");
        bool may_be_new = rc == OTAC_UPDATED || (_i == 1 && rc == OTAC_E_RECORD_IO);
        ck_assert_msg(is_new ? may_be_new : rc < 0, "call %ld: %s", fail_at, otac_err_word(rc));

        client_port_rewind(&w.port);
        start();
        script_offer();
        script(taken);
        script_offer();
        rc = otac_update(&w.client);
        ck_assert_msg(rc == (is_new ? OTAC_UP_TO_DATE : OTAC_UPDATED), "call %ld: %s", fail_at,
                      otac_err_word(rc));
        ck_assert(boots_new("after the fault"));
    }
}
END_TEST

/* ---- reports ------------------------------------------------------------------------------- */

struct report_row {
    const char *what, *answer; /* to the report; NULL: the connection is refused */
    bool kept;
};

static const struct report_row report_rows[] = {
    {"taken",          taken,                                      false},
    {"taken with 200", "HTTP/1.1 200 OK\r\n\r\n",                  false},
    {"no such update", "HTTP/1.1 404 Not Found\r\n\r\n",           false},
    {"not understood", "HTTP/1.1 422 Unprocessable\r\n\r\n",       false},
    {"too soon",       "HTTP/1.1 429 Too Many Requests\r\n\r\n",   true },
    {"busy",           "HTTP/1.1 503 Service Unavailable\r\n\r\n", true },
    {"redirected",     "HTTP/1.1 302 Found\r\n\r\n",               true },
    {"no answer",      "",                                         true },
    {"refused",        NULL,                                       true },
};

/* A report of success that can't be delivered stays for the next round, over restarts too. */
START_TEST(success_report_is_sent_until_it_is_settled)
{
    const struct report_row *row = &report_rows[_i];
    script_offer();
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    for (int round = 0; round < 2; round++) {
        client_port_rewind(&w.port);
        start();
        script(nothing_new);
        if (row->answer != NULL)
            script(row->answer);
        ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
        bool due = round == 0 || row->kept;
        ck_assert_msg((w.port.sent_n[1] > 0) == (due && row->answer != NULL), "%s", row->what);
        ck_assert_msg((w.client.record.report.kind != 0) == row->kept, "%s", row->what);
        ck_assert_uint_eq(w.client.failures, 0);
        ck_assert_uint_le(w.port.saves, row->kept ? 0 : 1); /* kept costs no flash */
    }
}
END_TEST

START_TEST(failure_report_is_kept_and_sent_after_the_next_check_in)
{
    w.offer[w.offer_n - 1] ^= 1;
    script_offer(); /* and nobody there for the report */
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_SHA256);
    ck_assert(client_port_saw(&w.port, OTAC_EV_REPORT_KEPT, OTAC_E_CONNECT));
    ck_assert(!boots_new("failed"));
    client_port_rewind(&w.port);
    start();
    script(nothing_new);
    script(taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
    ck_assert(contains(w.port.sent[1], "result=failed&code=-245&message=sha256_mismatch&build="
                                       "18446744073709551615"));
    ck_assert(!contains(w.port.sent[1], "version=1.0.0&build")); /* not the one that runs */
    client_port_rewind(&w.port);
    start();
    script(nothing_new);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
    ck_assert_uint_eq(w.port.connects, 1);
}
END_TEST

/* A failure that is delivered at once also settles an older report that was still stored. */
START_TEST(delivered_failure_replaces_a_stored_report)
{
    script_offer();
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    client_port_rewind(&w.port);
    start();
    make_offer(w.old_image, OLD_N, "1.0.1", "43");
    w.offer[w.offer_n - 1] ^= 1;
    script_offer();
    script("HTTP/1.1 429 Too Many Requests\r\n\r\n"); /* the success */
    script_offer();
    script(taken); /* the failure */
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_SHA256);
    ck_assert(contains(w.port.sent[3], "result=failed&code=-245"));
    start();
    ck_assert_uint_eq(w.client.record.report.kind, 0);
}
END_TEST

static const int unreported[] = {OTAC_E_BUSY, OTAC_E_REDIRECT, OTAC_E_UNAUTHORIZED, OTAC_E_STATUS};
static const char *const unreported_answers[] = {
    "HTTP/1.1 503 Busy\r\n\r\n", "HTTP/1.1 307 Temporary Redirect\r\n\r\n",
    "HTTP/1.1 401 Unauthorized\r\n\r\n", "HTTP/1.1 500 Error\r\n\r\n"};

START_TEST(report_waits_for_a_check_in_that_was_answered)
{
    script_offer();
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    client_port_rewind(&w.port);
    start();
    script(unreported_answers[_i]);
    ck_assert_int_eq(otac_update(&w.client), unreported[_i]);
    ck_assert_uint_eq(w.port.connects, 1);
    client_port_rewind(&w.port);
    script("HTTP/1.1 404 Not Found\r\nX-Otad-Reason: no_build\r\n\r\n");
    script(taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_NOT_FOUND);
    ck_assert_uint_eq(w.port.connects, 2);
    ck_assert_str_eq(w.client.answer.reason, "no_build"); /* the check-in's, not the report's */
}
END_TEST

/* A server that tells neither build nor version: the report names neither. */
START_TEST(report_without_build_or_version)
{
    memcpy(strstr(w.offer, "X-Otad-Build"), "Y", 1);
    memcpy(strstr(w.offer, "x-version"), "y", 1);
    script_offer();
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    client_port_rewind(&w.port);
    start();
    script(nothing_new);
    script(taken);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
    ck_assert(contains(w.port.sent[1], "Content-Length: 21\r\n\r\nresult=success&code=0"));
}
END_TEST

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
    {"longest interval", 4294967295u, 0, 4294967295u, 1, 4294967295u},
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
    ck_assert_uint_eq(w.port.slept_ms, got < 4294967 ? got * 1000 : 4294967000u);
}
END_TEST

START_TEST(failures_are_counted_and_forgotten)
{
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_CONNECT);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_CONNECT);
    ck_assert_uint_eq(w.client.failures, 2);
    w.client.failures = 255;
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_CONNECT);
    ck_assert_uint_eq(w.client.failures, 255);
    script("HTTP/1.1 404 Not Found\r\n\r\n"); /* asked again at the usual time */
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_NOT_FOUND);
    ck_assert_uint_eq(w.client.failures, 0);
}
END_TEST

/* ---- configuration ------------------------------------------------------------------------- */

#define X16 "xxxxxxxxxxxxxxxx"
#define X64 X16 X16 X16 X16

struct config_row {
    const char *what;
    struct otac_config config;
    int want;
};

#define GOOD .host = "h", .port = 1, .product = "p", .mac = "m", .version = "1"

/* clang-format off */
static const struct config_row config_rows[] = {
    {"least", {GOOD}, OTAC_OK},
    {"longest version", {.host = "h", .port = 1, .product = "p", .mac = "m", .version = X64}, OTAC_OK},
    {"no host", {.port = 1, .product = "p", .mac = "m", .version = "1"}, OTAC_E_CONFIG},
    {"empty host", {.host = "", .port = 1, .product = "p", .mac = "m", .version = "1"}, OTAC_E_CONFIG},
    {"host of two lines", {.host = "h\r\nX: 1", .port = 1, .product = "p", .mac = "m", .version = "1"}, OTAC_E_CONFIG},
    {"host with a path", {.host = "h/x", .port = 1, .product = "p", .mac = "m", .version = "1"}, OTAC_E_CONFIG},
    {"host above ASCII", {.host = "h\xc3\xa9", .port = 1, .product = "p", .mac = "m", .version = "1"}, OTAC_E_CONFIG},
    {"no port", {.host = "h", .product = "p", .mac = "m", .version = "1"}, OTAC_E_CONFIG},
    {"no product", {.host = "h", .port = 1, .mac = "m", .version = "1"}, OTAC_E_CONFIG},
    {"product with a query", {.host = "h", .port = 1, .product = "p?x", .mac = "m", .version = "1"}, OTAC_E_CONFIG},
    {"long product", {.host = "h", .port = 1, .product = X64, .mac = "m", .version = "1"}, OTAC_E_CONFIG},
    {"no MAC", {.host = "h", .port = 1, .product = "p", .version = "1"}, OTAC_E_CONFIG},
    {"long MAC", {.host = "h", .port = 1, .product = "p", .mac = X64, .version = "1"}, OTAC_E_CONFIG},
    {"no version", {.host = "h", .port = 1, .product = "p", .mac = "m"}, OTAC_E_CONFIG},
    {"empty version", {.host = "h", .port = 1, .product = "p", .mac = "m", .version = ""}, OTAC_E_CONFIG},
    {"long version", {.host = "h", .port = 1, .product = "p", .mac = "m", .version = X64 "y"}, OTAC_E_CONFIG},
    {"family", {GOOD, .family = "ESP32"}, OTAC_OK},
    {"bad family", {GOOD, .family = "ESP 32"}, OTAC_E_CONFIG},
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

START_TEST(port_without_a_log_works)
{
    w.port.port.log = NULL;
    script_offer();
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
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
    tcase_add_test(tc, wrong_md5_is_refused);
    tcase_add_test(tc, missing_md5_is_no_obstacle);
    tcase_add_test(tc, flash_that_lies_is_found_by_reading_back);
    tcase_add_test(tc, update_alternates_between_slots);
    tcase_add_test(tc, update_waits_for_the_restart);
    tcase_add_loop_test(tc, update_works_with_any_buffer_and_any_pieces, 0,
                        sizeof work_sizes / sizeof work_sizes[0]);
    tcase_add_loop_test(tc, drop_at_every_byte_leaves_the_old_image, 0,
                        sizeof work_sizes / sizeof work_sizes[0]);
    tcase_add_loop_test(tc, fault_at_every_call_leaves_a_bootable_device, 0, 2);
    tcase_add_loop_test(tc, success_report_is_sent_until_it_is_settled, 0,
                        sizeof report_rows / sizeof report_rows[0]);
    tcase_add_test(tc, failure_report_is_kept_and_sent_after_the_next_check_in);
    tcase_add_test(tc, delivered_failure_replaces_a_stored_report);
    tcase_add_loop_test(tc, report_waits_for_a_check_in_that_was_answered, 0,
                        sizeof unreported / sizeof unreported[0]);
    tcase_add_test(tc, report_without_build_or_version);
    tcase_add_loop_test(tc, wait_follows_failures_and_the_server, 0,
                        sizeof wait_rows / sizeof wait_rows[0]);
    tcase_add_test(tc, failures_are_counted_and_forgotten);
    tcase_add_loop_test(tc, config_is_checked_before_anything_happens, 0,
                        sizeof config_rows / sizeof config_rows[0]);
    tcase_add_test(tc, buffer_has_a_least_size_and_is_aligned);
    tcase_add_test(tc, port_without_a_log_works);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
