/* SPDX-License-Identifier: MIT
 * Every single-byte change of a valid image is either refused with a reason or accepted under the
 * same identity rules: same kind and chip, and an MD5 that is the changed file's. Never a crash,
 * never a hang. What may be accepted is bounded: the parts that no checksum covers. */
#include "base/digest.h"
#include "support/imgtest.h"

struct subject {
    const char *what;
    struct img_spec spec;
    void (*sign)(struct img *img);
    /* how many of the image's bytes may be changed without being refused */
    size_t free_bytes;
};

static void sign_esp8266(struct img *img)
{
    img_sign_arduino_esp8266(img, 128);
}

static const struct subject subjects[] = {
    {"ESP8266, newer core", {.chip = "ESP8266", .version = "1.0", .seed = 1},   NULL,                   0   },
 /* headers and the padding behind eboot are not in the XOR */
    {"ESP8266, older core", {.chip = "ESP8266", .old_core = true, .seed = 2},   NULL,                   2200},
    {"ESP8266, signed",     {.chip = "ESP8266", .seed = 3},                     sign_esp8266,           132 },
    {"ESP32 with hash",     {.chip = "ESP32", .desc = IMG_DESC_OWN, .seed = 4}, NULL,                   1   },
    {"ESP32 without hash",  {.chip = "ESP32", .no_hash = true, .seed = 5},      NULL,                   80  },
    {"ESP32-C3 with hash",  {.chip = "ESP32-C3", .version = "2", .seed = 6},    NULL,                   1   },
    {"ESP32-S3, signed",    {.chip = "ESP32-S3", .seed = 7},                    img_sign_arduino_esp32, 513 },
};

/** @return whether the changed image is taken */
static bool judge(const struct subject *subject, const struct img *img, size_t at,
                  const struct image_info *before)
{
    struct otad_errinfo ei = {0};
    struct image_info info = inspect_img(img);
    if (image_check_upload(&info, IMAGE_WANT_ANY, &ei) != OTAD_E_OK) {
        ck_assert_msg(ei.msg[0] != '\0' && ei.hint[0] != '\0', "%s at %zu: no reason",
                      subject->what, at);
        return false;
    }
    uint8_t md5[OTAD_MD5_LEN];
    ck_assert_int_eq(digest_md5(img->data, img->n, md5), OTAD_E_OK);
    ck_assert_mem_eq(info.md5, md5, sizeof md5);
    ck_assert_mem_ne(info.md5, before->md5, sizeof md5);
    ck_assert_msg(info.kind == before->kind && info.chip == before->chip, "%s at %zu: %s %s",
                  subject->what, at, image_kind_name(info.kind), image_chip_name(info.chip));
    return true;
}

/** All 255 other values of each byte of the small images, all single bits (and FF) of the larger.
 */
static bool is_tried(size_t n, unsigned flip)
{
    return n < 1000 || flip == 0xff || (flip & (flip - 1)) == 0;
}

START_TEST(single_byte_changes)
{
    const struct subject *subject = &subjects[_i];
    struct img img OTAD_AUTO(img_free) = build_app(subject->spec);
    if (subject->sign != NULL)
        subject->sign(&img);
    struct image_info before = inspect_img(&img);
    ck_assert(image_is_deliverable(&before));
    size_t taken_bytes = 0;
    for (size_t at = 0; at < img.n; at++) {
        bool taken = false;
        for (unsigned flip = 1; flip < 256; flip++) {
            if (!is_tried(img.n, flip))
                continue;
            img.data[at] ^= (uint8_t)flip;
            taken |= judge(subject, &img, at, &before);
            img.data[at] ^= (uint8_t)flip;
        }
        taken_bytes += taken;
    }
    ck_assert_msg(taken_bytes <= subject->free_bytes, "%s: %zu bytes can change unseen",
                  subject->what, taken_bytes);
}
END_TEST

START_TEST(single_byte_insertions_and_deletions)
{
    const struct subject *subject = &subjects[_i];
    struct img img OTAD_AUTO(img_free) = build_app(subject->spec);
    if (subject->sign != NULL)
        subject->sign(&img);
    struct img work OTAD_AUTO(img_free) = {0};
    img_fill(&work, 0, img.n + 1);
    for (size_t at = 0; at < img.n; at += 3) {
        memcpy(work.data, img.data, at);
        work.data[at] = 0x42;
        memcpy(work.data + at + 1, img.data + at, img.n - at);
        work.n = img.n + 1;
        struct image_info info = inspect_img(&work);
        ck_assert(info.size_bytes == img.n + 1);
        memcpy(work.data + at, img.data + at + 1, img.n - at - 1);
        work.n = img.n - 1;
        info = inspect_img(&work);
        ck_assert_msg(subject->sign != NULL || !image_is_deliverable(&info), "%s without byte %zu",
                      subject->what, at);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("image_mutation");
    TCase *tc = tcase_create("mutation");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, single_byte_changes, 0, (int)OTAD_COUNT(subjects));
    tcase_add_loop_test(tc, single_byte_insertions_and_deletions, 0, (int)OTAD_COUNT(subjects));
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
