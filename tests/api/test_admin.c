/* SPDX-License-Identifier: MIT
 * Products, builds, channels and devices as people and CI manage them. */
#include <stdio.h>
#include <string.h>

#include "otad/err.h"
#include "support/http.h"
#include "support/unit.h"

static struct daemon d;
static char admin[DAEMON_KEY];

static void setup(void)
{
    static const char *const flags[] = {"--devices-new-devices-per-hour", "1000000", NULL};
    daemon_start(&d, flags);
    daemon_key(&d, "root", "admin", NULL, admin);
}

static void teardown(void)
{
    daemon_free(&d);
}

/* Requests below a product; "@" in path and JSON becomes `id`. */
static struct reply on(const char *product, const char *method, const char *below, const char *json,
                       const char *id)
{
    char path[256], body[256];
    const char *at = strchr(below, '@'), *in = json != NULL ? strchr(json, '@') : NULL;
    (void)snprintf(path, sizeof path, "/api/v1/products/%s%.*s%s%s", product,
                   at != NULL ? (int)(at - below) : (int)strlen(below), below, at != NULL ? id : "",
                   at != NULL ? at + 1 : "");
    if (in != NULL)
        (void)snprintf(body, sizeof body, "%.*s%s%s", (int)(in - json), json, id, in + 1);
    return send_json(&d, admin, method, path, in != NULL ? body : json);
}

static void expect(const char *what, struct reply r, int status, const char *path, const char *want)
{
    CK_STATUS(what, r, status);
    if (path != NULL)
        CK_TEXT(what, r, path, want);
    reply_free(&r);
}

static void latest_is(const char *product, const char *channel, const char *want)
{
    char path[160];
    (void)snprintf(path, sizeof path, "/fw/%s/latest.version?channel=%s", product, channel);
    struct reply r = get(&d, NULL, path);
    ck_assert_msg(want != NULL ? r.status == 200 && strcmp(r.body, want) == 0 : r.status == 404,
                  "%s of %s is %ld '%s', want %s", channel, product, r.status, r.body,
                  want ? want : "404");
    reply_free(&r);
}

/* Walks a list by its cursor. @return items seen; *pages counts the requests */
static size_t walk(const char *list, int limit, const char *field, char texts[][64], size_t *pages)
{
    char path[256], cursor[64] = "";
    size_t seen = 0;
    *pages = 0;
    for (bool more = true; more; ++*pages) {
        (void)snprintf(path, sizeof path, "%s?limit=%d%s%s", list, limit,
                       cursor[0] ? "&cursor=" : "", cursor);
        struct reply r = get(&d, admin, path);
        CK_STATUS(path, r, 200);
        size_t i;
        json_t *item;
        ck_assert_uint_le(json_array_size(reply_at(&r, "items")), (size_t)limit);
        json_array_foreach(reply_at(&r, "items"), i, item)(void)
            snprintf(texts[seen++], 64, "%s", json_string_value(json_object_get(item, field)));
        more = json_is_string(reply_at(&r, "next"));
        ck_assert(more || json_is_null(reply_at(&r, "next")));
        (void)snprintf(cursor, sizeof cursor, "%s", reply_text(&r, "next"));
        reply_free(&r);
        ck_assert_uint_lt(*pages, 100);
    }
    return seen;
}

/* ---- products ----------------------------------------------------------------------------- */

static const struct {
    const char *what, *json;
    int status;
} creations[] = {
    {"slug and name",       "{\"slug\":\"a-lamp\",\"name\":\"A Lamp\"}",                201},
    {"slug alone",          "{\"slug\":\"0.b_c-d\"}",                                   201},
    {"63 characters",
     "{\"slug\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",  201},
    {"64 characters",
     "{\"slug\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", 422},
    {"no slug",             "{\"name\":\"x\"}",                                         422},
    {"an empty slug",       "{\"slug\":\"\"}",                                          422},
    {"upper case",          "{\"slug\":\"Lamp\"}",                                      422},
    {"a dot first",         "{\"slug\":\".lamp\"}",                                     422},
    {"a slash",             "{\"slug\":\"a/b\"}",                                       422},
    {"UTF-8",               "{\"slug\":\"l\\u00e4mp\"}",                                422},
    {"a number as slug",    "{\"slug\":7}",                                             422},
    {"an unknown key",      "{\"slug\":\"x\",\"colour\":\"red\"}",                      422},
    {"a name too long",
     "{\"slug\":\"x\",\"name\":"
     "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",                    422},
    {"a control character", "{\"slug\":\"x\",\"name\":\"a\\u0007b\"}",                  422},
    {"nothing",             "{}",                                                       422},
};

START_TEST(product_is_created_or_refused)
{
    struct reply r = send_json(&d, admin, "POST", "/api/v1/products", creations[_i].json);
    CK_STATUS(creations[_i].what, r, creations[_i].status);
    if (r.status == 201) {
        ck_assert(strlen(reply_text(&r, "slug")) > 0 && strlen(reply_text(&r, "name")) > 0);
        CK_TEXT(creations[_i].what, r, "default_channel", "stable");
        expect("its stable channel",
               on(reply_text(&r, "slug"), "GET", "/channels/stable", NULL, ""), 200, "name",
               "stable");
        struct reply again = send_json(&d, admin, "POST", "/api/v1/products", creations[_i].json);
        expect("again", again, 409, "error.code", "conflict");
    } else {
        ck_assert(json_is_string(reply_at(&r, "error.message")));
    }
    reply_free(&r);
}
END_TEST

START_TEST(product_is_changed_key_by_key)
{
    make_product(&d, admin, "policy");
    expect("name", on("policy", "PATCH", "", "{\"name\":\"Łampa\"}", ""), 200, "name", "Łampa");
    expect("chip", on("policy", "PATCH", "", "{\"chip\":\"ESP32-C3\"}", ""), 200, "chip",
           "ESP32-C3");
    expect("the rest stays", on("policy", "GET", "", NULL, ""), 200, "name", "Łampa");
    static const char *const bad[] = {"{\"chip\":\"Z80\"}",      "{\"max_devices\":0}",
                                      "{\"max_devices\":\"9\"}", "{\"disabled\":1}",
                                      "{\"slug\":\"renamed\"}",  "{\"name\":null,\"x\":1}"};
    for (size_t i = 0; i < OTAD_COUNT(bad); i++)
        expect(bad[i], on("policy", "PATCH", "", bad[i], ""), 422, "error.code", "invalid");
    expect("a default that isn't there",
           on("policy", "PATCH", "", "{\"default_channel\":\"beta\"}", ""), 404, NULL, NULL);
    expect("no product", on("nothing", "PATCH", "", "{}", ""), 404, NULL, NULL);
}
END_TEST

START_TEST(default_channel_decides_for_uploads_and_devices)
{
    make_product(&d, admin, "defaults");
    publish(&d, admin, "defaults", "1", "beta", 1, NULL);
    latest_is("defaults", "", NULL);
    expect("change", on("defaults", "PATCH", "", "{\"default_channel\":\"beta\"}", ""), 200,
           "default_channel", "beta");
    latest_is("defaults", "", "1");
    publish(&d, admin, "defaults", "2", NULL, 2, NULL);
    latest_is("defaults", "", "2");
    latest_is("defaults", "stable", NULL);
}
END_TEST

START_TEST(product_is_deleted_when_empty_or_forced)
{
    make_product(&d, admin, "empty");
    expect("empty", on("empty", "DELETE", "", NULL, ""), 204, NULL, NULL);
    expect("gone", on("empty", "GET", "", NULL, ""), 404, NULL, NULL);
    make_product(&d, admin, "full");
    int64_t images = daemon_sql(&d, "SELECT count(*) FROM image");
    publish(&d, admin, "full", "1", NULL, 4711, NULL);
    struct reply r = get(&d, NULL, "/fw/full/30AEA4000001.bin?version=0");
    CK_STATUS("a device", r, 200);
    reply_free(&r);
    r = on("full", "DELETE", "", NULL, "");
    CK_STATUS("full", r, 409);
    ck_assert_ptr_nonnull(strstr(reply_text(&r, "error.hint"), "force=true"));
    reply_free(&r);
    expect("forced", on("full", "DELETE", "?force=true", NULL, ""), 204, NULL, NULL);
    expect("its builds", on("full", "GET", "/builds", NULL, ""), 404, NULL, NULL);
    r = get(&d, NULL, "/fw/full/latest");
    CK_STATUS("devices", r, 404);
    reply_free(&r);
    ck_assert_int_eq(daemon_sql(&d, "SELECT count(*) FROM image"), images);
    ck_assert_int_eq(
        daemon_sql(&d, "SELECT count(*) FROM device WHERE product NOT IN (SELECT id FROM product)"),
        0);
    make_product(&d, admin, "full"); /* the slug is free again */
    expect("fresh", on("full", "GET", "/builds", NULL, ""), 200, "items.0", "(none)");
}
END_TEST

START_TEST(products_are_paged)
{
    static char slugs[500][64];
    char slug[32];
    size_t pages, want = 0;
    for (int i = 0; i < 23; i++) {
        (void)snprintf(slug, sizeof slug, "page-%02d", i);
        make_product(&d, admin, slug);
    }
    size_t n = walk("/api/v1/products", 4, "slug", slugs, &pages);
    for (size_t i = 0; i < n; i++) {
        ck_assert(i == 0 || strcmp(slugs[i - 1], slugs[i]) < 0);
        want += strncmp(slugs[i], "page-", 5) == 0;
    }
    ck_assert_uint_eq(want, 23);
    ck_assert_uint_eq(pages, (n + 3) / 4);
}
END_TEST

/* ---- builds ------------------------------------------------------------------------------- */

START_TEST(builds_are_paged_newest_first)
{
    static char versions[100][64];
    size_t pages;
    char version[16];
    make_product(&d, admin, "builds");
    for (int i = 0; i < 11; i++) {
        (void)snprintf(version, sizeof version, "1.%d", i);
        publish(&d, admin, "builds", version, NULL, 1, NULL);
    }
    ck_assert_uint_eq(walk("/api/v1/products/builds/builds", 3, "version", versions, &pages), 11);
    ck_assert_uint_eq(pages, 4);
    for (int i = 0; i < 11; i++) {
        (void)snprintf(version, sizeof version, "1.%d", 10 - i);
        ck_assert_str_eq(versions[i], version);
    }
    ck_assert_uint_eq(walk("/api/v1/products/builds/builds", 11, "version", versions, &pages), 11);
    ck_assert_uint_eq(pages, 1);
    static const char *const bad[] = {"?limit=0", "?limit=501", "?limit=x",
                                      "?limit=",  "?cursor=x",  "?colour=red"};
    for (size_t i = 0; i < OTAD_COUNT(bad); i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/builds%s", bad[i]);
        expect(bad[i], on("builds", "GET", path, NULL, ""), 422, "error.code", "invalid");
    }
}
END_TEST

START_TEST(build_is_read_noted_and_downloaded)
{
    char id[32], path[160];
    make_product(&d, admin, "one");
    publish(&d, admin, "one", "1", NULL, 9, id);
    expect("read", on("one", "GET", "/builds/@", NULL, id), 200, "id", id);
    expect("notes", on("one", "PATCH", "/builds/@", "{\"notes\":\"line\\nline\"}", id), 200,
           "notes", "line\nline");
    expect("no notes", on("one", "PATCH", "/builds/@", "{}", id), 422, NULL, NULL);
    expect("version can't change", on("one", "PATCH", "/builds/@", "{\"version\":\"2\"}", id), 422,
           NULL, NULL);
    expect("of another product", on("nothing", "GET", "/builds/@", NULL, id), 404, NULL, NULL);
    expect("no id", on("one", "GET", "/builds/latest", NULL, ""), 404, NULL, NULL);
    expect("an id too long", on("one", "GET", "/builds/99999999999999999999", NULL, ""), 404, NULL,
           NULL);
    struct img img = image_of("ESP8266", 9, 0);
    (void)snprintf(path, sizeof path, "/api/v1/products/one/builds/%s/file", id);
    struct reply r = get(&d, admin, path);
    CK_STATUS("file", r, 200);
    ck_assert_uint_eq(r.n, img.n);
    ck_assert_mem_eq(r.body, img.data, img.n);
    ck_assert_ptr_nonnull(strstr(reply_header(&r, "Content-Disposition"), "attachment"));
    reply_free(&r);
    r = call(&d, "HEAD", path, (struct call){.key = admin});
    CK_STATUS("HEAD", r, 200);
    char length[32];
    (void)snprintf(length, sizeof length, "%zu", img.n);
    ck_assert_str_eq(reply_header(&r, "Content-Length"), length);
    reply_free(&r);
    img_free(&img);
}
END_TEST

START_TEST(withdrawn_build_leaves_its_channels)
{
    char first[32], second[32];
    make_product(&d, admin, "back");
    publish(&d, admin, "back", "1", NULL, 1, first);
    publish(&d, admin, "back", "2", NULL, 2, second);
    expect("beta", on("back", "PATCH", "/channels/beta", "{\"build\":\"@\"}", second), 200,
           "app.version", "2");
    latest_is("back", "stable", "2");
    latest_is("back", "beta", "2");
    struct reply r = on("back", "POST", "/builds/@/withdraw", "{}", second);
    CK_STATUS("withdraw", r, 200);
    ck_assert_uint_eq(json_array_size(reply_at(&r, "channels")), 0);
    ck_assert_uint_eq(strlen(reply_text(&r, "withdrawn_at")), 20);
    reply_free(&r);
    latest_is("back", "stable", "1");
    latest_is("back", "beta", NULL); /* it had nothing before */
    expect("again", on("back", "POST", "/builds/@/withdraw", "{}", second), 200, NULL, NULL);
    expect("can't come back", on("back", "PATCH", "/channels/stable", "{\"build\":\"@\"}", second),
           409, NULL, NULL);
    expect("the last", on("back", "POST", "/builds/@/withdraw", "{}", first), 200, NULL, NULL);
    latest_is("back", "stable", NULL);
}
END_TEST

START_TEST(withdrawn_build_is_offered_to_nobody)
{
    char id[32];
    make_product(&d, admin, "pinned");
    publish(&d, admin, "pinned", "1", NULL, 1, NULL);
    publish(&d, admin, "pinned", "2", "none", 2, id);
    struct reply r = get(&d, NULL, "/fw/pinned/30AEA4000001.version");
    reply_free(&r);
    expect("seen", on("pinned", "GET", "/devices/30AEA4000001", NULL, ""), 200, NULL, NULL);
    expect("pin", on("pinned", "PATCH", "/devices/30AEA4000001", "{\"pin\":\"@\"}", id), 200, "pin",
           id);
    r = get(&d, NULL, "/fw/pinned/30AEA4000001.version");
    ck_assert_str_eq(r.body, "2");
    reply_free(&r);
    expect("withdraw", on("pinned", "POST", "/builds/@/withdraw", "{}", id), 200, NULL, NULL);
    r = get(&d, NULL, "/fw/pinned/30AEA4000001.bin?version=0");
    ck_assert_msg(r.status != 200 || strcmp(reply_header(&r, "x-version"), "2") != 0,
                  "the withdrawn build was served");
    reply_free(&r);
    expect("pinning it", on("pinned", "PATCH", "/devices/30AEA4000001", "{\"pin\":\"@\"}", id), 409,
           NULL, NULL);
}
END_TEST

START_TEST(same_bytes_of_a_withdrawn_version_stay_withdrawn)
{
    char id[32];
    make_product(&d, admin, "zombie");
    publish(&d, admin, "zombie", "1", NULL, 1, id);
    expect("withdraw", on("zombie", "POST", "/builds/@/withdraw", "{}", id), 200, NULL, NULL);
    publish(&d, admin, "zombie", "1", NULL, 1, NULL);
    latest_is("zombie", "stable", NULL);
}
END_TEST

START_TEST(build_is_deleted_when_nothing_names_it)
{
    char first[32], second[32];
    make_product(&d, admin, "delete");
    int64_t images = daemon_sql(&d, "SELECT count(*) FROM image");
    publish(&d, admin, "delete", "1", NULL, 815, first);
    publish(&d, admin, "delete", "2", NULL, 816, second);
    expect("on a channel", on("delete", "DELETE", "/builds/@", NULL, second), 409, "error.code",
           "conflict");
    struct reply r = get(&d, NULL, "/fw/delete/30AEA4000001.version");
    reply_free(&r);
    expect("seen", on("delete", "GET", "/devices/30AEA4000001", NULL, ""), 200, NULL, NULL);
    expect("pin", on("delete", "PATCH", "/devices/30AEA4000001", "{\"pin\":\"@\"}", first), 200,
           NULL, NULL);
    expect("pinned", on("delete", "DELETE", "/builds/@", NULL, first), 409, "error.code",
           "conflict");
    expect("unpin", on("delete", "PATCH", "/devices/30AEA4000001", "{\"pin\":null}", ""), 200, NULL,
           NULL);
    expect("free", on("delete", "DELETE", "/builds/@", NULL, first), 204, NULL, NULL);
    expect("gone", on("delete", "GET", "/builds/@", NULL, first), 404, NULL, NULL);
    ck_assert_int_eq(daemon_sql(&d, "SELECT count(*) FROM image"), images + 1);
    expect("again", on("delete", "DELETE", "/builds/@", NULL, first), 404, NULL, NULL);
}
END_TEST

START_TEST(image_stays_while_another_build_needs_it)
{
    char first[32], path[160];
    make_product(&d, admin, "shared");
    publish(&d, admin, "shared", "1", "none", 817, first);
    publish(&d, admin, "shared", "2", NULL, 817, NULL);
    expect("delete", on("shared", "DELETE", "/builds/@", NULL, first), 204, NULL, NULL);
    (void)snprintf(path, sizeof path, "/fw/shared/latest");
    struct img img = image_of("ESP8266", 817, 0);
    struct reply r = get(&d, NULL, path);
    CK_STATUS("still served", r, 200);
    ck_assert_uint_eq(r.n, img.n);
    reply_free(&r);
    img_free(&img);
}
END_TEST

/* ---- channels ----------------------------------------------------------------------------- */

START_TEST(undo_goes_back_step_by_step)
{
    make_product(&d, admin, "undo");
    publish(&d, admin, "undo", "1", NULL, 1, NULL);
    publish(&d, admin, "undo", "2", NULL, 2, NULL);
    publish(&d, admin, "undo", "3", NULL, 3, NULL);
    expect("undo", on("undo", "POST", "/channels/stable/undo", "{}", ""), 200, "app.version", "2");
    latest_is("undo", "stable", "2");
    expect("undo", on("undo", "POST", "/channels/stable/undo", NULL, ""), 200, "app.version", "1");
    struct reply r = on("undo", "POST", "/channels/stable/undo", "{}", "");
    CK_STATUS("nothing earlier", r, 409);
    ck_assert_ptr_nonnull(strstr(reply_text(&r, "error.hint"), "pause"));
    reply_free(&r);
    latest_is("undo", "stable", "1");
    publish(&d, admin, "undo", "4", NULL, 4, NULL);
    expect("undo of the next", on("undo", "POST", "/channels/stable/undo", "{}", ""), 200,
           "app.version", "1");
    expect("no channel", on("undo", "POST", "/channels/beta/undo", "{}", ""), 404, NULL, NULL);
    expect("bad kind", on("undo", "POST", "/channels/stable/undo", "{\"kind\":\"factory\"}", ""),
           422, NULL, NULL);
}
END_TEST

START_TEST(channel_points_where_it_is_told)
{
    char id[32], other[32];
    make_product(&d, admin, "point");
    make_product(&d, admin, "point-2");
    publish(&d, admin, "point", "1", NULL, 1, id);
    publish(&d, admin, "point", "2", NULL, 2, NULL);
    publish(&d, admin, "point-2", "9", NULL, 9, other);
    expect("back by hand", on("point", "PATCH", "/channels/stable", "{\"build\":\"@\"}", id), 200,
           "app.version", "1");
    expect("a new channel", on("point", "PATCH", "/channels/beta", "{\"build\":\"@\"}", id), 200,
           "name", "beta");
    expect("another product's build",
           on("point", "PATCH", "/channels/stable", "{\"build\":\"@\"}", other), 404, NULL, NULL);
    expect("a number", on("point", "PATCH", "/channels/stable", "{\"build\":7}", ""), 422, NULL,
           NULL);
    expect("nothing", on("point", "PATCH", "/channels/stable", "{}", ""), 422, NULL, NULL);
    expect("a bad name", on("point", "PATCH", "/channels/Not%20Good", "{\"build\":\"@\"}", id), 422,
           NULL, NULL);
    expect("the name none", on("point", "PATCH", "/channels/none", "{\"build\":\"@\"}", id), 422,
           NULL, NULL);
    struct reply r = on("point", "GET", "/channels", NULL, "");
    ck_assert_uint_eq(json_array_size(reply_at(&r, "items")), 2);
    CK_TEXT("channels", r, "items.0.name", "beta");
    CK_TEXT("channels", r, "items.1.app.id", id);
    ck_assert(json_is_false(reply_at(&r, "items.1.paused")));
    reply_free(&r);
    expect("both names in the build", on("point", "GET", "/builds/@", NULL, id), 200, "channels.1",
           "stable");
}
END_TEST

START_TEST(paused_channel_holds_until_resumed)
{
    make_product(&d, admin, "pause");
    publish(&d, admin, "pause", "1", NULL, 1, NULL);
    struct reply r = on("pause", "POST", "/channels/stable/pause", NULL, "");
    CK_STATUS("pause", r, 200);
    ck_assert(json_is_true(reply_at(&r, "paused")));
    reply_free(&r);
    publish(&d, admin, "pause", "2", NULL, 2, NULL); /* a new build doesn't end the pause */
    r = get(&d, NULL, "/fw/pause/30AEA4000001.version");
    ck_assert_str_eq(r.body, "0");
    reply_free(&r);
    expect("resume", on("pause", "POST", "/channels/stable/resume", "{}", ""), 200, NULL, NULL);
    r = get(&d, NULL, "/fw/pause/30AEA4000001.version");
    ck_assert_str_eq(r.body, "2");
    reply_free(&r);
    expect("no channel", on("pause", "POST", "/channels/beta/pause", "{}", ""), 404, NULL, NULL);
    expect("unknown key", on("pause", "POST", "/channels/stable/pause", "{\"for\":\"1h\"}", ""),
           422, NULL, NULL);
}
END_TEST

START_TEST(forced_upload_is_never_released)
{
    static const char text[] = "#!/bin/sh\necho this is no firmware at all\n";
    const struct part parts[] = {
        {.name = "file", .filename = "x.bin", .data = text, .n = sizeof text},
        FIELD("version", "6"),
        FIELD("kind", "app"),
        {.name = NULL }
    };
    make_product(&d, admin, "force");
    struct reply r = upload(&d, admin, "force?force=true", parts);
    CK_STATUS("forced", r, 201);
    ck_assert(json_is_true(reply_at(&r, "forced")));
    ck_assert_uint_eq(json_array_size(reply_at(&r, "channels")), 0);
    ck_assert_uint_gt(json_array_size(reply_at(&r, "warnings")), 0);
    char id[32];
    (void)snprintf(id, sizeof id, "%s", reply_text(&r, "id"));
    reply_free(&r);
    latest_is("force", "stable", NULL);
    expect("by hand", on("force", "PATCH", "/channels/stable", "{\"build\":\"@\"}", id), 200, NULL,
           NULL);
    latest_is("force", "stable", "6");
}
END_TEST

/* ---- devices ------------------------------------------------------------------------------ */

START_TEST(devices_are_paged_and_filtered)
{
    static char macs[100][64];
    char path[128];
    size_t pages;
    make_product(&d, admin, "fleet");
    publish(&d, admin, "fleet", "2", NULL, 1, NULL);
    for (int i = 0; i < 12; i++) {
        (void)snprintf(path, sizeof path, "/fw/fleet/30AEA40001%02X.version?version=%d", i, i % 3);
        struct reply r = get(&d, NULL, path);
        CK_STATUS(path, r, 200);
        reply_free(&r);
    }
    ck_assert_uint_eq(walk("/api/v1/products/fleet/devices", 5, "mac", macs, &pages), 12);
    ck_assert_uint_eq(pages, 3);
    for (size_t i = 0; i < 12; i++)
        for (size_t k = 0; k < i; k++)
            ck_assert_str_ne(macs[i], macs[k]);
    const struct {
        const char *query;
        size_t want;
    } filters[] = {
        {"?version=1",           4 },
        {"?version=7",           0 },
        {"?q=30:AE:A4:00:01:0B", 1 },
        {"?q=30aea4",            12},
        {"?q=010b",              1 }
    };
    for (size_t i = 0; i < OTAD_COUNT(filters); i++) {
        (void)snprintf(path, sizeof path, "/devices%s", filters[i].query);
        struct reply r = on("fleet", "GET", path, NULL, "");
        CK_STATUS(path, r, 200);
        ck_assert_msg(json_array_size(reply_at(&r, "items")) == filters[i].want, "%s: %s", path,
                      r.body);
        reply_free(&r);
    }
    expect("bad q", on("fleet", "GET", "/devices?q=kitchen", NULL, ""), 422, NULL, NULL);
    expect("bad cursor", on("fleet", "GET", "/devices?cursor=x", NULL, ""), 422, NULL, NULL);
    expect("unknown filter", on("fleet", "GET", "/devices?colour=red", NULL, ""), 422, NULL, NULL);
}
END_TEST

START_TEST(device_is_changed_and_forgotten)
{
    make_product(&d, admin, "care");
    publish(&d, admin, "care", "2", NULL, 1, NULL);
    struct reply r = get(&d, NULL, "/fw/care/30AEA4000001.bin?version=1");
    reply_free(&r);
    /* No read in between: the change must see a device whose facts aren't on the disk yet. */
    expect(
        "note",
        on("care", "PATCH", "/devices/30-ae-a4-00-00-01", "{\"note\":\"Küche\",\"held\":true}", ""),
        200, "note", "Küche");
    r = on("care", "GET", "/devices/30aea4000001", NULL, "");
    CK_TEXT("read", r, "mac", "30:AE:A4:00:00:01");
    ck_assert(json_is_true(reply_at(&r, "held")));
    reply_free(&r);
    expect("unknown key", on("care", "PATCH", "/devices/30AEA4000001", "{\"colour\":\"red\"}", ""),
           422, NULL, NULL);
    expect("held as text", on("care", "PATCH", "/devices/30AEA4000001", "{\"held\":\"yes\"}", ""),
           422, NULL, NULL);
    expect("no such channel",
           on("care", "PATCH", "/devices/30AEA4000001", "{\"channel\":\"beta\"}", ""), 404, NULL,
           NULL);
    expect("no such build", on("care", "PATCH", "/devices/30AEA4000001", "{\"pin\":\"1\"}", ""),
           404, NULL, NULL);
    expect("pin as number", on("care", "PATCH", "/devices/30AEA4000001", "{\"pin\":1}", ""), 422,
           NULL, NULL);
    expect("no such device", on("care", "PATCH", "/devices/30AEA4FFFFF0", "{\"held\":true}", ""),
           404, NULL, NULL);
    expect("no MAC", on("care", "GET", "/devices/kitchen", NULL, ""), 404, NULL, NULL);
    expect("forget", on("care", "DELETE", "/devices/30:AE:A4:00:00:01", NULL, ""), 204, NULL, NULL);
    expect("forgotten", on("care", "GET", "/devices/30AEA4000001", NULL, ""), 404, NULL, NULL);
    r = on("care", "GET", "/updates?mac=30AEA4000001", NULL, "");
    ck_assert_uint_eq(json_array_size(reply_at(&r, "items")), 0);
    reply_free(&r);
    r = get(&d, NULL, "/fw/care/30AEA4000001.version"); /* it may come back */
    ck_assert_str_eq(r.body, "2");
    reply_free(&r);
    expect("back", on("care", "GET", "/devices/30AEA4000001", NULL, ""), 200, NULL, NULL);
}
END_TEST

START_TEST(same_mac_in_two_products_is_two_devices)
{
    make_product(&d, admin, "twin-a");
    make_product(&d, admin, "twin-b");
    publish(&d, admin, "twin-a", "1", NULL, 1, NULL);
    publish(&d, admin, "twin-b", "2", NULL, 1, NULL);
    struct reply r = get(&d, NULL, "/fw/twin-a/30AEA4000001.version?version=a");
    reply_free(&r);
    r = get(&d, NULL, "/fw/twin-b/30AEA4000001.version?version=b");
    reply_free(&r);
    expect("a", on("twin-a", "GET", "/devices/30AEA4000001", NULL, ""), 200, "version", "a");
    expect("b", on("twin-b", "GET", "/devices/30AEA4000001", NULL, ""), 200, "version", "b");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("admin");
    TCase *tc = tcase_create("admin");
    tcase_set_timeout(tc, 300);
    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, product_is_created_or_refused, 0, (int)OTAD_COUNT(creations));
    tcase_add_test(tc, product_is_changed_key_by_key);
    tcase_add_test(tc, default_channel_decides_for_uploads_and_devices);
    tcase_add_test(tc, product_is_deleted_when_empty_or_forced);
    tcase_add_test(tc, products_are_paged);
    tcase_add_test(tc, builds_are_paged_newest_first);
    tcase_add_test(tc, build_is_read_noted_and_downloaded);
    tcase_add_test(tc, withdrawn_build_leaves_its_channels);
    tcase_add_test(tc, withdrawn_build_is_offered_to_nobody);
    tcase_add_test(tc, same_bytes_of_a_withdrawn_version_stay_withdrawn);
    tcase_add_test(tc, build_is_deleted_when_nothing_names_it);
    tcase_add_test(tc, image_stays_while_another_build_needs_it);
    tcase_add_test(tc, undo_goes_back_step_by_step);
    tcase_add_test(tc, channel_points_where_it_is_told);
    tcase_add_test(tc, paused_channel_holds_until_resumed);
    tcase_add_test(tc, forced_upload_is_never_released);
    tcase_add_test(tc, devices_are_paged_and_filtered);
    tcase_add_test(tc, device_is_changed_and_forgotten);
    tcase_add_test(tc, same_mac_in_two_products_is_two_devices);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
