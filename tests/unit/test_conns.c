/* SPDX-License-Identifier: MIT
 * The connection table: caps, what one address is, and deadlines of each phase. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/conns.h"
#include "otad/err.h"
#include "support/unit.h"

static const struct conn_limits limits = {.max = 100,
                                          .per_address = 10,
                                          .header_timeout_ms = 1000,
                                          .body_timeout_ms = 5000,
                                          .idle_timeout_ms = 3000};

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage ss;
    struct sockaddr_in *in = (struct sockaddr_in *)&ss;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
    memset(&ss, 0, sizeof ss);
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
        ss.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
        ss.ss_family = AF_INET6;
    else
        ss.ss_family = AF_UNIX;
    return ss;
}

static bool may(struct conns *c, const char *text)
{
    struct sockaddr_storage ss = address(text);
    return conns_may_accept(c, (struct sockaddr *)&ss);
}

static struct conn *add(struct conns *c, int fd, const char *text, int64_t now_ms)
{
    struct sockaddr_storage ss = address(text);
    struct conn *conn = conns_add(c, fd, (struct sockaddr *)&ss, now_ms);
    ck_assert_ptr_nonnull(conn);
    return conn;
}

static const struct {
    const char *what;
    const char *first, *second;
    bool same;
} address_rows[] = {
    {"IPv4, itself",                "192.0.2.1",        "192.0.2.1",        true },
    {"IPv4, neighbour",             "192.0.2.1",        "192.0.2.2",        false},
    {"IPv4, last octet only",       "192.0.2.1",        "192.0.3.1",        false},
    {"loopback counts alike",       "127.0.0.1",        "127.0.0.2",        false},
    {"IPv6, same /64",              "2001:db8::1",      "2001:db8::ffff:1", true },
    {"IPv6, last bit of the /64",   "2001:db8:0:0::1",  "2001:db8:0:1::1",  false},
    {"IPv6, other network",         "2001:db8::1",      "2001:db9::1",      false},
    {"IPv4 mapped into IPv6",       "192.0.2.1",        "::ffff:192.0.2.1", true },
    {"two mapped ones",             "::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
    {"mapped is not the /64 of ::", "::1",              "::ffff:192.0.2.2", false},
    {"unix sockets are one",        "unix",             "unix",             true },
};

START_TEST(address_row)
{
    struct conns *c = conns_new(&limits);
    struct conn *all[10];
    for (size_t i = 0; i < OTAD_COUNT(all); i++)
        all[i] = add(c, -1, address_rows[_i].first, 0);
    ck_assert_msg(may(c, address_rows[_i].second) == !address_rows[_i].same, "%s",
                  address_rows[_i].what);
    conns_remove(c, all[0]);
    ck_assert_msg(may(c, address_rows[_i].second), "%s: one gone", address_rows[_i].what);
    conns_free(&c);
    ck_assert_ptr_null(c);
}
END_TEST

START_TEST(last_five_percent_are_for_addresses_that_use_few)
{
    struct conns *c = conns_new(&limits);
    char text[32];
    for (int i = 0; i < 95; i++) {
        (void)snprintf(text, sizeof text, "10.0.%d.1", i / 5);
        add(c, -1, text, 0);
    }
    ck_assert_uint_eq(conns_count(c), 95);
    ck_assert(!may(c, "10.0.1.1")); /* holds five */
    ck_assert(may(c, "10.9.9.9"));
    for (int i = 0; i < 3; i++)
        add(c, -1, "10.9.9.9", 0);
    ck_assert(may(c, "10.9.9.9")); /* the fourth is still few */
    add(c, -1, "10.9.9.9", 0);
    ck_assert(!may(c, "10.9.9.9"));
    add(c, -1, "10.8.8.8", 0);
    ck_assert_uint_eq(conns_count(c), 100);
    ck_assert(!may(c, "10.7.7.7")); /* full is full */
    conns_free(&c);
}
END_TEST

static const struct {
    const char *address;
    bool exempt;
} exempt_rows[] = {
    {"10.0.0.1",        true },
    {"::ffff:10.0.0.1", true },
    {"11.0.0.1",        false},
    {"2001:db8:1::2",   true },
    {"2001:db9::1",     false},
    {"unix",            false},
};

START_TEST(proxies_are_exempt_from_the_cap_of_an_address_only)
{
    struct conn_limits with = limits;
    ck_assert(net_parse("10.0.0.0/8", &with.exempt.items[0]));
    ck_assert(net_parse("2001:db8::/32", &with.exempt.items[1]));
    with.exempt.n = 2;
    struct conns *c = conns_new(&with);
    for (int i = 0; i < 10; i++)
        add(c, -1, exempt_rows[_i].address, 0);
    ck_assert_msg(may(c, exempt_rows[_i].address) == exempt_rows[_i].exempt, "%s",
                  exempt_rows[_i].address);
    for (int i = 10; i < 95; i++)
        add(c, -1, exempt_rows[_i].address, 0);
    ck_assert(!may(c, exempt_rows[_i].address)); /* the last places are for others */
    ck_assert(may(c, "192.0.2.1"));
    conns_set_limits(c, &limits);
    ck_assert(!may(c, exempt_rows[_i].address));
    conns_free(&c);
}
END_TEST

START_TEST(changed_limits_count_at_once)
{
    struct conns *c = conns_new(&limits);
    struct conn_limits more = limits;
    for (int i = 0; i < 10; i++)
        add(c, -1, "192.0.2.1", 0);
    ck_assert(!may(c, "192.0.2.1"));
    more.per_address = 11;
    conns_set_limits(c, &more);
    ck_assert(may(c, "192.0.2.1"));
    conns_free(&c);
}
END_TEST

START_TEST(removing_in_any_order_leaves_nothing)
{
    struct conns *c = conns_new(&limits);
    struct conn *all[60];
    char text[32];
    for (size_t i = 0; i < OTAD_COUNT(all); i++) {
        (void)snprintf(text, sizeof text, "2001:db8:%zx::1", i % 20);
        all[i] = add(c, -1, text, 0);
    }
    for (size_t i = 0; i < OTAD_COUNT(all); i++)
        conns_remove(c, all[(i * 7) % OTAD_COUNT(all)]);
    ck_assert_uint_eq(conns_count(c), 0);
    ck_assert_uint_eq(conns_close_idle(c), 0);
    conns_free(&c);
    conns_free(&c);
}
END_TEST

/* Whether the peer of a socket pair sees the end of the connection. */
static bool is_shut(int peer)
{
    char byte;
    return recv(peer, &byte, 1, MSG_DONTWAIT) == 0;
}

static const struct {
    const char *what;
    enum conn_phase phase;
    int64_t age_ms;
    bool shut;
} sweep_rows[] = {
    {"head, in time",   CONN_HEAD,   1000,    false},
    {"head, too late",  CONN_HEAD,   1001,    true },
    {"body, in time",   CONN_BODY,   5000,    false},
    {"body, too late",  CONN_BODY,   5001,    true },
    {"idle, in time",   CONN_IDLE,   4000,    false},
    {"idle, too late",  CONN_IDLE,   4001,    true },
    {"answer, an hour", CONN_ANSWER, 3600000, false},
};

START_TEST(sweep_row)
{
    struct conns *c = conns_new(&limits);
    int mine[2], other[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, mine), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
    struct conn *conn = add(c, mine[0], "192.0.2.1", 100);
    struct conn *fresh = add(c, other[0], "192.0.2.1", 500 + sweep_rows[_i].age_ms);
    conn_set_phase(conn, sweep_rows[_i].phase, 500);
    conns_sweep(c, 500 + sweep_rows[_i].age_ms);
    ck_assert_msg(is_shut(mine[1]) == sweep_rows[_i].shut, "%s", sweep_rows[_i].what);
    ck_assert_msg(!is_shut(other[1]), "%s: the other", sweep_rows[_i].what);
    ck_assert_uint_eq(conns_count(c), 2); /* only its owner removes it */
    conns_remove(c, conn);
    conns_remove(c, fresh);
    conns_free(&c);
    for (int i = 0; i < 2; i++) {
        (void)close(mine[i]);
        (void)close(other[i]);
    }
}
END_TEST

START_TEST(closing_spares_what_is_at_work)
{
    static const enum conn_phase phases[] = {CONN_HEAD, CONN_BODY, CONN_ANSWER, CONN_IDLE};
    struct conns *c = conns_new(&limits);
    int fds[4][2];
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]), 0);
        conn_set_phase(add(c, fds[i][0], "192.0.2.1", 0), phases[i], 0);
    }
    ck_assert_uint_eq(conns_close_idle(c), 2);
    ck_assert(is_shut(fds[0][1]));
    ck_assert(!is_shut(fds[1][1]));
    ck_assert(!is_shut(fds[2][1]));
    ck_assert(is_shut(fds[3][1]));
    conns_free(&c);
    for (size_t i = 0; i < 4; i++) {
        (void)close(fds[i][0]);
        (void)close(fds[i][1]);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("conns");
    TCase *t = tcase_create("caps");
    tcase_add_loop_test(t, address_row, 0, (int)OTAD_COUNT(address_rows));
    tcase_add_test(t, last_five_percent_are_for_addresses_that_use_few);
    tcase_add_loop_test(t, proxies_are_exempt_from_the_cap_of_an_address_only, 0,
                        (int)OTAD_COUNT(exempt_rows));
    tcase_add_test(t, changed_limits_count_at_once);
    tcase_add_test(t, removing_in_any_order_leaves_nothing);
    suite_add_tcase(s, t);
    t = tcase_create("deadlines");
    tcase_add_loop_test(t, sweep_row, 0, (int)OTAD_COUNT(sweep_rows));
    tcase_add_test(t, closing_spares_what_is_at_work);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
