/* SPDX-License-Identifier: MIT
 * manifest.json as ESPHome and ESP Web Tools read it, and latest.json as esp32FOTA does. The
 * readers here follow those clients' rules: what they would refuse fails the test. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otad/err.h"
#include "support/http.h"
#include "support/unit.h"

#define MAC "5C:CF:7F:A1:B2:C3"
#define PRODUCT "/api/v1/products/lamp"
#define MANIFEST "/fw/lamp/manifest.json"

static struct daemon d;
static char admin[DAEMON_KEY];

static void setup(void)
{
    daemon_start(&d, NULL);
    daemon_key(&d, "root", "admin", NULL, admin);
    make_product(&d, admin, "lamp");
}

static void teardown(void)
{
    daemon_free(&d);
}

static void make_image(const char *chip, uint64_t seed, bool factory, struct img *out)
{
    const struct img_spec spec = {.chip = chip, .version = "0", .seed = seed};
    if (factory)
        img_build_merged(&spec, out);
    else
        ck_assert(img_build_app(&spec, out));
}

static void put(const char *chip, const char *version, uint64_t seed, bool factory,
                const char *notes, char id[32])
{
    struct img file = {0};
    make_image(chip, seed, factory, &file);
    const struct part parts[] = {
        {.name = "file",     .filename = "x.bin", .data = file.data, .n = file.n},
        FIELD("version", version),
        FIELD("kind", factory ? "factory" : "app"),
        FIELD("notes", notes),
        {.name = NULL},
    };
    struct reply r = upload(&d, admin, "lamp", parts);
    CK_STATUS(version, r, 201);
    if (id != NULL)
        (void)snprintf(id, 32, "%s", reply_text(&r, "id"));
    reply_free(&r);
    img_free(&file);
}

static void post(const char *path, long want)
{
    struct reply r = send_json(&d, admin, "POST", path, NULL);
    CK_STATUS(path, r, want);
    reply_free(&r);
}

static void patch(const char *path, const char *json)
{
    struct reply r = send_json(&d, admin, "PATCH", path, json);
    CK_STATUS(path, r, 200);
    reply_free(&r);
}

/* ---- the readers -------------------------------------------------------------------------- */

static const char *text_of(json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    ck_assert_msg(json_is_string(value), "%s is no text", name);
    return json_string_value(value);
}

/* `ota` for a device of that family, by the rules of ESPHome's HttpRequestUpdate: 200, a length to
 * allocate, all fields there, chipFamily equal to the letter. */
static json_t *esphome_ota(const struct reply *r, const char *family)
{
    char length[32];
    ck_assert_int_eq(r->status, 200);
    (void)snprintf(length, sizeof length, "Content-Length: %zu", r->n);
    ck_assert_msg(reply_has_line(r, length), "%s", r->head);
    (void)text_of(r->json, "name");
    (void)text_of(r->json, "version");
    json_t *build;
    size_t i;
    json_array_foreach(json_object_get(r->json, "builds"), i, build)
    {
        if (strcmp(text_of(build, "chipFamily"), family) != 0)
            continue;
        json_t *ota = json_object_get(build, "ota");
        (void)text_of(ota, "path");
        (void)text_of(ota, "md5");
        return ota;
    }
    ck_abort_msg("no build for %s: %s", family, r->body);
    return NULL;
}

/* Fetches what a document names, which must be this daemon's. */
static struct reply fetch(const char *url)
{
    const char *path = strstr(url, "/static/");
    ck_assert_msg(path != NULL && strncmp(url, "http://127.0.0.1:", 17) == 0, "%s", url);
    const char *const origin[] = {"Origin: https://web.esphome.io", NULL};
    return call(&d, "GET", path, (struct call){.headers = origin});
}

static void check_is_image(const char *url, const char *chip, uint64_t seed, bool factory)
{
    struct img image = {0};
    make_image(chip, seed, factory, &image);
    struct reply r = fetch(url);
    CK_STATUS(url, r, 200);
    ck_assert_uint_eq(r.n, image.n);
    ck_assert_mem_eq(r.body, image.data, image.n);
    ck_assert_str_eq(reply_header(&r, "Access-Control-Allow-Origin"), "*");
    ck_assert_uint_lt(strlen(r.head), 1024);
    reply_free(&r);
    img_free(&image);
}

/* ---- ESPHome ------------------------------------------------------------------------------ */

static const char *const families[] = {"ESP8266",  "ESP32",    "ESP32-S2",
                                       "ESP32-S3", "ESP32-C3", "ESP32-C6"};

START_TEST(esphome_of_each_family_finds_its_build)
{
    put(families[_i], "1.0.0", 1, false, "", NULL);
    struct reply r = get(&d, NULL, MANIFEST), md5 = get(&d, NULL, "/fw/lamp/latest.md5");
    json_t *ota = esphome_ota(&r, families[_i]);
    ck_assert_str_eq(text_of(r.json, "version"), "1.0.0");
    ck_assert_str_eq(text_of(ota, "md5"), md5.body);
    ck_assert_ptr_null(json_object_get(ota, "summary"));
    if (strcmp(families[_i], "ESP8266") != 0) { /* whose application is all there is to flash */
        ck_assert_ptr_null(reply_at(&r, "builds.0.parts"));
        ck_assert_ptr_null(reply_at(&r, "new_install_prompt_erase"));
    }
    ck_assert_uint_eq(json_array_size(reply_at(&r, "builds")), 1);
    check_is_image(text_of(ota, "path"), families[_i], 1, false);
    ck_assert_str_eq(reply_header(&r, "Content-Type"), "application/json");
    ck_assert_str_eq(reply_header(&r, "Access-Control-Allow-Origin"), "*");
    reply_free(&r);
    reply_free(&md5);
}
END_TEST

START_TEST(url_and_md5_stay_together_when_the_channel_moves)
{
    put("ESP32", "1.0.0", 1, false, "", NULL);
    struct reply r = get(&d, NULL, MANIFEST);
    put("ESP32", "2.0.0", 2, false, "", NULL);
    struct reply image = fetch(text_of(esphome_ota(&r, "ESP32"), "path"));
    ck_assert_str_eq(text_of(esphome_ota(&r, "ESP32"), "md5"), reply_header(&image, "x-MD5"));
    reply_free(&image);
    reply_free(&r);
}
END_TEST

START_TEST(name_and_summary_are_the_owners_words)
{
    char notes[1024], *at = notes;
    for (int i = 0; i < 300; i++, at += 2)
        memcpy(at, "ä", 3);
    patch(PRODUCT, "{\"name\":\"Lampe für \\\"oben\\\"\"}");
    put("ESP32", "1.0.0", 1, false, notes, NULL);
    struct reply r = get(&d, NULL, MANIFEST);
    json_t *ota = esphome_ota(&r, "ESP32");
    ck_assert_str_eq(text_of(r.json, "name"), "Lampe für \"oben\"");
    ck_assert_uint_eq(strlen(text_of(ota, "summary")), 200);
    ck_assert_int_eq(strncmp(text_of(ota, "summary"), notes, 200), 0);
    ck_assert_uint_lt(r.n, 2048);
    reply_free(&r);
}
END_TEST

START_TEST(device_up_to_date_reads_its_own_version)
{
    put("ESP32", "1.0.0", 1, false, "", NULL);
    struct reply r = get(&d, NULL, MANIFEST "?mac=" MAC "&version=1.0.0");
    ck_assert_ptr_nonnull(esphome_ota(&r, "ESP32"));
    ck_assert_str_eq(text_of(r.json, "version"), "1.0.0");
    reply_free(&r);
}
END_TEST

/* Equal versions mean "no update" to ESPHome; a forced one must not find an image either. */
static void check_does_nothing(const char *what)
{
    struct reply r = get(&d, NULL, MANIFEST "?mac=" MAC "&version=0.9");
    json_t *ota = esphome_ota(&r, "ESP32");
    ck_assert_msg(strcmp(text_of(r.json, "version"), "0.9") == 0, "%s: %s", what, r.body);
    ck_assert_str_eq(text_of(ota, "path"), "");
    ck_assert_ptr_null(strstr(r.body, "/static/"));
    reply_free(&r);
    r = get(&d, NULL, MANIFEST "?mac=" MAC);
    CK_STATUS(what, r, 404);
    ck_assert_uint_eq(r.n, 0);
    reply_free(&r);
}

START_TEST(stopped_channel_or_device_makes_clients_do_nothing)
{
    put("ESP32", "1.0.0", 1, false, "", NULL);
    put("ESP32", "1.0.0", 1, true, "", NULL);
    post(PRODUCT "/channels/stable/pause", 200);
    check_does_nothing("paused");
    struct reply r = get(&d, NULL, MANIFEST);
    CK_STATUS("paused, anonymous", r, 404);
    ck_assert_str_eq(reply_header(&r, "X-Otad-Reason"), "paused");
    reply_free(&r);
    post(PRODUCT "/channels/stable/resume", 200);
    patch(PRODUCT "/devices/" MAC, "{\"held\":true}");
    check_does_nothing("held");
    patch(PRODUCT "/devices/" MAC, "{\"held\":false,\"blocked\":true}");
    r = get(&d, NULL, MANIFEST "?mac=" MAC "&version=0.9");
    CK_STATUS("blocked", r, 403);
    reply_free(&r);
}
END_TEST

START_TEST(named_device_is_a_check_in_and_its_download_is_its_own)
{
    put("ESP32", "1.0.0", 1, false, "", NULL);
    struct reply r = get(&d, NULL, MANIFEST);
    reply_free(&r);
    ck_assert_int_eq(daemon_sql(&d, "SELECT count(*) FROM device"), 0);
    r = get(&d, NULL, MANIFEST "?mac=" MAC "&version=0.9");
    reply_free(&r);
    r = get(&d, admin, PRODUCT "/devices/" MAC);
    CK_TEXT("the device", r, "version", "0.9");
    reply_free(&r);
    r = get(&d, NULL, MANIFEST "?mac=" MAC "&version=0.9");
    struct reply image = fetch(text_of(esphome_ota(&r, "ESP32"), "path"));
    CK_STATUS("its image", image, 200);
    reply_free(&image);
    reply_free(&r);
    r = get(&d, admin, PRODUCT "/updates?mac=" MAC);
    CK_TEXT("the ledger", r, "items.0.to_version", "1.0.0");
    reply_free(&r);
}
END_TEST

static const struct nothing {
    const char *what, *path, *reason;
} nothings[] = {
    {"unknown product",       "/fw/none/manifest.json",             "no_product"},
    {"channel without build", MANIFEST "?channel=beta",             "no_build"  },
    {"a filesystem mode",     MANIFEST "?mode=littlefs&channel=fs", "wrong_mode"},
    {"an unknown mode",       MANIFEST "?mode=x",                   "wrong_mode"},
};

START_TEST(manifest_of_nothing_is_404)
{
    struct img fs = {0};
    put("ESP32", "1.0.0", 1, false, "", NULL);
    img_build_littlefs(4096, 8, 0, &fs);
    const struct part parts[] = {
        {.name = "file",   .filename = "fs.bin", .data = fs.data, .n = fs.n},
        FIELD("version", "1"),
        FIELD("channel", "fs"),
        {.name = NULL},
    };
    struct reply r = upload(&d, admin, "lamp", parts);
    CK_STATUS("the filesystem", r, 201);
    reply_free(&r);
    r = get(&d, NULL, nothings[_i].path);
    CK_STATUS(nothings[_i].what, r, 404);
    ck_assert_str_eq(reply_header(&r, "X-Otad-Reason"), nothings[_i].reason);
    ck_assert_uint_eq(r.n, 0);
    reply_free(&r);
    img_free(&fs);
}
END_TEST

START_TEST(head_has_the_length_of_get)
{
    put("ESP32", "1.0.0", 1, false, "", NULL);
    struct reply r = get(&d, NULL, MANIFEST);
    char *length = strdup(reply_header(&r, "Content-Length"));
    struct reply head = call(&d, "HEAD", MANIFEST, (struct call){0});
    ck_assert_int_eq(head.status, 200);
    ck_assert_str_eq(reply_header(&head, "Content-Length"), length);
    free(length);
    reply_free(&head);
    reply_free(&r);
}
END_TEST

START_TEST(product_with_a_key_is_no_other_origins)
{
    char path[128];
    put("ESP32", "1.0.0", 1, false, "", NULL);
    struct reply r = send_json(&d, admin, "POST", PRODUCT "/keys", "{\"name\":\"k\"}");
    (void)snprintf(path, sizeof path, "/fw/lamp~%s/manifest.json", reply_text(&r, "key"));
    reply_free(&r);
    patch(PRODUCT, "{\"access\":\"key\"}");
    r = get(&d, NULL, path);
    struct reply image = fetch(text_of(esphome_ota(&r, "ESP32"), "path"));
    CK_STATUS("the image", image, 200);
    ck_assert_ptr_null(reply_header(&r, "Access-Control-Allow-Origin"));
    ck_assert_ptr_null(reply_header(&image, "Access-Control-Allow-Origin"));
    reply_free(&image);
    reply_free(&r);
}
END_TEST

/* ---- ESP Web Tools ------------------------------------------------------------------------ */

/* The URL of the one part, at the start of the flash. */
static const char *part_url(const struct reply *r)
{
    ck_assert_msg(reply_number(r, "builds.0.parts.0.offset") == 0, "%s", r->body);
    ck_assert_uint_eq(json_array_size(reply_at(r, "builds.0.parts")), 1);
    ck_assert(json_is_true(reply_at(r, "new_install_prompt_erase")));
    return reply_text(r, "builds.0.parts.0.path");
}

static const struct pick {
    const char *what;
    const char *factory[3]; /* versions, in the order of upload; seeds 10, 11, 12 */
    const char *withdrawn;  /* one of them, or NULL */
    uint64_t want;          /* seed; 0: no parts */
} picks[] = {
    {"the app's version",              {"1.0.0", "2.0.0", "3.0.0"}, NULL,    11},
    {"the newest, none is equal",      {"0.8", "0.9", NULL},        NULL,    11},
    {"the newest, equal is withdrawn", {"1.0.0", "2.0.0", NULL},    "2.0.0", 10},
    {"the newest in force",            {"0.8", "0.9", NULL},        "0.9",   10},
    {"the only one is withdrawn",      {"0.8", NULL, NULL},         "0.8",   0 },
};

START_TEST(parts_are_the_factory_build_that_fits_best)
{
    const struct pick *p = &picks[_i];
    char id[32], path[128];
    put("ESP32-C3", "2.0.0", 1, false, "", NULL);
    for (uint64_t i = 0; i < 3 && p->factory[i] != NULL; i++) {
        put("ESP32-C3", p->factory[i], 10 + i, true, "", id);
        (void)snprintf(path, sizeof path, PRODUCT "/builds/%s/withdraw", id);
        if (p->withdrawn != NULL && strcmp(p->withdrawn, p->factory[i]) == 0)
            post(path, 200);
    }
    struct reply r = get(&d, NULL, MANIFEST);
    check_is_image(text_of(esphome_ota(&r, "ESP32-C3"), "path"), "ESP32-C3", 1, false);
    if (p->want != 0)
        check_is_image(part_url(&r), "ESP32-C3", p->want, true);
    else
        ck_assert_msg(reply_at(&r, "builds.0.parts") == NULL, "%s: %s", p->what, r.body);
    reply_free(&r);
}
END_TEST

START_TEST(application_of_an_esp8266_is_its_part_unless_packed)
{
    struct img plain = {0}, packed = {0};
    put("ESP8266", "1.0.0", 1, false, "", NULL);
    struct reply r = get(&d, NULL, MANIFEST);
    check_is_image(part_url(&r), "ESP8266", 1, false);
    reply_free(&r);
    make_image("ESP8266", 2, false, &plain);
    img_gzip(&plain, &packed);
    const struct part parts[] = {
        {.name = "file",       .filename = "x.bin", .data = packed.data, .n = packed.n},
        FIELD("version", "2.0.0"),
        {.name = NULL},
    };
    r = upload(&d, admin, "lamp", parts);
    CK_STATUS("gzip", r, 201);
    reply_free(&r);
    r = get(&d, NULL, MANIFEST);
    ck_assert_ptr_nonnull(esphome_ota(&r, "ESP8266"));
    ck_assert_ptr_null(reply_at(&r, "builds.0.parts"));
    reply_free(&r);
    img_free(&plain);
    img_free(&packed);
}
END_TEST

START_TEST(factory_build_goes_only_to_who_says_no_mode)
{
    static const char *const sketch[] = {"x-ESP32-mode: sketch", NULL};
    put("ESP32", "1.0.0", 1, false, "", NULL);
    put("ESP32", "1.0.0", 2, true, "", NULL);
    struct reply r = get(&d, NULL, MANIFEST);
    const char *path = strstr(part_url(&r), "/static/");
    struct reply image = call(&d, "GET", path, (struct call){.headers = sketch});
    CK_STATUS("an updater", image, 404);
    reply_free(&image);
    reply_free(&r);
}
END_TEST

/* ---- esp32FOTA ---------------------------------------------------------------------------- */

/* Three numbers with dots, then the end or a suffix, as its semver parser wants it. */
static bool is_semver(const char *text)
{
    for (int i = 0; i < 3; i++) {
        size_t n = strspn(text, "0123456789");
        if (n == 0 || (i < 2 && text[n] != '.'))
            return false;
        text += n + (i < 2);
    }
    return *text == '\0' || *text == '-' || *text == '+';
}

START_TEST(esp32fota_reads_latest_json)
{
    put("ESP32", "1.2.3", 1, false, "", NULL);
    struct reply plain = get(&d, NULL, "/fw/lamp/latest.json");
    struct reply r = get(&d, NULL, "/fw/lamp/latest.json?id=264086612291824");
    CK_STATUS("with its id", r, 200);
    ck_assert_uint_lt(r.n, 2048);
    ck_assert_str_eq(text_of(r.json, "type"), "lamp");
    ck_assert(is_semver(text_of(r.json, "version")));
    check_is_image(text_of(r.json, "url"), "ESP32", 1, false);
    ck_assert_str_eq(text_of(plain.json, "version"), text_of(r.json, "version"));
    ck_assert_int_eq(daemon_sql(&d, "SELECT count(*) FROM device"), 0); /* the id names nobody */
    reply_free(&plain);
    reply_free(&r);
}
END_TEST

START_TEST(documents_stay_small_with_the_longest_names)
{
    static const char slug[] = "a23456789-123456789-123456789-123456789-123456789-123456789-123";
    static const char version[] =
        "1.2.3-56789-123456789-123456789-123456789-123456789-123456789-12";
    static const char *const names[] = {"latest.json?id=18446744073709551615", "manifest.json"};
    char url[160], path[160];
    (void)snprintf(url, sizeof url, "http://%0120d.example.net:8070", 1);
    const char *const flags[] = {"--server-public-url", url, NULL};
    daemon_stop(&d);
    daemon_start(&d, flags);
    make_product(&d, admin, slug);
    publish(&d, admin, slug, version, NULL, 1, NULL);
    for (size_t i = 0; i < OTAD_COUNT(names); i++) {
        (void)snprintf(path, sizeof path, "/fw/%s/%s", slug, names[i]);
        struct reply r = get(&d, NULL, path);
        CK_STATUS(path, r, 200);
        ck_assert_uint_lt(r.n, 2048);
        ck_assert_str_eq(text_of(r.json, "version"), version);
        reply_free(&r);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("manifest");
    TCase *tc = tcase_create("documents");
    tcase_set_timeout(tc, 4 * DAEMON_PATIENCE_S);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, esphome_of_each_family_finds_its_build, 0, (int)OTAD_COUNT(families));
    tcase_add_test(tc, url_and_md5_stay_together_when_the_channel_moves);
    tcase_add_test(tc, name_and_summary_are_the_owners_words);
    tcase_add_test(tc, device_up_to_date_reads_its_own_version);
    tcase_add_test(tc, stopped_channel_or_device_makes_clients_do_nothing);
    tcase_add_test(tc, named_device_is_a_check_in_and_its_download_is_its_own);
    tcase_add_loop_test(tc, manifest_of_nothing_is_404, 0, (int)OTAD_COUNT(nothings));
    tcase_add_test(tc, head_has_the_length_of_get);
    tcase_add_test(tc, product_with_a_key_is_no_other_origins);
    tcase_add_loop_test(tc, parts_are_the_factory_build_that_fits_best, 0, (int)OTAD_COUNT(picks));
    tcase_add_test(tc, application_of_an_esp8266_is_its_part_unless_packed);
    tcase_add_test(tc, factory_build_goes_only_to_who_says_no_mode);
    tcase_add_test(tc, esp32fota_reads_latest_json);
    tcase_add_test(tc, documents_stay_small_with_the_longest_names);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
