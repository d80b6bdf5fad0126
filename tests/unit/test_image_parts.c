/* SPDX-License-Identifier: MIT
 * The parts of image/ on their own: corners that no whole file of the other suites reaches. */
#include <stdlib.h>

#include <jansson.h>
#include <zlib.h>

#include "image/chip.h"
#include "image/content.h"
#include "image/esp.h"
#include "image/filesystem.h"
#include "image/image_json.h"
#include "image/littlefs.h"
#include "image/note.h"
#include "image/partition.h"
#include "image/text.h"
#include "image/trailer.h"
#include "support/imgtest.h"

#define BYTES(s) ((struct bytes){(const uint8_t *)(s), sizeof(s) - 1})

/* ---- bytes ---- */

START_TEST(ranges_never_overflow)
{
    struct bytes b = BYTES("abcd");
    ck_assert(bytes_has(b, 4, 0) && bytes_has(b, 0, 4) && !bytes_has(b, 1, 4));
    ck_assert(!bytes_has(b, UINT64_MAX, 1) && !bytes_has(b, 1, UINT64_MAX));
    ck_assert_uint_eq(bytes_from(b, 9).n, 0);
    ck_assert_uint_eq(bytes_from(b, 3).n, 1);
    ck_assert(bytes_all(b, 4, 0, 'x') && bytes_all(b, 1, 1, 'b') && !bytes_all(b, 0, 2, 'a'));
    ck_assert(!bytes_all(b, 3, 2, 'd'));
}
END_TEST

/* ---- chips ---- */

START_TEST(chips_by_id_and_address)
{
    ck_assert_int_eq(chip_from_id(0), IMAGE_CHIP_ESP32);
    ck_assert_int_eq(chip_from_id(5), IMAGE_CHIP_ESP32_C3);
    ck_assert_int_eq(chip_from_id(0xffff), IMAGE_CHIP_UNKNOWN);
    ck_assert_int_eq(chip_from_id(1), IMAGE_CHIP_UNKNOWN);
    ck_assert(chip_maps_flash(IMAGE_CHIP_ESP32, 0x400d0000));
    ck_assert(!chip_maps_flash(IMAGE_CHIP_ESP32, 0x400cffff));
    ck_assert(chip_maps_flash(IMAGE_CHIP_ESP32, 0x3f7fffff));
    ck_assert(!chip_maps_flash(IMAGE_CHIP_ESP32, 0x3f800000));
    ck_assert(chip_maps_flash(IMAGE_CHIP_UNKNOWN, 0x42000020));
    ck_assert(!chip_maps_flash(IMAGE_CHIP_UNKNOWN, 0x10000000));
    ck_assert(!chip_maps_flash((enum image_chip)99, 0x10000000));
    ck_assert_uint_eq(chip_flash_mhz(IMAGE_CHIP_ESP32_H2, 15), 48);
    ck_assert_uint_eq(chip_flash_mhz(IMAGE_CHIP_ESP32_C2, 0), 30);
    ck_assert_uint_eq(chip_flash_mhz(IMAGE_CHIP_ESP32, 3), 0);
    ck_assert_uint_eq(chip_flash_mhz((enum image_chip)99, 0), 0);
    ck_assert_uint_eq(chip_flash_bytes(IMAGE_CHIP_ESP8266, 10), 0);
    ck_assert_uint_eq(chip_flash_bytes(IMAGE_CHIP_ESP8266, 7), 0);
    ck_assert_uint_eq(chip_flash_bytes(IMAGE_CHIP_ESP32, 7), 128u << 20);
    ck_assert_uint_eq(chip_flash_bytes(IMAGE_CHIP_ESP32, 8), 0);
    ck_assert_uint_eq(chip_bootloader_offset(IMAGE_CHIP_ESP32_S2), 0x1000);
    ck_assert_uint_eq(chip_bootloader_offset(IMAGE_CHIP_ESP32_P4), 0x2000);
    ck_assert_uint_eq(chip_bootloader_offset((enum image_chip)99), 0);
}
END_TEST

/* ---- notes ---- */

START_TEST(defects_are_bounded_but_truncation_finds_room)
{
    struct image_info info = {0};
    for (unsigned i = 0; i < IMAGE_DEFECTS_MAX + 3; i++)
        note_defect_u32(&info, IMAGE_DEFECT_CHECKSUM, i, "x", 1, 2);
    ck_assert_uint_eq(info.defect_count, IMAGE_DEFECTS_MAX);
    note_truncated(&info, "length", 10, 5);
    ck_assert_uint_eq(info.defect_count, IMAGE_DEFECTS_MAX);
    ck_assert_int_eq(info.defects[IMAGE_DEFECTS_MAX - 1].code, IMAGE_DEFECT_TRUNCATED);
    ck_assert(!image_may_force(&info));
}
END_TEST

START_TEST(strings_from_files_are_printable)
{
    char out[9];
    note_printable(out, (const uint8_t *)"a\nb\xff\x7f~", 6);
    ck_assert_str_eq(out, "a?b??~");
    note_printable(out, (const uint8_t *)"12345678", 8);
    ck_assert_str_eq(out, "12345678");
    note_printable(out,
                   (const uint8_t *)"1\0"
                                    "2",
                   3);
    ck_assert_str_eq(out, "1");
}
END_TEST

/* ---- text ---- */

START_TEST(text_corners)
{
    static const struct {
        const char *bytes;
        size_t n;
        enum image_kind kind;
    } rows[] = {
#define ROW(s, kind) {s, sizeof(s) - 1, kind}
        ROW("", IMAGE_UNKNOWN),
        ROW("\xef\xbb\xbf", IMAGE_UNKNOWN),
        ROW("\t\r\n ", IMAGE_TEXT),
        ROW("<html>", IMAGE_HTML),
        ROW("<HEAD><title>", IMAGE_HTML),
        ROW("<meta http-equiv=x>", IMAGE_HTML),
        ROW("<?xml version='1.0'?>", IMAGE_TEXT),
        ROW("{}", IMAGE_JSON),
        ROW("[]", IMAGE_JSON),
        ROW("[1,2]", IMAGE_JSON),
        ROW("[", IMAGE_TEXT),
        ROW("{", IMAGE_TEXT),
        ROW("{ x }", IMAGE_TEXT),
        ROW(":00000001FF", IMAGE_HEX),
        ROW(":00000001FE", IMAGE_TEXT), /* wrong sum */
        ROW(":0000", IMAGE_TEXT),
        ROW(": a colon", IMAGE_TEXT),
        ROW("a,b,c", IMAGE_CSV),
        ROW("a,b,c\n1,2,3\n", IMAGE_CSV),
        ROW("a,b,c\n1,2\n", IMAGE_TEXT),
        ROW("a,b,c\nno more\n", IMAGE_TEXT),
        ROW("a,b\n1,2\n", IMAGE_TEXT),
        ROW("# a,b\n\n# c\nx,y,z\n", IMAGE_CSV),
        ROW("# only a comment\n", IMAGE_TEXT),
        ROW("gr\xc3\xbc\xc3\x9f", IMAGE_TEXT),
        ROW("\xe2\x82\xac \xf0\x9f\x99\x82", IMAGE_TEXT),
        ROW("cut \xe2\x82", IMAGE_TEXT),
        ROW("latin \xfc", IMAGE_UNKNOWN),
        ROW("\xe2x", IMAGE_UNKNOWN),
        ROW("\xf0\x9fx", IMAGE_UNKNOWN),
        ROW("bell\x07", IMAGE_UNKNOWN),
        ROW("del\x7f", IMAGE_UNKNOWN),
#undef ROW
    };
    for (unsigned i = 0; i < OTAD_COUNT(rows); i++) {
        enum image_kind kind = text_kind((struct bytes){(const uint8_t *)rows[i].bytes, rows[i].n});
        ck_assert_msg(kind == rows[i].kind, "%s: %s", rows[i].bytes, image_kind_name(kind));
    }
}
END_TEST

START_TEST(long_text_is_judged_by_its_start)
{
    struct img text OTAD_AUTO(img_free) = {0};
    img_fill(&text, 'a', 5000);
    img_fill(&text, 0, 100); /* behind the part that is looked at */
    ck_assert_int_eq(text_kind((struct bytes){text.data, text.n}), IMAGE_TEXT);
    struct img hex OTAD_AUTO(img_free) = {0};
    img_put(&hex, ":", 1);
    img_fill(&hex, '0', 1000);
    ck_assert_int_eq(text_kind((struct bytes){hex.data, hex.n}), IMAGE_HEX);
}
END_TEST

/* ---- other content ---- */

START_TEST(details_of_unknown_files)
{
    static const struct {
        const char *start;
        const char *detail;
    } rows[] = {
        {"\x3d\xb8\xf3\x96",   "MCUboot"},
        {"\xfd"
         "7zXZ",      "xz"     },
        {"BZh9",               "bzip2"  },
        {"!<arch>\n",          "library"},
        {"%PDF-1.4",           "PDF"    },
        {"\xff\xd8\xff\xe0",   "JPEG"   },
        {"7z\xbc\xaf\x27\x1c", "7z"     },
        {"Rar!\x1a",           "RAR"    },
        {"\x28\xb5\x2f\xfd",   "zstd"   },
    };
    struct img img OTAD_AUTO(img_free) = {0};
    img_put(&img, rows[_i].start, strlen(rows[_i].start));
    img_fill(&img, 1, 40);
    struct image_info info = inspect_img(&img);
    ck_assert_int_eq(info.kind, IMAGE_UNKNOWN);
    assert_holds("detail", info.detail, rows[_i].detail);
}
END_TEST

START_TEST(signature_in_front_is_told)
{
    struct img app OTAD_AUTO(img_free) = build_app((struct img_spec){.chip = "ESP32"});
    struct img img OTAD_AUTO(img_free) = {0};
    uint64_t state = 8;
    img_put_filler(&img, &state, 512, false);
    img_put(&img, app.data, app.n);
    struct image_info info = inspect_img(&img);
    ck_assert_int_eq(info.kind, IMAGE_UNKNOWN);
    assert_holds("detail", info.detail, "esp32FOTA");
}
END_TEST

START_TEST(randomness)
{
    struct img img OTAD_AUTO(img_free) = {0};
    uint64_t state = 11;
    img_put_filler(&img, &state, 70000, false);
    ck_assert(content_is_random((struct bytes){img.data, img.n}));
    ck_assert(content_is_random((struct bytes){img.data, 512}));
    ck_assert(!content_is_random((struct bytes){img.data, 511}));
    img.n = 0;
    img_put_filler(&img, &state, 70000, true);
    ck_assert(!content_is_random((struct bytes){img.data, img.n}));
    for (unsigned i = 0; i < 4096; i++)
        img.data[i] = (uint8_t)i; /* each byte value equally often: too even for a cipher */
    ck_assert(!content_is_random((struct bytes){img.data, 4096}));
}
END_TEST

/* ---- partition tables ---- */

START_TEST(table_corners)
{
    static const struct {
        const char *what;
        size_t offset;
        uint8_t value;
        bool found;
    } rows[] = {
        {"as built",             0,          0xaa, true },
        {"no magic",             1,          0x51, false},
        {"type of a project",    2,          0x40, true },
        {"unknown type",         2,          4,    false},
        {"offset in a sector",   4,          1,    false},
        {"junk behind the rows", 5 * 32,     0x12, false},
        {"half an MD5 row",      5 * 32 + 9, 0,    false},
        {"second row broken",    32,         0,    false},
    };
    struct img img OTAD_AUTO(img_free) = {0};
    struct image_table table = {0};
    img_build_table(true, &img);
    img.data[rows[_i].offset] = rows[_i].value;
    bool found = partition_table_parse((struct bytes){img.data, img.n}, 0, &table);
    ck_assert_msg(found == rows[_i].found, "%s", rows[_i].what);
}
END_TEST

START_TEST(full_table_is_bounded)
{
    struct img one OTAD_AUTO(img_free) = {0}, img OTAD_AUTO(img_free) = {0};
    struct image_table table;
    img_build_table(false, &one);
    for (unsigned i = 0; i < 120; i++) /* more than fits 0xC00 bytes */
        img_put(&img, one.data, 32);
    ck_assert(partition_table_parse((struct bytes){img.data, img.n}, 0, &table));
    ck_assert_uint_eq(table.count, IMAGE_PARTITIONS_MAX);
    ck_assert(partition_table_parse((struct bytes){img.data, 64}, 0, &table));
    ck_assert_uint_eq(table.count, 2);
    memset(img.data + 8, 0, 4); /* size 0 */
    ck_assert(!partition_table_parse((struct bytes){img.data, 64}, 0, &table));
}
END_TEST

START_TEST(otadata_corners)
{
    struct img img OTAD_AUTO(img_free) = {0};
    img_build_otadata(&img);
    struct bytes b = {img.data, img.n};
    ck_assert(partition_is_otadata(b));
    ck_assert(!partition_is_otadata((struct bytes){img.data, img.n - 1}));
    img.data[5000] = 0;
    ck_assert(!partition_is_otadata(b));
    img.data[5000] = 0xff;
    img.data[100] = 0;
    ck_assert(!partition_is_otadata(b));
    img.data[100] = 0xff;
    memcpy(img.data + 4096, img.data, 32);
    ck_assert(partition_is_otadata(b)); /* both sectors used */
    memset(img.data, 0xff, 32);
    ck_assert(partition_is_otadata(b)); /* only the second */
    img.data[4096] = 2;
    ck_assert(!partition_is_otadata(b)); /* the CRC doesn't fit */
}
END_TEST

/* ---- filesystems ---- */

START_TEST(bytes_behind_a_filesystem_are_warned_of)
{
    struct img img OTAD_AUTO(img_free) = {0};
    img_build_littlefs(4096, 4, 0, &img);
    img_fill(&img, 0, 100);
    struct image_info info = inspect_img(&img);
    ck_assert(image_is_deliverable(&info));
    ck_assert_uint_eq(info.warning_count, 1);
    ck_assert_int_eq(info.warnings[0].code, IMAGE_WARN_TRAILING);
    ck_assert_uint_eq(info.warnings[0].offset, 4 * 4096);
}
END_TEST

START_TEST(littlefs_corners)
{
    static const struct {
        size_t offset;
        uint8_t value;
    } rows[] = {
        {8,  'x' },
        {22, 1   },
        {24, 1   },
        {25, 0   },
        {26, 0x20},
        {28, 1   }
    };
    struct img img OTAD_AUTO(img_free) = {0};
    img_build_littlefs(4096, 16, 0, &img);
    struct bytes b = {img.data, img.n};
    ck_assert(filesystem_is_littlefs(b, 0, NULL));
    ck_assert(!filesystem_is_littlefs((struct bytes){img.data, 31}, 0, NULL));
    ck_assert(littlefs_block_is_sound(b, 0, 4096));
    ck_assert(!littlefs_block_is_sound(b, 4096, 4096)); /* erased */
    ck_assert(!littlefs_block_is_sound(b, 16 * 4096 - 1, 4096));
    ck_assert(!littlefs_block_is_sound(b, 0, 8));
    ck_assert(!littlefs_block_is_sound(b, 0, 20)); /* ends inside a tag's data */
    ck_assert(!littlefs_block_is_sound(b, 0, 16)); /* ends behind one */
    img.data[rows[_i].offset] = rows[_i].value;
    ck_assert(!filesystem_is_littlefs(b, 0, NULL));
}
END_TEST

START_TEST(fat_corners)
{
    static const struct {
        size_t offset;
        uint8_t value;
    } rows[] = {
        {0,   0   },
        {2,   0   },
        {510, 0   },
        {511, 0   },
        {12,  0x11},
        {12,  0x00},
        {12,  0x20},
        {16,  0   },
        {16,  3   }
    };
    struct img img OTAD_AUTO(img_free) = {0};
    img_build_fat(false, &img);
    img.data[rows[_i].offset] = rows[_i].value;
    ck_assert_int_ne(inspect_img(&img).kind, IMAGE_FAT);
}
END_TEST

START_TEST(fat_with_a_large_sector_count)
{
    struct img img OTAD_AUTO(img_free) = {0};
    img_build_fat(false, &img);
    img.data[19] = 0;
    img.data[32] = 17;
    struct image_info info = inspect_img(&img);
    ck_assert_int_eq(info.kind, IMAGE_FAT);
    ck_assert_uint_eq(info.fs.block_count, 17);
    ck_assert(image_is_deliverable(&info));
}
END_TEST

/* ---- trailers ---- */

START_TEST(secure_boot_v2_corners)
{
    static const struct {
        const char *what;
        size_t at; /* in the block */
        uint8_t value;
        bool reseal, named;
    } rows[] = {
        {"wrong SHA-256", 10,   0x5a, true,  true },
        {"wrong CRC",     1196, 0x5a, false, false},
        {"version 4",     1,    4,    true,  false},
        {"reserved byte", 2,    1,    true,  false},
        {"no magic",      0,    0,    true,  false},
    };
    struct img img OTAD_AUTO(img_free) =
        build_app((struct img_spec){.chip = "ESP32", .size_bytes = 30480});
    img_sign_secure_boot_v2(&img, 2);
    size_t block = img.n - 4096;
    img.data[block + rows[_i].at] ^= img.data[block + rows[_i].at] == rows[_i].value
                                         ? 1
                                         : img.data[block + rows[_i].at] ^ rows[_i].value;
    if (rows[_i].reseal)
        img_set_u32(&img, block + 1196, (uint32_t)crc32(0, img.data + block, 1196));
    struct image_info info = inspect_img(&img);
    ck_assert_msg((info.signature == IMAGE_SIGN_SECURE_BOOT_V2) == rows[_i].named, "%s",
                  rows[_i].what);
    if (rows[_i].named) {
        ck_assert(!image_is_deliverable(&info));
        ck_assert_str_eq(info.defects[0].what, "SHA-256 in the Secure Boot block");
    } else {
        ck_assert_uint_eq(info.warning_count, 1);
    }
}
END_TEST

START_TEST(padding_is_no_signature)
{
    struct img img OTAD_AUTO(img_free) = build_app((struct img_spec){.chip = "ESP32"});
    img_fill(&img, 0, _i == 0 ? 512 : 68);
    struct image_info info = inspect_img(&img);
    ck_assert_int_eq(info.signature, IMAGE_SIGN_NONE);
    ck_assert_int_eq(info.trailing, IMAGE_TRAIL_PADDING);
}
END_TEST

START_TEST(unpacked_trailer_is_counted)
{
    struct img img OTAD_AUTO(img_free) =
        build_app((struct img_spec){.chip = "ESP8266", .size_bytes = 200000});
    struct img packed OTAD_AUTO(img_free) = {0};
    img_fill(&img, 0x33, 777);
    img_gzip(&img, &packed);
    struct image_info info = inspect_img(&packed);
    ck_assert_int_eq(info.trailing, IMAGE_TRAIL_UNKNOWN);
    ck_assert_uint_eq(info.trailing_bytes, 777);
    ck_assert_uint_eq(info.warning_count, 1);
}
END_TEST

START_TEST(unpacked_size_beyond_every_layout_is_warned_of)
{
    struct img img OTAD_AUTO(img_free) = build_app(
        (struct img_spec){.chip = "ESP8266", .size_bytes = 1100000, .compressible = true});
    struct img packed OTAD_AUTO(img_free) = {0};
    img_gzip(&img, &packed);
    struct image_info info = inspect_img(&packed);
    ck_assert_uint_eq(info.warning_count, 1);
    ck_assert_int_eq(info.warnings[0].code, IMAGE_WARN_GZIP);
    assert_holds("warning", info.warnings[0].text, "1100000 bytes");
}
END_TEST

/* ---- JSON when memory runs out ---- */

static long allocations_left;

static void *scarce_malloc(size_t n)
{
    return allocations_left-- > 0 ? malloc(n) : NULL;
}

START_TEST(json_survives_a_failing_allocator)
{
    const struct img_spec spec = {.chip = "ESP32", .version = "1", .desc = IMG_DESC_OWN};
    struct img img OTAD_AUTO(img_free) = {0};
    if (_i == 0)
        img_build_merged(&spec, &img);
    else
        ck_assert(img_build_app(&spec, &img));
    img.data[_i == 0 ? 0x10150 : 0x150] ^= 1;
    img_put(&img, " AKIA0123456789ABCDEF ", 22);
    struct image_info info = inspect_img(&img);
    ck_assert(info.warning_count > 0 && info.defect_count > 0);
    json_set_alloc_funcs(scarce_malloc, free);
    json_t *json = NULL;
    for (long allowed = 0; json == NULL && allowed < 10000; allowed++) {
        allocations_left = allowed;
        json = image_info_json(&info);
    }
    ck_assert_ptr_nonnull(json);
    json_decref(json);
    json_set_alloc_funcs(malloc, free);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("image_parts");
    TCase *small = tcase_create("small");
    tcase_add_test(small, ranges_never_overflow);
    tcase_add_test(small, chips_by_id_and_address);
    tcase_add_test(small, defects_are_bounded_but_truncation_finds_room);
    tcase_add_test(small, strings_from_files_are_printable);
    tcase_add_test(small, text_corners);
    tcase_add_test(small, long_text_is_judged_by_its_start);
    tcase_add_loop_test(small, details_of_unknown_files, 0, 9);
    tcase_add_test(small, signature_in_front_is_told);
    tcase_add_test(small, randomness);
    tcase_add_loop_test(small, json_survives_a_failing_allocator, 0, 2);
    suite_add_tcase(suite, small);
    TCase *parts = tcase_create("parts");
    tcase_add_loop_test(parts, table_corners, 0, 8);
    tcase_add_test(parts, full_table_is_bounded);
    tcase_add_test(parts, otadata_corners);
    tcase_add_test(parts, bytes_behind_a_filesystem_are_warned_of);
    tcase_add_loop_test(parts, littlefs_corners, 0, 6);
    tcase_add_loop_test(parts, fat_corners, 0, 9);
    tcase_add_test(parts, fat_with_a_large_sector_count);
    suite_add_tcase(suite, parts);
    TCase *trailers = tcase_create("trailers");
    tcase_add_loop_test(trailers, secure_boot_v2_corners, 0, 5);
    tcase_add_loop_test(trailers, padding_is_no_signature, 0, 2);
    tcase_add_test(trailers, unpacked_trailer_is_counted);
    tcase_add_test(trailers, unpacked_size_beyond_every_layout_is_warned_of);
    suite_add_tcase(suite, trailers);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
