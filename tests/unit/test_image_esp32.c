/* SPDX-License-Identifier: MIT
 * ESP32-family applications: every chip, checksum, appended SHA-256, app descriptor. */
#include <stdbool.h>
#include <string.h>

#include "base/digest.h"
#include "image/image.h"
#include "support/imgbuild.h"
#include "support/unit.h"

#define CHIPS 14 /* of the ESP32 family; img_chips()[0] is the ESP8266 */

static struct image_info inspect(const struct img *img)
{
    struct image_info info;
    memset(&info, 0x5a, sizeof info);
    ck_assert_int_eq(image_inspect(img->data, img->n, NULL, &info), OTAD_E_OK);
    return info;
}

START_TEST(every_chip_is_told_apart)
{
    const char *chip = img_chips()[_i + 1];
    ck_assert_ptr_nonnull(chip);
    const struct img_spec spec = {.chip = chip,
                                  .seed = (uint64_t)_i,
                                  .size_bytes = 70000,
                                  .desc = IMG_DESC_OWN,
                                  .flash_mode = 2};
    struct img img OTAD_AUTO(img_free) = {0};
    ck_assert(img_build_app(&spec, &img));
    ck_assert_uint_eq(img.n, 70000);
    struct image_info info = inspect(&img);
    ck_assert_int_eq(info.kind, IMAGE_ESP32_APP);
    ck_assert_str_eq(image_chip_name(info.chip), chip);
    ck_assert_int_eq(image_chip_from_name(chip), info.chip);
    ck_assert_msg(info.defect_count == 0, "%s: %s", chip, info.defects[0].what);
    ck_assert(info.sums.checksum_valid && info.sums.digest_valid);
    ck_assert_mem_eq(info.sums.digest_stored, img.data + img.n - 32, 32);
    ck_assert_uint_eq(info.image_bytes, img.n);
    ck_assert_uint_eq(info.segment_count, 4);
    ck_assert_uint_eq(info.flash_size_bytes, 4 << 20);
    ck_assert_uint_eq(info.flash_mode, 2);
    ck_assert_str_eq(image_version(&info, NULL), "1.0");
    ck_assert(image_is_deliverable(&info));
    ck_assert_uint_eq(info.warning_count, 0);
}
END_TEST

START_TEST(list_of_chips_is_complete)
{
    const char *const *chips = img_chips();
    unsigned n = 0;
    while (chips[n] != NULL)
        n++;
    ck_assert_uint_eq(n, CHIPS + 1);
    ck_assert_uint_eq(n, IMAGE_CHIP_COUNT - 1);
}
END_TEST

START_TEST(descriptor_is_read)
{
    const struct img_spec spec = {
        .chip = "ESP32", .desc = IMG_DESC_OWN, .project = "pump", .desc_version = "v2.1-4-gabc"};
    struct img img OTAD_AUTO(img_free) = {0};
    ck_assert(img_build_app(&spec, &img));
    struct image_info info = inspect(&img);
    const char *source = NULL;
    ck_assert(info.desc.found && !info.desc.library_builder);
    ck_assert_uint_eq(info.desc.offset, 32);
    ck_assert_str_eq(info.desc.project, "pump");
    ck_assert_str_eq(info.desc.idf, "v5.3.1");
    ck_assert_str_eq(info.desc.date, "Mar  9 2024");
    ck_assert_str_eq(info.desc.time, "22:25:48");
    ck_assert_mem_eq(info.desc.elf_sha256, img.data + 176, 32);
    ck_assert_str_eq(image_version(&info, &source), "v2.1-4-gabc");
    ck_assert_str_eq(source, "app descriptor");
}
END_TEST

START_TEST(library_builders_descriptor_is_no_version)
{
    const struct img_spec spec = {.chip = "ESP32-S3", .desc = IMG_DESC_LIBRARY};
    struct img img OTAD_AUTO(img_free) = {0};
    char hint[256];
    ck_assert(img_build_app(&spec, &img));
    struct image_info info = inspect(&img);
    ck_assert(info.desc.found && info.desc.library_builder);
    ck_assert_ptr_null(image_version(&info, NULL));
    image_version_hint(&info, hint, sizeof hint);
    ck_assert_ptr_nonnull(strstr(hint, "library builder"));
    ck_assert(image_is_deliverable(&info));
}
END_TEST

START_TEST(empty_descriptor_version_is_none)
{
    const struct img_spec spec = {.chip = "ESP32", .desc = IMG_DESC_OWN, .desc_version = ""};
    struct img img OTAD_AUTO(img_free) = {0};
    const char *source = "poison";
    char hint[256];
    ck_assert(img_build_app(&spec, &img));
    struct image_info info = inspect(&img);
    ck_assert_ptr_null(image_version(&info, &source));
    ck_assert_ptr_null(source);
    image_version_hint(&info, hint, sizeof hint);
    ck_assert_ptr_nonnull(strstr(hint, "version is empty"));
}
END_TEST

START_TEST(tag_goes_before_descriptor)
{
    const struct img_spec spec = {.chip = "ESP32", .desc = IMG_DESC_OWN, .version = "0.9.9"};
    struct img img OTAD_AUTO(img_free) = {0};
    ck_assert(img_build_app(&spec, &img));
    struct image_info info = inspect(&img);
    ck_assert_str_eq(image_version(&info, NULL), "0.9.9");
}
END_TEST

START_TEST(without_hash_and_descriptor_is_accepted)
{
    const struct img_spec spec = {.chip = "ESP32", .no_hash = true};
    struct img img OTAD_AUTO(img_free) = {0};
    ck_assert(img_build_app(&spec, &img));
    struct image_info info = inspect(&img);
    ck_assert(!info.sums.digest_found && !info.desc.found);
    ck_assert(image_is_deliverable(&info));
}
END_TEST

START_TEST(damage_is_named)
{
    static const struct {
        bool no_hash;
        size_t offset;
        enum image_defect_code code;
        const char *want;
    } rows[] = {
        {true,  100,  IMAGE_DEFECT_CHECKSUM, "checksum"        },
        {false, 100,  IMAGE_DEFECT_CHECKSUM, "checksum"        },
        {false, 26,   IMAGE_DEFECT_DIGEST,   "appended SHA-256"},
        {false, 1999, IMAGE_DEFECT_DIGEST,   "appended SHA-256"},
        {false, 12,   IMAGE_DEFECT_HEADER,   "chip id"         },
    };
    const struct img_spec spec = {.chip = "ESP32", .size_bytes = 2000, .no_hash = rows[_i].no_hash};
    struct img img OTAD_AUTO(img_free) = {0};
    ck_assert(img_build_app(&spec, &img));
    img.data[rows[_i].offset] ^= 0x40;
    struct image_info info = inspect(&img);
    ck_assert_int_eq(info.kind, IMAGE_ESP32_APP);
    ck_assert_uint_gt(info.defect_count, 0);
    ck_assert_str_eq(info.defects[0].what, rows[_i].want);
    ck_assert_int_eq(info.defects[0].code, rows[_i].code);
    ck_assert(!image_is_deliverable(&info) && image_may_force(&info));
}
END_TEST

START_TEST(every_cut_is_truncation)
{
    const struct img_spec spec = {.chip = "ESP32-C3", .size_bytes = 2000};
    struct img img OTAD_AUTO(img_free) = {0};
    ck_assert(img_build_app(&spec, &img));
    for (size_t n = 24; n < img.n; n++) {
        struct img cut = {img.data, n, n};
        struct image_info info = inspect(&cut);
        ck_assert_msg(!image_is_deliverable(&info) && !image_may_force(&info), "%zu bytes", n);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("image_esp32");
    TCase *valid = tcase_create("valid");
    tcase_add_loop_test(valid, every_chip_is_told_apart, 0, CHIPS);
    tcase_add_test(valid, list_of_chips_is_complete);
    tcase_add_test(valid, without_hash_and_descriptor_is_accepted);
    suite_add_tcase(suite, valid);
    TCase *desc = tcase_create("descriptor");
    tcase_add_test(desc, descriptor_is_read);
    tcase_add_test(desc, library_builders_descriptor_is_no_version);
    tcase_add_test(desc, empty_descriptor_version_is_none);
    tcase_add_test(desc, tag_goes_before_descriptor);
    suite_add_tcase(suite, desc);
    TCase *damage = tcase_create("damage");
    tcase_add_loop_test(damage, damage_is_named, 0, 5);
    tcase_add_test(damage, every_cut_is_truncation);
    suite_add_tcase(suite, damage);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
