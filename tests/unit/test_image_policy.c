/* SPDX-License-Identifier: MIT
 * Words and numbers that people get: refusals, fit, JSON, names. */
#include <stdio.h>

#include <jansson.h>

#include "image/fit.h"
#include "image/image_json.h"
#include "support/imgtest.h"

START_TEST(refusal_names_offset_expected_and_found)
{
    struct img img OTAD_AUTO(img_free) =
        build_app((struct img_spec){.chip = "ESP8266", .old_core = true, .size_bytes = 8192});
    struct otad_errinfo ei = {0};
    char want[64];
    uint8_t right = img.data[8191];
    img.data[8191] ^= 0x0f;
    struct image_info info = inspect_img(&img);
    ck_assert_int_eq(image_check_upload(&info, IMAGE_WANT_ANY, &ei), OTAD_E_INVALID);
    ck_assert_int_eq(ei.code, OTAD_E_INVALID);
    (void)snprintf(want, sizeof want, "expected 0x%02x, found 0x%02x", right, right ^ 0x0f);
    assert_holds("message", ei.msg, "an ESP8266 application, but it is damaged");
    assert_holds("message", ei.msg, "checksum at offset 0x1fff");
    assert_holds("message", ei.msg, want);
    assert_holds("hint", ei.hint, "binary mode");
}
END_TEST

START_TEST(digest_refusal_fits_the_message)
{
    struct img img OTAD_AUTO(img_free) =
        build_app((struct img_spec){.chip = "ESP32-C61", .size_bytes = 200000});
    struct otad_errinfo ei = {0};
    img.data[img.n - 1] ^= 1;
    struct image_info info = inspect_img(&img);
    ck_assert_int_eq(image_check_upload(&info, IMAGE_WANT_ANY, &ei), OTAD_E_INVALID);
    ck_assert_str_eq(ei.msg + strlen(ei.msg) - 1, "."); /* not cut */
    assert_holds("message", ei.msg, "appended SHA-256");
}
END_TEST

START_TEST(truncation_says_how_much_is_missing)
{
    struct img img OTAD_AUTO(img_free) =
        build_app((struct img_spec){.chip = "ESP32", .size_bytes = 100000});
    struct otad_errinfo ei = {0};
    img.n = 65536;
    struct image_info info = inspect_img(&img);
    ck_assert_int_eq(image_check_upload(&info, IMAGE_WANT_ANY, &ei), OTAD_E_INVALID);
    assert_holds("message", ei.msg, "cut short");
    assert_holds("message", ei.msg, "found 65536 bytes");
    assert_holds("hint", ei.hint, "force can't");
    ck_assert(!image_may_force(&info));
}
END_TEST

START_TEST(filesystem_as_application)
{
    struct img img OTAD_AUTO(img_free) = {0};
    struct otad_errinfo ei = {0};
    img_build_littlefs(4096, 4, 0, &img);
    struct image_info info = inspect_img(&img);
    ck_assert_int_eq(image_check_upload(&info, IMAGE_WANT_APP, &ei), OTAD_E_INVALID);
    ck_assert_str_eq(ei.msg, "This is a LittleFS filesystem image, but the upload says kind=app.");
    ck_assert_str_eq(ei.hint, "Upload it with -F kind=fs, or without a kind.");
    ck_assert_int_eq(image_check_upload(&info, IMAGE_WANT_FS, &ei), OTAD_E_OK);
    ck_assert_int_eq(image_check_upload(&info, IMAGE_WANT_ANY, NULL), OTAD_E_OK);
}
END_TEST

START_TEST(header_damage_of_esp32_is_named)
{
    static const struct {
        size_t offset;
        uint8_t value;
        const char *what;
    } rows[] = {
        {2,  9,    "flash mode"               },
        {23, 7,    "hash flag"                },
        {12, 99,   "chip id"                  },
        {24, 0x24, "load address of a segment"}
    };
    struct img img OTAD_AUTO(img_free) =
        build_app((struct img_spec){.chip = "ESP32-S3", .no_hash = true, .size_bytes = 4096});
    img.data[rows[_i].offset] = rows[_i].value;
    struct image_info info = inspect_img(&img);
    ck_assert_int_eq(info.kind, IMAGE_ESP32_APP);
    ck_assert_uint_gt(info.defect_count, 0);
    ck_assert_str_eq(info.defects[0].what, rows[_i].what);
    ck_assert(image_may_force(&info));
}
END_TEST

START_TEST(fit_in_words)
{
    char text[128];
    const struct fit_slot slot = {.name = "default.csv app0", .slot_bytes = 1310720, .percent = 66};
    fit_describe(869965, &slot, text, sizeof text);
    ck_assert_str_eq(text, "869,965 of 1,310,720 bytes, 66 %, default.csv app0");
    fit_describe(999, &slot, text, sizeof text);
    assert_holds("small", text, "999 of");
    fit_describe(1000, &slot, text, 10);
    ck_assert_str_eq(text, "1,000 of ");
}
END_TEST

START_TEST(fit_of_esp32)
{
    struct img img OTAD_AUTO(img_free) =
        build_app((struct img_spec){.chip = "ESP32", .size_bytes = 1310736});
    struct image_info info = inspect_img(&img);
    struct fit_slot slots[FIT_SLOTS_MAX];
    unsigned n = fit_default_slots(&info, slots);
    ck_assert_uint_eq(n, 7);
    ck_assert_str_eq(slots[0].name, "default.csv app0");
    ck_assert(!slots[0].fits && slots[0].percent == 100);
    ck_assert(slots[1].fits && slots[1].updates);  /* min_spiffs */
    ck_assert(slots[6].fits && !slots[6].updates); /* huge_app: no second slot */
}
END_TEST

START_TEST(fit_of_esp8266)
{
    /* 4M3M: the filesystem starts at 0x100000, so two sketches of 524,288 bytes fit below it */
    static const struct {
        size_t size;
        bool updates_4m2m, updates_4m3m, fits_1m512;
    } rows[] = {
        {400000,  true, true,  true },
        {524288,  true, true,  false},
        {524304,  true, false, false},
        {1044464, true, false, false}
    };
    struct img img OTAD_AUTO(img_free) =
        build_app((struct img_spec){.chip = "ESP8266", .size_bytes = rows[_i].size});
    struct image_info info = inspect_img(&img);
    struct fit_slot slots[FIT_SLOTS_MAX];
    unsigned n = fit_default_slots(&info, slots);
    ck_assert_uint_eq(n, 6);
    ck_assert(slots[0].updates == rows[_i].updates_4m2m);
    ck_assert(slots[2].updates == rows[_i].updates_4m3m);
    ck_assert(slots[5].fits == rows[_i].fits_1m512);
}
END_TEST

START_TEST(fit_of_gzip_counts_both_sizes)
{
    struct img img OTAD_AUTO(img_free) =
        build_app((struct img_spec){.chip = "ESP8266", .size_bytes = 600000, .compressible = true});
    struct img packed OTAD_AUTO(img_free) = {0};
    struct fit_slot slots[FIT_SLOTS_MAX];
    img_gzip(&img, &packed);
    struct image_info info = inspect_img(&packed);
    ck_assert_uint_eq(fit_used_bytes(&info), 600000);
    (void)fit_default_slots(&info, slots);
    ck_assert(slots[2].updates); /* 4M3M: 600,000 running and half of it staged */
}
END_TEST

START_TEST(nothing_fits_what_is_no_application)
{
    struct img img OTAD_AUTO(img_free) = {0};
    struct fit_slot slots[FIT_SLOTS_MAX];
    img_build_otadata(&img);
    struct image_info info = inspect_img(&img);
    ck_assert_uint_eq(fit_default_slots(&info, slots), 0);
    json_t *fit = image_fit_json(&info);
    ck_assert(json_is_array(fit) && json_array_size(fit) == 0);
    json_decref(fit);
}
END_TEST

START_TEST(json_holds_what_is_known)
{
    struct img img OTAD_AUTO(img_free) = build_app((struct img_spec){
        .chip = "ESP32-C3", .version = "1.4", .desc = IMG_DESC_LIBRARY, .size_bytes = 9000});
    img_sign_arduino_esp32(&img);
    struct image_info info = inspect_img(&img);
    json_t *json = image_info_json(&info);
    const char *kind, *chip, *version, *source, *scheme, *project, *mcu, *md5, *appended;
    int size, deliverable, library, valid;
    ck_assert_int_eq(
        json_unpack(json,
                    "{s:s, s:s, s:s, s:s, s:i, s:b, s:{s:s}, s:{s:s, s:b}, s:{s:s}, s:{s:s, s:s}, "
                    "s:{s:b}}",
                    "kind", &kind, "chip", &chip, "version", &version, "version_source", &source,
                    "size", &size, "deliverable", &deliverable, "signature", "scheme", &scheme,
                    "app_desc", "project", &project, "library_builder", &library, "blynk", "mcu",
                    &mcu, "identities", "md5", &md5, "appended_sha256", &appended, "digest",
                    "valid", &valid),
        0);
    ck_assert_str_eq(kind, "esp32_app");
    ck_assert_str_eq(chip, "ESP32-C3");
    ck_assert_str_eq(version, "1.4");
    ck_assert_str_eq(source, "Blynk tag mcu");
    ck_assert_int_eq(size, 9008 + 512);
    ck_assert_str_eq(scheme, "arduino-esp32");
    ck_assert(deliverable && library && valid);
    ck_assert_uint_eq(strlen(md5), 32);
    ck_assert_uint_eq(strlen(appended), 64);
    ck_assert_uint_gt(json_array_size(json_object_get(json, "fit")), 0);
    json_decref(json);
}
END_TEST

START_TEST(json_of_a_damaged_table)
{
    struct img img OTAD_AUTO(img_free) = {0};
    img_build_table(true, &img);
    img.data[9] ^= 0x10;
    struct image_info info = inspect_img(&img);
    json_t *json = image_info_json(&info);
    json_t *table = json_object_get(json, "partitions");
    ck_assert_uint_eq(json_array_size(json_object_get(table, "rows")), 5);
    ck_assert(json_is_false(json_object_get(table, "md5_valid")));
    ck_assert_uint_eq(json_array_size(json_object_get(json, "defects")), 1);
    json_decref(json);
}
END_TEST

START_TEST(names_are_bounded)
{
    ck_assert_str_eq(image_kind_name((enum image_kind)999), "unknown");
    ck_assert_str_eq(image_chip_name((enum image_chip)999), "");
    ck_assert_str_eq(image_flash_mode_name(6), "");
    ck_assert_str_eq(image_want_name((enum image_want)9), "any");
    ck_assert_int_eq(image_chip_from_name("ESP32-X9"), IMAGE_CHIP_UNKNOWN);
    ck_assert_int_eq(image_chip_from_name(""), IMAGE_CHIP_UNKNOWN);
    struct image_info info = {.kind = IMAGE_ESP32_APP, .chip = IMAGE_CHIP_ESP32_C61};
    char text[8];
    image_describe(&info, text, sizeof text);
    ck_assert_str_eq(text, "an ESP3");
}
END_TEST

START_TEST(empty_file_has_no_force)
{
    struct image_info info;
    struct otad_errinfo ei;
    ck_assert_int_eq(image_inspect(NULL, 0, NULL, &info), OTAD_E_OK);
    ck_assert_int_eq(info.kind, IMAGE_EMPTY);
    ck_assert_int_eq(image_check_upload(&info, IMAGE_WANT_ANY, &ei), OTAD_E_INVALID);
    ck_assert(!image_may_force(&info));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("image_policy");
    TCase *words = tcase_create("words");
    tcase_add_test(words, refusal_names_offset_expected_and_found);
    tcase_add_test(words, digest_refusal_fits_the_message);
    tcase_add_test(words, truncation_says_how_much_is_missing);
    tcase_add_test(words, filesystem_as_application);
    tcase_add_loop_test(words, header_damage_of_esp32_is_named, 0, 4);
    tcase_add_test(words, names_are_bounded);
    tcase_add_test(words, empty_file_has_no_force);
    suite_add_tcase(suite, words);
    TCase *fit = tcase_create("fit");
    tcase_add_test(fit, fit_in_words);
    tcase_add_test(fit, fit_of_esp32);
    tcase_add_loop_test(fit, fit_of_esp8266, 0, 4);
    tcase_add_test(fit, fit_of_gzip_counts_both_sizes);
    tcase_add_test(fit, nothing_fits_what_is_no_application);
    suite_add_tcase(suite, fit);
    TCase *json = tcase_create("json");
    tcase_add_test(json, json_holds_what_is_known);
    tcase_add_test(json, json_of_a_damaged_table);
    suite_add_tcase(suite, json);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
