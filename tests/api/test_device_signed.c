/* SPDX-License-Identifier: MIT
 * otad-device with keys against a server of signed images that goes wrong, each case over TCP and
 * over TLS: the error has its name, the image before still boots, nothing half-written is called
 * known, and when the server is right again the update goes through. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ec.h>

#include "otad_client_posix.h"
#include "support/certificates.h"
#include "support/daemon.h"
#include "support/image_server.h"
#include "support/unit.h"

enum { OLD_N = 70001, NEW_N = 200003, SLOT_SIZE = 1 << 20, WORK_N = 4096 };

/* What a test may have besides what a row says. */
static EVP_PKEY *ours, *spare, *foreign;
static struct certificate authority, server_certificate;
static uint8_t old_image[OLD_N], new_image[NEW_N];
static struct daemon place; /* never started: its folder */
static char state[160], ca_path[160], keys[2][160], url[64];
static SSL_CTX *tls;
static struct image_server server;

static struct image_offer old_offer(void)
{
    return (struct image_offer){
        .image = old_image, .n = OLD_N, .version = "1.0.0", .build = 41, .key = ours, .counter = 5};
}

static struct image_offer new_offer(void)
{
    return (struct image_offer){.image = new_image,
                                .n = NEW_N,
                                .version = "1.1.0",
                                .build = 42,
                                .key = spare,
                                .counter = 6};
}

static void in_folder(char out[160], const char *name)
{
    (void)snprintf(out, 160, "%s/%s", place.root, name);
}

static void setup(void)
{
    daemon_folder(&place); /* removed even if the test fails */
    in_folder(state, "state");
    in_folder(ca_path, "ca.pem");
    in_folder(keys[0], "sign-0.pub");
    in_folder(keys[1], "sign-1.pub");
    ours = EVP_EC_gen("P-256");
    spare = EVP_EC_gen("P-256");
    foreign = EVP_EC_gen("P-256");
    ck_assert(ours != NULL && spare != NULL && foreign != NULL);
    public_key_write(ours, keys[0]);
    public_key_write(spare, keys[1]);
    authority = certificate_authority("our authority");
    server_certificate = certificate_issue(&authority, "IP:127.0.0.1", false);
    certificate_write(&authority, ca_path);
    for (size_t i = 0; i < OLD_N; i++)
        old_image[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t i = 0; i < NEW_N; i++)
        new_image[i] = (uint8_t)(i * 13 + i / 251);
}

static void stop_server(void)
{
    if (server.port != 0)
        image_server_stop(&server);
    server.port = 0;
    SSL_CTX_free(tls);
    tls = NULL;
}

static void teardown(void)
{
    stop_server();
    certificate_free(&authority);
    certificate_free(&server_certificate);
    EVP_PKEY_free(ours);
    EVP_PKEY_free(spare);
    EVP_PKEY_free(foreign);
    daemon_free(&place);
}

static void start_server(bool secure, const struct certificate *certificate, const char *host)
{
    stop_server();
    if (secure)
        tls = certificate_context(certificate);
    image_server_start(&server, tls);
    (void)snprintf(url, sizeof url, "%s://%s:%u", secure ? "https" : "http", host, server.port);
}

/* One check-in of the device and what follows from it; freed by command_free(). */
static struct command run_device(const char *const *more)
{
    const char *args[24] = {"--server",     url,       "--product", "lamp",        "--mac",
                            "5CCF7FA1B2C3", "--state", state,       "--slot-size", "1048576",
                            "--timeout",    "2",       "--once",    "--sign-key",  keys[0],
                            "--sign-key",   keys[1]};
    size_t n = 0;
    while (args[n] != NULL)
        n++;
    if (strncmp(url, "https:", 6) == 0) {
        args[n++] = "--ca";
        args[n++] = ca_path;
    }
    for (; more != NULL && *more != NULL && n < 23; more++)
        args[n++] = *more;
    return program_run("otad-device", args, NULL);
}

static void expect_run(const char *what, int status, const char *out, const char *err)
{
    struct command c = run_device(NULL);
    ck_assert_msg(c.status == status, "%s: exit status %d, want %d\n%s%s", what, c.status, status,
                  c.out, c.err);
    ck_assert_msg(strstr(c.out, out) != NULL, "%s: no '%s'\n%s%s", what, out, c.out, c.err);
    ck_assert_msg(strstr(c.err, err) != NULL, "%s: no '%s'\n%s%s", what, err, c.out, c.err);
    command_free(&c);
}

/* What a boot loader finds: this image boots, whole; the other slot isn't called known unless
 * other_known. @return the record */
static struct otac_record check_boot(const char *what, const uint8_t *image, uint32_t n,
                                     bool other_known)
{
    static struct otac_posix posix;
    static struct otac client;
    static uint8_t work[WORK_N], found[NEW_N];
    ck_assert_int_eq(otac_posix_open(&posix, state, SLOT_SIZE), OTAC_OK);
    struct otac_port port = otac_posix_port(&posix);
    int slot = otac_boot(&client, &port, work, sizeof work);
    ck_assert_msg(slot >= 0 && slot < OTAC_SLOTS, "%s: no slot boots: %d", what, slot);
    ck_assert_msg(client.record.slot[slot].size == n, "%s: boots %u bytes", what,
                  client.record.slot[slot].size);
    ck_assert_int_eq(port.slot_read(port.ctx, (unsigned)slot, 0, found, n), OTAC_OK);
    ck_assert_msg(memcmp(found, image, n) == 0, "%s: boots something else", what);
    ck_assert_msg((client.record.slot[1 - slot].state == OTAC_IMAGE_KNOWN) == other_known,
                  "%s: other slot", what);
    ck_assert_msg(client.record.trial == 0, "%s: on trial", what);
    otac_posix_close(&posix);
    return client.record;
}

static bool is_written(unsigned slot)
{
    char path[192];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/slot%u.bin", state, slot);
    return stat(path, &st) == 0 && st.st_size > 0;
}

static void install_old(void)
{
    const struct image_offer offer = old_offer();
    remove_folder(state);
    image_server_offer(&server, &offer);
    expect_run("old", 0, "confirmed: version 1.0.0 stays", "");
    (void)check_boot("old", old_image, OLD_N, false);
    ck_assert(is_written(0) && !is_written(1));
}

static void install_new(const char *what)
{
    const struct image_offer offer = new_offer();
    image_server_offer(&server, &offer);
    expect_run(what, 0, "confirmed: version 1.1.0 stays", "");
    ck_assert_uint_eq(check_boot(what, new_image, NEW_N, true).counter, 6);
}

/* ---- faults -------------------------------------------------------------------------------- */

struct fault_row {
    const char *what;
    enum image_fault fault;
    int want;
    bool foreign_key; /* signs */
    bool untouched;   /* refused before the other slot is */
    bool reported;    /* to the server, as a failed build */
};

static const struct fault_row fault_rows[] = {
    {"signed by another key", IMAGE_RIGHT,         OTAC_E_SIGNATURE,     true,  true,  true },
    {"not signed",            IMAGE_UNSIGNED,      OTAC_E_NO_SIGNATURE,  false, true,  true },
    {"no counter",            IMAGE_HALF_SIGNED,   OTAC_E_NO_SIGNATURE,  false, true,  true },
    {"no base64",             IMAGE_NO_BASE64,     OTAC_E_BAD_SIGNATURE, false, true,  true },
    {"another counter",       IMAGE_OTHER_COUNTER, OTAC_E_SIGNATURE,     false, true,  true },
    {"another image",         IMAGE_OTHER_IMAGE,   OTAC_E_SIGNATURE,     false, true,  true },
    {"changed body",          IMAGE_CHANGED,       OTAC_E_SHA256,        false, false, true },
    {"short body",            IMAGE_SHORT,         OTAC_E_SHORT_BODY,    false, false, false},
    {"long body",             IMAGE_LONG,          OTAC_E_LONG_BODY,     false, false, true },
    {"chunked",               IMAGE_CHUNKED,       OTAC_E_CHUNKED,       false, true,  true },
    {"redirect",              IMAGE_REDIRECT,      OTAC_E_REDIRECT,      false, true,  false},
    {"no HTTP",               IMAGE_NOT_HTTP,      OTAC_E_NOT_HTTP,      false, true,  false},
    {"silence",               IMAGE_SILENT,        OTAC_E_TIMEOUT,       false, true,  false},
};

enum { FAULT_ROWS = sizeof fault_rows / sizeof fault_rows[0] };

static void expect_report(const char *what, unsigned before, int want)
{
    char code[32];
    const struct image_seen seen = image_server_seen(&server);
    if (want == OTAC_OK) {
        ck_assert_msg(seen.reports == before, "%s: reported: %s", what, seen.report);
        return;
    }
    (void)snprintf(code, sizeof code, "result=failed&code=%d&", want);
    ck_assert_msg(seen.reports == before + 1, "%s: %u reports", what, seen.reports - before);
    ck_assert_msg(strstr(seen.report, code) != NULL, "%s: %s", what, seen.report);
    ck_assert_msg(strstr(seen.report, "&build=42") != NULL, "%s: %s", what, seen.report);
}

START_TEST(fault_is_named_and_leaves_the_image_before)
{
    const struct fault_row *row = &fault_rows[_i / 2];
    const bool away = row->want == OTAC_E_NOT_HTTP || row->want == OTAC_E_TIMEOUT;
    struct image_offer offer = new_offer();
    start_server(_i % 2 == 1, &server_certificate, "127.0.0.1");
    install_old();
    offer.fault = row->fault;
    if (row->foreign_key)
        offer.key = foreign;
    image_server_offer(&server, &offer);
    const unsigned reports = image_server_seen(&server).reports;
    expect_run(row->what, away ? 3 : 1, "still on version 1.0.0", otac_err_text(row->want));
    ck_assert_uint_eq(check_boot(row->what, old_image, OLD_N, false).counter, 5);
    ck_assert_msg(is_written(1) != row->untouched, "%s: the other slot", row->what);
    expect_report(row->what, reports, row->reported ? row->want : OTAC_OK);
    install_new(row->what);
}
END_TEST

/* An image that was signed, and installed, long ago: somebody sends it again. */
START_TEST(older_signed_image_is_not_taken_again)
{
    start_server(_i == 1, &server_certificate, "127.0.0.1");
    install_old();
    install_new("new");
    struct image_offer offer = old_offer();
    image_server_offer(&server, &offer);
    const unsigned reports = image_server_seen(&server).reports;
    expect_run("replayed", 1, "still on version 1.1.0", otac_err_text(OTAC_E_OLD_COUNTER));
    (void)check_boot("replayed", new_image, NEW_N, true);
    const struct image_seen seen = image_server_seen(&server);
    ck_assert_uint_eq(seen.reports, reports + 1);
    ck_assert_ptr_nonnull(strstr(seen.report, "result=failed&code=-252&"));
    offer.counter = 7; /* the owner wants it back */
    image_server_offer(&server, &offer);
    expect_run("signed anew", 0, "confirmed: version 1.0.0 stays", "");
    ck_assert_uint_eq(check_boot("signed anew", old_image, OLD_N, true).counter, 7);
}
END_TEST

/* Without keys the same server's unsigned image is taken: the keys are what refuses it. */
START_TEST(only_keys_ask_for_signatures)
{
    const char *args[] = {"--server", url,   "--product", "lamp", "--mac", "5CCF7FA1B2C3",
                          "--state",  state, "--once",    "--ca", ca_path, NULL};
    struct image_offer offer = new_offer();
    start_server(true, &server_certificate, "127.0.0.1");
    offer.fault = IMAGE_UNSIGNED;
    image_server_offer(&server, &offer);
    struct command c = program_run("otad-device", args, NULL);
    ck_assert_msg(c.status == 0, "%s%s", c.out, c.err);
    command_free(&c);
}
END_TEST

/* ---- connections that are cut -------------------------------------------------------------- */

struct cut_row {
    const char *what;
    enum image_cut cut;
    bool secure;
    int none, head, body; /* errors: before the answer, within its head, within the image */
};

static const struct cut_row cut_rows[] = {
    {"TCP, closed",          IMAGE_ENDS,   false, OTAC_E_NO_ANSWER, OTAC_E_CUT_HEAD,  OTAC_E_SHORT_BODY},
    {"TCP, reset",           IMAGE_RESETS, false, OTAC_E_CONN_LOST, OTAC_E_CONN_LOST, OTAC_E_CONN_LOST },
    {"TLS, closed",          IMAGE_ENDS,   true,  OTAC_E_NO_ANSWER, OTAC_E_CUT_HEAD,  OTAC_E_SHORT_BODY},
    {"TLS, without goodbye", IMAGE_BREAKS, true,  OTAC_E_CONN_LOST, OTAC_E_CONN_LOST,
     OTAC_E_CONN_LOST                                                                                  },
    {"TLS, reset",           IMAGE_RESETS, true,  OTAC_E_CONN_LOST, OTAC_E_CONN_LOST, OTAC_E_CONN_LOST },
};

/* Cuts the answer after so many bytes. What of it had arrived before a reset is TCP's choice. */
static void cut_at(const struct cut_row *row, size_t at, size_t head_n)
{
    char what[96];
    const int want = at == 0 ? row->none : at < head_n ? row->head : row->body;
    const size_t body = at > head_n ? at - head_n : 0;
    (void)snprintf(what, sizeof what, "%s, after %zu bytes", row->what, at);
    struct image_offer offer = new_offer();
    install_old();
    offer.cut = row->cut;
    offer.cut_at = at;
    image_server_offer(&server, &offer);
    const struct image_seen before = image_server_seen(&server);
    struct command c = run_device(NULL);
    ck_assert_msg(strstr(c.err, otac_err_text(want)) != NULL, "%s: want %s\n%s%s", what,
                  otac_err_word(want), c.out, c.err);
    ck_assert_msg(c.status == 1 || c.status == 3, "%s: %d", what, c.status);
    command_free(&c);
    const struct otac_record record = check_boot(what, old_image, OLD_N, false);
    const uint32_t progress = record.slot[1 - record.active].state;
    ck_assert_msg(progress % OTAC_POSIX_STEP == 0 && progress <= body, "%s: %u", what, progress);
    if (row->cut != IMAGE_RESETS) /* but for what was in its work buffer */
        ck_assert_msg(progress + OTAC_POSIX_STEP + WORK_N > body, "%s: %u", what, progress);
    install_new(what);
    const struct image_seen after = image_server_seen(&server);
    ck_assert_msg(after.rests - before.rests == (progress > 0), "%s: %u rests", what, after.rests);
    ck_assert_msg(progress == 0 || after.rest_from == progress, "%s: %u", what, after.rest_from);
}

START_TEST(cut_answer_leaves_the_image_before_and_goes_on)
{
    const struct cut_row *row = &cut_rows[_i];
    start_server(row->secure, &server_certificate, "127.0.0.1");
    install_old();
    install_new("to know the head's length");
    const size_t head_n = image_server_seen(&server).head_n;
    const size_t cuts[] = {0,
                           1,
                           15,
                           16,
                           head_n / 2,
                           head_n - 1,
                           head_n,
                           head_n + 1,
                           head_n + OTAC_POSIX_STEP - 1,
                           head_n + OTAC_POSIX_STEP,
                           head_n + 2 * OTAC_POSIX_STEP + 1,
                           head_n + NEW_N - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++)
        cut_at(row, cuts[i], head_n);
}
END_TEST

/* All that was announced had come: how the connection ends doesn't matter then. */
START_TEST(end_of_a_whole_answer_may_be_rough)
{
    struct image_offer offer = new_offer();
    start_server(_i == 1, &server_certificate, "127.0.0.1");
    install_old();
    offer.cut = IMAGE_BREAKS;
    offer.cut_at = SIZE_MAX;
    image_server_offer(&server, &offer);
    expect_run("whole", 0, "confirmed: version 1.1.0 stays", "");
}
END_TEST

/* ---- who the server is --------------------------------------------------------------------- */

/* The device learns of no server, and tells nothing to one that isn't its own. */
static void expect_no_server(const char *what, int want, const char *detail)
{
    const struct image_seen before = image_server_seen(&server);
    expect_run(what, 3, "still on version 1.0.0", otac_err_text(want));
    expect_run(what, 3, "still on version 1.0.0", detail);
    const struct image_seen after = image_server_seen(&server);
    ck_assert_msg(after.wholes == before.wholes && after.reports == before.reports,
                  "%s: it was spoken to", what);
    (void)check_boot(what, old_image, OLD_N, false);
    ck_assert(!is_written(1));
}

struct certificate_row {
    const char *what, *names, *host;
    bool expired;
    const char *stranger; /* not NULL: by an authority of this name that the device doesn't know */
    const char *detail;   /* NULL: it is good */
};

static const struct certificate_row certificate_rows[] = {
    {"address",                    "IP:127.0.0.1",                "127.0.0.1", false, NULL,            NULL                     },
    {"name",                       "DNS:localhost",               "localhost", false, NULL,            NULL                     },
    {"one of many names",          "DNS:a.example,DNS:localhost", "localhost", false, NULL,            NULL                     },
    {"unknown authority",          "IP:127.0.0.1",                "127.0.0.1", false, "a stranger",
     "unable to get local issuer"                                                                                               },
    {"authority of the same name", "IP:127.0.0.1",                "127.0.0.1", false, "our authority",
     "certificate signature failure"                                                                                            },
    {"another name",               "DNS:elsewhere.example",       "localhost", false, NULL,            "ostname mismatch"       },
    {"another address",            "IP:127.0.0.2",                "127.0.0.1", false, NULL,            "IP address mismatch"    },
    {"name instead of address",    "DNS:127.0.0.1",               "127.0.0.1", false, NULL,            "IP address mismatch"    },
    {"part of a name",             "DNS:local*",                  "localhost", false, NULL,            "ostname mismatch"       },
    {"expired",                    "IP:127.0.0.1",                "127.0.0.1", true,  NULL,            "certificate has expired"},
};

START_TEST(server_must_prove_who_it_is)
{
    const struct certificate_row *row = &certificate_rows[_i];
    struct certificate stranger =
        certificate_authority(row->stranger != NULL ? row->stranger : "nobody");
    struct certificate c =
        certificate_issue(row->stranger != NULL ? &stranger : &authority, row->names, row->expired);
    start_server(true, &server_certificate, "127.0.0.1");
    install_old();
    start_server(true, &c, row->host);
    const struct image_offer offer = new_offer();
    image_server_offer(&server, &offer);
    if (row->detail == NULL)
        install_new(row->what);
    else
        expect_no_server(row->what, OTAC_E_CERTIFICATE, row->detail);
    certificate_free(&c);
    certificate_free(&stranger);
}
END_TEST

START_TEST(authority_of_the_system_knows_nothing_of_ours)
{
    start_server(true, &server_certificate, "127.0.0.1");
    const struct image_offer offer = new_offer();
    const char *args[] = {"--server",     url,       "--product", "lamp",   "--mac",
                          "5CCF7FA1B2C3", "--state", state,       "--once", NULL};
    image_server_offer(&server, &offer);
    struct command c = program_run("otad-device", args, NULL);
    ck_assert_int_eq(c.status, 3);
    ck_assert_msg(strstr(c.err, otac_err_text(OTAC_E_CERTIFICATE)) != NULL, "%s", c.err);
    command_free(&c);
}
END_TEST

START_TEST(tls_to_a_plain_server_is_an_error)
{
    const struct image_offer offer = new_offer();
    start_server(false, NULL, "127.0.0.1");
    install_old();
    image_server_offer(&server, &offer);
    (void)snprintf(url, sizeof url, "https://127.0.0.1:%u", server.port);
    expect_no_server("plain", OTAC_E_TLS, "wrong version number");
}
END_TEST

START_TEST(plain_to_a_tls_server_is_an_error)
{
    const struct image_offer offer = new_offer();
    start_server(false, NULL, "127.0.0.1");
    install_old();
    start_server(true, &server_certificate, "127.0.0.1");
    image_server_offer(&server, &offer);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", server.port);
    expect_run("TLS", 3, "still on version 1.0.0", otac_err_text(OTAC_E_NO_ANSWER));
    (void)check_boot("TLS", old_image, OLD_N, false);
}
END_TEST

START_TEST(authorities_that_cannot_be_read_are_wrong_usage)
{
    const char *const nowhere[] = {"--ca", "/nowhere/ca.pem", NULL};
    const char *const no_pem[] = {"--ca", keys[0], NULL};
    start_server(true, &server_certificate, "127.0.0.1");
    struct command c = run_device(nowhere);
    ck_assert_msg(c.status == 2 && strstr(c.err, "/nowhere/ca.pem") != NULL, "%s", c.err);
    command_free(&c);
    c = run_device(no_pem);
    ck_assert_msg(c.status == 2 && strstr(c.err, keys[0]) != NULL, "%s", c.err);
    command_free(&c);
    start_server(false, NULL, "127.0.0.1");
    c = run_device(no_pem);
    ck_assert_msg(c.status == 2 && strstr(c.err, "https://") != NULL, "%s", c.err);
    command_free(&c);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("device_signed");
    TCase *tc = tcase_create("device");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, fault_is_named_and_leaves_the_image_before, 0, 2 * FAULT_ROWS);
    tcase_add_loop_test(tc, older_signed_image_is_not_taken_again, 0, 2);
    tcase_add_test(tc, only_keys_ask_for_signatures);
    tcase_add_loop_test(tc, cut_answer_leaves_the_image_before_and_goes_on, 0,
                        sizeof cut_rows / sizeof cut_rows[0]);
    tcase_add_loop_test(tc, end_of_a_whole_answer_may_be_rough, 0, 2);
    tcase_add_loop_test(tc, server_must_prove_who_it_is, 0,
                        sizeof certificate_rows / sizeof certificate_rows[0]);
    tcase_add_test(tc, authority_of_the_system_knows_nothing_of_ours);
    tcase_add_test(tc, tls_to_a_plain_server_is_an_error);
    tcase_add_test(tc, plain_to_a_tls_server_is_an_error);
    tcase_add_test(tc, authorities_that_cannot_be_read_are_wrong_usage);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
