/* SPDX-License-Identifier: MIT
 * Every spelling of a MAC address, and what is none. */
#include <string.h>

#include "base/mac.h"
#include "otad/err.h"
#include "support/unit.h"

#define POISON 0xDEADULL
#define LAMP 0x30AEA48436F0ULL

static const struct {
    const char *what;
    const char *text;
    uint64_t want; /* 0: none */
} rows[] = {
    {"bare, upper case",       "30AEA48436F0",       LAMP             },
    {"bare, lower case",       "30aea48436f0",       LAMP             },
    {"bare, mixed case",       "30aEA48436f0",       LAMP             },
    {"colons, upper case",     "30:AE:A4:84:36:F0",  LAMP             },
    {"colons, lower case",     "30:ae:a4:84:36:f0",  LAMP             },
    {"dashes",                 "30-AE-A4-84-36-F0",  LAMP             },
    {"smallest",               "00:00:00:00:00:01",  1                },
    {"largest unicast",        "FEFFFFFFFFFF",       0xFEFFFFFFFFFFULL},
    {"locally administered",   "02:00:00:00:00:01",  0x020000000001ULL},
    {"all zero",               "000000000000",       0                },
    {"all one",                "FFFFFFFFFFFF",       0                },
    {"all one, colons",        "ff:ff:ff:ff:ff:ff",  0                },
    {"multicast",              "01005E000001",       0                },
    {"multicast, odd octet",   "33:33:00:00:00:01",  0                },
    {"empty",                  "",                   0                },
    {"11 digits",              "30AEA48436F",        0                },
    {"13 digits",              "30AEA48436F00",      0                },
    {"bad first digit",        "G0AEA48436F0",       0                },
    {"bad last digit",         "30AEA48436FG",       0                },
    {"17 characters, no mark", "30AEA48436F030AEA",  0                },
    {"dots",                   "30.AE.A4.84.36.F0",  0                },
    {"blanks",                 "30 AE A4 84 36 F0",  0                },
    {"mixed marks",            "30:AE-A4:84:36:F0",  0                },
    {"mark in a wrong place",  "30:AEA:4:84:36:F0",  0                },
    {"a mark for a digit",     "30:AE:A4:84:36::0",  0                },
    {"mark at the end",        "30:AE:A4:84:36:F:",  0                },
    {"Cisco's way",            "30AE.A484.36F0",     0                },
    {"18 characters",          "30:AE:A4:84:36:F0 ", 0                },
    {"still percent-encoded",  "30%3AAE%3AA4%3A84",  0                },
    {"a word of 12",           "latest-build",       0                },
    {"above ASCII",            "30AEA48436F\xe9",    0                },
};

START_TEST(parse_row)
{
    uint64_t mac = POISON;
    ck_assert_msg(mac_parse(rows[_i].text, &mac) == (rows[_i].want != 0), "%s", rows[_i].what);
    ck_assert_msg(mac == (rows[_i].want != 0 ? rows[_i].want : POISON), "%s", rows[_i].what);
}
END_TEST

START_TEST(text_is_upper_case_with_colons)
{
    char text[OTAD_MAC_TEXT];
    memset(text, 'x', sizeof text);
    mac_text(LAMP, text);
    ck_assert_str_eq(text, "30:AE:A4:84:36:F0");
    mac_text(0x0a0b0c0d0e0f, text);
    ck_assert_str_eq(text, "0A:0B:0C:0D:0E:0F");
}
END_TEST

START_TEST(text_reads_back)
{
    for (unsigned bit = 0; bit < 48; bit++) {
        char text[OTAD_MAC_TEXT];
        uint64_t mac = 0;
        if (bit == 40)
            continue; /* multicast */
        mac_text(1ULL << bit, text);
        ck_assert_msg(mac_parse(text, &mac) && mac == 1ULL << bit, "%s", text);
    }
}
END_TEST

static const struct {
    const char *what;
    const char *text;
    bool want;
} words[] = {
    {"a name",         "kitchen-lamp",                      true },
    {"every kind",     "aZ09:_.-",                          true },
    {"one character",  "a",                                 true },
    {"32 characters",  "abcdefghijklmnopqrstuvwxyz012345",  true },
    {"33 characters",  "abcdefghijklmnopqrstuvwxyz0123456", false},
    {"empty",          "",                                  false},
    {"blank",          "a b",                               false},
    {"percent",        "a%41",                              false},
    {"slash",          "a/b",                               false},
    {"above ASCII",    "l\xc3\xa4mp",                       false},
    {"newline at end", "lamp\n",                            false},
};

START_TEST(word_row)
{
    ck_assert_msg(mac_is_word(words[_i].text) == words[_i].want, "%s", words[_i].what);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("mac");
    TCase *t = tcase_create("mac");
    tcase_add_loop_test(t, parse_row, 0, (int)OTAD_COUNT(rows));
    tcase_add_test(t, text_is_upper_case_with_colons);
    tcase_add_test(t, text_reads_back);
    tcase_add_loop_test(t, word_row, 0, (int)OTAD_COUNT(words));
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
