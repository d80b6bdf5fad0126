/* SPDX-License-Identifier: MIT
 * What people upload: each kind of file through the API, what the answer calls it and what it says
 * to do; and the preflight that counts the devices a build would not fit. */
#include <stdio.h>
#include <string.h>

#include "otad/err.h"
#include "support/http.h"
#include "support/unit.h"

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

/* ---- the files ---------------------------------------------------------------------------- */

static const struct img_spec esp8266 = {.chip = "ESP8266", .version = "1.0.0", .seed = 1};
static const struct img_spec esp32 = {.chip = "ESP32", .version = "1.0.0", .seed = 1};
static const struct img_spec c3 = {.chip = "ESP32-C3", .version = "1.0.0", .seed = 1};

static void app(const struct img_spec *spec, struct img *out)
{
    ck_assert(img_build_app(spec, out));
}

static void make_esp8266(struct img *out)
{
    app(&esp8266, out);
}

static void make_esp32(struct img *out)
{
    app(&esp32, out);
}

static void make_c3(struct img *out)
{
    app(&c3, out);
}

static void make_gzip(struct img *out)
{
    struct img plain = {0};
    app(&esp8266, &plain);
    img_gzip(&plain, out);
    img_free(&plain);
}

static void make_gzip_esp32(struct img *out)
{
    struct img plain = {0};
    app(&esp32, &plain);
    img_gzip(&plain, out);
    img_free(&plain);
}

static void make_signed(struct img *out)
{
    app(&esp8266, out);
    img_sign_arduino_esp8266(out, 256);
}

static void make_secure_boot(struct img *out)
{
    app(&esp32, out);
    img_sign_secure_boot_v2(out, 2);
}

static void make_bootloader(struct img *out)
{
    img_build_bootloader("ESP32", 1, true, out);
}

static void make_c3_bootloader(struct img *out)
{
    img_build_bootloader("ESP32-C3", 1, false, out);
}

static void make_table(struct img *out)
{
    img_build_table(true, out);
}

static void make_merged(struct img *out)
{
    img_build_merged(&esp32, out);
}

static void make_merged_c3(struct img *out)
{
    img_build_merged(&c3, out);
}

static void make_v2(struct img *out)
{
    img_build_esp8266_v2(1, out);
}

static void make_eboot(struct img *out)
{
    img_build_eboot(1, out);
}

static void make_littlefs(struct img *out)
{
    img_build_littlefs(4096, 8, 0, out);
}

static void make_spiffs(struct img *out)
{
    img_build_spiffs(256, 4096, 8, false, out);
}

static void make_encrypted(struct img *out)
{
    uint64_t state = 5;
    img_put_filler(out, &state, 8192, false);
}

static void make_elf(struct img *out)
{
    img_put(out,
            "\x7f"
            "ELF\x01\x01\x01",
            7);
    img_fill(out, 0, 4096);
}

static void make_hex(struct img *out)
{
    img_put(out, ":020000040000FA\n:00000001FF\n", 28);
}

static void make_html(struct img *out)
{
    img_put(out, "<!DOCTYPE html><html><body>404 Not Found</body></html>", 54);
}

static void make_uf2(struct img *out)
{
    img_put_u32(out, 0x0A324655);
    img_put_u32(out, 0x9E5D5157);
    img_fill(out, 0, 504);
}

static void make_truncated(struct img *out)
{
    app(&esp8266, out);
    out->n -= 17;
}

static void make_flipped_esp8266(struct img *out)
{
    app(&esp8266, out);
    out->data[out->n / 2] ^= 1;
}

static void make_flipped_esp32(struct img *out)
{
    app(&esp32, out);
    out->data[out->n - 1] ^= 1;
}

static const struct kind {
    const char *what;
    void (*make)(struct img *out);
    const char *kind; /* -F kind=…, or NULL */
    long want;
    const char *says; /* in the message of a refusal; else the build's kind */
    const char *todo; /* in its hint; else the build's chip */
} kinds[] = {
    {"ESP8266 application",                  make_esp8266,         NULL,      201, "app",             "ESP8266"      },
    {"ESP32 application",                    make_esp32,           NULL,      201, "app",             "ESP32"        },
    {"ESP32-C3 application",                 make_c3,              NULL,      201, "app",             "ESP32-C3"     },
    {"gzip of an ESP8266 application",       make_gzip,            NULL,      201, "app",             "ESP8266"      },
    {"signed ESP8266 application",           make_signed,          NULL,      201, "app",             "ESP8266"      },
    {"Secure Boot v2 application",           make_secure_boot,     NULL,      201, "app",             "ESP32"        },
    {"LittleFS",                             make_littlefs,        NULL,      201, "fs",              ""             },
    {"SPIFFS",                               make_spiffs,          NULL,      201, "fs",              ""             },
    {"merged image as factory",              make_merged,          "factory", 201, "factory",         "ESP32"        },
    {"merged image",                         make_merged,          NULL,      422, "merged",          "factory"      },
    {"merged image of a C3",                 make_merged_c3,       NULL,      422, "merged",          ".ino.bin"     },
    {"boot loader",                          make_bootloader,      NULL,      422, "boot loader",     ".ino.bin"     },
    {"boot loader of a C3",                  make_c3_bootloader,   NULL,      422, "boot loader",     ".ino.bin"     },
    {"boot loader of an ESP8266",            make_eboot,           NULL,      422, "ESP8266",         ".ino.bin"     },
    {"partition table",                      make_table,           NULL,      422, "partition table", ".ino.bin"     },
    {"OTA data",                             img_build_otadata,    NULL,      422, "OTA data",        ".ino.bin"     },
    {"ESP8266 v2 image",                     make_v2,              NULL,      422, "0xEA",            "Arduino"      },
    {"gzip of an ESP32 application",         make_gzip_esp32,      NULL,      422, "gzip",            "unpacked"     },
    {"random bytes",                         make_encrypted,       NULL,      422, "flash-encrypted", "plain image"  },
    {"ELF",                                  make_elf,             NULL,      422, "ELF",             ".bin"         },
    {"Intel HEX",                            make_hex,             NULL,      422, "HEX",             ".bin"         },
    {"UF2",                                  make_uf2,             NULL,      422, "UF2",             ".bin"         },
    {"HTML page",                            make_html,            NULL,      422, "HTML",            "download"     },
    {"truncated",                            make_truncated,       NULL,      422, "cut short",       "stopped early"},
    {"one byte changed in an ESP8266 image", make_flipped_esp8266, NULL,      422, "expected",        ""             },
    {"digest of an ESP32 image changed",     make_flipped_esp32,   NULL,      422, "expected",        ""             },
    {"application as filesystem",            make_esp8266,         "fs",      422, "application",     "kind"         },
};

START_TEST(upload_of_a_kind_is_taken_or_told_what_it_is)
{
    const struct kind *k = &kinds[_i];
    struct img file = {0};
    k->make(&file);
    struct part parts[] = {
        {.name = "file",     .filename = "what.bin", .data = file.data, .n = file.n},
        FIELD("version", "1.0.0"),
        {.name = k->kind != NULL ? "kind" : "ignored", .text = k->kind != NULL ? k->kind : "x"},
        {.name = NULL                 },
    };
    struct reply r = upload(&d, admin, "lamp", parts);
    ck_assert_msg(r.status == k->want, "%s: %ld %s", k->what, r.status, r.body);
    bool taken = k->want == 201;
    const char *said = reply_text(&r, taken ? "kind" : "error.message");
    const char *todo = reply_text(&r, taken ? "chip" : "error.hint");
    ck_assert_msg(strstr(said, k->says) != NULL, "%s: says '%s'", k->what, said);
    ck_assert_msg(strstr(todo, k->todo) != NULL, "%s: hints '%s'", k->what, todo);
    reply_free(&r);
    r = get(&d, admin, "/api/v1/products/lamp/channels/stable");
    bool on_app = strcmp(k->says, "app") == 0, on_fs = strcmp(k->says, "fs") == 0;
    ck_assert_msg(json_is_object(reply_at(&r, "app")) == (taken && on_app), "%s", k->what);
    ck_assert_msg(json_is_object(reply_at(&r, "fs")) == (taken && on_fs), "%s", k->what);
    reply_free(&r);
    img_free(&file);
}
END_TEST

START_TEST(upload_of_a_factory_image_is_never_on_a_channel)
{
    struct img file = {0};
    char body[64], id[32];
    make_merged(&file);
    const struct part parts[] = {
        {.name = "file",     .filename = "merged.bin", .data = file.data, .n = file.n},
        FIELD("version", "1.0.0"),
        FIELD("kind", "factory"),
        FIELD("channel", "stable"),
        {.name = NULL},
    };
    struct reply r = upload(&d, admin, "lamp", parts);
    ck_assert_int_eq(r.status, 201);
    ck_assert_uint_eq(json_array_size(reply_at(&r, "channels")), 0);
    (void)snprintf(id, sizeof id, "%s", reply_text(&r, "id"));
    reply_free(&r);
    (void)snprintf(body, sizeof body, "{\"build\":\"%s\"}", id);
    r = send_json(&d, admin, "PATCH", "/api/v1/products/lamp/channels/stable", body);
    ck_assert_int_eq(r.status, 422);
    reply_free(&r);
    img_free(&file);
}
END_TEST

/* ---- preflight ---------------------------------------------------------------------------- */

/* A device that says these things and is answered whatever it is answered. */
static void check_in(unsigned n, const char *family, const char *free_space, const char *chip_size)
{
    char agent[64], mac[64], space[64], size[64], mode[64];
    (void)snprintf(agent, sizeof agent, "User-Agent: %s-http-Update", family);
    (void)snprintf(mac, sizeof mac, "x-%s-STA-MAC: 5C:CF:7F:A1:B2:%02X", family, n);
    (void)snprintf(space, sizeof space, "x-%s-free-space: %s", family, free_space);
    (void)snprintf(size, sizeof size, "x-%s-chip-size: %s", family, chip_size);
    (void)snprintf(mode, sizeof mode, "x-%s-mode: sketch", family);
    const char *const headers[] = {agent, mac, space, size, mode, NULL};
    struct reply r = call(&d, "GET", "/fw/lamp/latest", (struct call){.headers = headers});
    ck_assert_int_ne(r.status, 0);
    reply_free(&r);
}

START_TEST(preflight_counts_devices_that_would_refuse)
{
    char id[32], path[128];
    publish(&d, admin, "lamp", "1.0.0", NULL, 1, id); /* a 4 MB image of the ESP8266 */
    check_in(1, "ESP8266", "1000000", "4194304");
    check_in(2, "ESP8266", "100", "4194304");     /* no room left */
    check_in(3, "ESP8266", "1000000", "1048576"); /* its flash is smaller than the header says */
    check_in(4, "ESP32", "1310720", "4194304");   /* another chip */
    check_in(5, "ESP8266", "junk", "junk");       /* says nothing: no reason */
    (void)snprintf(path, sizeof path, "/api/v1/products/lamp/builds/%s/preflight", id);
    struct reply r = get(&d, admin, path);
    ck_assert_int_eq(r.status, 200);
    ck_assert_int_eq(reply_number(&r, "devices"), 5);
    ck_assert_int_eq(reply_number(&r, "would_refuse"), 3);
    ck_assert_int_eq(reply_number(&r, "reasons.wont_fit"), 2);
    ck_assert_int_eq(reply_number(&r, "reasons.wrong_chip"), 1);
    ck_assert_str_eq(reply_text(&r, "shown.0.mac"), "5C:CF:7F:A1:B2:02");
    ck_assert_str_eq(reply_text(&r, "shown.0.reason"), "wont_fit");
    ck_assert_str_eq(reply_text(&r, "shown.1.mac"), "5C:CF:7F:A1:B2:03");
    ck_assert_str_eq(reply_text(&r, "shown.2.reason"), "wrong_chip");
    reply_free(&r);
}
END_TEST

START_TEST(preflight_is_in_the_uploads_answer_and_names_twenty)
{
    for (unsigned i = 0; i < 25; i++)
        check_in(i, "ESP8266", "100", "4194304");
    struct img image = image_of("ESP8266", 7, 0);
    const struct part parts[] = {
        {.name = "file",      .filename = "Lamp.ino.bin", .data = image.data, .n = image.n},
        FIELD("version", "2.0.0"),
        {.name = NULL},
    };
    struct reply r = upload(&d, admin, "lamp", parts);
    ck_assert_int_eq(r.status, 201);
    ck_assert_int_eq(reply_number(&r, "preflight.devices"), 25);
    ck_assert_int_eq(reply_number(&r, "preflight.would_refuse"), 25);
    ck_assert_uint_eq(json_array_size(reply_at(&r, "preflight.shown")), 20);
    ck_assert_msg(strstr(reply_text(&r, "image.fit.0.text"), " bytes, ") != NULL, "%s", r.body);
    reply_free(&r);
    img_free(&image);
}
END_TEST

START_TEST(secret_in_the_information_tag_is_not_shown)
{
    static const char tag[] = "blnkinf\0mcu\0"
                              "1.0.0\0pass\0hunter2-secret\0auth\0tok-9\0\0";
    const struct img_spec spec = {
        .chip = "ESP8266", .seed = 1, .extra = tag, .extra_n = sizeof tag};
    struct img image = {0};
    app(&spec, &image);
    const struct part parts[] = {
        {.name = "file",      .filename = "Lamp.ino.bin", .data = image.data, .n = image.n},
        {.name = NULL},
    };
    struct reply r = upload(&d, admin, "lamp", parts);
    ck_assert_msg(r.status == 201, "%s", r.body);
    ck_assert_str_eq(reply_text(&r, "version"), "1.0.0");
    ck_assert_ptr_null(strstr(r.body, "hunter2"));
    ck_assert_ptr_null(strstr(r.body, "tok-9"));
    reply_free(&r);
    img_free(&image);
}
END_TEST

/* A file that had to be forced in is an admin's to release. */
START_TEST(release_of_a_forced_build_needs_an_admin)
{
    char publisher[DAEMON_KEY], body[64];
    struct img file = {0};
    make_html(&file);
    daemon_key(&d, "ci", "publisher", NULL, publisher);
    const struct part parts[] = {
        {.name = "file",     .filename = "x.bin", .data = file.data, .n = file.n},
        FIELD("version", "1.0.0"),
        FIELD("kind", "app"),
        {.name = NULL},
    };
    struct reply r = upload(&d, admin, "lamp?force=true", parts);
    ck_assert_msg(r.status == 201, "%s", r.body);
    (void)snprintf(body, sizeof body, "{\"build\":\"%s\"}", reply_text(&r, "id"));
    reply_free(&r);
    r = send_json(&d, publisher, "PATCH", "/api/v1/products/lamp/channels/stable", body);
    ck_assert_int_eq(r.status, 403);
    reply_free(&r);
    r = send_json(&d, admin, "PATCH", "/api/v1/products/lamp/channels/stable", body);
    ck_assert_int_eq(r.status, 200);
    reply_free(&r);
    img_free(&file);
}
END_TEST

START_TEST(factory_image_of_another_chip_is_409)
{
    struct img file = {0};
    publish(&d, admin, "lamp", "1.0.0", NULL, 1, NULL); /* an ESP8266 */
    make_merged(&file);
    const struct part parts[] = {
        {.name = "file",     .filename = "merged.bin", .data = file.data, .n = file.n},
        FIELD("version", "2.0.0"),
        FIELD("kind", "factory"),
        {.name = NULL},
    };
    struct reply r = upload(&d, admin, "lamp", parts);
    ck_assert_msg(r.status == 409, "%s", r.body);
    reply_free(&r);
    img_free(&file);
}
END_TEST

START_TEST(hint_of_a_taken_version_keeps_what_steers_the_release)
{
    publish(&d, admin, "lamp", "1.0.1", "beta", 1, NULL);
    publish(&d, admin, "lamp", "1.0.2", "beta", 2, NULL);
    struct img image = image_of("ESP8266", 3, 0);
    const struct part parts[] = {
        {.name = "file",      .filename = "Lamp.ino.bin", .data = image.data, .n = image.n},
        FIELD("version", "1.0.1"),
        FIELD("channel", "beta"),
        FIELD("kind", "app"),
        {.name = NULL},
    };
    struct reply r = upload(&d, admin, "lamp", parts);
    const char *hint = reply_text(&r, "error.hint");
    ck_assert_int_eq(r.status, 409);
    ck_assert_msg(strstr(hint, "-F version=1.0.3 -F channel=beta -F kind=app ") != NULL, "%s",
                  hint);
    reply_free(&r);
    img_free(&image);
}
END_TEST

START_TEST(repeated_upload_says_that_it_releases_nothing)
{
    char id[32], where[128];
    publish(&d, admin, "lamp", "1.0.0", NULL, 1, NULL);
    publish(&d, admin, "lamp", "2.0.0", NULL, 2, id);
    struct reply r =
        send_json(&d, admin, "POST", "/api/v1/products/lamp/channels/stable/undo", NULL);
    ck_assert_int_eq(r.status, 200);
    reply_free(&r);
    struct img image = image_of("ESP8266", 2, 0);
    const struct part parts[] = {
        {.name = "file",      .filename = "Lamp.ino.bin", .data = image.data, .n = image.n},
        FIELD("version", "2.0.0"),
        {.name = NULL},
    };
    r = upload(&d, admin, "lamp", parts);
    ck_assert_int_eq(r.status, 200);
    ck_assert_msg(strstr(reply_text(&r, "warnings.0"), "releases nothing") != NULL, "%s", r.body);
    reply_free(&r);
    (void)snprintf(where, sizeof where, "/api/v1/products/lamp/builds/%s/withdraw", id);
    r = send_json(&d, admin, "POST", where, NULL);
    reply_free(&r);
    r = upload(&d, admin, "lamp", parts);
    ck_assert_msg(strstr(reply_text(&r, "warnings.0"), "withdrawn") != NULL, "%s", r.body);
    reply_free(&r);
    img_free(&image);
}
END_TEST

START_TEST(preflight_of_the_upload_looks_at_the_flash_size_too)
{
    check_in(1, "ESP8266", "1000000", "1048576"); /* the image's header says 4 MB */
    struct img image = image_of("ESP8266", 7, 0);
    const struct part parts[] = {
        {.name = "file",      .filename = "Lamp.ino.bin", .data = image.data, .n = image.n},
        FIELD("version", "2.0.0"),
        {.name = NULL},
    };
    struct reply r = upload(&d, admin, "lamp", parts);
    ck_assert_int_eq(reply_number(&r, "preflight.would_refuse"), 1);
    reply_free(&r);
    img_free(&image);
}
END_TEST

START_TEST(secret_in_an_image_is_a_warning_that_does_not_show_it)
{
    static const char tag[] = "blnkopt\0ssid\0MyHomeWifi\0pass\0hunter2-secret\0\0";
    const struct img_spec spec = {
        .chip = "ESP8266", .version = "1.0.0", .seed = 1, .extra = tag, .extra_n = sizeof tag};
    struct img image = {0};
    app(&spec, &image);
    const struct part parts[] = {
        {.name = "file",      .filename = "Lamp.ino.bin", .data = image.data, .n = image.n},
        {.name = NULL},
    };
    struct reply r = upload(&d, admin, "lamp", parts);
    ck_assert_int_eq(r.status, 201);
    ck_assert_uint_ge(json_array_size(reply_at(&r, "warnings")), 1);
    ck_assert_ptr_null(strstr(r.body, "hunter2"));
    ck_assert_ptr_null(strstr(r.body, "MyHomeWifi"));
    reply_free(&r);
    img_free(&image);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("kinds");
    TCase *tc = tcase_create("kinds");
    tcase_set_timeout(tc, 4 * DAEMON_PATIENCE_S);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, upload_of_a_kind_is_taken_or_told_what_it_is, 0,
                        (int)OTAD_COUNT(kinds));
    tcase_add_test(tc, upload_of_a_factory_image_is_never_on_a_channel);
    tcase_add_test(tc, preflight_counts_devices_that_would_refuse);
    tcase_add_test(tc, preflight_is_in_the_uploads_answer_and_names_twenty);
    tcase_add_test(tc, secret_in_the_information_tag_is_not_shown);
    tcase_add_test(tc, release_of_a_forced_build_needs_an_admin);
    tcase_add_test(tc, factory_image_of_another_chip_is_409);
    tcase_add_test(tc, hint_of_a_taken_version_keeps_what_steers_the_release);
    tcase_add_test(tc, repeated_upload_says_that_it_releases_nothing);
    tcase_add_test(tc, preflight_of_the_upload_looks_at_the_flash_size_too);
    tcase_add_test(tc, secret_in_an_image_is_a_warning_that_does_not_show_it);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
