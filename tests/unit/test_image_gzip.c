/* SPDX-License-Identifier: MIT
 * gzip files: looked into completely, in bounded memory, and refused when eboot couldn't unpack
 * them. */
#include <zlib.h>

#include "base/digest.h"
#include "support/imgtest.h"

static struct img packed_app(struct img_spec spec, struct img *plain)
{
    struct img packed = {0};
    *plain = build_app(spec);
    img_gzip(plain, &packed);
    return packed;
}

START_TEST(inner_facts_equal_the_plain_ones)
{
    static const struct img_spec specs[] = {
        {.chip = "ESP8266", .size_bytes = 400000, .version = "3.1",     .seed = 1                    },
        {.chip = "ESP8266", .size_bytes = 400000, .old_core = true,     .seed = 2                    },
        {.chip = "ESP8266", .size_bytes = 8000,   .compressible = true, .seed = 3                    },
        {.chip = "ESP32",   .size_bytes = 400000, .desc = IMG_DESC_OWN, .version = "9",                .seed = 4},
        {.chip = "ESP32-C6",                 .size_bytes = 5000,                    .no_hash = true,      .seed = 5},
    };
    struct img plain OTAD_AUTO(img_free) = {0};
    struct img packed OTAD_AUTO(img_free) = packed_app(specs[_i], &plain);
    struct image_info want = inspect_img(&plain), got = inspect_img(&packed);
    ck_assert_int_eq(got.kind, want.kind);
    ck_assert_int_eq(got.chip, want.chip);
    ck_assert_uint_eq(got.image_bytes, want.image_bytes);
    ck_assert_uint_eq(got.segment_count, want.segment_count);
    ck_assert_mem_eq(&got.segments, &want.segments, sizeof got.segments);
    ck_assert_mem_eq(&got.sums, &want.sums, sizeof got.sums);
    ck_assert_mem_eq(&got.desc, &want.desc, sizeof got.desc);
    ck_assert_mem_eq(&got.blynk, &want.blynk, sizeof got.blynk);
    ck_assert(got.md5_unpacked_found);
    ck_assert_mem_eq(got.md5_unpacked, want.md5, sizeof want.md5);
    ck_assert_uint_eq(got.defect_count, 0);
    ck_assert_uint_eq(got.warning_count, 0);
    ck_assert(image_is_deliverable(&got) == (want.kind == IMAGE_ESP8266_APP));
}
END_TEST

/** A tag is found wherever it lies against the windows that the search goes through. */
START_TEST(tag_is_found_across_windows)
{
    static const size_t places[] = {131072, 134144, 135168, 167936, 165888};
    for (int shift = -60; shift <= 60; shift += 1) {
        struct img tag OTAD_AUTO(img_free) = {0};
        uint64_t state = 9;
        size_t before = places[_i] - 4096 - 16 - 8 + (size_t)(60 + shift) - 60;
        img_put_filler(&tag, &state, before, false);
        img_put_blynk(&tag, "7.7.7", "TMPL", "ESP8266");
        img_put_filler(&tag, &state, 70000, false);
        struct img plain OTAD_AUTO(img_free) = {0};
        struct img packed OTAD_AUTO(img_free) = packed_app(
            (struct img_spec){.chip = "ESP8266", .extra = tag.data, .extra_n = tag.n}, &plain);
        struct image_info info = inspect_img(&packed), want = inspect_img(&plain);
        ck_assert_msg(info.blynk.found, "shift %d", shift);
        ck_assert_mem_eq(&info.blynk, &want.blynk, sizeof want.blynk);
        ck_assert_uint_eq(info.blynk.count, 7);
    }
}
END_TEST

START_TEST(a_secret_across_windows_is_told_once)
{
    for (size_t shift = 0; shift < 50; shift++) {
        struct img extra OTAD_AUTO(img_free) = {0};
        img_fill(&extra, '.', 134144 - 1024 - 4096 - 24 - 25 + shift);
        img_put(&extra, "AKIA0123456789ABCDEF", 20);
        img_fill(&extra, '.', 3000);
        struct img plain OTAD_AUTO(img_free) = {0};
        struct img packed OTAD_AUTO(img_free) = packed_app(
            (struct img_spec){.chip = "ESP8266", .extra = extra.data, .extra_n = extra.n}, &plain);
        struct image_info info = inspect_img(&packed), want = inspect_img(&plain);
        ck_assert_uint_eq(want.warning_count, 1);
        ck_assert_msg(info.warning_count == 1, "%zu: %u", shift, info.warning_count);
        ck_assert_uint_eq(info.warnings[0].offset, want.warnings[0].offset);
    }
}
END_TEST

START_TEST(damage_inside_is_named)
{
    struct img plain OTAD_AUTO(img_free) =
        build_app((struct img_spec){.chip = "ESP8266", .size_bytes = 200000});
    struct img packed OTAD_AUTO(img_free) = {0};
    plain.data[0x20000] ^= 4;
    img_gzip(&plain, &packed);
    struct image_info info = inspect_img(&packed);
    ck_assert_uint_eq(info.defect_count, 1);
    ck_assert_str_eq(info.defects[0].what, "CRC-32");
    ck_assert(image_may_force(&info));
}
END_TEST

START_TEST(image_cut_before_packing_is_truncated)
{
    struct img plain OTAD_AUTO(img_free) =
        build_app((struct img_spec){.chip = "ESP8266", .size_bytes = 200000});
    struct img packed OTAD_AUTO(img_free) = {0};
    plain.n = 150000;
    img_gzip(&plain, &packed);
    struct image_info info = inspect_img(&packed);
    ck_assert_int_eq(info.defects[0].code, IMAGE_DEFECT_TRUNCATED);
    ck_assert(!image_may_force(&info));
}
END_TEST

START_TEST(every_cut_is_truncated)
{
    struct img plain OTAD_AUTO(img_free) = {0};
    struct img packed OTAD_AUTO(img_free) = packed_app(
        (struct img_spec){.chip = "ESP8266", .compressible = true, .size_bytes = 9000}, &plain);
    for (size_t n = 3; n < packed.n; n++) {
        struct img cut = {packed.data, n, 0};
        struct image_info info = inspect_img(&cut);
        struct otad_errinfo ei;
        ck_assert_msg(info.kind == IMAGE_GZIP || info.kind == IMAGE_ESP8266_APP ||
                          info.kind == IMAGE_BOOTLOADER || info.kind == IMAGE_UNKNOWN,
                      "%zu: %s", n, image_kind_name(info.kind));
        ck_assert(!image_is_deliverable(&info));
        ck_assert_msg(!image_may_force(&info), "%zu", n);
        ck_assert_int_eq(image_check_upload(&info, IMAGE_WANT_APP, &ei), OTAD_E_INVALID);
    }
}
END_TEST

START_TEST(every_changed_byte_is_refused_or_harmless)
{
    struct img plain OTAD_AUTO(img_free) = {0};
    struct img packed OTAD_AUTO(img_free) = packed_app(
        (struct img_spec){.chip = "ESP8266", .compressible = true, .size_bytes = 6000}, &plain);
    struct image_info want = inspect_img(&packed);
    for (size_t at = 0; at < packed.n; at++) {
        packed.data[at] ^= 0x11;
        struct image_info info = inspect_img(&packed);
        if (image_is_deliverable(&info)) /* time, system and extra flags of the gzip header */
            ck_assert_mem_eq(info.md5_unpacked, want.md5_unpacked, sizeof want.md5_unpacked);
        packed.data[at] ^= 0x11;
    }
}
END_TEST

START_TEST(something_behind_is_refused)
{
    struct img plain OTAD_AUTO(img_free) = {0};
    struct img packed OTAD_AUTO(img_free) =
        packed_app((struct img_spec){.chip = "ESP8266", .seed = 1}, &plain);
    struct otad_errinfo ei;
    if (_i == 0)
        img_fill(&packed, 0, 1);
    else
        img_gzip(&plain, &packed);
    struct image_info info = inspect_img(&packed);
    ck_assert_int_eq(info.kind, IMAGE_ESP8266_APP);
    ck_assert(!info.gzip.complete);
    ck_assert_int_eq(image_check_upload(&info, IMAGE_WANT_APP, &ei), OTAD_E_INVALID);
    assert_holds("behind", ei.msg, _i == 0 ? "found 1 bytes" : "a second gzip member");
}
END_TEST

START_TEST(signature_behind_is_accepted)
{
    struct img plain OTAD_AUTO(img_free) = {0};
    struct img packed OTAD_AUTO(img_free) =
        packed_app((struct img_spec){.chip = "ESP8266", .seed = 1}, &plain);
    size_t n = packed.n;
    img_sign_arduino_esp8266(&packed, 256);
    struct image_info info = inspect_img(&packed);
    ck_assert_int_eq(info.signature, IMAGE_SIGN_ARDUINO_ESP8266);
    ck_assert_uint_eq(info.signature_offset, n);
    ck_assert_uint_eq(info.signature_bytes, 260);
    ck_assert(image_is_deliverable(&info));
}
END_TEST

/** 1 KiB that unpacks to 40 MiB: looked into up to the limit, then refused. */
START_TEST(bomb_is_not_unpacked)
{
    struct img zeros OTAD_AUTO(img_free) = {0}, packed OTAD_AUTO(img_free) = {0};
    struct otad_errinfo ei;
    img_fill(&zeros, 0, 40u << 20);
    img_gzip(&zeros, &packed);
    ck_assert_uint_lt(packed.n, 64 * 1024);
    struct image_info info = inspect_img(&packed);
    ck_assert_uint_le(info.gzip.unpacked_bytes, IMAGE_UNPACKED_MAX + (64 << 10));
    ck_assert(!info.gzip.complete);
    ck_assert_int_eq(image_check_upload(&info, IMAGE_WANT_APP, &ei), OTAD_E_INVALID);
    ck_assert_str_eq(info.defects[0].what, "unpacked size");
}
END_TEST

START_TEST(gzip_in_gzip)
{
    struct img plain OTAD_AUTO(img_free) = {0}, twice OTAD_AUTO(img_free) = {0};
    struct img packed OTAD_AUTO(img_free) =
        packed_app((struct img_spec){.chip = "ESP8266"}, &plain);
    struct otad_errinfo ei;
    img_gzip(&packed, &twice);
    struct image_info info = inspect_img(&twice);
    ck_assert_int_eq(info.kind, IMAGE_GZIP);
    ck_assert_int_eq(image_check_upload(&info, IMAGE_WANT_APP, &ei), OTAD_E_INVALID);
    assert_holds("twice", ei.msg, "packed twice");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("image_gzip");
    TCase *inner = tcase_create("inner");
    tcase_set_timeout(inner, 120);
    tcase_add_loop_test(inner, inner_facts_equal_the_plain_ones, 0, 5);
    tcase_add_loop_test(inner, tag_is_found_across_windows, 0, 5);
    tcase_add_test(inner, a_secret_across_windows_is_told_once);
    tcase_add_test(inner, damage_inside_is_named);
    tcase_add_test(inner, image_cut_before_packing_is_truncated);
    tcase_add_test(inner, gzip_in_gzip);
    suite_add_tcase(suite, inner);
    TCase *outer = tcase_create("outer");
    tcase_set_timeout(outer, 120);
    tcase_add_test(outer, every_cut_is_truncated);
    tcase_add_test(outer, every_changed_byte_is_refused_or_harmless);
    tcase_add_loop_test(outer, something_behind_is_refused, 0, 2);
    tcase_add_test(outer, signature_behind_is_accepted);
    tcase_add_test(outer, bomb_is_not_unpacked);
    suite_add_tcase(suite, outer);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
