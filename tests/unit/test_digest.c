/* SPDX-License-Identifier: MIT
 * Hashes against published vectors (RFC 1321, FIPS 180-4), in one piece and while flowing. */
#include <string.h>

#include "base/digest.h"
#include "base/hex.h"
#include "support/unit.h"

static const struct {
    const char *what;
    const char *text;
    const char *md5, *sha256;
} rows[] = {
    {"nothing",    "",                                                         "d41d8cd98f00b204e9800998ecf8427e",
     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"                                                                                                              },
    {"abc",        "abc",                                                      "900150983cd24fb0d6963f7d28e17f72",
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"                                                                                                              },
    {"two blocks", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "8215ef0796a20bcaaae116d3876c664a",                                                                           "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void assert_sums(size_t i, const uint8_t *md5, const uint8_t *sha256)
{
    char text[65];
    hex_encode(md5, OTAD_MD5_LEN, text);
    ck_assert_msg(strcmp(text, rows[i].md5) == 0, "%s: md5 %s", rows[i].what, text);
    hex_encode(sha256, OTAD_SHA256_LEN, text);
    ck_assert_msg(strcmp(text, rows[i].sha256) == 0, "%s: sha256 %s", rows[i].what, text);
}

START_TEST(one_shot_sums_are_the_published_ones)
{
    uint8_t md5[OTAD_MD5_LEN], sha256[OTAD_SHA256_LEN];
    size_t n = strlen(rows[_i].text);
    ck_assert_int_eq(digest_md5(rows[_i].text, n, md5), OTAD_E_OK);
    ck_assert_int_eq(digest_sha256(rows[_i].text, n, sha256), OTAD_E_OK);
    assert_sums((size_t)_i, md5, sha256);
}
END_TEST

START_TEST(flowing_sums_are_the_same_at_any_cut)
{
    size_t n = strlen(rows[_i].text);
    for (size_t cut = 0; cut <= n; cut++) {
        uint8_t md5[OTAD_MD5_LEN], sha256[OTAD_SHA256_LEN];
        struct digest *d OTAD_AUTO(digest_free) = digest_new();
        ck_assert_ptr_nonnull(d);
        digest_update(d, rows[_i].text, cut);
        digest_update(d, rows[_i].text + cut, n - cut);
        ck_assert_int_eq(digest_final(d, md5, sha256), OTAD_E_OK);
        assert_sums((size_t)_i, md5, sha256);
    }
}
END_TEST

START_TEST(either_output_may_be_left_out)
{
    uint8_t md5[OTAD_MD5_LEN], sha256[OTAD_SHA256_LEN];
    struct digest *a OTAD_AUTO(digest_free) = digest_new();
    struct digest *b OTAD_AUTO(digest_free) = digest_new();
    digest_update(a, "abc", 3);
    digest_update(b, "abc", 3);
    ck_assert_int_eq(digest_final(a, md5, NULL), OTAD_E_OK);
    ck_assert_int_eq(digest_final(b, NULL, sha256), OTAD_E_OK);
    assert_sums(1, md5, sha256);
}
END_TEST

START_TEST(free_empties_the_variable)
{
    struct digest *d = digest_new();
    digest_free(&d);
    ck_assert_ptr_null(d);
    digest_free(&d);
}
END_TEST

START_TEST(equal_sees_every_byte)
{
    uint8_t a[32] = {1, 2, 3}, b[32] = {1, 2, 3};
    ck_assert(digest_equal(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] ^= 0x80;
        ck_assert_msg(!digest_equal(a, b, sizeof a), "byte %zu", i);
        ck_assert(digest_equal(a, b, i));
        b[i] ^= 0x80;
    }
}
END_TEST

START_TEST(random_fills_all_bytes_and_never_repeats)
{
    uint8_t a[300] = {0}, b[300] = {0};
    ck_assert_int_eq(random_bytes(a, sizeof a), OTAD_E_OK);
    ck_assert_int_eq(random_bytes(b, sizeof b), OTAD_E_OK);
    ck_assert_mem_ne(a, b, sizeof a);
    for (size_t i = 0; i < sizeof a; i += 30) { /* 30 zeros in a row: 2^-240 */
        static const uint8_t zeros[30];
        ck_assert_mem_ne(a + i, zeros, sizeof zeros);
    }
    ck_assert_int_eq(random_bytes(NULL, 0), OTAD_E_OK);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("digest");
    TCase *t = tcase_create("sums");
    tcase_add_loop_test(t, one_shot_sums_are_the_published_ones, 0, (int)OTAD_COUNT(rows));
    tcase_add_loop_test(t, flowing_sums_are_the_same_at_any_cut, 0, (int)OTAD_COUNT(rows));
    tcase_add_test(t, either_output_may_be_left_out);
    tcase_add_test(t, free_empties_the_variable);
    suite_add_tcase(s, t);
    t = tcase_create("others");
    tcase_add_test(t, equal_sees_every_byte);
    tcase_add_test(t, random_fills_all_bytes_and_never_repeats);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
