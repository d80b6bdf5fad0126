/* SPDX-License-Identifier: MIT
 * What people type to say where the server is and who the device is. */
#include <check.h>
#include <string.h>

#include "otad_client_posix.h"
#include "support/unit.h"

struct server_row {
    const char *url, *host; /* NULL: refused */
    uint16_t port;
    bool tls;
};

static const struct server_row server_rows[] = {
    {"http://127.0.0.1:8070",  "127.0.0.1", 8070,  false},
    {"http://127.0.0.1:8070/", "127.0.0.1", 8070,  false},
    {"HTTP://pi.local",        "pi.local",  80,    false},
    {"http://pi.local/",       "pi.local",  80,    false},
    {"http://[::1]:8070",      "::1",       8070,  false},
    {"http://[fe80::1]/",      "fe80::1",   80,    false},
    {"http://h:65535",         "h",         65535, false},
    {"http://h:65536",         NULL,        0,     false},
    {"http://h:0",             NULL,        0,     false},
    {"http://h:",              NULL,        0,     false},
    {"http://h:8x",            NULL,        0,     false},
    {"http://h:000080",        NULL,        0,     false},
    {"http://",                NULL,        0,     false},
    {"http://:80",             NULL,        0,     false},
    {"http://[::1",            NULL,        0,     false},
    {"http://[]:80",           NULL,        0,     false},
    {"http://[::1]x",          NULL,        0,     false},
    {"http://h/fw",            NULL,        0,     false},
    {"http://h:80/fw",         NULL,        0,     false},
    {"https://h",              "h",         443,   true },
    {"HTTPS://[::1]:8443/",    "::1",       8443,  true },
    {"https://",               NULL,        0,     false},
    {"https://h/fw",           NULL,        0,     false},
    {"httpss://h",             NULL,        0,     false},
    {"h:8070",                 NULL,        0,     false},
    {"",                       NULL,        0,     false},
};

START_TEST(server_is_taken_apart)
{
    const struct server_row *row = &server_rows[_i];
    char host[OTAC_POSIX_HOST_MAX + 1] = "poison";
    uint16_t number = 1;
    bool tls = !row->tls;
    bool ok = otac_posix_parse_server(row->url, host, &number, &tls);
    ck_assert_msg(ok == (row->host != NULL), "%s", row->url);
    ck_assert_msg(strcmp(host, ok ? row->host : "poison") == 0, "%s: %s", row->url, host);
    ck_assert_msg(number == (ok ? row->port : 1), "%s: %u", row->url, number);
    ck_assert_msg(tls == (ok ? row->tls : !row->tls), "%s: tls", row->url);
}
END_TEST

START_TEST(host_name_has_a_longest_length)
{
    char url[400] = "http://", host[OTAC_POSIX_HOST_MAX + 1];
    uint16_t number;
    bool tls;
    memset(url + 7, 'h', OTAC_POSIX_HOST_MAX);
    ck_assert(otac_posix_parse_server(url, host, &number, &tls));
    ck_assert_uint_eq(strlen(host), OTAC_POSIX_HOST_MAX);
    url[7 + OTAC_POSIX_HOST_MAX] = 'h';
    ck_assert(!otac_posix_parse_server(url, host, &number, &tls));
}
END_TEST

static const char *const mac_rows[][2] = {
    {"5C:CF:7F:A1:B2:C3", "5C:CF:7F:A1:B2:C3"},
    {"5ccf7fa1b2c3",      "5C:CF:7F:A1:B2:C3"},
    {"5c-cf-7f-a1-b2-c3", "5C:CF:7F:A1:B2:C3"},
    {"5ccf.7fa1.b2c3",    "5C:CF:7F:A1:B2:C3"},
    {"5ccf7fa1b2c",       NULL               },
    {"5ccf7fa1b2c3d",     NULL               },
    {"5ccf7fa1b2cg",      NULL               },
    {"5c cf 7f a1 b2 c3", NULL               },
    {"",                  NULL               },
};

START_TEST(mac_is_normalised)
{
    char mac[OTAC_POSIX_MAC_TEXT] = "poison";
    bool ok = otac_posix_parse_mac(mac_rows[_i][0], mac);
    ck_assert_msg(ok == (mac_rows[_i][1] != NULL), "%s", mac_rows[_i][0]);
    ck_assert_str_eq(mac, ok ? mac_rows[_i][1] : "poison");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("client_arguments");
    TCase *tc = tcase_create("typed");
    tcase_add_loop_test(tc, server_is_taken_apart, 0, sizeof server_rows / sizeof server_rows[0]);
    tcase_add_test(tc, host_name_has_a_longest_length);
    tcase_add_loop_test(tc, mac_is_normalised, 0, sizeof mac_rows / sizeof mac_rows[0]);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
