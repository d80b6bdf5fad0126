/* SPDX-License-Identifier: MIT
 * An image of real compiled code: Debian's compiler for the ESP8266 makes an ELF file, the builder
 * an image of it, as the core's elf2bin.py would. Skipped with a word when it isn't installed
 * (tools/install-deps.sh cross). */
#include <stdio.h>
#include <unistd.h>

#include "support/imgtest.h"

#define CC "xtensa-lx106-elf-gcc"

static const char sketch[] =
    "__attribute__((section(\".irom0.head\"), used)) static const struct { unsigned len, crc; } "
    "w;\n"
    "__attribute__((section(\".irom0.data\"), used)) static const char tag[] = \"blnkinf\\0\"\n"
    "\"mcu\\0\" \"2024.03.09\\0\" \"fw-type\\0TMPLreal\\0\" \"build\\0\" __DATE__ \" \" __TIME__ "
    "\"\\0\";\n"
    "__attribute__((section(\".text1\"))) int twice(int x) { return 2 * x; }\n"
    "int count = 7;\n"
    "const int table[] = {1, 2, 3, 5, 8, 13};\n"
    "__attribute__((section(\".irom0.code\"))) int far_sum(int n)\n"
    "{ int s = 0; for (int i = 0; i < n; i++) s += table[i & 3] * twice(i); return s; }\n"
    "void call_user_start(void) { count = far_sum(count); for (;;) ; }\n";

static const char script[] =
    "ENTRY(call_user_start)\n"
    "SECTIONS {\n"
    "  .irom0.text 0x40201010 : { *(.irom0.head) *(.irom0.data) *(.irom0.code) . = ALIGN(4); }\n"
    "  .text 0x40100000 : { *(.text) . = ALIGN(4); }\n"
    "  .text1 0x40107000 : { *(.text1) . = ALIGN(4); }\n"
    "  .data 0x3FFE8000 : { *(.data .data.*) . = ALIGN(4); }\n"
    "  .rodata 0x3FFE8400 : { *(.rodata .rodata.*) . = ALIGN(4); }\n"
    "  /DISCARD/ : { *(.comment) *(.xt.*) *(.xtensa.info) }\n"
    "}\n";

static const char *const sections[] = {".irom0.text", ".text", ".text1", ".data", ".rodata", NULL};

static char folder[] = "/tmp/otad-elf-XXXXXX";

static void write_text(const char *name, const char *text)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

static void read_file(const char *name, struct img *out)
{
    char path[64];
    uint8_t block[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;)
        img_put(out, block, n);
    (void)fclose(f);
}

static int in_folder(const char *command)
{
    char line[512];
    (void)snprintf(line, sizeof line, "cd %s && %s", folder, command);
    return system(line);
}

static bool have_compiler(void)
{
    return system(CC " --version >/dev/null 2>&1") == 0;
}

static void compile(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    write_text("sketch.c", sketch);
    write_text("sketch.ld", script);
    ck_assert_int_eq(
        in_folder(
            CC " -Os -mlongcalls -mtext-section-literals -nostdlib -Wl,-T,sketch.ld -o sketch.elf "
               "sketch.c"),
        0);
    ck_assert_int_eq(in_folder("xtensa-lx106-elf-objcopy -O ihex sketch.elf sketch.hex"), 0);
}

static void clean_up(void)
{
    ck_assert_int_eq(in_folder("rm -f sketch.c sketch.ld sketch.elf sketch.hex"), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}

START_TEST(image_of_compiled_code)
{
    static const uint32_t loads[] = {0x40201010, 0x40100000, 0x40107000, 0x3ffe8000, 0x3ffe8400};
    struct img elf OTAD_AUTO(img_free) = {0}, img OTAD_AUTO(img_free) = {0};
    read_file("sketch.elf", &elf);
    img_build_from_elf(&elf, sections, &img);
    struct image_info info = inspect_img(&img);
    ck_assert_int_eq(info.kind, IMAGE_ESP8266_APP);
    ck_assert_msg(info.defect_count == 0, "%s", info.defects[0].what);
    ck_assert(image_is_deliverable(&info) && info.sums.checksum_by_crc);
    ck_assert_uint_eq(info.segment_count, 5);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_uint_eq(info.segments[i].load, loads[i]);
    ck_assert_uint_ge(info.entry, 0x40100000);
    ck_assert_uint_lt(info.entry, 0x40108000);
    ck_assert_str_eq(image_version(&info, NULL), "2024.03.09");
    ck_assert_str_eq(image_blynk_value(&info, "fw-type"), "TMPLreal");
}
END_TEST

START_TEST(its_elf_and_hex_are_told)
{
    struct img elf OTAD_AUTO(img_free) = {0}, hex OTAD_AUTO(img_free) = {0};
    read_file("sketch.elf", &elf);
    read_file("sketch.hex", &hex);
    ck_assert_int_eq(inspect_img(&elf).kind, IMAGE_ELF);
    ck_assert_int_eq(inspect_img(&hex).kind, IMAGE_HEX);
}
END_TEST

START_TEST(every_bit_of_compiled_code_counts)
{
    struct img elf OTAD_AUTO(img_free) = {0}, img OTAD_AUTO(img_free) = {0};
    read_file("sketch.elf", &elf);
    img_build_from_elf(&elf, sections, &img);
    for (size_t at = 0; at < img.n; at++)
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            img.data[at] ^= (uint8_t)bit;
            struct image_info info = inspect_img(&img);
            ck_assert_msg(!image_is_deliverable(&info), "byte %zu, bit %u", at, bit);
            img.data[at] ^= (uint8_t)bit;
        }
}
END_TEST

START_TEST(skipped_without_the_compiler)
{
    (void)printf("skipped: no %s (tools/install-deps.sh cross)\n", CC);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("image_elf");
    TCase *tc = tcase_create("elf");
    tcase_set_timeout(tc, 60);
    if (have_compiler()) {
        tcase_add_unchecked_fixture(tc, compile, clean_up);
        tcase_add_test(tc, image_of_compiled_code);
        tcase_add_test(tc, its_elf_and_hex_are_told);
        tcase_add_test(tc, every_bit_of_compiled_code_counts);
    } else {
        tcase_add_test(tc, skipped_without_the_compiler);
    }
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
