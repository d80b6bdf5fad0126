/* SPDX-License-Identifier: MIT
 * The device client with keys: only what one of them signed is installed, and nothing that was
 * signed before what is there. The server is that of client_world, the check the POSIX port's. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "otad_client_posix.h"
#include "support/client_world.h"
#include "support/unit.h"

static struct client_world w;
static struct otac_posix posix; /* never opened: verifying needs none of it */
static struct otac_posix_keys keys;
static EVP_PKEY *ours, *other, *foreign;
static char path[64];

static const char *add_key(EVP_PKEY *key)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(PEM_write_PUBKEY(file, key), 1);
    ck_assert_int_eq(fclose(file), 0);
    return otac_posix_keys_add(&keys, path);
}

static void setup(void)
{
    (void)snprintf(path, sizeof path, "/tmp/otad-client-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0);
    ours = EVP_EC_gen("P-256");
    other = EVP_EC_gen("P-256");
    foreign = EVP_EC_gen("P-256");
    ck_assert(ours != NULL && other != NULL && foreign != NULL);
    ck_assert_ptr_null(add_key(ours));
    ck_assert_ptr_null(add_key(other));
    client_world_make(&w, 512, false);
    w.config.sign_keys = &keys;
    w.config.signing = &otac_signing;
    w.port.port.verify = otac_posix_port(&posix).verify;
    client_world_start(&w);
    client_world_serve(&w);
}

static void teardown(void)
{
    EVP_PKEY_free(ours);
    EVP_PKEY_free(other);
    EVP_PKEY_free(foreign);
    otac_posix_keys_free(&keys);
    (void)unlink(path);
}

static void add_header(const char *name, const char *value)
{
    char line[160];
    int n = snprintf(line, sizeof line, "%s: %s\r\n", name, value);
    char *end = w.offer + w.head_n - 2;
    memmove(end + n, end, w.offer_n - w.head_n + 2);
    memcpy(end, line, (size_t)n);
    w.head_n += (size_t)n;
    w.offer_n += (size_t)n;
}

/* Signs what the server would have signed, and says that it is the counter `said`. */
static void sign(EVP_PKEY *key, const char *label, uint64_t counter, const char *said)
{
    uint8_t text[12 + 32 + 8], signature[OTAC_SIGNATURE_MAX];
    char base64[4 * OTAC_SIGNATURE_MAX];
    size_t n = sizeof signature;
    memcpy(text, label, 12);
    ck_assert_int_eq(
        EVP_Digest(w.offer + w.head_n, w.offer_n - w.head_n, text + 12, NULL, EVP_sha256(), NULL),
        1);
    for (unsigned i = 0; i < 8; i++)
        text[51 - i] = (uint8_t)(counter >> (8 * i));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ck_assert_int_eq(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    ck_assert_int_eq(EVP_DigestSign(ctx, signature, &n, text, sizeof text), 1);
    EVP_MD_CTX_free(ctx);
    (void)EVP_EncodeBlock((unsigned char *)base64, signature, (int)n);
    add_header("x-otad-signature", base64);
    add_header("X-Otad-Counter", said);
}

static const char label[] = "otad-image-1";

static void expect_refused(int want)
{
    unsigned saves = w.port.saves, begins = w.port.begins;
    int rc = otac_update(&w.client);
    ck_assert_msg(rc == want, "%s, want %s", otac_err_word(rc), otac_err_word(want));
    ck_assert_uint_eq(w.port.begins, begins); /* before anything is erased */
    ck_assert_uint_eq(w.port.saves, saves);
    ck_assert_uint_eq(w.failures, 1);
    ck_assert_ptr_nonnull(strstr(w.report, otac_err_word(want)));
}

START_TEST(image_signed_by_any_key_is_installed)
{
    sign(_i == 0 ? ours : other, label, 4294967295u, "4294967295");
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert_uint_eq(w.client.record.counter, 4294967295u);
    ck_assert(client_world_boots_new(&w, "signed"));
    client_world_start(&w);
    ck_assert_uint_eq(w.client.record.counter, 4294967295u);
}
END_TEST

START_TEST(image_without_a_signature_is_refused)
{
    expect_refused(OTAC_E_NO_SIGNATURE);
}
END_TEST

START_TEST(image_signed_by_a_stranger_is_refused)
{
    sign(foreign, label, 7, "7");
    expect_refused(OTAC_E_SIGNATURE);
}
END_TEST

START_TEST(signature_of_something_else_is_refused)
{
    sign(ours, "otad-image-2", 7, "7");
    expect_refused(OTAC_E_SIGNATURE);
}
END_TEST

START_TEST(counter_is_signed_too)
{
    sign(ours, label, 7, "8");
    expect_refused(OTAC_E_SIGNATURE);
}
END_TEST

START_TEST(signature_of_another_image_is_refused)
{
    sign(ours, label, 7, "7");
    char *etag = strstr(w.offer, "ETag: \"") + 7;
    *etag = *etag == '0' ? '1' : '0';
    expect_refused(OTAC_E_SIGNATURE);
}
END_TEST

START_TEST(broken_headers_are_refused)
{
    if (_i == 0) {
        sign(ours, label, 4294967296u, "4294967296");
    } else {
        add_header("x-otad-signature", "MEUCI");
        add_header("x-otad-counter", "1");
    }
    expect_refused(OTAC_E_BAD_SIGNATURE);
}
END_TEST

/* An earlier image, rightly signed, sent again by somebody. */
START_TEST(replayed_image_is_refused)
{
    sign(ours, label, 7, "7");
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    client_world_start(&w);
    ck_assert_int_eq(otac_update(&w.client), OTAC_UP_TO_DATE);
    client_world_make_offer(&w, w.old_image, CLIENT_WORLD_OLD, "1.0.0", "41");
    sign(ours, label, 6, "6");
    expect_refused(OTAC_E_OLD_COUNTER);
    client_world_make_offer(&w, w.old_image, CLIENT_WORLD_OLD, "1.0.0", "42");
    sign(ours, label, 7, "7");
    ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
    ck_assert_uint_eq(w.client.record.counter, 7);
}
END_TEST

START_TEST(signed_image_is_still_proved_whole)
{
    sign(ours, label, 7, "7");
    w.offer[w.offer_n - 1] ^= 1;
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_SHA256);
    ck_assert_uint_eq(w.client.record.counter, 0);
}
END_TEST

START_TEST(signature_is_checked_when_a_download_goes_on)
{
    client_port_resumable(&w.port);
    sign(ours, label, 7, "7");
    w.drop_at = w.head_n + 900;
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_CONN_LOST);
    ck_assert_uint_gt(w.client.record.slot[1].state, 0);
    client_world_start(&w);
    if (_i == 0) {
        ck_assert_int_eq(otac_update(&w.client), OTAC_UPDATED);
        ck_assert_uint_eq(w.rests, 1);
        return;
    }
    memcpy(strstr(w.offer, "x-otad-signature"), "y", 1);
    ck_assert_int_eq(otac_update(&w.client), OTAC_E_NO_SIGNATURE);
    ck_assert_uint_eq(w.client.record.slot[1].state, 0);
}
END_TEST

START_TEST(hash_that_fails_proves_nothing)
{
    bool through = false;
    for (long fail_at = 1; !through; fail_at++) {
        client_world_make(&w, 512, false);
        w.config.sign_keys = &keys;
        w.config.signing = &otac_signing;
        w.port.port.verify = otac_posix_port(&posix).verify;
        client_world_start(&w);
        client_world_serve(&w);
        sign(ours, label, 7, "7");
        w.port.calls = 0;
        w.port.failed = false;
        w.port.fail_at = fail_at;
        bool updated = otac_update(&w.client) == OTAC_UPDATED;
        through = !w.port.failed;
        ck_assert(client_world_boots_new(&w, "fault") == updated);
    }
}
END_TEST

START_TEST(only_public_p256_keys_are_keys)
{
    EVP_PKEY *p384 = EVP_EC_gen("P-384"), *rsa = EVP_RSA_gen(2048);
    ck_assert_ptr_nonnull(add_key(p384));
    ck_assert_ptr_nonnull(add_key(rsa));
    EVP_PKEY_free(p384);
    EVP_PKEY_free(rsa);
    FILE *file = fopen(path, "wb");
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_ptr_nonnull(otac_posix_keys_add(&keys, path));
    ck_assert_ptr_nonnull(otac_posix_keys_add(&keys, "/nowhere/key.pem"));
    ck_assert_uint_eq(keys.n, 2);
    ck_assert_ptr_null(add_key(ours));
    ck_assert_ptr_null(add_key(ours));
    ck_assert_ptr_nonnull(add_key(ours));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("client_signed");
    TCase *tc = tcase_create("signed");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, image_signed_by_any_key_is_installed, 0, 2);
    tcase_add_test(tc, image_without_a_signature_is_refused);
    tcase_add_test(tc, image_signed_by_a_stranger_is_refused);
    tcase_add_test(tc, signature_of_something_else_is_refused);
    tcase_add_test(tc, counter_is_signed_too);
    tcase_add_test(tc, signature_of_another_image_is_refused);
    tcase_add_loop_test(tc, broken_headers_are_refused, 0, 2);
    tcase_add_test(tc, replayed_image_is_refused);
    tcase_add_test(tc, signed_image_is_still_proved_whole);
    tcase_add_loop_test(tc, signature_is_checked_when_a_download_goes_on, 0, 2);
    tcase_add_test(tc, hash_that_fails_proves_nothing);
    tcase_add_test(tc, only_public_p256_keys_are_keys);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
