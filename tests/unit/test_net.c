/* SPDX-License-Identifier: MIT
 * Units of base/net.h. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "base/net.h"
#include "otad/err.h"
#include "support/unit.h"

static const struct {
    const char *text;
    const char *shown; /* NULL: refused */
} addresses[] = {
    {"192.0.2.1",         "192.0.2.1"  },
    {"0.0.0.0",           "0.0.0.0"    },
    {"2001:DB8:0::1",     "2001:db8::1"},
    {"::",                "::"         },
    {"::ffff:192.0.2.1",  "192.0.2.1"  },
    {"",                  NULL         },
    {"192.0.2",           NULL         },
    {"192.0.2.256",       NULL         },
    {"192.0.2.1:80",      NULL         },
    {"192.0.2.1 ",        NULL         },
    {" 192.0.2.1",        NULL         },
    {"[2001:db8::1]",     NULL         },
    {"fe80::1%eth0",      NULL         },
    {"localhost",         NULL         },
    {"0x7f.0.0.1",        NULL         },
    {"2130706433",        NULL         },
    {"1:2:3:4:5:6:7:8:9", NULL         },
};

START_TEST(address_is_read_and_shown_or_refused)
{
    struct net_addr a, poison;
    char shown[NET_TEXT_MAX];
    memset(&a, 0x5a, sizeof a);
    memset(&poison, 0x5a, sizeof poison);
    bool ok = net_addr_parse(addresses[_i].text, &a);
    ck_assert_msg(ok == (addresses[_i].shown != NULL), "%s", addresses[_i].text);
    if (!ok) {
        ck_assert_mem_eq(&a, &poison, sizeof a);
        return;
    }
    net_addr_text(&a, shown);
    ck_assert_str_eq(shown, addresses[_i].shown);
}
END_TEST

START_TEST(socket_address_is_taken_when_it_is_ip)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct net_addr a;
    char shown[NET_TEXT_MAX];
    ck_assert_int_eq(inet_pton(AF_INET, "192.0.2.7", &in.sin_addr), 1);
    ck_assert(net_addr_of((struct sockaddr *)&in, &a));
    net_addr_text(&a, shown);
    ck_assert_str_eq(shown, "192.0.2.7");
    ck_assert_int_eq(inet_pton(AF_INET6, "2001:db8::7", &in6.sin6_addr), 1);
    ck_assert(net_addr_of((struct sockaddr *)&in6, &a));
    net_addr_text(&a, shown);
    ck_assert_str_eq(shown, "2001:db8::7");
    ck_assert(!net_addr_of((struct sockaddr *)&un, &a));
    net_addr_text(&a, shown);
    ck_assert_str_eq(shown, "2001:db8::7");
}
END_TEST

static const struct {
    const char *net, *address;
    bool has;
} nets[] = {
    {"192.0.2.1",           "192.0.2.1",       true },
    {"192.0.2.1",           "192.0.2.2",       false},
    {"192.0.2.1/32",        "192.0.2.1",       true },
    {"10.0.0.0/8",          "10.255.255.255",  true },
    {"10.0.0.0/8",          "11.0.0.0",        false},
    {"10.1.2.3/8",          "10.9.9.9",        true },
    {"192.168.4.0/22",      "192.168.7.255",   true },
    {"192.168.4.0/22",      "192.168.8.0",     false},
    {"192.168.4.0/22",      "192.168.3.255",   false},
    {"192.0.2.0/31",        "192.0.2.1",       true },
    {"192.0.2.0/31",        "192.0.2.2",       false},
    {"0.0.0.0/0",           "203.0.113.9",     true },
    {"0.0.0.0/0",           "2001:db8::1",     false},
    {"10.0.0.0/8",          "::ffff:10.0.0.1", true },
    {"::ffff:10.0.0.0/104", "10.0.0.1",        true },
    {"2001:db8::/32",       "2001:db8:1:2::3", true },
    {"2001:db8::/32",       "2001:db9::",      false},
    {"2001:db8::1",         "2001:db8::1",     true },
    {"2001:db8::1",         "2001:db8::2",     false},
    {"fc00::/7",            "fd12::1",         true },
    {"fc00::/7",            "fe80::1",         false},
    {"::/0",                "2001:db8::1",     true },
    {"::/0",                "10.0.0.1",        false},
    {"::1",                 "127.0.0.1",       false},
};

START_TEST(network_holds_what_it_should)
{
    struct net_list list = {.n = 0};
    struct net_addr a;
    ck_assert_msg(net_parse(nets[_i].net, &list.items[1]), "%s", nets[_i].net);
    ck_assert(net_addr_parse(nets[_i].address, &a));
    ck_assert_msg(net_has(&list.items[1], &a) == nets[_i].has, "%s and %s", nets[_i].net,
                  nets[_i].address);
    ck_assert(!net_list_has(&list, &a));
    ck_assert(net_parse("198.51.100.0/24", &list.items[0]));
    list.n = 2;
    ck_assert_msg(net_list_has(&list, &a) == nets[_i].has, "%s, second of a list", nets[_i].net);
}
END_TEST

static const char *const refused[] = {
    "",
    "/",
    "/8",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/8x",
    "10.0.0.0/ 8",
    "10.0.0.0/8/8",
    "10.0.0.0/0008",
    "10.0.0.0/255.0.0.0",
    "::/129",
    "::/",
    "[::1]",
    "[::1]/128",
    "localhost",
    "10.0.0.1:80",
    "10/8",
    "*",
    "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa/8",
};

START_TEST(what_is_no_network_is_refused)
{
    struct net net, poison;
    memset(&net, 0x5a, sizeof net);
    memset(&poison, 0x5a, sizeof poison);
    ck_assert_msg(!net_parse(refused[_i], &net), "%s", refused[_i]);
    ck_assert_mem_eq(&net, &poison, sizeof net);
    ck_assert(!net_is_net(refused[_i]));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("net");
    TCase *tc = tcase_create("net");
    tcase_add_loop_test(tc, address_is_read_and_shown_or_refused, 0, (int)OTAD_COUNT(addresses));
    tcase_add_test(tc, socket_address_is_taken_when_it_is_ip);
    tcase_add_loop_test(tc, network_holds_what_it_should, 0, (int)OTAD_COUNT(nets));
    tcase_add_loop_test(tc, what_is_no_network_is_refused, 0, (int)OTAD_COUNT(refused));
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
