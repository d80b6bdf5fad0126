/* SPDX-License-Identifier: MIT
 * espota's datagrams: what is said, and what is understood. */
#include <string.h>

#include "push/espota.h"
#include "support/unit.h"

static const struct espota_offer offer = {
    .port = 41003, .size_bytes = 299184, .md5 = "d41d8cd98f00b204e9800998ecf8427e"};

/* ---- what we say -------------------------------------------------------------------------- */

START_TEST(invitation_names_command_port_size_and_md5)
{
    char text[ESPOTA_DATAGRAM_MAX];
    struct espota_offer fs = offer;
    ck_assert_uint_eq(espota_invite(&offer, text), strlen(text));
    ck_assert_str_eq(text, "0 41003 299184 d41d8cd98f00b204e9800998ecf8427e\n");
    fs.fs = true;
    (void)espota_invite(&fs, text);
    ck_assert_str_eq(text, "100 41003 299184 d41d8cd98f00b204e9800998ecf8427e\n");
}
END_TEST

/* What each framework's own espota.py was recorded to send: of an ESP32 core 2.0.4, and an ESP8266.
 */
START_TEST(invitations_are_those_of_the_stock_tools)
{
    char text[ESPOTA_DATAGRAM_MAX];
    const struct espota_offer esp32 = {
        .port = 41023, .size_bytes = 1072, .md5 = "b9755c28334d57e26a66afb515e09d20"};
    const struct espota_offer fs = {
        .fs = true, .port = 41004, .size_bytes = 4000, .md5 = "cdb68a6a0bed5ad5361294626788d1e1"};
    (void)espota_invite(&esp32, text);
    ck_assert_str_eq(text, "0 41023 1072 b9755c28334d57e26a66afb515e09d20\n");
    (void)espota_invite(&fs, text);
    ck_assert_str_eq(text, "100 41004 4000 cdb68a6a0bed5ad5361294626788d1e1\n");
}
END_TEST

static const struct {
    enum espota_hash hash;
    const char *nonce, *want;
} answers[] = {
    {ESPOTA_MD5,    "0123456789abcdef0123456789abcdef",
     "200 ade93e82cd656938654afa6af828dc36 bdb9d6d58eddf51407c24cc80015209f\n"},
    {ESPOTA_SHA256, "abababababababababababababababababababababababababababababababab",
     "200 832a71d9e8a70a9ee50af00d08fb5d6200f5a40e3b974f55096f6e3fd39ffb5d "
     "3c2a8cf764ea3abb5f237370f9e12167c46977fbf883c6c052ebd6b1c10cc65f\n"     },
};

/* Computed with Python's hashlib from the description of both generations. */
START_TEST(answer_row)
{
    char text[ESPOTA_DATAGRAM_MAX];
    size_t n = 0;
    ck_assert_int_eq(espota_answer(&offer, answers[_i].hash, answers[_i].nonce, "admin",
                                   "firmware.bin", "192.168.1.50", text, &n),
                     OTAD_E_OK);
    ck_assert_str_eq(text, answers[_i].want);
    ck_assert_uint_eq(n, strlen(text));
}
END_TEST

/* The fallback hashes the MD5 of the password: the same as a password that is that MD5's text but
 * for the SHA-256 around it, so only its own vector tells. */
START_TEST(answer_of_a_sketch_that_holds_an_md5_differs)
{
    char sha256[ESPOTA_DATAGRAM_MAX], md5[ESPOTA_DATAGRAM_MAX];
    size_t n;
    ck_assert_int_eq(
        espota_answer(&offer, ESPOTA_SHA256, answers[1].nonce, "admin", "f", "1.2.3.4", sha256, &n),
        OTAD_E_OK);
    ck_assert_int_eq(espota_answer(&offer, ESPOTA_SHA256_OF_MD5, answers[1].nonce, "admin", "f",
                                   "1.2.3.4", md5, &n),
                     OTAD_E_OK);
    ck_assert_int_eq(strncmp(sha256, md5, 4 + 64), 0); /* the client's nonce is the same */
    ck_assert_str_ne(sha256, md5);
}
END_TEST

/* A path of any length goes in; what goes out keeps its form. */
START_TEST(long_names_change_no_lengths)
{
    char name[2000], text[ESPOTA_DATAGRAM_MAX];
    size_t n;
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ck_assert_int_eq(
        espota_answer(&offer, ESPOTA_SHA256, answers[1].nonce, name, name, name, text, &n),
        OTAD_E_OK);
    ck_assert_uint_eq(n, 4 + 64 + 1 + 64 + 1);
    ck_assert_uint_eq(n, strlen(text));
}
END_TEST

/* ---- what we understand ------------------------------------------------------------------- */

#define N32 "0123456789abcdef0123456789ABCDEF"
static const struct {
    const char *datagram;
    enum espota_word word;
    const char *text; /* nonce of a challenge, else the words */
} replies[] = {
    {"OK",                                    ESPOTA_OK,          ""                          },
    {"OK\n",                                  ESPOTA_OK,          ""                          },
    {"OK, and more",                          ESPOTA_UNKNOWN,     "OK, and more"              },
    {"AUTH " N32,                             ESPOTA_CHALLENGE,   N32                         },
    {"AUTH " N32 N32 "\n",                    ESPOTA_CHALLENGE,   N32 N32                     },
    {"AUTH " N32 "0",                         ESPOTA_UNKNOWN,     "AUTH " N32 "0"             },
    {"AUTH " N32 N32 N32,                     ESPOTA_UNKNOWN,     "AUTH " N32 N32 N32         },
    {"AUTH 0123456789abcdef0123456789abcdeg", ESPOTA_UNKNOWN,
     "AUTH 0123456789abcdef0123456789abcdeg"                                                  },
    {"AUTH ",                                 ESPOTA_UNKNOWN,     "AUTH"                      },
    {"Authentication Failed",                 ESPOTA_AUTH_FAILED, ""                          },
    {"ERR: ERROR[4]: Not Enough Space\n",     ESPOTA_ERROR,       "ERROR[4]: Not Enough Space"},
    {"ERR:",                                  ESPOTA_ERROR,       ""                          },
    {"",                                      ESPOTA_UNKNOWN,     ""                          },
    {"\x01\xff<script>",                      ESPOTA_UNKNOWN,     "?\?<script>"               },
};

START_TEST(reply_row)
{
    struct espota_reply reply;
    const char *text = replies[_i].datagram;
    espota_read(text, strlen(text), &reply);
    ck_assert_int_eq(reply.word, replies[_i].word);
    ck_assert_str_eq(reply.word == ESPOTA_CHALLENGE ? reply.nonce : reply.text, replies[_i].text);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("espota");
    TCase *t = tcase_create("said");
    tcase_add_test(t, invitation_names_command_port_size_and_md5);
    tcase_add_test(t, invitations_are_those_of_the_stock_tools);
    tcase_add_loop_test(t, answer_row, 0, (int)OTAD_COUNT(answers));
    tcase_add_test(t, answer_of_a_sketch_that_holds_an_md5_differs);
    tcase_add_test(t, long_names_change_no_lengths);
    suite_add_tcase(s, t);
    t = tcase_create("understood");
    tcase_add_loop_test(t, reply_row, 0, (int)OTAD_COUNT(replies));
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(suite)
