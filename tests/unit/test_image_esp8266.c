/* SPDX-License-Identifier: MIT
 * ESP8266 images: both generations of the checksum rule, what is damaged, what is cut short. */
#include <stdbool.h>
#include <string.h>

#include "base/digest.h"
#include "image/esp8266.h"
#include "image/image.h"
#include "support/imgbuild.h"
#include "support/unit.h"

static struct image_info inspect(const struct img *img)
{
    struct image_info info;
    memset(&info, 0x5a, sizeof info);
    ck_assert_int_eq(image_inspect(img->data, img->n, NULL, &info), OTAD_E_OK);
    return info;
}

static const struct spec_row {
    const char *what;
    struct img_spec spec;
    size_t want_bytes; /* 0: not checked */
} specs[] = {
    {"newer core, small",           {.chip = "ESP8266", .seed = 1},                                   0     },
    {"older core, small",           {.chip = "ESP8266", .seed = 2, .old_core = true},                 0     },
    {"newer core, exact size",      {.chip = "ESP8266", .seed = 3, .size_bytes = 300000},             300000},
    {"older core, size rounded up",
     {.chip = "ESP8266", .seed = 4, .size_bytes = 299999, .old_core = true},
     300000                                                                                                 },
    {"newer core with a tag",       {.chip = "ESP8266", .seed = 5, .version = "1.2.3"},               0     },
    {"QIO",                         {.chip = "ESP8266", .seed = 6, .flash_mode = 0, .flash_size = 2}, 0     },
    {"DOUT",                        {.chip = "ESP8266", .seed = 7, .flash_mode = 3, .flash_size = 9}, 0     },
};

START_TEST(valid_image_is_application)
{
    const struct spec_row *row = &specs[_i];
    struct img img OTAD_AUTO(img_free) = {0};
    ck_assert(img_build_app(&row->spec, &img));
    if (row->want_bytes > 0)
        ck_assert_uint_eq(img.n, row->want_bytes);
    struct image_info info = inspect(&img);
    ck_assert_msg(info.kind == IMAGE_ESP8266_APP, "%s: %s", row->what, image_kind_name(info.kind));
    ck_assert_str_eq(image_chip_name(info.chip), "ESP8266");
    ck_assert_msg(info.defect_count == 0, "%s: %s", row->what, info.defects[0].what);
    ck_assert(info.sums.checksum_found && info.sums.checksum_valid);
    ck_assert(info.sums.checksum_by_crc == !row->spec.old_core);
    ck_assert_uint_eq(info.segment_count, row->spec.old_core ? 4 : 5);
    ck_assert_uint_eq(info.image_bytes, img.n);
    ck_assert_uint_eq(info.flash_mode, row->spec.flash_mode);
    ck_assert_uint_eq(info.flash_freq_mhz, 40);
    ck_assert(image_is_deliverable(&info));
    ck_assert_uint_eq(info.warning_count, 0);
}
END_TEST

START_TEST(newer_core_xor_is_wrong_as_stored)
{
    struct img img OTAD_AUTO(img_free) = {0};
    ck_assert(img_build_app(&(struct img_spec){.chip = "ESP8266", .seed = 9}, &img));
    struct image_info info = inspect(&img);
    uint8_t words = 0; /* the length and CRC words, which count as zero in the stored sum */
    for (unsigned i = 0; i < 8; i++)
        words ^= img.data[0x1010 + i];
    ck_assert_uint_ne(words, 0);
    ck_assert_uint_eq(info.sums.checksum_stored, info.sums.checksum_computed);
    ck_assert_uint_eq(info.sums.crc_stored, info.sums.crc_computed);
}
END_TEST

START_TEST(flash_size_is_read)
{
    static const struct {
        uint8_t nibble;
        uint64_t bytes;
    } rows[] = {
        {1, 256 << 10},
        {2, 1 << 20  },
        {3, 2 << 20  },
        {4, 4 << 20  },
        {5, 2 << 20  },
        {6, 4 << 20  },
        {8, 8 << 20  },
        {9, 16 << 20 }
    };
    struct img img OTAD_AUTO(img_free) = {0};
    const struct img_spec spec = {.chip = "ESP8266", .flash_size = rows[_i].nibble};
    ck_assert(img_build_app(&spec, &img));
    ck_assert_uint_eq(inspect(&img).flash_size_bytes, rows[_i].bytes);
}
END_TEST

START_TEST(crc_matches_a_bitwise_one)
{
    static const uint8_t digits[] = "123456789";
    /* check value of CRC-32/MPEG-2 in the RevEng catalogue */
    ck_assert_uint_eq(esp8266_crc(ESP8266_CRC_INIT, digits, 9), 0x0376e6e7);
    uint32_t crc = esp8266_crc(ESP8266_CRC_INIT, digits, 4);
    ck_assert_uint_eq(esp8266_crc(crc, digits + 4, 5), 0x0376e6e7);
}
END_TEST

/* Each defect is one byte (or word) wide; `want` is the first defect's name. */
static const struct defect_row {
    const char *what;
    bool old_core;
    size_t offset;
    uint8_t flip;
    enum image_defect_code code;
    const char *want;
} defects[] = {
    {"data bit, newer",              false, 0x1100, 0x10, IMAGE_DEFECT_CHECKSUM, "CRC-32"                     },
    {"data bit, older",              true,  0x1100, 0x10, IMAGE_DEFECT_CHECKSUM, "checksum"                   },
    {"length word",                  false, 0x1010, 0x10, IMAGE_DEFECT_CHECKSUM, "length word"                },
    {"CRC word",                     false, 0x1014, 0x01, IMAGE_DEFECT_CHECKSUM, "CRC-32"                     },
    {"eboot data, older",            true,  0x0100, 0x01, IMAGE_DEFECT_CHECKSUM, "checksum of the boot loader"},
    {"eboot load address, older",    true,  0x0008, 0x10, IMAGE_DEFECT_HEADER,   "load address of eboot"      },
    {"application magic",            true,  0x1000, 0x08, IMAGE_DEFECT_HEADER,   "application: magic byte"    },
    {"application without segments", true,  0x1001, 0x04, IMAGE_DEFECT_HEADER,
     "application: segment count"                                                                             },
};

START_TEST(damage_is_named)
{
    const struct defect_row *row = &defects[_i];
    const struct img_spec spec = {
        .chip = "ESP8266", .seed = 11, .size_bytes = 16384, .old_core = row->old_core};
    struct img img OTAD_AUTO(img_free) = {0};
    ck_assert(img_build_app(&spec, &img));
    img.data[row->offset] ^= row->flip;
    struct image_info info = inspect(&img);
    ck_assert_msg(info.kind == IMAGE_ESP8266_APP, "%s: %s", row->what, image_kind_name(info.kind));
    ck_assert_msg(info.defect_count > 0, "%s: accepted", row->what);
    ck_assert_msg(strcmp(info.defects[0].what, row->want) == 0, "%s: %s", row->what,
                  info.defects[0].what);
    ck_assert_int_eq(info.defects[0].code, row->code);
    struct otad_errinfo ei = {0};
    ck_assert_int_eq(image_check_upload(&info, IMAGE_WANT_ANY, &ei), OTAD_E_INVALID);
    ck_assert(ei.msg[0] != '\0' && ei.hint[0] != '\0');
    ck_assert(image_may_force(&info));
}
END_TEST

START_TEST(both_words_damaged_is_still_a_newer_image)
{
    struct img img OTAD_AUTO(img_free) = {0};
    ck_assert(img_build_app(&(struct img_spec){.chip = "ESP8266", .seed = 21}, &img));
    img.data[0x1010] ^= 0x30;
    img.data[0x1016] ^= 0x03;
    struct image_info info = inspect(&img);
    ck_assert(info.sums.checksum_by_crc && !info.sums.checksum_valid);
    ck_assert_uint_eq(info.defect_count, 2);
    ck_assert_str_eq(info.defects[0].what, "length word");
    ck_assert_str_eq(info.defects[1].what, "CRC-32");
}
END_TEST

/* A header that has lost a segment, and behind the others by chance the sum that an older image
 * would have there: the length word still tells the whole. */
START_TEST(lost_segment_is_noticed_though_a_sum_fits)
{
    struct img img OTAD_AUTO(img_free) = {0};
    uint8_t sum = 0xef;
    ck_assert(img_build_app(&(struct img_spec){.chip = "ESP8266", .seed = 1}, &img));
    uint8_t *header = img.data + 4096;
    unsigned segments = header[1];
    size_t at = 4096 + 8;
    for (unsigned i = 0; i + 1 < segments; i++) {
        uint32_t n = (uint32_t)(img.data[at + 4] | img.data[at + 5] << 8 | img.data[at + 6] << 16);
        for (size_t k = 0; k < n; k++)
            sum ^= i == 0 && k < 8 ? 0 : img.data[at + 8 + k]; /* length and CRC come later */
        at += 8 + n;
    }
    size_t place = (at + 16) / 16 * 16 - 1;
    ck_assert_uint_lt(place, img.n);
    /* Length and CRC are part of that sum, so the byte is sought. */
    unsigned fits = 0;
    for (unsigned value = 0; value < 256; value++) {
        img.data[place] = (uint8_t)value;
        header[1] = (uint8_t)segments;
        img_seal_esp8266(&img);
        uint8_t all = sum;
        for (size_t k = 0; k < 8; k++)
            all ^= img.data[4096 + 8 + 8 + k];
        header[1] = (uint8_t)(segments - 1);
        struct image_info info = inspect(&img);
        fits += all == value;
        ck_assert_msg(!image_is_deliverable(&info), "value %u", value);
    }
    ck_assert_uint_ge(fits, 1); /* else this shows nothing: take another seed */
}
END_TEST

START_TEST(every_cut_is_truncation)
{
    const struct img_spec spec = {.chip = "ESP8266", .seed = 12, .old_core = _i == 1};
    struct img img OTAD_AUTO(img_free) = {0};
    ck_assert(img_build_app(&spec, &img));
    for (size_t n = 0x1001; n < img.n; n++) {
        struct img cut = {img.data, n, n};
        struct image_info info = inspect(&cut);
        ck_assert_int_eq(info.kind, IMAGE_ESP8266_APP);
        ck_assert_msg(!image_is_deliverable(&info) && !image_may_force(&info), "%zu bytes", n);
    }
}
END_TEST

START_TEST(blynk_tag_names_the_version)
{
    const struct img_spec spec = {.chip = "ESP8266", .version = "2019081902", .fw_type = "TMPL1"};
    struct img img OTAD_AUTO(img_free) = {0};
    ck_assert(img_build_app(&spec, &img));
    struct image_info info = inspect(&img);
    const char *source = NULL;
    ck_assert_str_eq(image_version(&info, &source), "2019081902");
    ck_assert_str_eq(source, "Blynk tag mcu");
    ck_assert_str_eq(image_blynk_value(&info, "fw-type"), "TMPL1");
    ck_assert_str_eq(image_blynk_value(&info, "build"), "Mar  9 2024 22:25:48");
    ck_assert_str_eq(image_blynk_value(&info, "dev"), "ESP8266");
    ck_assert_ptr_null(image_blynk_value(&info, "tmpl"));
    ck_assert_uint_eq(info.blynk.count, 7);
}
END_TEST

START_TEST(no_tag_no_version)
{
    struct img img OTAD_AUTO(img_free) = {0};
    ck_assert(img_build_app(&(struct img_spec){.chip = "ESP8266"}, &img));
    struct image_info info = inspect(&img);
    char hint[200];
    ck_assert_ptr_null(image_version(&info, NULL));
    image_version_hint(&info, hint, sizeof hint);
    ck_assert_str_eq(hint, "neither a Blynk tag nor an app descriptor was found");
}
END_TEST

START_TEST(md5_of_a_patched_flash_mode)
{
    struct img img OTAD_AUTO(img_free) = {0};
    uint8_t want[OTAD_MD5_LEN], got[OTAD_MD5_LEN];
    ck_assert(img_build_app(&(struct img_spec){.chip = "ESP8266", .flash_mode = 2}, &img));
    for (uint8_t mode = 0; mode <= 3; mode++) {
        ck_assert_int_eq(image_md5_with_mode(img.data, img.n, mode, got), OTAD_E_OK);
        img.data[2] = mode;
        ck_assert_int_eq(digest_md5(img.data, img.n, want), OTAD_E_OK);
        ck_assert_mem_eq(got, want, sizeof want);
    }
    ck_assert_int_eq(image_md5_with_mode(img.data, img.n, 4, got), OTAD_E_INVALID);
    ck_assert_int_eq(image_md5_with_mode(img.data, 11, 0, got), OTAD_E_INVALID);
    ck_assert_int_eq(image_md5_with_mode(img.data + 1, 100, 0, got), OTAD_E_INVALID);
}
END_TEST

START_TEST(odd_flash_settings_are_warned_of)
{
    struct img img OTAD_AUTO(img_free) = {0};
    const struct img_spec spec = {.chip = "ESP8266", .old_core = true, .flash_size = 7};
    ck_assert(img_build_app(&spec, &img));
    struct image_info info = inspect(&img);
    ck_assert_uint_eq(info.warning_count, 1);
    ck_assert_int_eq(info.warnings[0].code, IMAGE_WARN_HEADER);
    ck_assert(image_is_deliverable(&info));
}
END_TEST

START_TEST(known_digests_are_taken)
{
    struct img img OTAD_AUTO(img_free) = {0};
    struct image_digests known;
    struct image_info info;
    memset(&known, 7, sizeof known);
    ck_assert(img_build_app(&(struct img_spec){.chip = "ESP8266"}, &img));
    ck_assert_int_eq(image_inspect(img.data, img.n, &known, &info), OTAD_E_OK);
    ck_assert_mem_eq(info.md5, known.md5, sizeof known.md5);
    ck_assert_mem_eq(info.sha256, known.sha256, sizeof known.sha256);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("image_esp8266");
    TCase *valid = tcase_create("valid");
    tcase_add_loop_test(valid, valid_image_is_application, 0, (int)OTAD_COUNT(specs));
    tcase_add_test(valid, newer_core_xor_is_wrong_as_stored);
    tcase_add_loop_test(valid, flash_size_is_read, 0, 8);
    tcase_add_test(valid, crc_matches_a_bitwise_one);
    tcase_add_test(valid, md5_of_a_patched_flash_mode);
    tcase_add_test(valid, odd_flash_settings_are_warned_of);
    tcase_add_test(valid, known_digests_are_taken);
    suite_add_tcase(suite, valid);
    TCase *damage = tcase_create("damage");
    tcase_add_loop_test(damage, damage_is_named, 0, (int)OTAD_COUNT(defects));
    tcase_add_test(damage, both_words_damaged_is_still_a_newer_image);
    tcase_add_test(damage, lost_segment_is_noticed_though_a_sum_fits);
    tcase_add_loop_test(damage, every_cut_is_truncation, 0, 2);
    suite_add_tcase(suite, damage);
    TCase *version = tcase_create("version");
    tcase_add_test(version, blynk_tag_names_the_version);
    tcase_add_test(version, no_tag_no_version);
    suite_add_tcase(suite, version);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
