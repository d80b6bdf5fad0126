/* SPDX-License-Identifier: MIT
 * Units of http/host.h. */
#include <stdio.h>
#include <string.h>

#include "http/host.h"
#include "otad/err.h"
#include "support/unit.h"

static const struct {
    const char *header;
    bool want;
} harmless[] = {
    {"192.0.2.1",                                                     true },
    {"192.0.2.1:8070",                                                true },
    {"[::1]",                                                         true },
    {"[2001:db8::1]:8070",                                            true },
    {"[::ffff:192.0.2.1]:80",                                         true },
    {"localhost",                                                     true },
    {"LocalHost:8070",                                                true },
    {"localhost.",                                                    true },
    {"app.localhost:80",                                              true },
    {"",                                                              true },
    {"192.0.2.1:",                                                    true }, /* RFC 3986 §3.2.3: a port may be empty */
    {"evil.example",                                                  false},
    {"evil.example:8070",                                             false},
    {"localhost.evil.example",                                        false},
    {"notlocalhost",                                                  false},
    {"192.0.2.1.evil.example",                                        false},
    {"192.0.2.256",                                                   false},
    {"2130706433",                                                    false},
    {"0x7f.1",                                                        false},
    {"::1",                                                           false},
    {"[::1",                                                          false},
    {"[::1]x",                                                        false},
    {"[localhost]",                                                   false},
    {"[192.0.2.1]",                                                   false},
    {"[]",                                                            false},
    {"[",                                                             false},
    {"]",                                                             false},
    {":80",                                                           false},
    {".",                                                             false},
    {"192.0.2.1:80x",                                                 false},
    {"192.0.2.1:80:80",                                               false},
    {"evil.example@192.0.2.1",                                        false},
    {"192.0.2.1/evil.example",                                        false},
    {"192.0.2.1 ",                                                    false},
    {"evil.example,192.0.2.1",                                        false},
    {"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc]", false},
};

START_TEST(harmless_is_what_no_strangers_name_can_be)
{
    ck_assert_msg(host_is_harmless(harmless[_i].header) == harmless[_i].want, "'%s'",
                  harmless[_i].header);
}
END_TEST

static const struct {
    const char *header;
    bool want;
} named[] = {
    {"fw.example.net",      true },
    {"FW.Example.NET:8070", true },
    {"fw.example.net.",     true },
    {"pi",                  true },
    {"pi.:80",              true },
    {"example.net",         false},
    {"xfw.example.net",     false},
    {"fw.example.net.evil", false},
    {"fw.example.net:x",    false},
    {"fw.example.net..",    false},
    {"p",                   false},
    {"",                    false},
    {"192.0.2.1",           false},
};

START_TEST(name_is_found_whatever_its_port_and_case)
{
    struct host_names names = {.n = 0};
    host_names_add(&names, "fw.example.net");
    host_names_add(&names, "pi");
    host_names_add(&names, "PI");
    host_names_add(&names, "");
    host_names_add(&names, "no name");
    ck_assert_uint_eq(names.n, 2);
    ck_assert_msg(host_is_one_of(named[_i].header, &names) == named[_i].want, "'%s'",
                  named[_i].header);
}
END_TEST

START_TEST(no_more_names_than_there_is_room_for)
{
    struct host_names names = {.n = 0};
    char name[16];
    for (int i = 0; i < HOST_NAMES_MAX + 3; i++) {
        (void)snprintf(name, sizeof name, "host%d", i);
        host_names_add(&names, name);
    }
    ck_assert_uint_eq(names.n, HOST_NAMES_MAX);
    ck_assert(host_is_one_of("host15", &names));
    ck_assert(!host_is_one_of("host16", &names));
}
END_TEST

static const struct {
    const char *url, *host; /* NULL: none */
} urls[] = {
    {"http://fw.example.net",             "fw.example.net"},
    {"https://fw.example.net:8443/otad/", "fw.example.net"},
    {"http://user@fw.example.net/a@b",    "fw.example.net"},
    {"http://fw.example.net/a@b:1",       "fw.example.net"},
    {"http://[::1]:8070",                 NULL            },
    {"",                                  NULL            },
    {"http://",                           NULL            },
};

START_TEST(host_of_a_url_is_added)
{
    struct host_names names = {.n = 0};
    host_names_add_url(&names, urls[_i].url);
    ck_assert_msg(names.n == (urls[_i].host != NULL), "%s", urls[_i].url);
    if (urls[_i].host != NULL)
        ck_assert_str_eq(names.items[0], urls[_i].host);
}
END_TEST

#define HOSTS                                                                                      \
    "127.0.0.1 localhost\n# 127.0.0.2 pi.commented.example\n127.0.1.1\tpi.example.net pi # "       \
    "pi.no\n"                                                                                      \
    "::1 ip6-localhost\n\n10.0.0.2 pixel.example.net other.pi.example"
#define RESOLV "nameserver 192.0.2.53\nsearch lan fritz.box\noptions edns0\n"

static const struct {
    const char *what, *name, *hosts, *resolv;
    const char *all; /* with blanks between */
} own[] = {
    {"bare",                      "pi",             "",    "",                 "pi pi.local"                    },
    {"in full",                   "pi.example.net", "",    "",                 "pi.example.net pi pi.local"     },
    {"as the hosts file says",    "pi",             HOSTS, "",                 "pi pi.local pi.example.net"     },
    {"as the search domains say", "pi",             "",    RESOLV,             "pi pi.local pi.lan pi.fritz.box"},
    {"a domain without line end", "pi",             "",    "domain home.arpa", "pi pi.local pi.home.arpa"       },
    {"all of it",                 "PI.example.net", HOSTS, RESOLV,
     "PI.example.net PI PI.local PI.lan PI.fritz.box"                                                           },
    {"no name",                   "",               HOSTS, RESOLV,             ""                               },
    {"not a name",                "(none)",         HOSTS, RESOLV,             ""                               },
};

START_TEST(machine_is_known_by_its_names)
{
    struct host_names names = {.n = 0};
    char all[512] = "";
    host_names_add_own(&names, own[_i].name, own[_i].hosts, own[_i].resolv);
    for (size_t i = 0, n = 0; i < names.n; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i > 0 ? " " : "", names.items[i]);
    ck_assert_msg(strcmp(all, own[_i].all) == 0, "%s: '%s'", own[_i].what, all);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("host");
    TCase *tc = tcase_create("host");
    tcase_add_loop_test(tc, harmless_is_what_no_strangers_name_can_be, 0,
                        (int)OTAD_COUNT(harmless));
    tcase_add_loop_test(tc, name_is_found_whatever_its_port_and_case, 0, (int)OTAD_COUNT(named));
    tcase_add_test(tc, no_more_names_than_there_is_room_for);
    tcase_add_loop_test(tc, host_of_a_url_is_added, 0, (int)OTAD_COUNT(urls));
    tcase_add_loop_test(tc, machine_is_known_by_its_names, 0, (int)OTAD_COUNT(own));
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
