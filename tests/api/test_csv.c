/* SPDX-License-Identifier: MIT
 * The ledger as a CSV file, and the orders it can be listed in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "otad/err.h"
#include "support/http.h"
#include "support/unit.h"

#define MANY 1234 /* several pages, the last one not full */
#define HEADER                                                                                     \
    "id,product,mac,build,from_version,to_version,state,cause,detail,attempts,created_at,"         \
    "updated_at\r\n"

static struct daemon d;
static char admin[DAEMON_KEY];

/* Product "many" has MANY updates of as many devices, made by hand; "nasty" has one whose device
 * chose its texts well; "none" has none. */
static void setup(void)
{
    static const char *const flags[] = {"--devices-new-devices-per-hour", "1000000", NULL};
    daemon_start(&d, flags);
    daemon_key(&d, "root", "admin", NULL, admin);
    make_product(&d, admin, "many");
    make_product(&d, admin, "nasty");
    make_product(&d, admin, "none");
    publish(&d, admin, "many", "1", NULL, 1, NULL);
    publish(&d, admin, "nasty", "1", NULL, 1, NULL);
    struct reply r = get(&d, NULL, "/fw/nasty/latest?mac=30AEA4000001&version=0");
    CK_STATUS("check-in", r, 200);
    reply_free(&r);
    r = get(&d, admin, "/api/v1/products/nasty/updates"); /* now it is written */
    CK_STATUS("ledger", r, 200);
    reply_free(&r);
    daemon_sql_write(&d, "UPDATE \"update\" SET from_version = '=1+1', detail = 'a \"b\", c'"
                         " || char(10) || 'd', cause = '@x'");
    daemon_sql_write(
        &d, "INSERT INTO device (product, mac, version, first_seen_s, last_seen_s)"
            " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1234)"
            " SELECT p.id, i, '1', 1, 1 FROM n, product AS p WHERE p.slug = 'many'");
    daemon_sql_write(
        &d, "INSERT INTO \"update\" (product, device, build, state, created_at_s, updated_at_s)"
            " SELECT d.product, d.id, b.seq, iif(d.mac % 10, 'installed', 'failed'), 1700000000,"
            " 1700000000 + d.mac * 7919 % 1000 FROM device AS d JOIN build AS b"
            " ON b.product = d.product JOIN product AS p ON p.id = d.product"
            " WHERE p.slug = 'many' ORDER BY d.mac");
}

static void teardown(void)
{
    daemon_free(&d);
}

static struct reply csv_of(const char *product, const char *query)
{
    char path[160];
    (void)snprintf(path, sizeof path, "/api/v1/products/%s/updates?format=csv%s", product, query);
    struct reply r = get(&d, admin, path);
    CK_STATUS(path, r, 200);
    ck_assert_str_eq(reply_header(&r, "Content-Type"), "text/csv; charset=utf-8");
    ck_assert_msg(strncmp(r.body, HEADER, strlen(HEADER)) == 0, "%.200s", r.body);
    return r;
}

/* Field i (from 0) of a row without quotes, as a number. */
static int64_t field(const char *row, int i)
{
    for (; i > 0; i--)
        row = strchr(row, ',') + 1;
    return strtoll(row, NULL, 10);
}

static const char *next_row(const char *row)
{
    return strstr(row, "\r\n") + 2;
}

static size_t rows(const struct reply *r)
{
    size_t n = 0;
    for (const char *row = next_row(r->body); *row != '\0'; row = next_row(row))
        n++;
    return n;
}

START_TEST(whole_ledger_comes_once_newest_first)
{
    struct reply r = csv_of("many", "");
    ck_assert_str_eq(reply_header(&r, "Content-Disposition"),
                     "attachment; filename=\"updates-many.csv\"");
    ck_assert_ptr_null(reply_header(&r, "Content-Length"));
    int64_t last = INT64_MAX;
    ck_assert_uint_eq(rows(&r), MANY);
    for (const char *row = next_row(r.body); *row != '\0'; row = next_row(row)) {
        ck_assert_int_lt(field(row, 0), last);
        last = field(row, 0);
    }
    reply_free(&r);
}
END_TEST

START_TEST(empty_ledger_is_a_header)
{
    struct reply r = csv_of("none", "");
    ck_assert_str_eq(r.body, HEADER);
    reply_free(&r);
}
END_TEST

START_TEST(texts_of_devices_are_quoted_and_disarmed)
{
    struct reply r = csv_of("nasty", "");
    ck_assert_ptr_nonnull(strstr(r.body, ",nasty,30:AE:A4:00:00:01,"));
    ck_assert_msg(strstr(r.body, ",'=1+1,1,") != NULL, "%s", r.body);
    ck_assert_msg(strstr(r.body, ",'@x,\"a \"\"b\"\", c\nd\",") != NULL, "%s", r.body);
    reply_free(&r);
}
END_TEST

START_TEST(filters_hold_for_csv_too)
{
    struct reply r = csv_of("many", "&state=failed");
    ck_assert_uint_eq(rows(&r), MANY / 10);
    reply_free(&r);
    r = csv_of("many", "&mac=000000000007");
    ck_assert_uint_eq(rows(&r), 1);
    ck_assert_ptr_nonnull(strstr(r.body, ",00:00:00:00:00:07,"));
    reply_free(&r);
    r = csv_of("many", "&until=2020-01-01T00:00:00Z");
    ck_assert_uint_eq(rows(&r), 0);
    reply_free(&r);
}
END_TEST

START_TEST(accept_header_asks_for_csv)
{
    static const struct {
        const char *accept, *query, *type;
    } cases[] = {
        {"Accept: text/csv",                   "",             "text/csv; charset=utf-8"},
        {"Accept: Text/CSV;q=0.9, */*;q=0.1",  "",             "text/csv; charset=utf-8"},
        {"Accept: text/csv",                   "?format=json", "application/json"       },
        {"Accept: application/json, text/csv", "",             "application/json"       },
        {"Accept: */*",                        "",             "application/json"       },
    };
    for (size_t i = 0; i < OTAD_COUNT(cases); i++) {
        char path[96];
        const char *const headers[] = {cases[i].accept, NULL};
        (void)snprintf(path, sizeof path, "/api/v1/products/none/updates%s", cases[i].query);
        struct reply r = call(&d, "GET", path, (struct call){.key = admin, .headers = headers});
        CK_STATUS(cases[i].accept, r, 200);
        ck_assert_str_eq(reply_header(&r, "Content-Type"), cases[i].type);
        reply_free(&r);
    }
}
END_TEST

static const struct {
    const char *sort;
    int sign, column; /* of the CSV */
} orders[] = {
    {"-id",         -1, 0 },
    {"id",          1,  0 },
    {"-updated_at", -1, 11},
    {"updated_at",  1,  11},
};

START_TEST(csv_and_pages_have_the_order_asked_for)
{
    char query[64], path[200], cursor[64] = "";
    (void)snprintf(query, sizeof query, "&sort=%s", orders[_i].sort);
    struct reply file = csv_of("many", query);
    ck_assert_uint_eq(rows(&file), MANY);
    const char *row = next_row(file.body);
    for (const char *next = next_row(row); *next != '\0'; row = next, next = next_row(next)) {
        /* the last column is a time: it sorts as text, and is 20 characters before the end */
        int order = orders[_i].column == 0
                        ? (field(row, 0) < field(next, 0) ? 1 : -1)
                        : strncmp(next_row(next) - 22, next - 22, 20) * orders[_i].sign;
        ck_assert(orders[_i].column == 0 ? order == orders[_i].sign : order >= 0);
    }
    row = next_row(file.body); /* the pages show the same rows in the same order */
    do {
        (void)snprintf(path, sizeof path, "/api/v1/products/many/updates?limit=500&sort=%s%s%s",
                       orders[_i].sort, cursor[0] ? "&cursor=" : "", cursor);
        struct reply r = get(&d, admin, path);
        CK_STATUS(path, r, 200);
        size_t i;
        json_t *item;
        json_array_foreach(reply_at(&r, "items"), i, item)
        {
            const char *id = json_string_value(json_object_get(item, "id"));
            ck_assert_int_eq(strtoll(id, NULL, 10), field(row, 0));
            row = next_row(row);
        }
        (void)snprintf(cursor, sizeof cursor, "%s",
                       json_is_string(reply_at(&r, "next")) ? reply_text(&r, "next") : "");
        reply_free(&r);
    } while (cursor[0] != '\0');
    ck_assert_int_eq(*row, '\0');
    reply_free(&file);
}
END_TEST

START_TEST(bad_requests_are_refused)
{
    static const char *const bad[] = {
        "format=xml",        "format=csv&limit=5",        "format=csv&cursor=5",
        "sort=mac",          "sort=-updated_at&cursor=5", "sort=updated_at&cursor=5.x",
        "sort=id&cursor=5.5"};
    for (size_t i = 0; i < OTAD_COUNT(bad); i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "/api/v1/products/many/updates?%s", bad[i]);
        struct reply r = get(&d, admin, path);
        CK_STATUS(path, r, 422);
        reply_free(&r);
    }
    struct reply r = get(&d, admin, "/api/v1/products/no/updates?format=csv");
    CK_STATUS("no product", r, 404);
    reply_free(&r);
    r = get(&d, NULL, "/api/v1/products/many/updates?format=csv");
    CK_STATUS("no key", r, 401);
    reply_free(&r);
}
END_TEST

START_TEST(old_client_gets_it_until_the_close)
{
    char request[256];
    (void)snprintf(request, sizeof request,
                   "GET /api/v1/products/many/updates?format=csv HTTP/1.0\r\n"
                   "Authorization: Bearer %s\r\n\r\n",
                   admin);
    static char text[1 << 20];
    int fd = raw_connect(&d);
    raw_send(fd, request, strlen(request));
    size_t n = 0;
    for (ssize_t got; (got = recv(fd, text + n, sizeof text - 1 - n, 0)) > 0;)
        n += (size_t)got;
    (void)close(fd);
    ck_assert_ptr_nonnull(strstr(text, " 200 OK\r\n"));
    ck_assert_ptr_null(strstr(text, "Transfer-Encoding"));
    const struct reply body = {.body = strstr(text, "\r\n\r\n") + 4};
    ck_assert_uint_eq(rows(&body), MANY);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("csv");
    TCase *tc = tcase_create("csv");
    tcase_set_timeout(tc, 300);
    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_add_test(tc, whole_ledger_comes_once_newest_first);
    tcase_add_test(tc, empty_ledger_is_a_header);
    tcase_add_test(tc, texts_of_devices_are_quoted_and_disarmed);
    tcase_add_test(tc, filters_hold_for_csv_too);
    tcase_add_test(tc, accept_header_asks_for_csv);
    tcase_add_loop_test(tc, csv_and_pages_have_the_order_asked_for, 0, (int)OTAD_COUNT(orders));
    tcase_add_test(tc, bad_requests_are_refused);
    tcase_add_test(tc, old_client_gets_it_until_the_close);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
