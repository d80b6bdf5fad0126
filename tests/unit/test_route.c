/* SPDX-License-Identifier: MIT
 * Matching of path templates, and the rules that the daemon's own table must keep. */
#include <stdio.h>
#include <string.h>

#include "http/route.h"
#include "routes.h"
#include "support/unit.h"

static enum otad_err handler(struct http_req *req, struct otad_errinfo *ei)
{
    (void)req;
    (void)ei;
    return OTAD_E_OK;
}

#define ROW(methods, path)                                                                         \
    {                                                                                              \
        methods, path, HTTP_ACCESS_OPEN, HTTP_BODY_NONE, 0, handler, NULL                          \
    }
static const struct http_route test_rows[] = {
    ROW(HTTP_GET, "/"),
    ROW(HTTP_GET | HTTP_HEAD, "/fw/{product}/latest"),
    ROW(HTTP_GET, "/fw/{product}/{mac}.bin"),
    ROW(HTTP_GET, "/fw/{product}/latest.bin"),
    ROW(HTTP_GET, "/fw/{product}/v{version}.bin"),
    ROW(HTTP_GET, "/fw/{product}/{mac}"),
    ROW(HTTP_POST, "/fw/{product}/{mac}/report"),
    ROW(HTTP_GET, "/items"),
    ROW(HTTP_POST, "/items"),
    ROW(HTTP_GET, "/items/{id}"),
    ROW(HTTP_DELETE | HTTP_PATCH, "/items/{id}"),
    ROW(HTTP_GET, "/{word}/any"),
    ROW(HTTP_GET, "/many/{a}/{b}/{c}/{d}/{e}"),
};
static const struct http_route_table table = {test_rows, OTAD_COUNT(test_rows), NULL};

static const struct {
    const char *what;
    unsigned method;
    const char *target;
    int row; /* -1: none */
    unsigned allow;
    const char *name, *value;
} rows[] = {
    {"root",                         HTTP_GET,   "/",                         0,  HTTP_GET,                            "x",       ""         },
    {"a name in the middle",         HTTP_GET,   "/fw/lamp/latest",           1,  HTTP_GET | HTTP_HEAD,                "product",
     "lamp"                                                                                                                                  },
    {"the other method of a row",    HTTP_HEAD,  "/fw/lamp/latest",           1,  HTTP_GET | HTTP_HEAD,                "product",
     "lamp"                                                                                                                                  },
    {"literal beats a name",         HTTP_GET,   "/fw/lamp/latest.bin",       3,  HTTP_GET,                            "mac",     ""         },
    {"literal behind a name",        HTTP_GET,   "/fw/lamp/30AEA48436F0.bin", 2,  HTTP_GET,                            "mac",
     "30AEA48436F0"                                                                                                                          },
    {"more literal text wins",       HTTP_GET,   "/fw/lamp/v12.bin",          4,  HTTP_GET,                            "version", "12"       },
    {"a name must not be empty",     HTTP_GET,   "/fw/lamp/.bin",             5,  HTTP_GET,                            "mac",     ".bin"     },
    {"a bare name",                  HTTP_GET,   "/fw/lamp/other",            5,  HTTP_GET,                            "mac",     "other"    },
    {"deeper",                       HTTP_POST,  "/fw/lamp/x/report",         6,  HTTP_POST,                           "mac",     "x"        },
    {"wrong method, known path",     HTTP_GET,   "/fw/lamp/x/report",         -1, HTTP_POST,                           NULL,      NULL       },
    {"no HEAD unless named",         HTTP_HEAD,  "/items",                    -1, HTTP_GET | HTTP_POST,                NULL,      NULL       },
    {"unknown method",               0,          "/items",                    -1, HTTP_GET | HTTP_POST,                NULL,      NULL       },
    {"first of two rows of a path",  HTTP_GET,   "/items",                    7,  HTTP_GET | HTTP_POST,                "id",      ""         },
    {"second of two rows of a path", HTTP_POST,  "/items",                    8,  HTTP_GET | HTTP_POST,                "id",      ""         },
    {"two rows, three methods",      HTTP_PATCH, "/items/7",                  10, HTTP_GET | HTTP_DELETE | HTTP_PATCH,
     "id",                                                                                                                        "7"        },
    {"name in the first place",      HTTP_GET,   "/elephants/any",            11, HTTP_GET,                            "word",    "elephants"},
    {"as many names as are kept",    HTTP_GET,   "/many/1/2/3/4/5",           12, HTTP_GET,                            "d",       "4"        },
    {"one more is not",              HTTP_GET,   "/many/1/2/3/4/5",           12, HTTP_GET,                            "e",       ""         },
    {"unknown path",                 HTTP_GET,   "/nothing",                  -1, 0,                                   NULL,      NULL       },
    {"the case counts",              HTTP_GET,   "/Items",                    -1, 0,                                   NULL,      NULL       },
    {"longer word",                  HTTP_GET,   "/itemsx",                   -1, 0,                                   NULL,      NULL       },
    {"shorter path",                 HTTP_GET,   "/fw/lamp",                  -1, 0,                                   NULL,      NULL       },
    {"longer path",                  HTTP_GET,   "/fw/lamp/latest/x",         -1, 0,                                   NULL,      NULL       },
};

START_TEST(find_row)
{
    struct target t;
    struct route_params params = {.n = 0};
    char buf[256];
    unsigned allow = 0x5a5a;
    const char *what = rows[_i].what;
    ck_assert(target_parse(rows[_i].target, buf, &t));
    const struct http_route *found = route_find(&table, rows[_i].method, &t, &params, &allow);
    ck_assert_msg(allow == rows[_i].allow, "%s: allow %#x", what, allow);
    if (rows[_i].row < 0) {
        ck_assert_msg(found == NULL, "%s", what);
        return;
    }
    ck_assert_msg(found == &test_rows[rows[_i].row], "%s: %s", what, found ? found->path : "none");
    ck_assert_msg(strcmp(route_param(&params, rows[_i].name), rows[_i].value) == 0, "%s", what);
}
END_TEST

START_TEST(order_of_rows_never_matters)
{
    struct http_route turned[OTAD_COUNT(test_rows)];
    const struct http_route_table other = {turned, OTAD_COUNT(turned), NULL};
    for (size_t i = 0; i < OTAD_COUNT(turned); i++)
        turned[i] = test_rows[OTAD_COUNT(turned) - 1 - i];
    struct target t;
    struct route_params params;
    char buf[256];
    unsigned allow;
    ck_assert(target_parse(rows[_i].target, buf, &t));
    const struct http_route *found = route_find(&other, rows[_i].method, &t, &params, &allow);
    ck_assert_msg(allow == rows[_i].allow, "%s", rows[_i].what);
    ck_assert_msg((found == NULL) == (rows[_i].row < 0), "%s", rows[_i].what);
    if (found != NULL)
        ck_assert_msg(strcmp(found->path, test_rows[rows[_i].row].path) == 0, "%s", rows[_i].what);
}
END_TEST

START_TEST(names_are_compared_whole)
{
    struct target t;
    struct route_params params;
    char buf[64];
    unsigned allow;
    ck_assert(target_parse("/items/7", buf, &t));
    ck_assert_ptr_nonnull(route_find(&table, HTTP_GET, &t, &params, &allow));
    ck_assert_str_eq(route_param(&params, "id"), "7");
    ck_assert_str_eq(route_param(&params, "i"), "");
    ck_assert_str_eq(route_param(&params, "idx"), "");
}
END_TEST

static const struct {
    const char *what;
    const char *a, *b;
    bool want;
} overlap_rows[] = {
    {"the same literal",                          "/a/b",       "/a/b",       true },
    {"different literals",                        "/a/b",       "/a/c",       false},
    {"different lengths",                         "/a/b",       "/a/b/c",     false},
    {"literal beside a name",                     "/a/b",       "/a/{x}",     false},
    {"two names",                                 "/a/{x}",     "/a/{y}",     true },
    {"names with other tails",                    "/a/{x}.bin", "/a/{y}.txt", false},
    {"names with the same tail",                  "/a/{x}.bin", "/a/{y}.bin", true },
    {"name and longer tail",                      "/a/{x}",     "/a/{y}.bin", false},
    {"head and tail of one length",               "/a/v.{x}",   "/a/{y}.b",   true },
    {"heads that can't agree",                    "/a/v{x}",    "/a/w{y}",    false},
    {"crosswise names",                           "/a/{x}",     "/{y}/b",     true },
    {"crosswise, can't both match",               "/a/{x}/c",   "/{y}/b/d",   false},
    {"crosswise, one more literal",               "/a/b/{x}",   "/{y}/b/{z}", false},
    {"literal with another head",                 "/{a}/vb",    "/a/w{y}",    false},
    {"literal with another tail",                 "/{a}/v.b",   "/a/{y}.c",   false},
    {"literal as short as head and tail",         "/{a}/v.b",   "/a/v{y}.b",  false},
    {"literal that fits both, but never equally", "/{a}/vx.b",  "/a/v{y}.b",  false},
    {"roots",                                     "/",          "/",          true },
};

START_TEST(overlap_row)
{
    ck_assert_msg(route_overlap(overlap_rows[_i].a, overlap_rows[_i].b) == overlap_rows[_i].want,
                  "%s", overlap_rows[_i].what);
    ck_assert_msg(route_overlap(overlap_rows[_i].b, overlap_rows[_i].a) == overlap_rows[_i].want,
                  "%s, turned", overlap_rows[_i].what);
}
END_TEST

START_TEST(method_tokens)
{
    char text[64];
    ck_assert_uint_eq(route_method("GET"), HTTP_GET);
    ck_assert_uint_eq(route_method("DELETE"), HTTP_DELETE);
    ck_assert_uint_eq(route_method("get"), 0);
    ck_assert_uint_eq(route_method("OPTIONS"), 0);
    ck_assert_uint_eq(route_method(""), 0);
    route_methods_text(HTTP_POST | HTTP_GET | HTTP_HEAD, text, sizeof text);
    ck_assert_str_eq(text, "GET, HEAD, POST");
    route_methods_text(0, text, sizeof text);
    ck_assert_str_eq(text, "");
    route_methods_text(0x3f, text, sizeof text);
    ck_assert_str_eq(text, "GET, HEAD, POST, PATCH, PUT, DELETE");
    route_methods_text(0x3f, text, 8);
    ck_assert_str_eq(text, "GET, HE");
}
END_TEST

/* ---- the daemon's table ------------------------------------------------------------------- */

START_TEST(server_row_is_sound)
{
    const struct http_route *r = &routes.rows[_i];
    ck_assert_msg(r->methods != 0 && (r->methods & ~0x3fu) == 0, "%s: methods", r->path);
    ck_assert_msg(r->path[0] == '/', "%s", r->path);
    ck_assert_msg(r->access >= HTTP_ACCESS_OPEN && r->access <= HTTP_ACCESS_ADMIN,
                  "%s: no access class", r->path);
    ck_assert_msg(r->handler != NULL, "%s: no handler", r->path);
    ck_assert_msg((r->body == HTTP_BODY_UPLOAD) == (r->sink != NULL), "%s: sink", r->path);
    ck_assert_msg((r->body == HTTP_BODY_NONE) == (r->max_body == 0), "%s: body limit", r->path);
    ck_assert_msg(r->max_body >= 0 ||
                      (r->max_body == HTTP_MAX_BODY_IMAGE && r->body == HTTP_BODY_UPLOAD),
                  "%s: body limit", r->path);
    bool own_session = strcmp(r->path, "/api/v1/session") == 0; /* everybody's own: in and out */
    if ((r->methods & ~(unsigned)(HTTP_GET | HTTP_HEAD)) != 0 && r->access != HTTP_ACCESS_DEVICE &&
        !own_session)
        ck_assert_msg(r->access >= HTTP_ACCESS_PUBLISHER, "%s: a viewer may change it", r->path);
}
END_TEST

START_TEST(server_row_overlaps_no_other)
{
    const struct http_route *a = &routes.rows[_i];
    for (size_t i = 0; i < (size_t)_i; i++) {
        const struct http_route *b = &routes.rows[i];
        if ((a->methods & b->methods) != 0)
            ck_assert_msg(!route_overlap(a->path, b->path), "%s and %s", a->path, b->path);
    }
}
END_TEST

/* Each row is found under a path made of its own template. */
START_TEST(server_row_is_reached)
{
    const struct http_route *r = &routes.rows[_i];
    char raw[256], buf[512];
    size_t n = 0;
    for (const char *p = r->path; *p != '\0'; p++) {
        if (*p == '{') {
            n += (size_t)snprintf(raw + n, sizeof raw - n, "Some-Word");
            p = strchr(p, '}');
        } else {
            raw[n++] = *p;
        }
    }
    raw[n] = '\0';
    for (unsigned method = HTTP_GET; method <= HTTP_DELETE; method <<= 1) {
        struct target t;
        struct route_params params;
        unsigned allow;
        ck_assert(target_parse(raw, buf, &t));
        const struct http_route *found = route_find(&routes, method, &t, &params, &allow);
        if ((r->methods & method) != 0)
            ck_assert_msg(found == r, "%s: %s", raw, found != NULL ? found->path : "none");
    }
}
END_TEST

START_TEST(device_prefixes_are_those_of_device_rows)
{
    const struct http_route *r = &routes.rows[_i];
    bool bare = false;
    for (const char *const *p = routes.device_prefixes; *p != NULL; p++)
        bare =
            bare || (strncmp(r->path + 1, *p, strlen(*p)) == 0 && r->path[1 + strlen(*p)] == '/');
    ck_assert_msg(bare == (r->access == HTTP_ACCESS_DEVICE), "%s", r->path);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("route");
    TCase *t = tcase_create("matching");
    tcase_add_loop_test(t, find_row, 0, (int)OTAD_COUNT(rows));
    tcase_add_loop_test(t, order_of_rows_never_matters, 0, (int)OTAD_COUNT(rows));
    tcase_add_test(t, names_are_compared_whole);
    tcase_add_loop_test(t, overlap_row, 0, (int)OTAD_COUNT(overlap_rows));
    tcase_add_test(t, method_tokens);
    suite_add_tcase(s, t);
    t = tcase_create("the server's table");
    tcase_add_loop_test(t, server_row_is_sound, 0, (int)routes.n);
    tcase_add_loop_test(t, server_row_overlaps_no_other, 0, (int)routes.n);
    tcase_add_loop_test(t, server_row_is_reached, 0, (int)routes.n);
    tcase_add_loop_test(t, device_prefixes_are_those_of_device_rows, 0, (int)routes.n);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
