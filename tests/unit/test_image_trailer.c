/* SPDX-License-Identifier: MIT
 * What follows an image: signatures are named, padding is accepted with a warning, a second image
 * or a table is refused. */
#include "base/digest.h"
#include "support/imgtest.h"

START_TEST(arduino_esp8266_signature)
{
    static const struct {
        uint32_t bytes;
        bool old_core;
    } rows[] = {
        {256, false},
        {256, true },
        {128, false},
        {512, false}
    };
    struct img img OTAD_AUTO(img_free) =
        build_app((struct img_spec){.chip = "ESP8266", .old_core = rows[_i].old_core});
    struct image_info plain = inspect_img(&img);
    size_t n = img.n;
    img_sign_arduino_esp8266(&img, rows[_i].bytes);
    struct image_info info = inspect_img(&img);
    ck_assert_int_eq(info.signature, IMAGE_SIGN_ARDUINO_ESP8266);
    ck_assert_str_eq(image_signature_name(info.signature), "arduino-esp8266");
    ck_assert_uint_eq(info.signature_offset, n);
    ck_assert_uint_eq(info.signature_bytes, rows[_i].bytes + 4);
    ck_assert_uint_eq(info.image_bytes, n);
    ck_assert_int_eq(info.trailing, IMAGE_TRAIL_SIGNATURE);
    ck_assert_uint_eq(info.warning_count, 0);
    ck_assert(image_is_deliverable(&info));
    ck_assert(info.md5_image_found); /* what the device reports after it took the signature off */
    ck_assert_mem_eq(info.md5_image, plain.md5, sizeof plain.md5);
    ck_assert_mem_ne(info.md5, plain.md5, sizeof plain.md5);
}
END_TEST

START_TEST(esp32_signatures)
{
    static const struct {
        enum image_signature scheme;
        const char *name;
    } rows[] = {
        {IMAGE_SIGN_ARDUINO_ESP32,  "arduino-esp32" },
        {IMAGE_SIGN_SECURE_BOOT_V1, "secure-boot-v1"},
        {IMAGE_SIGN_SECURE_BOOT_V2, "secure-boot-v2"},
        {IMAGE_SIGN_SECURE_BOOT_V2, "secure-boot-v2"}
    };
    struct img img OTAD_AUTO(img_free) =
        build_app((struct img_spec){.chip = "ESP32", .size_bytes = 30480});
    struct image_info plain = inspect_img(&img);
    if (_i == 0)
        img_sign_arduino_esp32(&img);
    else if (_i == 1)
        img_sign_secure_boot_v1(&img);
    else
        img_sign_secure_boot_v2(&img, _i == 2 ? 2 : 3);
    struct image_info info = inspect_img(&img);
    ck_assert_int_eq(info.signature, rows[_i].scheme);
    ck_assert_str_eq(image_signature_name(info.signature), rows[_i].name);
    ck_assert_uint_eq(info.image_bytes, 30480);
    ck_assert_int_eq(info.trailing, IMAGE_TRAIL_SIGNATURE);
    if (_i >= 2) { /* a real sample: the image ends at 30480, the file at 36864 */
        ck_assert_uint_eq(img.n, 36864);
        ck_assert_uint_eq(info.signature_offset, 32768);
    }
    ck_assert_uint_eq(info.defect_count, 0);
    ck_assert(image_is_deliverable(&info));
    ck_assert_mem_eq(info.md5_image, plain.md5, sizeof plain.md5);
}
END_TEST

START_TEST(secure_boot_v2_digest_is_checked)
{
    struct img img OTAD_AUTO(img_free) =
        build_app((struct img_spec){.chip = "ESP32", .size_bytes = 30480});
    img_sign_secure_boot_v2(&img, 2);
    img.data[31000] ^= 1; /* padding between image and signature */
    struct image_info info = inspect_img(&img);
    ck_assert(!image_is_deliverable(&info) || info.signature == IMAGE_SIGN_NONE);
}
END_TEST

START_TEST(other_trailers)
{
    static const struct {
        const char *what;
        enum image_trailing trailing;
        bool accepted;
    } rows[] = {
        {"FF",                       IMAGE_TRAIL_PADDING,      true },
        {"00",                       IMAGE_TRAIL_PADDING,      true },
        {"random",                   IMAGE_TRAIL_UNKNOWN,      true },
        {"second image",             IMAGE_TRAIL_SECOND_IMAGE, false},
        {"second image on a sector", IMAGE_TRAIL_SECOND_IMAGE, false},
        {"table on a sector",        IMAGE_TRAIL_TABLE,        false},
        {"LittleFS on a sector",     IMAGE_TRAIL_FILESYSTEM,   true },
    };
    const char *chips[] = {"ESP8266", "ESP32-S3"};
    for (unsigned chip = 0; chip < 2; chip++) {
        struct img img OTAD_AUTO(img_free) = build_app((struct img_spec){.chip = chips[chip]});
        struct img other OTAD_AUTO(img_free) =
            build_app((struct img_spec){.chip = chips[chip], .seed = 5});
        uint64_t state = 4;
        size_t n = img.n;
        if (_i < 2)
            img_fill(&img, _i == 0 ? 0xff : 0, 3000);
        if (_i == 2)
            img_put_filler(&img, &state, 3000, false);
        if (_i >= 4)
            img_fill(&img, 0xff, 8192 - img.n);
        if (_i == 3 || _i == 4)
            img_put(&img, other.data, other.n);
        if (_i == 5)
            img_build_table(true, &img);
        if (_i == 6) {
            struct img fs OTAD_AUTO(img_free) = {0};
            img_build_littlefs(4096, 4, 0, &fs);
            img_put(&img, fs.data, fs.n);
        }
        struct image_info info = inspect_img(&img);
        struct otad_errinfo ei = {0};
        ck_assert_msg(info.trailing == rows[_i].trailing, "%s: %s", rows[_i].what,
                      image_trailing_name(info.trailing));
        ck_assert_uint_eq(info.trailing_offset, n);
        ck_assert_uint_eq(info.trailing_bytes, img.n - n);
        ck_assert_int_eq(image_check_upload(&info, IMAGE_WANT_APP, &ei),
                         rows[_i].accepted ? OTAD_E_OK : OTAD_E_INVALID);
        if (rows[_i].accepted)
            ck_assert_uint_eq(info.warning_count, 1);
        else
            assert_holds(rows[_i].what, ei.hint, "application alone");
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("image_trailer");
    TCase *tc = tcase_create("trailer");
    tcase_add_loop_test(tc, arduino_esp8266_signature, 0, 4);
    tcase_add_loop_test(tc, esp32_signatures, 0, 4);
    tcase_add_test(tc, secure_boot_v2_digest_is_checked);
    tcase_add_loop_test(tc, other_trailers, 0, 7);
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
