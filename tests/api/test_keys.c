/* SPDX-License-Identifier: MIT
 * Keys and roles: who may do what, that a change takes effect at once, and that every change
 * leaves its trace in the audit. */
#include <stdio.h>
#include <string.h>

#include "otad/err.h"
#include "support/http.h"
#include "support/unit.h"

static struct daemon d;
static char admin[DAEMON_KEY], publisher[DAEMON_KEY], viewer[DAEMON_KEY];
static char lamp_publisher[DAEMON_KEY], lamp_viewer[DAEMON_KEY], lamp_admin[DAEMON_KEY];

static void setup(void)
{
    daemon_start(&d, NULL);
    daemon_key(&d, "root", "admin", NULL, admin);
    make_product(&d, admin, "lamp");
    make_product(&d, admin, "other");
    daemon_key(&d, "ci", "publisher", NULL, publisher);
    daemon_key(&d, "eyes", "viewer", NULL, viewer);
    daemon_key(&d, "lamp-ci", "publisher", "lamp", lamp_publisher);
    daemon_key(&d, "lamp-eyes", "viewer", "lamp", lamp_viewer);
    daemon_key(&d, "lamp-root", "admin", "lamp", lamp_admin);
    publish(&d, admin, "lamp", "1", NULL, 1, NULL);
    publish(&d, admin, "other", "1", NULL, 1, NULL);
    struct reply r = get(&d, NULL, "/fw/lamp/30AEA4000001.version");
    reply_free(&r);
}

static void teardown(void)
{
    daemon_free(&d);
}

/* ---- the matrix --------------------------------------------------------------------------- */

/* Statuses in the order of keys[]: none, unknown, viewer, publisher, lamp's viewer, publisher and
 * admin. Requests that would be allowed are made so that they change nothing: 4xx behind the door
 * shows that the door was open. */
static const struct {
    const char *method, *path, *json;
    int status[7];
} doors[] = {
    {"GET",    "/api/v1/products",                        NULL,        {401, 401, 200, 200, 200, 200, 200}},
    {"POST",   "/api/v1/products",                        "{}",        {401, 401, 403, 403, 403, 403, 403}},
    {"GET",    "/api/v1/products/lamp",                   NULL,        {401, 401, 200, 200, 200, 200, 200}},
    {"GET",    "/api/v1/products/other",                  NULL,        {401, 401, 200, 200, 403, 403, 403}},
    {"GET",    "/api/v1/products/nothing",                NULL,        {401, 401, 404, 404, 403, 403, 403}},
    {"PATCH",  "/api/v1/products/lamp",                   "{\"x\":1}", {401, 401, 403, 403, 403, 403, 422}},
    {"PATCH",  "/api/v1/products/other",                  "{\"x\":1}", {401, 401, 403, 403, 403, 403, 403}},
    {"DELETE", "/api/v1/products/lamp",                   NULL,        {401, 401, 403, 403, 403, 403, 409}},
    {"GET",    "/api/v1/products/lamp/builds",            NULL,        {401, 401, 200, 200, 200, 200, 200}},
    {"GET",    "/api/v1/products/other/builds",           NULL,        {401, 401, 200, 200, 403, 403, 403}},
    {"POST",   "/api/v1/products/lamp/builds",            "{}",        {401, 401, 403, 415, 403, 415, 415}},
    {"POST",   "/api/v1/products/other/builds",           "{}",        {401, 401, 403, 415, 403, 403, 403}},
    {"DELETE", "/api/v1/products/lamp/builds/1",          NULL,        {401, 401, 403, 404, 403, 404, 404}},
    {"POST",   "/api/v1/products/lamp/builds/1/withdraw", "{}",        {401, 401, 403, 404, 403, 404, 404}},
    {"GET",    "/api/v1/products/lamp/builds/1/file",     NULL,        {401, 401, 404, 404, 404, 404, 404}},
    {"PATCH",
     "/api/v1/products/lamp/channels/stable",             "{\"x\":1}",
     {401, 401, 403, 422, 403, 422, 422}                                                                  },
    {"POST",
     "/api/v1/products/lamp/channels/stable/undo",        "{\"x\":1}",
     {401, 401, 403, 422, 403, 422, 422}                                                                  },
    {"POST",
     "/api/v1/products/other/channels/stable/undo",       "{\"x\":1}",
     {401, 401, 403, 422, 403, 403, 403}                                                                  },
    {"GET",    "/api/v1/products/lamp/devices",           NULL,        {401, 401, 200, 200, 200, 200, 200}},
    {"GET",    "/api/v1/products/other/devices",          NULL,        {401, 401, 200, 200, 403, 403, 403}},
    {"PATCH",
     "/api/v1/products/lamp/devices/30AEA4000001",        "{\"x\":1}",
     {401, 401, 403, 422, 403, 422, 422}                                                                  },
    {"DELETE",
     "/api/v1/products/lamp/devices/30AEA4FFFFF2",        NULL,
     {401, 401, 403, 404, 403, 404, 404}                                                                  },
    {"GET",    "/api/v1/products/lamp/updates",           NULL,        {401, 401, 200, 200, 200, 200, 200}},
    {"GET",    "/api/v1/products/other/updates",          NULL,        {401, 401, 200, 200, 403, 403, 403}},
    {"GET",    "/api/v1/keys",                            NULL,        {401, 401, 403, 403, 403, 403, 403}},
    {"POST",   "/api/v1/keys",                            "{}",        {401, 401, 403, 403, 403, 403, 403}},
    {"DELETE", "/api/v1/keys/ci",                         NULL,        {401, 401, 403, 403, 403, 403, 403}},
    {"GET",    "/api/v1/audit",                           NULL,        {401, 401, 403, 403, 403, 403, 403}},
    {"GET",    "/api/v1/endpoints",                       NULL,        {401, 401, 200, 200, 200, 200, 200}},
};

START_TEST(door_opens_for_the_right_keys_only)
{
    const char *const keys[] = {NULL,        "otad_0000",    viewer,    publisher,
                                lamp_viewer, lamp_publisher, lamp_admin};
    static const char *const names[] = {"no key",      "unknown key",   "viewer",
                                        "publisher",   "lamp's viewer", "lamp's publisher",
                                        "lamp's admin"};
    for (size_t i = 0; i < OTAD_COUNT(keys); i++) {
        char what[160];
        (void)snprintf(what, sizeof what, "%s %s with %s", doors[_i].method, doors[_i].path,
                       names[i]);
        struct reply r = send_json(&d, keys[i], doors[_i].method, doors[_i].path, doors[_i].json);
        CK_STATUS(what, r, doors[_i].status[i]);
        if (r.status == 401)
            ck_assert_msg(reply_header(&r, "WWW-Authenticate") != NULL, "%s: %s", what, r.head);
        reply_free(&r);
    }
}
END_TEST

START_TEST(every_route_of_the_table_needs_a_key)
{
    struct reply r = get(&d, admin, "/api/v1/endpoints");
    CK_STATUS("endpoints", r, 200);
    size_t i, tried = 0;
    json_t *row;
    json_array_foreach(reply_at(&r, "items"), i, row)
    {
        const char *path = json_string_value(json_object_get(row, "path"));
        const char *body = "{}";
        char method[16];
        (void)snprintf(method, sizeof method, "%.*s",
                       (int)strcspn(json_string_value(json_object_get(row, "methods")), ","),
                       json_string_value(json_object_get(row, "methods")));
        if (strncmp(path, "/api/", 5) != 0)
            continue;
        char real[200];
        size_t n = 0;
        for (const char *p = path; *p != '\0'; p++) /* {name} becomes x */
            if (*p == '{') {
                real[n++] = 'x';
                p = strchr(p, '}');
            } else {
                real[n++] = *p;
            }
        real[n] = '\0';
        if (strcmp(method, "GET") == 0)
            body = NULL;
        else if (strcmp(path, "/api/v1/session") == 0)
            body = "{\"key\":\"otad_wrong\"}"; /* the door itself: the key is in the body */
        struct reply refused = send_json(&d, NULL, method, real, body);
        CK_STATUS(real, refused, 401);
        reply_free(&refused);
        tried++;
    }
    ck_assert_uint_gt(tried, 20);
    reply_free(&r);
}
END_TEST

START_TEST(bound_key_sees_its_product_only)
{
    struct reply r = get(&d, lamp_viewer, "/api/v1/products");
    ck_assert_uint_eq(json_array_size(reply_at(&r, "items")), 1);
    CK_TEXT("list", r, "items.0.slug", "lamp");
    reply_free(&r);
    r = get(&d, lamp_viewer, "/api/v1/products?limit=1");
    CK_TEXT("list", r, "items.0.slug", "lamp");
    ck_assert(json_is_null(reply_at(&r, "next")));
    reply_free(&r);
}
END_TEST

/* ---- ways to pass a key ------------------------------------------------------------------- */

START_TEST(key_is_taken_as_bearer_and_as_password)
{
    char text[DAEMON_KEY + 40];
    (void)snprintf(text, sizeof text, "anyone:%s", viewer);
    struct reply r = call(&d, "GET", "/api/v1/products", (struct call){.user = text});
    CK_STATUS("basic", r, 200);
    reply_free(&r);
    (void)snprintf(text, sizeof text, ":%s", viewer);
    r = call(&d, "GET", "/api/v1/products", (struct call){.user = text});
    CK_STATUS("basic without a name", r, 200);
    reply_free(&r);
    (void)snprintf(text, sizeof text, "authorization: bearer %s", viewer);
    r = call(&d, "GET", "/api/v1/products",
             (struct call){
                 .headers = (const char *const[]){text, NULL}
    });
    CK_STATUS("lower case", r, 200);
    reply_free(&r);
}
END_TEST

START_TEST(other_ways_to_pass_a_key_are_401)
{
    static char longest[4000];
    memset(longest, 'a', sizeof longest - 1);
    memcpy(longest, "Authorization: Bearer ", 22);
    char upper[DAEMON_KEY + 40], cut[DAEMON_KEY + 40], query[DAEMON_KEY + 60];
    (void)snprintf(upper, sizeof upper, "Authorization: Bearer %sX", viewer);
    (void)snprintf(cut, sizeof cut, "Authorization: Bearer %.*s", (int)strlen(viewer) - 1, viewer);
    (void)snprintf(query, sizeof query, "/api/v1/products?key=%s", viewer);
    const char *const headers[] = {"Authorization: Bearer",
                                   "Authorization: Bearer ",
                                   "Authorization: Basic !!!",
                                   "Authorization: Basic bm9jb2xvbg==",
                                   "Authorization: Digest x",
                                   longest,
                                   upper,
                                   cut,
                                   "X-Nothing: 1"};
    for (size_t i = 0; i < OTAD_COUNT(headers); i++) {
        struct reply r = call(&d, "GET", "/api/v1/products",
                              (struct call){
                                  .headers = (const char *const[]){headers[i], NULL}
        });
        CK_STATUS(headers[i], r, 401);
        reply_free(&r);
    }
    struct reply r = get(&d, NULL, query);
    CK_STATUS("in the query", r, 401);
    reply_free(&r);
}
END_TEST

/* ---- made and revoked --------------------------------------------------------------------- */

START_TEST(key_is_shown_once_and_stored_as_a_hash)
{
    struct reply r =
        send_json(&d, admin, "POST", "/api/v1/keys", "{\"name\":\"fresh\",\"role\":\"viewer\"}");
    CK_STATUS("create", r, 201);
    char key[DAEMON_KEY], sql[256];
    (void)snprintf(key, sizeof key, "%s", reply_text(&r, "key"));
    ck_assert_uint_ge(strlen(key), 64); /* 256 bits in hex, and a prefix */
    reply_free(&r);
    r = get(&d, key, "/api/v1/products");
    CK_STATUS("at once", r, 200);
    reply_free(&r);
    r = get(&d, admin, "/api/v1/keys");
    CK_STATUS("list", r, 200);
    ck_assert_ptr_null(strstr(r.body, key));
    reply_free(&r);
    (void)snprintf(
        sql, sizeof sql,
        "SELECT count(*) FROM api_key WHERE instr(name || role || hint || hex(hash), '%.40s') > 0",
        key + 20);
    ck_assert_int_eq(daemon_sql(&d, sql), 0);
    r = get(&d, admin, "/api/v1/audit");
    ck_assert_ptr_null(strstr(r.body, key));
    reply_free(&r);
}
END_TEST

START_TEST(revoked_key_fails_at_once)
{
    char key[DAEMON_KEY];
    daemon_key(&d, "short-lived", "viewer", NULL, key);
    struct reply r = get(&d, key, "/api/v1/products");
    CK_STATUS("made by the CLI beside the daemon", r, 200);
    reply_free(&r);
    const char *args[] = {"key", "revoke", "--data-dir", d.data, "--name", "short-lived", NULL};
    struct command c = daemon_command(args, NULL);
    ck_assert_msg(c.status == 0, "%s", c.err);
    command_free(&c);
    r = get(&d, key, "/api/v1/products");
    CK_STATUS("revoked by the CLI", r, 401);
    reply_free(&r);
    c = daemon_command(args, NULL);
    ck_assert_msg(c.status != 0 && strstr(c.err, "short-lived") != NULL, "%s", c.err);
    command_free(&c);
    daemon_key(&d, "short-lived-2", "viewer", NULL, key);
    r = call(&d, "DELETE", "/api/v1/keys/short-lived-2", (struct call){.key = admin});
    CK_STATUS("by the API", r, 204);
    reply_free(&r);
    r = get(&d, key, "/api/v1/products");
    CK_STATUS("revoked by the API", r, 401);
    reply_free(&r);
    r = call(&d, "DELETE", "/api/v1/keys/short-lived-2", (struct call){.key = admin});
    CK_STATUS("again", r, 404);
    reply_free(&r);
}
END_TEST

START_TEST(revoked_key_fails_on_a_kept_connection)
{
    char key[DAEMON_KEY], request[300];
    daemon_key(&d, "kept-open", "viewer", NULL, key);
    int n = snprintf(request, sizeof request,
                     "GET /api/v1/products HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n",
                     key);
    int fd = raw_connect(&d);
    raw_send(fd, request, (size_t)n);
    struct reply r = raw_reply(fd, false);
    CK_STATUS("before", r, 200);
    reply_free(&r);
    r = call(&d, "DELETE", "/api/v1/keys/kept-open", (struct call){.key = admin});
    CK_STATUS("revoke", r, 204);
    reply_free(&r);
    raw_send(fd, request, (size_t)n);
    r = raw_reply(fd, false);
    CK_STATUS("after", r, 401);
    reply_free(&r);
}
END_TEST

static const struct {
    const char *what, *json;
    int status;
} bad_keys[] = {
    {"no name",                 "{\"role\":\"viewer\"}",                                        422},
    {"an empty name",           "{\"name\":\"\",\"role\":\"viewer\"}",                          422},
    {"no role",                 "{\"name\":\"a\"}",                                             422},
    {"an unknown role",         "{\"name\":\"a\",\"role\":\"root\"}",                           422},
    {"an unknown product",      "{\"name\":\"a\",\"role\":\"viewer\",\"product\":\"nothing\"}", 404},
    {"a taken name",            "{\"name\":\"ci\",\"role\":\"viewer\"}",                        409},
    {"an unknown key",          "{\"name\":\"a\",\"role\":\"viewer\",\"colour\":\"red\"}",      422},
    {"a name that is a number", "{\"name\":7,\"role\":\"viewer\"}",                             422},
};

START_TEST(bad_key_is_refused)
{
    int64_t before = daemon_sql(&d, "SELECT count(*) FROM api_key");
    struct reply r = send_json(&d, admin, "POST", "/api/v1/keys", bad_keys[_i].json);
    CK_STATUS(bad_keys[_i].what, r, bad_keys[_i].status);
    ck_assert(json_is_string(reply_at(&r, "error.message")));
    reply_free(&r);
    ck_assert_int_eq(daemon_sql(&d, "SELECT count(*) FROM api_key"), before);
}
END_TEST

START_TEST(key_command_lists_and_explains)
{
    const char *list[] = {"key", "list", "--data-dir", d.data, NULL};
    struct command c = daemon_command(list, NULL);
    ck_assert_int_eq(c.status, 0);
    ck_assert_ptr_nonnull(strstr(c.out, "lamp-ci"));
    ck_assert_ptr_nonnull(strstr(c.out, "publisher"));
    ck_assert_ptr_null(strstr(c.out, publisher));
    command_free(&c);
    const struct {
        const char *args[10];
        const char *says;
    } bad[] = {
        {{"key", "create", "--data-dir", d.data, "--name", "x"},                     "--role" },
        {{"key", "create", "--data-dir", d.data, "--name", "x", "--role", "root"},
         "viewer, publisher or admin"                                                         },
        {{"key", "create", "--data-dir", d.data, "--name", "ci", "--role", "admin"}, "already"},
        {{"key", "create", "--data-dir", d.data, "--name", "x", "--role", "viewer", "--product",
          "nothing"},
         "nothing"                                                                            },
        {{"key", "revoke", "--data-dir", d.data},                                    "--name" },
        {{"key", "create", "--data-dir", d.data, "--nmae", "x"},                     "--nmae" },
        {{"key", "forge"},                                                           "Usage"  },
        {{"key"},                                                                    "Usage"  }
    };
    for (size_t i = 0; i < OTAD_COUNT(bad); i++) {
        c = daemon_command(bad[i].args, NULL);
        ck_assert_msg(c.status != 0, "row %zu succeeded", i);
        ck_assert_msg(strstr(c.err, bad[i].says) != NULL, "row %zu: %s", i, c.err);
        ck_assert_str_eq(c.out, "");
        command_free(&c);
    }
}
END_TEST

START_TEST(name_of_a_key_need_not_be_text)
{
    char key[DAEMON_KEY];
    daemon_key(&d,
               "b\xff"
               "d",
               "admin", NULL, key);
    struct reply r = get(&d, admin, "/api/v1/keys");
    CK_STATUS("keys", r, 200);
    ck_assert_ptr_nonnull(r.json);
    reply_free(&r);
    make_product(&d, key, "by-odd-name");
    r = get(&d, admin, "/api/v1/audit");
    CK_STATUS("audit", r, 200);
    ck_assert_ptr_nonnull(r.json);
    reply_free(&r);
}
END_TEST

/* ---- audit -------------------------------------------------------------------------------- */

static char build_id[32];

/* Every change there is, in an order in which each succeeds; "@" is the newest build's id. */
static const struct {
    const char *method, *path, *json, *action, *object;
} changes[] = {
    {"POST",   "/api/v1/products",                               "{\"slug\":\"traced\"}",                         "product.create",  "traced"    },
    {"PATCH",  "/api/v1/products/traced",                        "{\"name\":\"Traced\"}",                         "product.change",  NULL        },
    {"UPLOAD", "traced",                                         "1.0",                                           "build.upload",    "@"         },
    {"PATCH",  "/api/v1/products/traced/builds/@",               "{\"notes\":\"n\"}",                             "build.change",    "@"         },
    {"UPLOAD", "traced",                                         "1.1",                                           "build.upload",    "@"         },
    {"PATCH",  "/api/v1/products/traced/channels/beta",          "{\"build\":\"@\"}",                             "channel.release",
     "beta"                                                                                                                                      },
    {"POST",   "/api/v1/products/traced/channels/stable/undo",   "{}",                                            "channel.undo",    "stable"    },
    {"POST",   "/api/v1/products/traced/channels/stable/pause",  "{}",                                            "channel.pause",   "stable"    },
    {"POST",   "/api/v1/products/traced/channels/stable/resume", "{}",                                            "channel.resume",  "stable"    },
    {"PATCH",  "/api/v1/products/traced/devices/30AEA4000009",   "{\"held\":true}",                               "device.change",
     NULL                                                                                                                                        },
    {"DELETE", "/api/v1/products/traced/devices/30AEA4000009",   NULL,                                            "device.forget",   NULL        },
    {"POST",   "/api/v1/products/traced/builds/@/withdraw",      "{}",                                            "build.withdraw",  "@"         },
    {"DELETE", "/api/v1/products/traced/builds/@",               NULL,                                            "build.delete",    "@"         },
    {"POST",   "/api/v1/keys",                                   "{\"name\":\"traced-key\",\"role\":\"viewer\"}", "key.create",
     "traced-key"                                                                                                                                },
    {"DELETE", "/api/v1/keys/traced-key",                        NULL,                                            "key.revoke",      "traced-key"},
    {"DELETE", "/api/v1/products/traced?force=true",             NULL,                                            "product.delete",  NULL        },
};

/* Replaces the one '@'. */
static const char *with_id(const char *text, char *out, size_t room)
{
    const char *at = text != NULL ? strchr(text, '@') : NULL;
    if (at == NULL)
        return text;
    (void)snprintf(out, room, "%.*s%s%s", (int)(at - text), text, build_id, at + 1);
    return out;
}

START_TEST(every_change_leaves_who_what_and_from_where)
{
    char path[200], json[200], object[64];
    struct reply r;
    for (size_t i = 0; i < OTAD_COUNT(changes); i++) {
        if (strcmp(changes[i].action, "device.change") == 0) { /* it must be there first */
            r = get(&d, NULL, "/fw/traced/30AEA4000009.version");
            reply_free(&r);
            r = get(&d, admin, "/api/v1/products/traced/devices");
            reply_free(&r);
        }
        int64_t before = daemon_sql(&d, "SELECT count(*) FROM audit");
        if (strcmp(changes[i].method, "UPLOAD") == 0) {
            publish(&d, admin, changes[i].path, changes[i].json, NULL, i, build_id);
        } else {
            r = send_json(&d, admin, changes[i].method, with_id(changes[i].path, path, sizeof path),
                          with_id(changes[i].json, json, sizeof json));
            ck_assert_msg(r.status >= 200 && r.status < 300, "%s: %ld %s", changes[i].action,
                          r.status, r.body);
            reply_free(&r);
        }
        ck_assert_msg(daemon_sql(&d, "SELECT count(*) FROM audit") == before + 1, "%s left no row",
                      changes[i].action);
        r = get(&d, admin, "/api/v1/audit?limit=1");
        CK_STATUS("audit", r, 200);
        CK_TEXT(changes[i].action, r, "items.0.action", changes[i].action);
        CK_TEXT(changes[i].action, r, "items.0.who", "root");
        CK_TEXT(changes[i].action, r, "items.0.address", "127.0.0.1");
        ck_assert_uint_eq(strlen(reply_text(&r, "items.0.at")), 20);
        if (strncmp(changes[i].action, "key.", 4) != 0 && i > 0)
            CK_TEXT(changes[i].action, r, "items.0.product", "traced");
        if (changes[i].object != NULL)
            CK_TEXT(changes[i].action, r, "items.0.object",
                    with_id(changes[i].object, object, sizeof object));
        reply_free(&r);
    }
}
END_TEST

START_TEST(refused_change_leaves_no_row)
{
    int64_t before = daemon_sql(&d, "SELECT count(*) FROM audit");
    static const struct {
        const char *method, *path, *json;
    } refused[] = {
        {"POST",   "/api/v1/products",                      "{\"slug\":\"lamp\"}"      },
        {"POST",   "/api/v1/products",                      "{\"slug\":\"Not A Slug\"}"},
        {"DELETE", "/api/v1/products/lamp",                 NULL                       },
        {"PATCH",  "/api/v1/products/lamp/channels/stable", "{\"build\":\"1\"}"        },
    };
    for (size_t i = 0; i < OTAD_COUNT(refused); i++) {
        struct reply r = send_json(&d, admin, refused[i].method, refused[i].path, refused[i].json);
        ck_assert_msg(r.status >= 400, "%s: %ld", refused[i].path, r.status);
        reply_free(&r);
    }
    ck_assert_int_eq(daemon_sql(&d, "SELECT count(*) FROM audit"), before);
}
END_TEST

START_TEST(command_line_is_audited_too)
{
    char key[DAEMON_KEY];
    daemon_key(&d, "by-cli", "viewer", "lamp", key);
    struct reply r = get(&d, admin, "/api/v1/audit?limit=1");
    CK_TEXT("audit", r, "items.0.action", "key.create");
    CK_TEXT("audit", r, "items.0.object", "by-cli");
    ck_assert_msg(strncmp(reply_text(&r, "items.0.who"), "cli:", 4) == 0, "%s", r.body);
    reply_free(&r);
}
END_TEST

START_TEST(audit_is_paged)
{
    char path[100], cursor[40] = "";
    int64_t all = daemon_sql(&d, "SELECT count(*) FROM audit"), seen = 0, last = INT64_MAX;
    for (bool more = true; more;) {
        (void)snprintf(path, sizeof path, "/api/v1/audit?limit=5%s%s", cursor[0] ? "&cursor=" : "",
                       cursor);
        struct reply r = get(&d, admin, path);
        CK_STATUS(path, r, 200);
        size_t i;
        json_t *item;
        json_array_foreach(reply_at(&r, "items"), i, item)
        {
            int64_t id = strtoll(json_string_value(json_object_get(item, "id")), NULL, 10);
            ck_assert_int_lt(id, last);
            last = id;
            seen++;
        }
        more = json_is_string(reply_at(&r, "next"));
        (void)snprintf(cursor, sizeof cursor, "%s", reply_text(&r, "next"));
        reply_free(&r);
    }
    ck_assert_int_eq(seen, all);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("keys");
    TCase *tc = tcase_create("keys");
    tcase_set_timeout(tc, 300);
    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, door_opens_for_the_right_keys_only, 0, (int)OTAD_COUNT(doors));
    tcase_add_test(tc, every_route_of_the_table_needs_a_key);
    tcase_add_test(tc, bound_key_sees_its_product_only);
    tcase_add_test(tc, key_is_taken_as_bearer_and_as_password);
    tcase_add_test(tc, other_ways_to_pass_a_key_are_401);
    tcase_add_test(tc, key_is_shown_once_and_stored_as_a_hash);
    tcase_add_test(tc, revoked_key_fails_at_once);
    tcase_add_test(tc, revoked_key_fails_on_a_kept_connection);
    tcase_add_loop_test(tc, bad_key_is_refused, 0, (int)OTAD_COUNT(bad_keys));
    tcase_add_test(tc, key_command_lists_and_explains);
    tcase_add_test(tc, name_of_a_key_need_not_be_text);
    tcase_add_test(tc, every_change_leaves_who_what_and_from_where);
    tcase_add_test(tc, refused_change_leaves_no_row);
    tcase_add_test(tc, command_line_is_audited_too);
    tcase_add_test(tc, audit_is_paged);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
