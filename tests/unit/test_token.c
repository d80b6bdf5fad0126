/* SPDX-License-Identifier: MIT
 * Units of fleet/token.h and fleet/secret.h. The vectors were computed with Python's hmac module
 * from the definition in the header. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "fleet/token.h"
#include "support/unit.h"

static uint8_t key[TOKEN_KEY_LEN];

static void make_key(void)
{
    uint8_t secret[SECRET_LEN];
    for (uint8_t i = 0; i < SECRET_LEN; i++)
        secret[i] = i;
    ck_assert_int_eq(token_key(secret, key), OTAD_E_OK);
}

START_TEST(key_of_a_secret_is_hkdf)
{
    char hex[2 * TOKEN_KEY_LEN + 1];
    hex_encode(key, sizeof key, hex);
    ck_assert_str_eq(hex, "43da71624b4011f51d77670c09cd1ccb9684d163a56a089cec6d8ca0b4ccdd72");
}
END_TEST

static const struct vector {
    const char *what;
    uint64_t id;
    int32_t n;
    uint32_t expiry_s;
    const char *token;
} vectors[] = {
    {"any device",                1,                    0,          2000000000u, "dzWUAGlf3KKoV1DdIkou65gb1bA_Mw"},
    {"all bits of id and expiry", UINT64_MAX,           -838595071, UINT32_MAX,
     "_____2aacXyDrw1W_C2Bqp8Muap1Rg"                                                                            },
    {"a number as Blynk's",       3148441001967791257u, -838595071, 1900000000u,
     "cT-zAF75IEPK3s8NoUogr6inQgfHSw"                                                                            },
};

START_TEST(token_is_the_vector_and_opens)
{
    const struct vector *v = &vectors[_i];
    char text[TOKEN_LEN + 1] = "poison";
    ck_assert_int_eq(token_make(key, v->id, v->n, v->expiry_s, text), OTAD_E_OK);
    ck_assert_msg(strcmp(text, v->token) == 0, "%s: made %s", v->what, text);
    ck_assert_msg(token_check(key, v->id, v->n, text, (int64_t)v->expiry_s - 1), "%s", v->what);
}
END_TEST

/* Each row spoils the first vector in one way. */
static const struct spoiled {
    const char *what;
    uint64_t id;
    int32_t n;
    const char *token;
    int64_t now_s;
} spoiled[] = {
    {"at its expiry",              1, 0, "dzWUAGlf3KKoV1DdIkou65gb1bA_Mw",   2000000000},
    {"after its expiry",           1, 0, "dzWUAGlf3KKoV1DdIkou65gb1bA_Mw",   2000000001},
    {"of another build",           2, 0, "dzWUAGlf3KKoV1DdIkou65gb1bA_Mw",   0         },
    {"of another device",          1, 1, "dzWUAGlf3KKoV1DdIkou65gb1bA_Mw",   0         },
    {"with a later expiry",        1, 0, "dzWUAWlf3KKoV1DdIkou65gb1bA_Mw",   0         },
    {"with another last byte",     1, 0, "dzWUAGlf3KKoV1DdIkou65gb1bA_Nw",   0         },
    {"with a spare bit set",       1, 0, "dzWUAGlf3KKoV1DdIkou65gb1bA_Mx",   0         },
    {"in the other alphabet",      1, 0, "dzWUAGlf3KKoV1DdIkou65gb1bA/Mw",   0         },
    {"with a blank in the expiry", 1, 0, "dz UAGlf3KKoV1DdIkou65gb1bA_Mw",   0         },
    {"padded",                     1, 0, "dzWUAGlf3KKoV1DdIkou65gb1bA_Mw==", 0         },
    {"short",                      1, 0, "dzWUAGlf3KKoV1DdIkou65gb1bA_M",    0         },
    {"empty",                      1, 0, "",                                 0         },
};

START_TEST(token_spoiled_is_refused)
{
    const struct spoiled *s = &spoiled[_i];
    ck_assert_msg(!token_check(key, s->id, s->n, s->token, s->now_s), "%s", s->what);
}
END_TEST

START_TEST(token_every_other_character_is_refused)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t at = 0; at < TOKEN_LEN; at++)
        for (size_t c = 0; c < 64; c++) {
            char text[TOKEN_LEN + 1];
            memcpy(text, vectors[0].token, sizeof text);
            if (text[at] == letters[c])
                continue;
            text[at] = letters[c];
            ck_assert_msg(!token_check(key, 1, 0, text, 0), "%s opens", text);
        }
}
END_TEST

/* ---- the secret --------------------------------------------------------------------------- */

static char dir[64], path[80];

static void make_dir(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/otad-secret-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/secret", dir);
}

static void remove_dir(void)
{
    (void)unlink(path);
    (void)rmdir(dir);
}

START_TEST(secret_made_once_stays)
{
    uint8_t first[SECRET_LEN] = {0}, second[SECRET_LEN] = {0}, zero[SECRET_LEN] = {0};
    struct stat st;
    ck_assert_int_eq(secret_load(dir, first, NULL), OTAD_E_OK);
    ck_assert_int_eq(secret_load(dir, second, NULL), OTAD_E_OK);
    ck_assert_mem_eq(first, second, SECRET_LEN);
    ck_assert_mem_ne(first, zero, SECRET_LEN);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(st.st_size, 2 * SECRET_LEN + 1);
}
END_TEST

static const struct damaged {
    const char *what, *text;
} damaged[] = {
    {"empty",          ""                                                                    },
    {"only a newline", "\n"                                                                  },
    {"too short",      "00\n"                                                                },
    {"no hex",         "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"  },
    {"too long",       "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f00\n"},
};

START_TEST(secret_damaged_is_refused_with_advice)
{
    uint8_t out[SECRET_LEN], poison[SECRET_LEN];
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    memset(poison, 0xA5, sizeof poison);
    memcpy(out, poison, sizeof out);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(damaged[_i].text, f);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_msg(secret_load(dir, out, &ei) == OTAD_E_INVALID, "%s", damaged[_i].what);
    ck_assert_mem_eq(out, poison, sizeof out);
    ck_assert_ptr_nonnull(strstr(ei.hint, "backup"));
}
END_TEST

START_TEST(secret_in_a_missing_folder_is_an_io_error)
{
    uint8_t out[SECRET_LEN];
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    ck_assert_int_eq(secret_load("/nonexistent-otad", out, &ei), OTAD_E_IO);
    ck_assert_ptr_nonnull(strstr(ei.msg, "/nonexistent-otad/secret"));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("token");
    TCase *tc = tcase_create("token");
    tcase_add_checked_fixture(tc, make_key, NULL);
    tcase_add_test(tc, key_of_a_secret_is_hkdf);
    tcase_add_loop_test(tc, token_is_the_vector_and_opens, 0,
                        (int)(sizeof vectors / sizeof vectors[0]));
    tcase_add_loop_test(tc, token_spoiled_is_refused, 0, (int)(sizeof spoiled / sizeof spoiled[0]));
    tcase_add_test(tc, token_every_other_character_is_refused);
    suite_add_tcase(suite, tc);
    TCase *secret = tcase_create("secret");
    tcase_add_checked_fixture(secret, make_dir, remove_dir);
    tcase_add_test(secret, secret_made_once_stays);
    tcase_add_loop_test(secret, secret_damaged_is_refused_with_advice, 0,
                        (int)(sizeof damaged / sizeof damaged[0]));
    tcase_add_test(secret, secret_in_a_missing_folder_is_an_io_error);
    suite_add_tcase(suite, secret);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
