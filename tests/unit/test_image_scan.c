/* SPDX-License-Identifier: MIT
 * What may stand anywhere in an image: Blynk tags and secrets. */
#include <stdio.h>

#include <jansson.h>

#include "image/image_json.h"
#include "image/scan.h"
#include "support/imgtest.h"

#define TEXT(s) s, sizeof(s) - 1

static struct image_info with_extra(const void *extra, size_t n)
{
    struct img img OTAD_AUTO(img_free) =
        build_app((struct img_spec){.chip = "ESP8266", .extra = extra, .extra_n = n});
    return inspect_img(&img);
}

static const struct tag_row {
    const char *what;
    const char *bytes;
    size_t n;
    unsigned pairs;      /* 0: no tag */
    const char *version; /* NULL: none */
    const char *source;
} tags[] = {
    {"mcu",
     TEXT("blnkinf\0mcu\0"
          "1.2.3\0\0"),
     1,                                                                "1.2.3", "Blynk tag mcu"},
    {"fw of a Linux build",
     TEXT("blnkinf\0fw\0"
          "2.0\0\0"),
     1,                                                                "2.0",   "Blynk tag fw" },
    {"mcu goes before fw",
     TEXT("blnkinf\0fw\0"
          "2.0\0mcu\0"
          "1.0\0\0"),
     2,                                                                "1.0",   "Blynk tag mcu"},
    {"empty mcu",
     TEXT("blnkinf\0mcu\0\0fw\0"
          "2.0\0\0"),
     2,                                                                "2.0",   "Blynk tag fw" },
    {"old library: ver is its own",
     TEXT("blnkinf\0ver\0"
          "0.6.1\0h-beat\0"
          "10\0\0"),
     2,                                                                NULL,    NULL           },
    {"ncp",
     TEXT("blnkinf\0ncp\0"
          "0.6\0\0"),
     1,                                                                NULL,    NULL           },
    {"mark in code",                   TEXT("blnkinf\0\x90\x91\0"), 0, NULL,    NULL           },
    {"mark alone",                     TEXT("blnkinf\0\0"),         0, NULL,    NULL           },
    {"value with a control character",
     TEXT("blnkinf\0mcu\0"
          "1\x01.2\0\0"),
     0,                                                                NULL,    NULL           },
    {"no closing NUL",
     TEXT("blnkinf\0mcu\0"
          "1.0\0\xff"),
     1,                                                                "1.0",   "Blynk tag mcu"},
    {"first mark in code, tag later",
     TEXT("blnkinf\0\x80xxxxblnkinf\0mcu\0"
          "5\0\0"),
     1,                                                                "5",     "Blynk tag mcu"},
    {"tag with a version wins",
     TEXT("blnkinf\0dev\0x\0\0blnkinf\0mcu\0"
          "6\0\0"),
     1,                                                                "6",     "Blynk tag mcu"},
    {"first of two versions stays",
     TEXT("blnkinf\0mcu\0"
          "6\0\0blnkinf\0mcu\0"
          "7\0\0"),
     1,                                                                "6",     "Blynk tag mcu"},
    {"overlong value is left out",
     TEXT("blnkinf\0mcu\0"
          "0123456789012345678901234567890123456789012345678901234567890123456789\0fw\0"
          "1\0\0"),
     1,                                                                "1",     "Blynk tag fw" },
    {"overlong key is left out",
     TEXT("blnkinf\0averyveryverylongkey\0x\0mcu\0"
          "3\0\0"),
     1,                                                                "3",     "Blynk tag mcu"},
    {"nearly the mark",
     TEXT("blnkinx\0mcu\0"
          "1\0\0"),
     0,                                                                NULL,    NULL           },
};

START_TEST(tag_is_read_strictly)
{
    const struct tag_row *row = &tags[_i];
    struct image_info info = with_extra(row->bytes, row->n);
    const char *source = "poison";
    const char *version = image_version(&info, &source);
    ck_assert_msg(info.blynk.found == (row->pairs > 0), "%s", row->what);
    ck_assert_msg(info.blynk.count == row->pairs, "%s: %u", row->what, info.blynk.count);
    ck_assert_pstr_eq(version, row->version);
    ck_assert_pstr_eq(source, row->source);
    char hint[256] = "";
    image_version_hint(&info, hint, sizeof hint);
    ck_assert(hint[0] != '\0');
}
END_TEST

START_TEST(too_many_pairs_are_bounded)
{
    struct img tag OTAD_AUTO(img_free) = {0};
    img_put(&tag, "blnkinf", 8);
    for (unsigned i = 0; i < 40; i++)
        img_put(&tag, "k\0v", 4);
    img_fill(&tag, 0, 1);
    struct image_info info = with_extra(tag.data, tag.n);
    ck_assert_uint_eq(info.blynk.count, IMAGE_BLYNK_PAIRS_MAX);
}
END_TEST

#define B64_40 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn"
#define X35 "abcdefghijklmnopqrstuvwxyz012345678"

static const struct secret_row {
    const char *what;
    const char *bytes;
    size_t n;
    const char *warning; /* NULL: none; else part of the first warning's text */
} secrets[] = {
    {"PEM",                         TEXT("-----BEGIN RSA PRIVATE KEY-----\n" B64_40 B64_40 "\n"),          "private key"            },
    {"PEM without a name",          TEXT("-----BEGIN PRIVATE KEY-----\r\n" B64_40 "\n"),                   "private key"            },
    {"PEM of elliptic curves",      TEXT("-----BEGIN EC PRIVATE KEY-----\n" B64_40),                       "private key"            },
    {"PEM in a raw literal",        TEXT("-----BEGIN PRIVATE KEY-----\\n" B64_40 "\\n"),                   "private key"            },
    {"PEM header of a library",     TEXT("-----BEGIN RSA PRIVATE KEY-----\0-----END"),                     NULL                     },
    {"certificate",                 TEXT("-----BEGIN CERTIFICATE-----\n" B64_40 B64_40 "\n"),              NULL                     },
    {"public key",                  TEXT("-----BEGIN PUBLIC KEY-----\n" B64_40 B64_40 "\n"),               NULL                     },
    {"PEM header that never ends",  TEXT("-----BEGIN AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),               NULL                     },
    {"PEM, body too short",         TEXT("-----BEGIN PRIVATE KEY-----\nABCDEF\n"),                         NULL                     },
    {"DigitalOcean",
     TEXT("\0dop_v1_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\0"),
     "DigitalOcean token"                                                                                                           },
    {"DigitalOcean, upper case",
     TEXT("\0dop_v1_0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\0"),                  NULL                     },
    {"key in base64",               TEXT("AccountKey=+/" B64_40 B64_40 "ABCD==\0"),                        "Azure storage key"      },
    {"dashes",                      TEXT("--------------------------------------------------------"),      NULL                     },
    {"AWS key",                     TEXT("\0AKIA0123456789ABCDEF\0"),                                      "AWS access key"         },
    {"AWS key inside a word",       TEXT("xAKIA0123456789ABCDEF\0"),                                       NULL                     },
    {"AWS key, too long",           TEXT("\0AKIA0123456789ABCDEFG\0"),                                     NULL                     },
    {"AWS key, too short",          TEXT("\0AKIA0123456789ABCDE\0"),                                       NULL                     },
    {"GitHub",                      TEXT("\0ghp_" X35 "9\0"),                                              "GitHub token"           },
    {"GitHub, fine-grained",        TEXT("\"github_pat_" X35 X35 "123456789012\""),                        "GitHub token"           },
    {"GitLab",                      TEXT("\0glpat-abcdefghij_1234-6789\0"),                                "GitLab token"           },
    {"GitLab, too short",           TEXT("\0glpat-abcdefghij_1234-678\0"),                                 NULL                     },
    {"Google",                      TEXT("\0AIza" X35 "\0"),                                               "Google API key"         },
    {"Slack",                       TEXT("\0xoxb-1234567890-abcdefghij\0"),                                "Slack token"            },
    {"Stripe",                      TEXT("\0sk_live_abcdefghijklmnopqrstuvwx\0"),                          "Stripe key"             },
    {"Stripe, test mode",           TEXT("\0sk_test_abcdefghijklmnopqrstuvwx\0"),                          NULL                     },
    {"Azure",                       TEXT("x;SharedAccessKey=" X35 "ABCDEFGH=\0"),                          "Azure shared access key"},
    {"Telegram",
     TEXT("\0"
          "123456789:AA" X35 "\0"),
     NULL                                                                                                                           },
    {"Telegram, right length",
     TEXT("\0"
          "123456789:AAabcdefghijklmnopqrstuvwxyz0123456\0"),
     "Telegram bot token"                                                                                                           },
    {"long number",
     TEXT("\0"
          "12345678901234567890\0"),
     NULL                                                                                                                           },
    {"web token",                   TEXT("\0eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijklmnop\0"),
     "JSON web token"                                                                                                               },
    {"web token without signature", TEXT("\0eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.\0"),                 NULL                     },
    {"password in a URL",           TEXT("mqtt://home:sesame@broker.lan:1883"),                            "password in a URL"      },
    {"URL format",                  TEXT("http://%s:%s@%s/"),                                              NULL                     },
    {"plain URL",                   TEXT("http://example.org:8080/a@b"),                                   NULL                     },
    {"Wi-Fi defaults",              TEXT("blnkopt\0ssid\0home\0pass\0sesame\0host\0blynk.cloud\0\0"),
     "provisioning defaults"                                                                                                        },
};

START_TEST(secret_is_told_by_kind_and_place)
{
    const struct secret_row *row = &secrets[_i];
    struct image_info info = with_extra(row->bytes, row->n);
    ck_assert_msg((info.warning_count > 0) == (row->warning != NULL), "%s: %u %s", row->what,
                  info.warning_count, info.warnings[0].text);
    if (row->warning == NULL)
        return;
    assert_holds(row->what, info.warnings[0].text, row->warning);
    ck_assert_uint_ge(info.warnings[0].offset, 0x1018);
    ck_assert_uint_lt(info.warnings[0].offset, 0x1018 + row->n);
    ck_assert(image_is_deliverable(&info)); /* a warning, no refusal */
}
END_TEST

/** Neither the result nor its JSON holds any part of what was found. */
START_TEST(secret_is_never_printed)
{
    struct image_info info =
        with_extra(TEXT("blnkopt\0ssid\0HOMENET\0pass\0SESAME99\0auth\0TOKENTOKEN\0\0"
                        "\0AKIA0123456789ABCDEF\0 mqtt://home:HIDDEN7@broker.lan"));
    ck_assert(info.blynk_options);
    ck_assert_uint_eq(info.warning_count, 5);
    json_t *json = image_info_json(&info);
    char *text = json_dumps(json, 0);
    static const char *const hidden[] = {"HOMENET", "SESAME99", "TOKENTOKEN", "AKIA0", "HIDDEN7"};
    for (unsigned i = 0; i < OTAD_COUNT(hidden); i++) {
        ck_assert_msg(strstr(text, hidden[i]) == NULL, "%s in %s", hidden[i], text);
        ck_assert_ptr_null(memmem(&info, sizeof info, hidden[i], strlen(hidden[i])));
    }
    free(text);
    json_decref(json);
}
END_TEST

START_TEST(warnings_are_bounded)
{
    struct img many OTAD_AUTO(img_free) = {0};
    for (unsigned i = 0; i < 100; i++)
        img_put(&many, "AKIA0123456789ABCDEF ", 21);
    struct image_info info = with_extra(many.data, many.n);
    ck_assert_uint_eq(info.warning_count, IMAGE_WARNINGS_MAX);
    ck_assert_int_eq(info.warnings[IMAGE_WARNINGS_MAX - 1].code, IMAGE_WARN_LIMIT);
}
END_TEST

START_TEST(scan_never_reads_beyond)
{
    /* each prefix of each sample, in a block of exactly its size (the sanitizers watch) */
    const struct secret_row *row = &secrets[_i];
    for (size_t n = 0; n <= row->n; n++) {
        struct image_info info = {0};
        uint8_t *exact = malloc(n > 0 ? n : 1);
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, row->bytes, n);
        ck_assert_uint_ge(scan_bytes(&info, exact, 0, n, n, 0), n);
        free(exact);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("image_scan");
    TCase *tag = tcase_create("tag");
    tcase_add_loop_test(tag, tag_is_read_strictly, 0, (int)OTAD_COUNT(tags));
    tcase_add_test(tag, too_many_pairs_are_bounded);
    suite_add_tcase(suite, tag);
    TCase *secret = tcase_create("secret");
    tcase_add_loop_test(secret, secret_is_told_by_kind_and_place, 0, (int)OTAD_COUNT(secrets));
    tcase_add_loop_test(secret, scan_never_reads_beyond, 0, (int)OTAD_COUNT(secrets));
    tcase_add_test(secret, secret_is_never_printed);
    tcase_add_test(secret, warnings_are_bounded);
    suite_add_tcase(suite, secret);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
