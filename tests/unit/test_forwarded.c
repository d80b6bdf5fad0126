/* SPDX-License-Identifier: MIT
 * Units of http/forwarded.h: whom a chain of proxies names, and what it can't be made to say. */
#include <stdio.h>
#include <string.h>

#include "http/forwarded.h"
#include "otad/err.h"
#include "support/unit.h"

static struct net_list trusted_nets(void)
{
    static const char *const texts[] = {"10.0.0.0/8", "127.0.0.1", "fd00::/8"};
    struct net_list list = {.n = 0};
    for (size_t i = 0; i < OTAD_COUNT(texts); i++)
        ck_assert(net_parse(texts[i], &list.items[list.n++]));
    return list;
}

static void check_client(const char *what, const struct forwarded *f, const char *want)
{
    char text[NET_TEXT_MAX] = "";
    if (f->has_client)
        net_addr_text(&f->client, text);
    ck_assert_msg(strcmp(text, want) == 0, "%s: client is '%s', want '%s'", what, text, want);
}

static const struct {
    const char *what, *lines[3];
    const char *client; /* "": the peer */
} for_rows[] = {
    {"one address",                      {"192.0.2.1"},                                            "192.0.2.1"  },
    {"blanks around",                    {"  192.0.2.1\t"},                                        "192.0.2.1"  },
    {"the rightmost untrusted",          {"198.51.100.9, 192.0.2.1"},                              "192.0.2.1"  },
    {"trusted ones are passed over",     {"198.51.100.9, 192.0.2.1, 10.0.0.2, 10.0.0.3"},          "192.0.2.1"  },
    {"a trusted one left of the client", {"10.0.0.9, 192.0.2.1, 10.0.0.2"},                        "192.0.2.1"  },
    {"all trusted: the leftmost",        {"10.0.0.1, 10.0.0.2, 10.0.0.3"},                         "10.0.0.1"   },
    {"no blanks",                        {"192.0.2.1,10.0.0.2"},                                   "192.0.2.1"  },
    {"empty elements",                   {",, 192.0.2.1 ,,10.0.0.2,  ,"},                          "192.0.2.1"  },
    {"nothing",                          {""},                                                     ""           },
    {"only commas",                      {" , ,"},                                                 ""           },
    {"IPv6",                             {"2001:db8::1"},                                          "2001:db8::1"},
    {"IPv6 in brackets",                 {"[2001:db8::1]"},                                        "2001:db8::1"},
    {"IPv6 with port",                   {"[2001:db8::1]:4711"},                                   "2001:db8::1"},
    {"IPv4 with port",                   {"192.0.2.1:4711"},                                       "192.0.2.1"  },
    {"mapped IPv4",                      {"::ffff:192.0.2.1"},                                     "192.0.2.1"  },
    {"trusted mapped IPv4",              {"192.0.2.1, ::ffff:10.0.0.1"},                           "192.0.2.1"  },
    {"trusted IPv6",                     {"192.0.2.1, fd12::1"},                                   "192.0.2.1"  },
    {"trusted with port",                {"192.0.2.1, 10.0.0.1:80"},                               "192.0.2.1"  },
    {"two lines are one list",           {"198.51.100.9", "192.0.2.1"},                            "192.0.2.1"  },
    {"lines in their order",             {"192.0.2.1", "10.0.0.2", "10.0.0.3"},                    "192.0.2.1"  },
    {"an empty line between",            {"192.0.2.1", "", "10.0.0.3"},                            "192.0.2.1"  },
 /* garbage ends the chain: what is right of it counts, what is left of it doesn't */
    {"garbage only",                     {"garbage"},                                              ""           },
    {"garbage left of the client",       {"garbage, 192.0.2.1"},                                   "192.0.2.1"  },
    {"garbage left of a trusted one",    {"192.0.2.1, garbage, 10.0.0.2"},                         "10.0.0.2"   },
    {"garbage left of two trusted",      {"192.0.2.1, garbage, 10.0.0.2, 10.0.0.3"},               "10.0.0.2"   },
    {"garbage at the right end",         {"192.0.2.1, garbage"},                                   ""           },
    {"garbage in the line before",       {"192.0.2.1, ?", "10.0.0.2"},                             "10.0.0.2"   },
    {"unknown",                          {"192.0.2.1, unknown, 10.0.0.2"},                         "10.0.0.2"   },
    {"hidden",                           {"192.0.2.1, _hidden, 10.0.0.2"},                         "10.0.0.2"   },
    {"a host name",                      {"client.example, 10.0.0.2"},                             "10.0.0.2"   },
    {"two addresses without comma",      {"192.0.2.1 192.0.2.2"},                                  ""           },
    {"a quoted address",                 {"\"192.0.2.1\""},                                        ""           },
    {"octet too large",                  {"192.0.2.256"},                                          ""           },
    {"a port without digits",            {"192.0.2.1:"},                                           ""           },
    {"a port of letters",                {"192.0.2.1:http"},                                       ""           },
    {"a port too long",                  {"192.0.2.1:123456"},                                     ""           },
    {"a bracket left open",              {"[2001:db8::1"},                                         ""           },
    {"only a bracket",                   {"["},                                                    ""           },
    {"empty brackets",                   {"[]"},                                                   ""           },
    {"IPv4 in brackets",                 {"[192.0.2.1]"},                                          ""           },
    {"junk behind the bracket",          {"[2001:db8::1]x"},                                       ""           },
    {"a zone",                           {"fe80::1%eth0"},                                         ""           },
    {"overlong",
     {"192.0.2.1, 1111111111111111111111111111111111111111111111111111111111111111111, 10.0.0.2"},
     "10.0.0.2"                                                                                                 },
    {"control characters",               {"192.0.2.1, \x01\x7f, 10.0.0.2"},                        "10.0.0.2"   },
    {"no ASCII",                         {"192.0.2.1, \xff\xfe, 10.0.0.2"},                        "10.0.0.2"   },
};

START_TEST(x_forwarded_for_names_the_client)
{
    const struct net_list trusted = trusted_nets();
    struct forwarded f = {.has_client = false};
    for (size_t i = 0; i < 3 && for_rows[_i].lines[i] != NULL; i++)
        forwarded_add_for(&f, for_rows[_i].lines[i], &trusted);
    check_client(for_rows[_i].what, &f, for_rows[_i].client);
    ck_assert_int_eq(f.scheme, FORWARDED_NO_SCHEME);
}
END_TEST

#define NONE FORWARDED_NO_SCHEME
#define HTTP FORWARDED_HTTP
#define HTTPS FORWARDED_HTTPS

static const struct {
    const char *what, *lines[3];
    const char *client;
    enum forwarded_scheme scheme;
} rows[] = {
    {"one address",                           {"for=192.0.2.1"},                                   "192.0.2.1",         NONE },
    {"RFC 7239 §4, first example",           {"for=\"_gazonk\""},                                 "",                  NONE },
    {"second",                                {"For=\"[2001:db8:cafe::17]:4711\""},                "2001:db8:cafe::17", NONE },
    {"third",                                 {"for=192.0.2.60;proto=http;by=203.0.113.43"},       "192.0.2.60",        HTTP },
    {"fourth",                                {"for=192.0.2.43, for=198.51.100.17"},               "198.51.100.17",     NONE },
    {"names in any case",                     {"FOR=192.0.2.1;Proto=HTTPS"},                       "192.0.2.1",         HTTPS},
    {"parameters in any order",               {"proto=https;host=x;for=192.0.2.1"},                "192.0.2.1",         HTTPS},
    {"an unknown parameter",                  {"for=192.0.2.1;secret=\"a, b; c\""},                "192.0.2.1",         NONE },
    {"a comma in quotes",                     {"x=\"a, for=198.51.100.9\";for=192.0.2.1"},         "192.0.2.1",         NONE },
    {"an escape in quotes",                   {"for=\"192\\.0.2.1\""},                             "192.0.2.1",         NONE },
    {"an escaped quote",                      {"x=\"\\\", for=198.51.100.9\";for=192.0.2.1"},      "192.0.2.1",         NONE },
    {"quoted port",                           {"for=\"192.0.2.1:4711\""},                          "192.0.2.1",         NONE },
    {"hidden port",                           {"for=\"192.0.2.1:_port\""},                         "192.0.2.1",         NONE },
    {"IPv6 without quotes",                   {"for=[2001:db8::1]:80"},                            "2001:db8::1",       NONE },
    {"IPv6 bare",                             {"for=\"2001:db8::1\""},                             "2001:db8::1",       NONE },
    {"trusted ones are passed over",
     {"for=198.51.100.9, for=192.0.2.1;proto=https, for=10.0.0.2;proto=http"},
     "192.0.2.1",                                                                                                       HTTPS},
    {"all trusted: the leftmost",             {"for=10.0.0.1;proto=https, for=10.0.0.2"},          "10.0.0.1",          HTTPS},
    {"only an inner one names the scheme",
     {"for=10.0.0.1, for=10.0.0.2;proto=https"},
     "10.0.0.1",                                                                                                        HTTPS},
    {"the scheme of who isn't believed",
     {"for=198.51.100.9;proto=https, for=192.0.2.1"},
     "192.0.2.1",                                                                                                       NONE },
    {"empty elements and pairs",              {", ,for=192.0.2.1;;proto=https; ,"},                "192.0.2.1",         HTTPS},
    {"blanks",                                {"  for=192.0.2.1 ;  proto=https\t, for=10.0.0.2 "}, "192.0.2.1",         HTTPS},
    {"two lines are one list",                {"for=198.51.100.9", "for=192.0.2.1"},               "192.0.2.1",         NONE },
    {"nothing",                               {""},                                                "",                  NONE },
    {"only separators",                       {" ,;, ;"},                                          "",                  NONE },
    {"unknown",                               {"for=192.0.2.1, for=unknown, for=10.0.0.2"},        "10.0.0.2",          NONE },
    {"hidden",                                {"for=192.0.2.1, for=_hidden, for=10.0.0.2"},        "10.0.0.2",          NONE },
    {"unknown with a scheme",                 {"for=unknown;proto=https"},                         "",                  HTTPS},
    {"only a scheme",                         {"for=192.0.2.1, proto=https, for=10.0.0.2"},        "10.0.0.2",          HTTPS},
    {"another scheme",                        {"for=192.0.2.1;proto=gopher"},                      "192.0.2.1",         NONE },
    {"for twice",                             {"for=192.0.2.1;for=192.0.2.2"},                     "",                  NONE },
    {"for twice, once hidden",                {"for=_x;for=192.0.2.2"},                            "",                  NONE },
    {"an empty value",                        {"for="},                                            "",                  NONE },
    {"an empty quoted value",                 {"for=\"\""},                                        "",                  NONE },
    {"no equals sign",                        {"for"},                                             "",                  NONE },
    {"a blank before the equals sign",        {"for =192.0.2.1"},                                  "",                  NONE },
    {"no name",                               {"=192.0.2.1"},                                      "",                  NONE },
    {"an address alone",                      {"192.0.2.1"},                                       "",                  NONE },
    {"junk behind quotes",                    {"for=\"192.0.2.1\"x"},                              "",                  NONE },
    {"a quote left open",                     {"for=\"192.0.2.1"},                                 "",                  NONE },
    {"an escape at the end",                  {"for=\"192.0.2.1\\"},                               "",                  NONE },
    {"overlong",
     {"for=192.0.2.1, for=\"[2001:db8::1]:11111111111111111111111111111111111111111111111111111111"
      "\", for=10.0.0.2"},
     "10.0.0.2",                                                                                                        NONE },
    {"a value of 64 bytes",
     {"for=1111111111222222222233333333334444444444555555555566666666667777"},
     "",                                                                                                                NONE },
    {"a long value elsewhere",
     {"x=1111111111222222222233333333334444444444555555555566666666667777777777;for=192.0.2.1"},
     "192.0.2.1",                                                                                                       NONE },
 /* what a client sends in front of what its proxy adds */
    {"an open quote before the proxy's word", {"for=\", for=192.0.2.1"},                           "192.0.2.1",         NONE },
    {"an open quote in its own line",         {"for=\"", "for=192.0.2.1"},                         "192.0.2.1",         NONE },
    {"an open quote before a quoted word",
     {"for=198.51.100.9;x=\", for=\"[2001:db8::1]\""},
     "2001:db8::1",                                                                                                     NONE },
    {"the same with an escape",
     {"for=198.51.100.9;x=\"\\, for=\"[2001:db8::1]\""},
     "2001:db8::1",                                                                                                     NONE },
    {"a parameter left open",                 {"for=198.51.100.9;, for=192.0.2.1"},                "192.0.2.1",         NONE },
};

START_TEST(forwarded_names_the_client_and_its_scheme)
{
    const struct net_list trusted = trusted_nets();
    struct forwarded f = {.has_client = false};
    for (size_t i = 0; i < 3 && rows[_i].lines[i] != NULL; i++)
        forwarded_add(&f, rows[_i].lines[i], &trusted);
    check_client(rows[_i].what, &f, rows[_i].client);
    ck_assert_msg(f.scheme == rows[_i].scheme, "%s: scheme %d", rows[_i].what, (int)f.scheme);
}
END_TEST

static const struct {
    const char *line;
    enum forwarded_scheme want;
} protos[] = {
    {"https",        HTTPS},
    {"http",         HTTP },
    {" HTTPS ",      HTTPS},
    {"http, https",  HTTPS},
    {"https,http,,", HTTP },
    {"",             NONE },
    {",",            NONE },
    {"wss",          NONE },
    {"https, wss",   NONE },
    {"httpsx",       NONE },
    {"https;",       NONE },
    {"\"https\"",    NONE },
};

START_TEST(x_forwarded_proto_counts_from_the_right)
{
    ck_assert_msg(forwarded_proto(protos[_i].line) == protos[_i].want, "%s", protos[_i].line);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("forwarded");
    TCase *tc = tcase_create("forwarded");
    tcase_add_loop_test(tc, x_forwarded_for_names_the_client, 0, (int)OTAD_COUNT(for_rows));
    tcase_add_loop_test(tc, forwarded_names_the_client_and_its_scheme, 0, (int)OTAD_COUNT(rows));
    tcase_add_loop_test(tc, x_forwarded_proto_counts_from_the_right, 0, (int)OTAD_COUNT(protos));
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
