/* SPDX-License-Identifier: MIT
 * Units of base/address.h. */
#include <string.h>

#include "base/address.h"
#include "otad/err.h"
#include "support/unit.h"

static const struct {
    const char *what, *text;
    bool want;
    const char *host, *port;
} listens[] = {
    {"IPv4",                  "127.0.0.1:8070",   true,  "127.0.0.1", "8070"  },
    {"every address",         ":8070",            true,  "",          "8070"  },
    {"a name",                "pi.local:80",      true,  "pi.local",  "80"    },
    {"port 0",                "127.0.0.1:0",      true,  "127.0.0.1", "0"     },
    {"the last port",         "127.0.0.1:65535",  true,  "127.0.0.1", "65535" },
    {"IPv6",                  "[::1]:8070",       true,  "::1",       "8070"  },
    {"only a port",           "8070",             false, "poison",    "poison"},
    {"only an address",       "127.0.0.1",        false, "poison",    "poison"},
    {"a port too high",       "127.0.0.1:65536",  false, "poison",    "poison"},
    {"six digits",            "127.0.0.1:080700", false, "poison",    "poison"},
    {"no digits",             "127.0.0.1:http",   false, "poison",    "poison"},
    {"junk behind the port",  "127.0.0.1:80x",    false, "poison",    "poison"},
    {"no port",               "127.0.0.1:",       false, "poison",    "poison"},
    {"IPv6 without brackets", "::1:8070",         false, "poison",    "poison"},
    {"half a bracket",        "[::1:8070",        false, "poison",    "poison"},
    {"empty brackets",        "[]:8070",          false, "poison",    "poison"},
    {"nothing",               "",                 false, "poison",    "poison"},
};

START_TEST(listen_address_is_split_or_refused)
{
    char host[ADDRESS_HOST_MAX] = "poison", port[ADDRESS_PORT_MAX] = "poison";
    ck_assert_msg(address_split(listens[_i].text, host, port) == listens[_i].want, "%s",
                  listens[_i].what);
    ck_assert_str_eq(host, listens[_i].host);
    ck_assert_str_eq(port, listens[_i].port);
    ck_assert(address_is_listen(listens[_i].text) == listens[_i].want);
}
END_TEST

static const struct {
    const char *text;
    bool want;
} urls[] = {
    {"",                             true },
    {"http://192.168.1.10:8070",     true },
    {"https://fw.example.net/otad/", true },
    {"http://[::1]:80",              true },
    {"ftp://x",                      false},
    {"http://",                      false},
    {"http:///x",                    false},
    {"fw.example.net",               false},
    {"http://a b",                   false},
    {"http://a\"b",                  false},
    {"http://a?x=1",                 false},
    {"http://a#b",                   false},
    {"http://a\n",                   false},
    {"http://\xc3\xa4",              false},
};

START_TEST(base_url_is_taken_or_refused)
{
    ck_assert_msg(address_is_base_url(urls[_i].text) == urls[_i].want, "%s", urls[_i].text);
}
END_TEST

static const struct {
    const char *text;
    bool want;
} hosts[] = {
    {"fw.example.net", true },
    {"pi",             true },
    {"my_box-2.local", true },
    {"10.0.0.1",       true },
    {"",               false},
    {".",              false},
    {"a..b",           false},
    {".a",             false},
    {"a.",             false},
    {"a:80",           false},
    {"http://a",       false},
    {"*.a",            false},
    {"a/b",            false},
    {"a b",            false},
    {"[::1]",          false},
    {"\xc3\xa4.de",    false},
};

START_TEST(host_name_is_taken_or_refused)
{
    ck_assert_msg(address_is_host(hosts[_i].text) == hosts[_i].want, "%s", hosts[_i].text);
}
END_TEST

START_TEST(longest_host_name_is_taken)
{
    char name[ADDRESS_HOST_MAX + 1];
    memset(name, 'a', sizeof name);
    name[ADDRESS_HOST_MAX] = '\0';
    ck_assert(!address_is_host(name));
    name[ADDRESS_HOST_MAX - 1] = '\0';
    ck_assert(address_is_host(name));
}
END_TEST

static const struct {
    const char *text;
    bool ok;
    uint16_t first, last;
} port_rows[] = {
    {"",                     true,  0,     0    },
    {"40000",                true,  40000, 40000},
    {"40000-40009",          true,  40000, 40009},
    {"1-65535",              true,  1,     65535},
    {"0",                    false, 0,     0    },
    {"0-5",                  false, 0,     0    },
    {"5-4",                  false, 0,     0    },
    {"65536",                false, 0,     0    },
    {"1-65536",              false, 0,     0    },
    {"1-",                   false, 0,     0    },
    {"-5",                   false, 0,     0    },
    {"1--5",                 false, 0,     0    },
    {"1-+5",                 false, 0,     0    },
    {"1 - 5",                false, 0,     0    },
    {"+1",                   false, 0,     0    },
    {"ports",                false, 0,     0    },
    {"18446744073709551617", false, 0,     0    },
};

START_TEST(range_of_ports_is_read_or_refused)
{
    uint16_t first = 7, last = 7;
    ck_assert(address_ports(port_rows[_i].text, &first, &last) == port_rows[_i].ok);
    ck_assert(address_is_ports(port_rows[_i].text) == port_rows[_i].ok);
    ck_assert_uint_eq(first, port_rows[_i].ok ? port_rows[_i].first : 7);
    ck_assert_uint_eq(last, port_rows[_i].ok ? port_rows[_i].last : 7);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("address");
    TCase *tc = tcase_create("address");
    tcase_add_loop_test(tc, listen_address_is_split_or_refused, 0, (int)OTAD_COUNT(listens));
    tcase_add_loop_test(tc, base_url_is_taken_or_refused, 0, (int)OTAD_COUNT(urls));
    tcase_add_loop_test(tc, host_name_is_taken_or_refused, 0, (int)OTAD_COUNT(hosts));
    tcase_add_test(tc, longest_host_name_is_taken);
    tcase_add_loop_test(tc, range_of_ports_is_read_or_refused, 0, (int)OTAD_COUNT(port_rows));
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
