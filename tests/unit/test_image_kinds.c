/* SPDX-License-Identifier: MIT
 * Every kind of file is told apart from every other, plain and packed, and every refusal says what
 * the file is and what to do. */
#include <stdio.h>

#include "support/imgtest.h"

typedef void make_fn(struct img *out);

static void app_of(const char *chip, size_t size, struct img *out)
{
    ck_assert(img_build_app(&(struct img_spec){.chip = chip, .size_bytes = size, .seed = 7}, out));
}

static void put_text(struct img *out, const char *text)
{
    img_put(out, text, strlen(text));
}

/* clang-format off */
static void make_esp8266(struct img *o) { app_of("ESP8266", 20000, o); }
static void make_esp8266_old(struct img *o)
{ ck_assert(img_build_app(&(struct img_spec){.chip = "ESP8266", .old_core = true}, o)); }
static void make_esp32(struct img *o) { app_of("ESP32", 100000, o); }
static void make_c3(struct img *o) { app_of("ESP32-C3", 100000, o); }
static void make_eboot(struct img *o) { img_build_eboot(1, o); }
static void make_v1(struct img *o) { img_build_esp8266_v1(1, o); }
static void make_v2(struct img *o) { img_build_esp8266_v2(1, o); }
static void make_rtos(struct img *o) { img_build_esp8266_rtos(1, o); }
static void make_boot32(struct img *o) { img_build_bootloader("ESP32", 1, false, o); }
static void make_boot_c3(struct img *o) { img_build_bootloader("ESP32-C3", 1, true, o); }
static void make_boot_p4(struct img *o) { img_build_bootloader("ESP32-P4", 1, true, o); }
static void make_table(struct img *o) { img_build_table(true, o); }
static void make_table_plain(struct img *o) { img_build_table(false, o); }
static void make_otadata(struct img *o) { img_build_otadata(o); }
static void make_merged32(struct img *o)
{ img_build_merged(&(struct img_spec){.chip = "ESP32", .size_bytes = 50000}, o); }
static void make_merged_c3(struct img *o)
{ img_build_merged(&(struct img_spec){.chip = "ESP32-C3", .size_bytes = 50000}, o); }
static void make_littlefs(struct img *o) { img_build_littlefs(4096, 16, 0, o); }
static void make_littlefs_second(struct img *o) { img_build_littlefs(8192, 8, 1, o); }
static void make_spiffs8266(struct img *o) { img_build_spiffs(256, 8192, 16, false, o); }
static void make_spiffs_idf(struct img *o) { img_build_spiffs(256, 4096, 32, true, o); }
static void make_fat(struct img *o) { img_build_fat(false, o); }
static void make_fat_levelled(struct img *o) { img_build_fat(true, o); }
static void make_elf(struct img *o) { put_text(o, "\x7f" "ELF\x01\x01\x01"); img_fill(o, 0, 60); }
static void make_hex(struct img *o)
{ put_text(o, ":020000040800F2\r\n:10000000E90402200000000000000000000000008F\r\n"); }
static void make_uf2(struct img *o) { put_text(o, "UF2\n\x57\x51\x5d\x9e"); img_fill(o, 0, 504); }
static void make_zip(struct img *o) { put_text(o, "PK\x03\x04"); img_fill(o, 1, 100); }
static void make_html(struct img *o)
{ put_text(o, "\xef\xbb\xbf\n<!DOCTYPE HTML><title>404</title>"); }
static void make_json(struct img *o) { put_text(o, " {\"message\": \"Not Found\"}\n"); }
static void make_json_list(struct img *o) { put_text(o, "[ {\"a\": 1} ]"); }
static void make_csv(struct img *o)
{ put_text(o, "# Name, Type, SubType, Offset, Size, Flags\nnvs, data, nvs, 0x9000, 0x5000,\n"); }
static void make_sketch(struct img *o)
{ put_text(o, "#include <ESP8266WiFi.h>\nvoid setup() {}\nvoid loop() {}\n"); }
static void make_ini(struct img *o) { put_text(o, "[env:esp12e]\nplatform = espressif8266\n"); }
static void make_random(struct img *o)
{ uint64_t s = 3; img_fill(o, 0x83, 1); img_put_filler(o, &s, 65535, false); }
static void make_random_odd(struct img *o)
{ uint64_t s = 3; img_fill(o, 0x83, 1); img_put_filler(o, &s, 65530, false); }
static void make_erased(struct img *o) { img_fill(o, 0xff, 0x100000); }
static void make_empty(struct img *o) { (void)o; }
static void make_binary(struct img *o)
{ for (unsigned i = 0; i < 300; i++) img_put_u32(o, i); }
static void make_png(struct img *o) { put_text(o, "\x89PNG\r\n\x1a\n"); img_fill(o, 0, 20); }
static void make_e9_junk(struct img *o) { img_fill(o, 0xe9, 1); img_fill(o, 0x77, 300); }
/* clang-format on */

static const struct row {
    const char *what;
    make_fn *make;
    enum image_kind kind;
    const char *chip;
    enum image_want build; /* as what it may be kept; ANY: not at all */
    const char *message;   /* part of the refusal of kind=app, and of its hint */
    const char *hint;
} rows[] = {
    {"ESP8266",                     make_esp8266,         IMAGE_ESP8266_APP,     "ESP8266",  IMAGE_WANT_APP,     NULL,                 NULL                                  },
    {"ESP8266, older core",         make_esp8266_old,     IMAGE_ESP8266_APP,     "ESP8266",  IMAGE_WANT_APP,     NULL,
     NULL                                                                                                                                                                    },
    {"ESP32",                       make_esp32,           IMAGE_ESP32_APP,       "ESP32",    IMAGE_WANT_APP,     NULL,                 NULL                                  },
    {"ESP32-C3",                    make_c3,              IMAGE_ESP32_APP,       "ESP32-C3", IMAGE_WANT_APP,     NULL,                 NULL                                  },
    {"eboot",                       make_eboot,           IMAGE_BOOTLOADER,      "ESP8266",  IMAGE_WANT_ANY,
     "an ESP8266 boot loader, not an application",                                                                                     "<sketch>.ino.bin"                    },
    {"ESP8266 without eboot",       make_v1,              IMAGE_ESP8266_V1,      "ESP8266",  IMAGE_WANT_ANY,
     "without the Arduino boot loader",                                                                                                "eboot at 0"                          },
    {"ESP8266 version 2",           make_v2,              IMAGE_ESP8266_V2,      "ESP8266",  IMAGE_WANT_ANY,     "0xEA",               "0xE9"                                },
    {"ESP8266 RTOS SDK",            make_rtos,            IMAGE_ESP8266_RTOS,    "ESP8266",  IMAGE_WANT_ANY,     "RTOS SDK",
     "?force=true"                                                                                                                                                           },
    {"ESP32 boot loader",           make_boot32,          IMAGE_BOOTLOADER,      "ESP32",    IMAGE_WANT_ANY,
     "an ESP32 boot loader",                                                                                                           "not <sketch>.ino.bootloader.bin"     },
    {"ESP32-C3 boot loader",        make_boot_c3,         IMAGE_BOOTLOADER,      "ESP32-C3", IMAGE_WANT_ANY,
     "an ESP32-C3 boot loader",                                                                                                        "bootloader.bin"                      },
    {"ESP32-P4 boot loader",        make_boot_p4,         IMAGE_BOOTLOADER,      "ESP32-P4", IMAGE_WANT_ANY,
     "boot loader",                                                                                                                    "bootloader.bin"                      },
    {"partition table",             make_table,           IMAGE_PARTITION_TABLE, "",         IMAGE_WANT_ANY,     "a partition table",
     "not <sketch>.ino.partitions.bin"                                                                                                                                       },
    {"partition table without MD5", make_table_plain,     IMAGE_PARTITION_TABLE, "",         IMAGE_WANT_ANY,
     "a partition table",                                                                                                              "partitions.bin"                      },
    {"boot_app0.bin",               make_otadata,         IMAGE_OTADATA,         "",         IMAGE_WANT_ANY,     "boot_app0.bin",
     "first installation"                                                                                                                                                    },
    {"merged ESP32",                make_merged32,        IMAGE_MERGED,          "ESP32",    IMAGE_WANT_FACTORY,
     "an ESP32 merged (factory) image",                                                                                                "starts at 0x10000 in it, 50000 bytes"},
    {"merged ESP32-C3",             make_merged_c3,       IMAGE_MERGED,          "ESP32-C3", IMAGE_WANT_FACTORY,
     "an ESP32-C3 merged (factory) image",                                                                                             "-F kind=factory"                     },
    {"LittleFS",                    make_littlefs,        IMAGE_LITTLEFS,        "",         IMAGE_WANT_FS,      "LittleFS",           "-F kind=fs"                          },
    {"LittleFS, block 1",           make_littlefs_second, IMAGE_LITTLEFS,        "",         IMAGE_WANT_FS,      "LittleFS",
     "-F kind=fs"                                                                                                                                                            },
    {"SPIFFS, ESP8266",             make_spiffs8266,      IMAGE_SPIFFS,          "",         IMAGE_WANT_FS,      "SPIFFS",             "-F kind=fs"                          },
    {"SPIFFS, ESP-IDF",             make_spiffs_idf,      IMAGE_SPIFFS,          "",         IMAGE_WANT_FS,      "SPIFFS",             "-F kind=fs"                          },
    {"FAT",                         make_fat,             IMAGE_FAT,             "",         IMAGE_WANT_FS,      "FAT",                "-F kind=fs"                          },
    {"FAT, levelled",               make_fat_levelled,    IMAGE_FAT,             "",         IMAGE_WANT_FS,      "FAT",                "-F kind=fs"                          },
    {"ELF",                         make_elf,             IMAGE_ELF,             "",         IMAGE_WANT_ANY,     "an ELF file",        "the .bin"                            },
    {"HEX",                         make_hex,             IMAGE_HEX,             "",         IMAGE_WANT_ANY,     "an Intel HEX file",  "binary images"                       },
    {"UF2",                         make_uf2,             IMAGE_UF2,             "",         IMAGE_WANT_ANY,     "a UF2 file",         "drag and drop"                       },
    {"ZIP",                         make_zip,             IMAGE_ZIP,             "",         IMAGE_WANT_ANY,     "a ZIP archive",      "Unpack it"                           },
    {"HTML",                        make_html,            IMAGE_HTML,            "",         IMAGE_WANT_ANY,     "an HTML page",       "fetch it again"                      },
    {"JSON",                        make_json,            IMAGE_JSON,            "",         IMAGE_WANT_ANY,     "a JSON document",    "error answer"                        },
    {"JSON list",                   make_json_list,       IMAGE_JSON,            "",         IMAGE_WANT_ANY,     "a JSON document",    "manifest"                            },
    {"CSV",                         make_csv,             IMAGE_CSV,             "",         IMAGE_WANT_ANY,     "a CSV table",        "partition table"                     },
    {"sketch source",               make_sketch,          IMAGE_TEXT,            "",         IMAGE_WANT_ANY,     "a text file",        "compiled"                            },
    {"INI file",                    make_ini,             IMAGE_TEXT,            "",         IMAGE_WANT_ANY,     "a text file",        "compiled"                            },
    {"encrypted",                   make_random,          IMAGE_ENCRYPTED,       "",         IMAGE_WANT_ANY,     "flash-encrypted",
     "encrypts it itself"                                                                                                                                                    },
    {"random, odd length",          make_random_odd,      IMAGE_UNKNOWN,         "",         IMAGE_WANT_ANY,     "look random",
     "<sketch>.ino.bin"                                                                                                                                                      },
    {"erased flash",                make_erased,          IMAGE_ERASED,          "",         IMAGE_WANT_ANY,     "every byte is 0xff",
     "no program"                                                                                                                                                            },
    {"empty",                       make_empty,           IMAGE_EMPTY,           "",         IMAGE_WANT_ANY,     "an empty file",      "-F file=@PATH"                       },
    {"other binary",                make_binary,          IMAGE_UNKNOWN,         "",         IMAGE_WANT_ANY,     "no known kind",
     "<sketch>.ino.bin"                                                                                                                                                      },
    {"PNG",                         make_png,             IMAGE_UNKNOWN,         "",         IMAGE_WANT_ANY,     "a PNG picture",      "<sketch>.ino.bin"                    },
    {"0xE9 and no header",          make_e9_junk,         IMAGE_UNKNOWN,         "",         IMAGE_WANT_ANY,     "its header can't",
     "<sketch>.ino.bin"                                                                                                                                                      },
};

static const enum image_want wants[] = {IMAGE_WANT_APP, IMAGE_WANT_FS, IMAGE_WANT_FACTORY};

static void check_policy(const struct row *row, const struct image_info *info)
{
    struct otad_errinfo ei = {0};
    for (unsigned i = 0; i < OTAD_COUNT(wants); i++) {
        enum otad_err err = image_check_upload(info, wants[i], &ei);
        ck_assert_msg((err == OTAD_E_OK) == (wants[i] == row->build), "%s as %s: %s", row->what,
                      image_want_name(wants[i]), ei.msg);
        if (err != OTAD_E_OK)
            ck_assert_msg(ei.msg[0] != '\0' && ei.hint[0] != '\0', "%s: no words", row->what);
    }
    bool deliverable = row->build == IMAGE_WANT_APP || row->build == IMAGE_WANT_FS;
    ck_assert_msg(image_is_deliverable(info) == deliverable, "%s", row->what);
    ck_assert_int_eq(image_build_kind(info), row->build);
    if (row->message == NULL)
        return;
    ck_assert_int_eq(image_check_upload(info, IMAGE_WANT_APP, &ei), OTAD_E_INVALID);
    assert_holds(row->what, ei.msg, row->message);
    assert_holds(row->what, ei.hint, row->hint);
}

START_TEST(kind_is_told)
{
    const struct row *row = &rows[_i];
    struct img img OTAD_AUTO(img_free) = {0};
    row->make(&img);
    struct image_info info = inspect_img(&img);
    ck_assert_msg(info.kind == row->kind, "%s: %s", row->what, image_kind_name(info.kind));
    ck_assert_msg(strcmp(image_chip_name(info.chip), row->chip) == 0, "%s: %s", row->what,
                  image_chip_name(info.chip));
    ck_assert_msg(info.defect_count == 0, "%s: %s", row->what, info.defects[0].what);
    check_policy(row, &info);
}
END_TEST

START_TEST(kind_is_told_in_gzip)
{
    const struct row *row = &rows[_i];
    struct img img OTAD_AUTO(img_free) = {0}, packed OTAD_AUTO(img_free) = {0};
    struct otad_errinfo ei = {0};
    row->make(&img);
    img_gzip(&img, &packed);
    struct image_info info = inspect_img(&packed);
    ck_assert_msg(info.kind == row->kind, "%s: %s", row->what, image_kind_name(info.kind));
    ck_assert(info.gzip.found && info.gzip.complete);
    ck_assert_uint_eq(info.gzip.unpacked_bytes, img.n);
    ck_assert_uint_eq(info.gzip.packed_bytes, packed.n);
    ck_assert_msg(info.defect_count == 0, "%s: %s", row->what, info.defects[0].what);
    bool taken = image_check_upload(&info, IMAGE_WANT_ANY, &ei) == OTAD_E_OK;
    ck_assert_msg(taken == (row->kind == IMAGE_ESP8266_APP), "%s: %s", row->what, ei.msg);
    if (!taken)
        assert_holds(row->what, ei.msg, "gzip of");
}
END_TEST

/** Every kind but the one for a gzip file that can't be read has a row above. */
START_TEST(all_kinds_are_covered)
{
    for (int kind = 0; kind < IMAGE_KIND_COUNT; kind++) {
        bool found = kind == IMAGE_GZIP;
        for (unsigned i = 0; i < OTAD_COUNT(rows); i++)
            found |= rows[i].kind == (enum image_kind)kind;
        ck_assert_msg(found, "%s", image_kind_name((enum image_kind)kind));
    }
}
END_TEST

/** Whatever is cut off: never deliverable as what it was, never a crash; the prefix of an
 *  application that is recognised as one is called cut short. */
START_TEST(every_prefix_is_refused)
{
    const struct row *row = &rows[_i];
    struct img img OTAD_AUTO(img_free) = {0};
    row->make(&img);
    size_t step = img.n > 20000 ? 997 : 61;
    for (size_t n = 0; n < img.n; n += step) {
        struct img cut = {img.data, n, n};
        struct image_info info = inspect_img(&cut);
        ck_assert_msg(!image_is_deliverable(&info), "%s, %zu of %zu bytes: %s", row->what, n, img.n,
                      image_kind_name(info.kind));
    }
}
END_TEST

START_TEST(merged_names_its_parts)
{
    struct img img OTAD_AUTO(img_free) = {0};
    const struct img_spec spec = {
        .chip = "ESP32-S3", .size_bytes = 60000, .desc = IMG_DESC_OWN, .version = "4.5"};
    img_build_merged(&spec, &img);
    struct image_info info = inspect_img(&img);
    ck_assert_uint_eq(info.image_offset, 0x10000);
    ck_assert_uint_eq(info.image_bytes, 60000);
    ck_assert(info.sums.checksum_valid && info.sums.digest_valid);
    ck_assert(info.table.found && info.table.md5_present && info.table.md5_valid);
    ck_assert_uint_eq(info.table.offset, 0x8000);
    ck_assert_uint_eq(info.table.count, 5);
    ck_assert_str_eq(info.table.rows[2].label, "app0");
    ck_assert_uint_eq(info.table.rows[2].size, 0x140000);
    ck_assert_str_eq(image_version(&info, NULL), "4.5");
    ck_assert_str_eq(info.desc.project, "sensor");
}
END_TEST

START_TEST(merged_from_the_boot_loader_on)
{
    /* esptool merge-bin --target-offset 0x1000: the first 4096 bytes of the flash are left out */
    struct img img OTAD_AUTO(img_free) = {0};
    img_build_merged(&(struct img_spec){.chip = "ESP32", .size_bytes = 50000}, &img);
    struct img shifted = {img.data + 0x1000, img.n - 0x1000, 0};
    struct image_info info = inspect_img(&shifted);
    ck_assert_int_eq(info.kind, IMAGE_MERGED);
    ck_assert_uint_eq(info.image_offset, 0xf000);
    ck_assert_uint_eq(info.defect_count, 0);
}
END_TEST

START_TEST(merged_damage_is_named)
{
    static const struct {
        size_t offset;
        const char *what;
    } spots[] = {
        {0x1080,  "checksum of the boot loader"},
        {0x8008,  "MD5 of the partition table" },
        {0x10050, "checksum"                   }
    };
    struct img img OTAD_AUTO(img_free) = {0};
    struct otad_errinfo ei;
    img_build_merged(&(struct img_spec){.chip = "ESP32", .size_bytes = 50000}, &img);
    img.data[spots[_i].offset] ^= 1;
    struct image_info info = inspect_img(&img);
    ck_assert_int_eq(info.kind, IMAGE_MERGED);
    ck_assert_uint_gt(info.defect_count, 0);
    ck_assert_str_eq(info.defects[0].what, spots[_i].what);
    ck_assert_int_eq(image_check_upload(&info, IMAGE_WANT_FACTORY, &ei), OTAD_E_INVALID);
    ck_assert(image_may_force(&info));
}
END_TEST

START_TEST(filesystem_geometry)
{
    static const struct {
        make_fn *make;
        uint32_t block, count, page;
    } fs[] = {
        {make_littlefs,        4096, 16, 0  },
        {make_littlefs_second, 8192, 8,  0  },
        {make_spiffs8266,      8192, 16, 256},
        {make_spiffs_idf,      4096, 32, 256}
    };
    struct img img OTAD_AUTO(img_free) = {0};
    fs[_i].make(&img);
    struct image_info info = inspect_img(&img);
    ck_assert_uint_eq(info.fs.block_bytes, fs[_i].block);
    ck_assert_uint_eq(info.fs.block_count, fs[_i].count);
    ck_assert_uint_eq(info.fs.page_bytes, fs[_i].page);
}
END_TEST

START_TEST(littlefs_damage_is_named)
{
    struct img img OTAD_AUTO(img_free) = {0};
    img_build_littlefs(4096, 16, (unsigned)_i, &img);
    img.data[(unsigned)_i * 4096 + 33] ^= 1; /* the longest name, inside the superblock */
    struct image_info info = inspect_img(&img);
    ck_assert_int_eq(info.kind, IMAGE_LITTLEFS);
    ck_assert_uint_eq(info.defect_count, 1);
    ck_assert_str_eq(info.defects[0].what, "CRC-32 of the LittleFS superblock");
    ck_assert(!image_is_deliverable(&info));
}
END_TEST

START_TEST(table_with_wrong_md5_is_named)
{
    struct img img OTAD_AUTO(img_free) = {0};
    img_build_table(true, &img);
    img.data[8] ^= 1;
    struct image_info info = inspect_img(&img);
    ck_assert_int_eq(info.kind, IMAGE_PARTITION_TABLE);
    ck_assert(info.table.md5_present && !info.table.md5_valid);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("image_kinds");
    TCase *kinds = tcase_create("kinds");
    tcase_set_timeout(kinds, 60);
    tcase_add_loop_test(kinds, kind_is_told, 0, (int)OTAD_COUNT(rows));
    tcase_add_loop_test(kinds, kind_is_told_in_gzip, 0, (int)OTAD_COUNT(rows));
    tcase_add_loop_test(kinds, every_prefix_is_refused, 0, (int)OTAD_COUNT(rows));
    tcase_add_test(kinds, all_kinds_are_covered);
    suite_add_tcase(suite, kinds);
    TCase *merged = tcase_create("merged");
    tcase_add_test(merged, merged_names_its_parts);
    tcase_add_test(merged, merged_from_the_boot_loader_on);
    tcase_add_loop_test(merged, merged_damage_is_named, 0, 3);
    suite_add_tcase(suite, merged);
    TCase *fs = tcase_create("filesystem");
    tcase_add_loop_test(fs, filesystem_geometry, 0, 4);
    tcase_add_loop_test(fs, littlefs_damage_is_named, 0, 2);
    tcase_add_test(fs, table_with_wrong_md5_is_named);
    suite_add_tcase(suite, fs);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
