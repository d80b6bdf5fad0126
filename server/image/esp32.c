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

bool esp32_is_header(struct bytes b)
{
    return bytes_has(b, 0, ESP_LONG_HEADER) && b.data[0] == ESP_MAGIC && b.data[1] >= 1 &&
           b.data[1] <= IMAGE_SEGMENTS_MAX && b.data[2] <= 5 && b.data[23] <= 1;
}

void esp32_plan(struct inspection *in, uint64_t start)
{
    struct bytes b = bytes_from(in->head, start);
    in->info->kind = IMAGE_ESP32_APP;
    in->info->chip_id = le16(b.data + 12);
    in->info->chip = chip_from_id(in->info->chip_id);
    esp_walk_init(&in->app, start, ESP_LONG_HEADER);
    in->walk_app = true;
}

/** An ESP8266 RTOS SDK image has the long header with a zero chip id, as the ESP32's has; but it
 *  starts in the ESP8266's instruction RAM, which on the ESP32 is mapped flash. */
static bool is_esp8266_rtos(const struct esp_walk *w)
{
    uint32_t entry = le32(w->header + 4);
    return le16(w->header + 12) == 0 && entry >= 0x40100000u && entry < 0x40110000u;
}

static void settle_kind(struct inspection *in)
{
    struct image_info *info = in->info;
    if (is_esp8266_rtos(&in->app)) {
        info->kind = IMAGE_ESP8266_RTOS;
        info->chip = IMAGE_CHIP_ESP8266;
        return;
    }
    for (unsigned i = 0; i < in->app.segment_count; i++)
        if (chip_maps_flash(info->chip, in->app.segments[i].load))
            return;
    if (!esp_walk_is_cut(&in->app))
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

static void judge_chip(struct inspection *in)
{
    if (in->info->chip != IMAGE_CHIP_UNKNOWN)
        return;
    char found[16];
    (void)snprintf(found, sizeof found, "%u", in->info->chip_id);
    note_defect(in->info, IMAGE_DEFECT_HEADER, in->app.start + 12, "chip id",
                "an id of a chip this version knows", found);
}

void esp32_finish(struct inspection *in)
{
    const struct esp_walk *w = &in->app;
    settle_kind(in);
    esp_walk_report(w, in->info);
    judge_chip(in);
    if (esp_walk_is_cut(w)) {
        note_truncated(in->info, "length of the image", w->need, in->total);
        return;
    }
    if (w->state == ESP_BROKEN) {
        char found[32];
        (void)snprintf(found, sizeof found, "0x%" PRIx32, w->problem_value);
        note_defect(in->info, IMAGE_DEFECT_HEADER, w->problem_offset, w->problem,
                    "a value an image can have", found);
        return;
    }
    judge_checksum(in);
    judge_digest(in);
}
