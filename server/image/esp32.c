/* SPDX-License-Identifier: MIT
 * Owns what must hold in an ESP32-family image. Source: ESP-IDF esp_image_format.c,
 * esp_app_format.h; the flash-range rule was checked on real boot loaders and applications. */
#include "image/esp32.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "image/chip.h"
#include "image/note.h"

#define MODE_MAX 5u /* slow read */

bool esp32_is_header(struct bytes b)
{
    if (!bytes_has(b, 0, ESP_LONG_HEADER) || b.data[0] != ESP_MAGIC || b.data[1] < 1 ||
        b.data[1] > IMAGE_SEGMENTS_MAX)
        return false;
    return chip_from_id(le16(b.data + 12)) != IMAGE_CHIP_UNKNOWN ||
           (b.data[2] <= MODE_MAX && b.data[23] <= 1);
}

void esp32_plan(struct inspection *in)
{
    in->info->kind = IMAGE_ESP32_APP;
    in->info->chip_id = le16(in->head.data + 12);
    in->info->chip = chip_from_id(in->info->chip_id);
    esp_walk_init(&in->app, 0, ESP_LONG_HEADER);
    in->walk_app = true;
}

/** An ESP8266 RTOS SDK image has the long header with a zero chip id, as the ESP32's has; but it
 *  starts in the ESP8266's instruction RAM, which on the ESP32 is mapped flash. */
static bool is_esp8266_rtos(const struct esp_walk *w)
{
    uint32_t entry = le32(w->header + 4);
    return le16(w->header + 12) == 0 && entry >= 0x40100000u && entry < 0x40110000u;
}

static bool has_segment_in_flash(const struct esp_walk *w, enum image_chip chip)
{
    for (unsigned i = 0; i < w->segment_count; i++)
        if (chip_maps_flash(chip, w->segments[i].load))
            return true;
    return false;
}

static void settle_kind(struct inspection *in)
{
    struct image_info *info = in->info;
    if (is_esp8266_rtos(&in->app)) {
        info->kind = IMAGE_ESP8266_RTOS;
        info->chip = IMAGE_CHIP_ESP8266;
    }
    /* one that is cut short or damaged may have had such a segment farther on */
    if (in->app.state == ESP_DONE && !has_segment_in_flash(&in->app, info->chip))
        info->kind = IMAGE_BOOTLOADER;
}

static void judge_digest(struct inspection *in)
{
    struct image_sums *s = &in->info->sums;
    if (in->app.header[23] != 1 || !in->sha_known)
        return;
    s->digest_found = true;
    s->digest_offset = in->app.sum_offset + 1;
    memcpy(s->digest_stored, in->app.hash, sizeof s->digest_stored);
    memcpy(s->digest_computed, in->sha, sizeof s->digest_computed);
    s->digest_valid = memcmp(s->digest_stored, s->digest_computed, sizeof s->digest_stored) == 0;
    if (s->digest_valid)
        return;
    char want[2 * OTAD_SHA256_LEN + 1], got[2 * OTAD_SHA256_LEN + 1];
    hex_encode(s->digest_computed, OTAD_SHA256_LEN, want);
    hex_encode(s->digest_stored, OTAD_SHA256_LEN, got);
    note_defect(in->info, IMAGE_DEFECT_DIGEST, s->digest_offset, "appended SHA-256", want, got);
}

static void judge_checksum(struct inspection *in)
{
    const struct esp_walk *w = &in->app;
    struct image_sums *s = &in->info->sums;
    s->checksum_found = true;
    s->checksum_offset = w->sum_offset;
    s->checksum_stored = w->stored_sum;
    s->checksum_computed = w->xor_sum;
    s->checksum_valid = w->stored_sum == w->xor_sum;
    if (s->checksum_valid)
        return;
    char want[8], got[8];
    (void)snprintf(want, sizeof want, "0x%02x", w->xor_sum);
    (void)snprintf(got, sizeof got, "0x%02x", w->stored_sum);
    note_defect(in->info, IMAGE_DEFECT_CHECKSUM, w->sum_offset, "checksum", want, got);
}

static void note_byte(struct inspection *in, uint64_t offset, const char *what,
                      const char *expected, unsigned value)
{
    char found[16];
    (void)snprintf(found, sizeof found, "%u", value);
    note_defect(in->info, IMAGE_DEFECT_HEADER, in->app.start + offset, what, expected, found);
}

static void judge_header(struct inspection *in)
{
    const uint8_t *header = in->app.header;
    if (in->info->chip == IMAGE_CHIP_UNKNOWN)
        note_byte(in, 12, "chip id", "an id of a chip this version knows", in->info->chip_id);
    if (header[2] > MODE_MAX)
        note_byte(in, 2, "flash mode", "0 to 5", header[2]);
    if (header[23] > 1)
        note_byte(in, 23, "hash flag", "0 or 1", header[23]);
}

/** Bits of a load address that must equal those of the file offset: the flash is mapped in pages.
 *  Chips with a choice of page sizes are held to the smallest unless the descriptor says more. */
static uint32_t page_mask(const struct image_info *info)
{
    unsigned log2 = info->desc.found ? info->desc.mmu_page_log2 : 0;
    if (log2 >= 13 && log2 <= 16)
        return (1u << log2) - 1;
    bool fixed = info->chip == IMAGE_CHIP_ESP32 || info->chip == IMAGE_CHIP_ESP32_S2 ||
                 info->chip == IMAGE_CHIP_ESP32_S3 || info->chip == IMAGE_CHIP_ESP32_C3;
    return fixed ? 0xffff : 0x1fff;
}

/** The loader refuses a mapped segment whose place in flash can't be mapped to its address. */
static void judge_mapping(struct inspection *in)
{
    uint32_t mask = page_mask(in->info);
    for (unsigned i = 0; i < in->app.segment_count; i++) {
        const struct image_segment *s = &in->app.segments[i];
        uint32_t place = (uint32_t)(s->offset - in->app.start) & mask;
        if (!chip_maps_flash(in->info->chip, s->load) || (s->load & mask) == place)
            continue;
        note_defect_u32(in->info, IMAGE_DEFECT_HEADER, s->offset - 8, "load address of a segment",
                        (s->load & ~mask) | place, s->load);
        return;
    }
}

void esp32_judge(struct inspection *in)
{
    const struct esp_walk *w = &in->app;
    esp_walk_report(w, in->info);
    if (esp_walk_is_cut(w)) {
        note_truncated(in->info, "length of the image", w->need, in->total);
        return;
    }
    judge_header(in);
    if (w->state == ESP_BROKEN) {
        char found[32];
        (void)snprintf(found, sizeof found, "0x%" PRIx32, w->problem_value);
        note_defect(in->info, IMAGE_DEFECT_HEADER, w->problem_offset, w->problem,
                    "a value an image can have", found);
        return;
    }
    judge_checksum(in);
    judge_digest(in);
    if (in->info->kind != IMAGE_ESP8266_RTOS)
        judge_mapping(in);
}

void esp32_finish(struct inspection *in)
{
    settle_kind(in);
    esp32_judge(in);
}
