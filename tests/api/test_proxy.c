/* SPDX-License-Identifier: MIT
 * Behind a reverse proxy: whose word about the client counts, and under which names a browser may
 * come. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "otad/err.h"
#include "support/http.h"
#include "support/unit.h"

#define MAC "5C:CF:7F:A1:B2:C3"
#define DEVICE "/api/v1/products/lamp/devices/" MAC
#define CHECK_IN "GET /fw/lamp/latest?mac=" MAC "&version=0 HTTP/1.1\r\n"

static struct daemon d;
static char admin[DAEMON_KEY];

static void start(const char *const *flags)
{
    daemon_start(&d, flags);
    daemon_key(&d, "root", "admin", NULL, admin);
    make_product(&d, admin, "lamp");
    publish(&d, admin, "lamp", "2", NULL, 1, NULL);
}

static void setup(void)
{
    static const char *const flags[] = {"--http-trusted-proxies", "127.0.0.1,10.0.0.0/8",
                                        "--log-level", "debug", NULL};
    start(flags);
}

static void teardown(void)
{
    daemon_free(&d);
}

/* Connects from another address of this machine. */
static int connect_from(const char *address)
{
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(inet_pton(AF_INET, address, &from.sin_addr), 1);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(d.port);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    ck_assert_msg(connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "%s", strerror(errno));
    return fd;
}

static struct reply ask_from(const char *address, const char *request)
{
    int fd = connect_from(address);
    raw_send(fd, request, strlen(request));
    struct reply r = raw_reply(fd, false);
    (void)close(fd);
    return r;
}

/* ---- the client's address ----------------------------------------------------------------- */

static const struct {
    const char *what, *from, *headers, *address;
} clients[] = {
    {"no proxy's word",                    "127.0.0.1", "",                                                      "127.0.0.1"  },
    {"one proxy",                          "127.0.0.1", "X-Forwarded-For: 192.0.2.1\r\n",                        "192.0.2.1"  },
    {"IPv6",                               "127.0.0.1", "X-Forwarded-For: 2001:db8::1\r\n",                      "2001:db8::1"},
    {"the chain is walked from the right", "127.0.0.1",
     "X-Forwarded-For: 198.51.100.9, 192.0.2.1, 10.0.0.2\r\n",                                                   "192.0.2.1"  },
    {"all trusted: the leftmost",          "127.0.0.1", "X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n",
     "10.0.0.1"                                                                                                               },
    {"two lines",                          "127.0.0.1",
     "X-Forwarded-For: 198.51.100.9\r\nX-Other: 1\r\nx-forwarded-for: 192.0.2.1\r\n",                            "192.0.2.1"  },
    {"garbage",                            "127.0.0.1", "X-Forwarded-For: 192.0.2.1, <script>\r\n",              "127.0.0.1"  },
    {"garbage before a proxy",             "127.0.0.1", "X-Forwarded-For: 192.0.2.1, ?, 10.0.0.2\r\n",
     "10.0.0.2"                                                                                                               },
    {"Forwarded",                          "127.0.0.1", "Forwarded: for=\"[2001:db8::7]:4711\";proto=https\r\n",
     "2001:db8::7"                                                                                                            },
    {"Forwarded wins",                     "127.0.0.1",
     "X-Forwarded-For: 198.51.100.9\r\nForwarded: for=192.0.2.1\r\nX-Forwarded-For: 10.0.0.2\r\n",               "192.0.2.1"  },
    {"Forwarded without a word wins too",  "127.0.0.1",
     "X-Forwarded-For: 198.51.100.9\r\nForwarded: for=unknown\r\n",                                              "127.0.0.1"  },
    {"a stranger's word",                  "127.0.0.7", "X-Forwarded-For: 192.0.2.1\r\n",                        "127.0.0.7"  },
    {"a stranger's Forwarded",             "127.0.0.7", "Forwarded: for=192.0.2.1\r\n",                          "127.0.0.7"  },
    {"a stranger who names a proxy",       "127.0.0.7",
     "X-Forwarded-For: 192.0.2.1, 127.0.0.1\r\nForwarded: for=10.0.0.1\r\n",                                     "127.0.0.7"  },
};

START_TEST(device_is_where_its_proxy_says)
{
    char request[512];
    (void)snprintf(request, sizeof request, CHECK_IN "Host: x\r\n%s\r\n", clients[_i].headers);
    struct reply r = ask_from(clients[_i].from, request);
    CK_STATUS(clients[_i].what, r, 200);
    reply_free(&r);
    r = get(&d, admin, DEVICE);
    CK_STATUS(clients[_i].what, r, 200);
    CK_TEXT(clients[_i].what, r, "address", clients[_i].address);
    reply_free(&r);
}
END_TEST

START_TEST(ledger_and_audit_have_the_clients_address)
{
    static const char *const headers[] = {"X-Forwarded-For: 192.0.2.1", NULL};
    struct reply r =
        call(&d, "GET", "/fw/lamp/latest.bin?mac=" MAC, (struct call){.headers = headers});
    CK_STATUS("download", r, 200);
    reply_free(&r);
    r = get(&d, admin, "/api/v1/products/lamp/updates?mac=" MAC);
    CK_TEXT("transfer", r, "items.0.transfers.0.address", "192.0.2.1");
    reply_free(&r);
    r = call(&d, "PATCH", DEVICE,
             (struct call){.key = admin, .json = "{\"note\":\"a\"}", .headers = headers});
    CK_STATUS("change", r, 200);
    reply_free(&r);
    r = get(&d, admin, "/api/v1/audit");
    CK_TEXT("audit", r, "items.0.address", "192.0.2.1");
    reply_free(&r);
    ck_assert(daemon_logged(&d, "address=192.0.2.1 proxy=127.0.0.1 path=/fw/lamp/latest.bin", 5));
}
END_TEST

START_TEST(new_devices_are_limited_per_client_not_per_proxy)
{
    static const char *const flags[] = {"--http-trusted-proxies", "127.0.0.1",
                                        "--devices-new-devices-per-hour", "1", NULL};
    static const char *const clients_of[] = {"192.0.2.1", "192.0.2.2", "192.0.2.2"};
    daemon_free(&d);
    start(flags);
    for (size_t i = 0; i < OTAD_COUNT(clients_of); i++) {
        char path[64], header[64];
        const char *headers[] = {header, NULL};
        (void)snprintf(path, sizeof path, "/fw/lamp/30AEA400000%zu.version", i);
        (void)snprintf(header, sizeof header, "X-Forwarded-For: %s", clients_of[i]);
        struct reply r = call(&d, "GET", path, (struct call){.headers = headers});
        CK_STATUS("check-in", r, 200);
        reply_free(&r);
    }
    struct reply r = get(&d, admin, "/api/v1/products/lamp/devices");
    ck_assert_uint_eq(json_array_size(reply_at(&r, "items")), 2);
    reply_free(&r);
}
END_TEST

START_TEST(reload_changes_whom_to_believe)
{
    static const char *const headers[] = {"X-Forwarded-For: 192.0.2.1", NULL};
    char conf[192], text[128];
    daemon_free(&d);
    daemon_folder(&d);
    (void)snprintf(conf, sizeof conf, "%s/otad.conf", d.root);
    const char *const flags[] = {"--config", conf, NULL};
    for (int i = 0; i < 2; i++) {
        FILE *f = fopen(conf, "we");
        (void)snprintf(text, sizeof text, "[http]\n%s",
                       i == 0 ? "" : "trusted_proxies = 127.0.0.1\nallowed_hosts = fw.example\n");
        ck_assert(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
        if (i == 0)
            start(flags);
        else
            daemon_signal(&d, SIGHUP);
        ck_assert(i == 0 || daemon_logged(&d, "reload.done", 30));
        struct reply r =
            call(&d, "GET", "/fw/lamp/latest.bin?mac=" MAC, (struct call){.headers = headers});
        CK_STATUS("download", r, 200);
        reply_free(&r);
        r = get(&d, admin, DEVICE);
        CK_TEXT("reload", r, "address", i == 0 ? "127.0.0.1" : "192.0.2.1");
        reply_free(&r);
        r = raw_text(&d, "GET /healthz HTTP/1.1\r\nHost: fw.example\r\n\r\n");
        CK_STATUS("name", r, i == 0 ? 421 : 200);
        reply_free(&r);
    }
}
END_TEST

static const struct {
    const char *what, *from, *headers, *scheme;
} schemes[] = {
    {"nothing said",       "127.0.0.1", "",                                         "http" },
    {"https",              "127.0.0.1", "X-Forwarded-Proto: https\r\n",             "https"},
    {"http",               "127.0.0.1", "X-Forwarded-Proto: http\r\n",              "http" },
    {"Forwarded",          "127.0.0.1", "Forwarded: for=192.0.2.1;proto=https\r\n", "https"},
    {"neither of the two", "127.0.0.1", "X-Forwarded-Proto: javascript\r\n",        "http" },
    {"a stranger",         "127.0.0.7", "X-Forwarded-Proto: https\r\n",             "http" },
};

START_TEST(urls_have_the_scheme_the_proxy_names)
{
    char request[512], want[96];
    (void)snprintf(request, sizeof request,
                   "GET /fw/lamp/latest.json?mac=" MAC " HTTP/1.1\r\nHost: x\r\n%s\r\n",
                   schemes[_i].headers);
    (void)snprintf(want, sizeof want, "%s://%s/static/", schemes[_i].scheme, d.address);
    struct reply r = ask_from(schemes[_i].from, request);
    CK_STATUS(schemes[_i].what, r, 200);
    ck_assert_msg(strncmp(reply_text(&r, "url"), want, strlen(want)) == 0, "%s: %s",
                  schemes[_i].what, r.body);
    reply_free(&r);
}
END_TEST

START_TEST(proxy_may_hold_more_connections_than_an_address)
{
    static int fds[540]; /* 28 more than the limit of an address */
    for (size_t i = 0; i < OTAD_COUNT(fds); i++)
        fds[i] = raw_connect(&d);
    struct reply r = get(&d, NULL, "/healthz");
    CK_STATUS("one more", r, 200);
    reply_free(&r);
    for (size_t i = 0; i < OTAD_COUNT(fds); i++) {
        ck_assert(!raw_is_closed(fds[i], 0));
        (void)close(fds[i]);
    }
}
END_TEST

/* ---- the Host ----------------------------------------------------------------------------- */

static void setup_hosts(void)
{
    static const char *const flags[] = {"--server-public-url", "https://fw.example.net:8443/",
                                        "--http-allowed-hosts", "ota.lan,other.lan", NULL};
    start(flags);
}

#define NAMES "GET /healthz HTTP/1.1\r\n"

static const struct {
    const char *request;
    int status;
} hosts[] = {
    {NAMES "Host: 192.0.2.1\r\n\r\n",                                                          200},
    {NAMES "Host: 192.0.2.1:8070\r\n\r\n",                                                     200},
    {NAMES "Host: [2001:db8::1]\r\n\r\n",                                                      200},
    {NAMES "Host: [2001:db8::1]:8070\r\n\r\n",                                                 200},
    {NAMES "Host: localhost\r\n\r\n",                                                          200},
    {NAMES "Host: localhost:8070\r\n\r\n",                                                     200},
    {NAMES "Host: otad.localhost:8070\r\n\r\n",                                                200},
    {NAMES "Host: fw.example.net\r\n\r\n",                                                     200},
    {NAMES "Host: FW.example.net:8443\r\n\r\n",                                                200},
    {NAMES "Host: ota.lan:8070\r\n\r\n",                                                       200},
    {NAMES "Host: other.lan\r\n\r\n",                                                          200},
    {"GET /healthz HTTP/1.0\r\n\r\n",                                                          200},
    {NAMES "Host: evil.example\r\n\r\n",                                                       421},
    {NAMES "Host: evil.example:8070\r\n\r\n",                                                  421},
    {NAMES "Host: localhost.evil.example\r\n\r\n",                                             421},
    {NAMES "Host: example.net\r\n\r\n",                                                        421},
    {NAMES "Host: 127.0.0.1.evil.example\r\n\r\n",                                             421},
    {NAMES "Host: evil.example\r\nX-Forwarded-Host: localhost\r\n\r\n",                        421},
    {"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",                                           421},
    {"GET /nothing HTTP/1.1\r\nHost: evil.example\r\n\r\n",                                    421},
    {"GET /fwx HTTP/1.1\r\nHost: evil.example\r\n\r\n",                                        421},
    {"GET /api/v1/endpoints HTTP/1.1\r\nHost: evil.example\r\n\r\n",                           421},
    {"GET /api/v1/products HTTP/1.1\r\nHost: evil.example\r\n\r\n",                            421},
    {"GET /api/v1/products HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer x\r\n\r\n", 401},
    {"GET /api/v1/products HTTP/1.1\r\nHost: localhost\r\n\r\n",                               401},
    {"POST /api/v1/products HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json\r\n"
     "Content-Length: 2\r\n\r\n{}",                                                       421},
 /* devices have no choice */
    {"GET /fw/lamp/latest.version HTTP/1.1\r\nHost: evil.example\r\n\r\n",                     200},
    {"GET /fw/lamp/latest.bin HTTP/1.0\r\nHost: evil.example\r\n\r\n",                         200},
    {"GET /static/fw_1_1.bin?token=x HTTP/1.1\r\nHost: evil.example\r\n\r\n",                  403},
};

START_TEST(host_is_taken_or_misdirected)
{
    struct reply r = raw_text(&d, hosts[_i].request);
    CK_STATUS(hosts[_i].request, r, hosts[_i].status);
    if (r.status == 421)
        CK_TEXT(hosts[_i].request, r, "error.code", "misdirected");
    reply_free(&r);
}
END_TEST

START_TEST(machines_own_names_are_taken)
{
    static const char *const behind[] = {"", ".local", ":8070", ".LOCAL:1"};
    char name[128] = "", request[300];
    ck_assert_int_eq(gethostname(name, sizeof name - 1), 0);
    name[strcspn(name, ".")] = '\0';
    for (size_t i = 0; i < OTAD_COUNT(behind); i++) {
        (void)snprintf(request, sizeof request, NAMES "Host: %s%s\r\n\r\n", name, behind[i]);
        struct reply r = raw_text(&d, request);
        CK_STATUS(request, r, 200);
        reply_free(&r);
    }
}
END_TEST

START_TEST(misdirected_says_what_to_set)
{
    struct reply r = raw_text(&d, NAMES "Host: evil.example:8070\r\n\r\n");
    CK_STATUS("stranger", r, 421);
    ck_assert(strstr(reply_text(&r, "error.message"), "evil.example") != NULL);
    ck_assert(strstr(reply_text(&r, "error.hint"), "server.public_url") != NULL);
    ck_assert(strstr(reply_text(&r, "error.hint"), "http.allowed_hosts") != NULL);
    reply_free(&r);
}
END_TEST

START_TEST(key_makes_every_name_right)
{
    static const char *const headers[] = {"Host: evil.example", NULL};
    struct reply r =
        call(&d, "GET", "/api/v1/products", (struct call){.key = admin, .headers = headers});
    CK_STATUS("key", r, 200);
    reply_free(&r);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("proxy");
    TCase *t = tcase_create("proxy");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, device_is_where_its_proxy_says, 0, (int)OTAD_COUNT(clients));
    tcase_add_test(t, ledger_and_audit_have_the_clients_address);
    tcase_add_test(t, new_devices_are_limited_per_client_not_per_proxy);
    tcase_add_test(t, reload_changes_whom_to_believe);
    tcase_add_loop_test(t, urls_have_the_scheme_the_proxy_names, 0, (int)OTAD_COUNT(schemes));
    tcase_add_test(t, proxy_may_hold_more_connections_than_an_address);
    suite_add_tcase(s, t);
    t = tcase_create("host");
    tcase_add_checked_fixture(t, setup_hosts, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, host_is_taken_or_misdirected, 0, (int)OTAD_COUNT(hosts));
    tcase_add_test(t, machines_own_names_are_taken);
    tcase_add_test(t, misdirected_says_what_to_set);
    tcase_add_test(t, key_makes_every_name_right);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
