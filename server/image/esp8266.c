/* SPDX-License-Identifier: MIT
 * Owns the ESP8266's image layouts and what must hold in them. */
#include "image/esp8266.h"

#include <inttypes.h>
#include <stdio.h>

#include "image/chip.h"
#include "image/note.h"

#define MODE_MAX 3u /* DOUT */

bool esp8266_is_short_header(struct bytes head)
{
    if (!bytes_has(head, 0, ESP_SHORT_HEADER + 4) || head.data[0] != ESP_MAGIC)
        return false;
    uint32_t word = le32(head.data + ESP_SHORT_HEADER);
    return word >= 0x3ff00000u && word <= 0x40ffffffu;
}

/** eboot is there when its load address is, or when an application stands where eboot puts it. */
static bool has_eboot(struct bytes head)
{
    if (le32(head.data + ESP_SHORT_HEADER) == ESP8266_EBOOT_LOAD)
        return true;
    struct bytes app = bytes_from(head, ESP8266_APP_OFFSET);
    return esp8266_is_short_header(app) && le32(app.data + ESP_SHORT_HEADER) >= 0x40200000u;
}

void esp8266_plan(struct inspection *in)
{
    struct image_info *info = in->info;
    info->chip = IMAGE_CHIP_ESP8266;
    if (!has_eboot(in->head)) {
        info->kind = IMAGE_ESP8266_V1;
        esp_walk_init(&in->app, 0, ESP_SHORT_HEADER);
        in->walk_app = true;
        return;
    }
    esp_walk_init(&in->boot, 0, ESP_SHORT_HEADER);
    in->walk_boot = true;
    if (in->total <= ESP8266_APP_OFFSET) {
        info->kind = IMAGE_BOOTLOADER;
        (void)snprintf(info->detail, sizeof info->detail,
                       "eboot alone; the application would follow at 0x%x", ESP8266_APP_OFFSET);
        return;
    }
    info->kind = IMAGE_ESP8266_APP;
    esp_walk_init(&in->app, ESP8266_APP_OFFSET, ESP_SHORT_HEADER);
    in->walk_app = true;
}

bool esp8266_is_v2(struct inspection *in)
{
    struct bytes head = in->head;
    /* EA 04 mode size|freq entry[4], then the irom segment: load address 0, length */
    if (!bytes_has(head, 0, 16) || head.data[0] != ESP8266_V2_MAGIC || head.data[1] != 4 ||
        le32(head.data + 8) != 0)
        return false;
    uint64_t second = 16 + (uint64_t)le32(head.data + 12);
    if (second > in->total + IMAGE_UNPACKED_MAX)
        return false;
    in->info->kind = IMAGE_ESP8266_V2;
    in->info->chip = IMAGE_CHIP_ESP8266;
    esp_walk_init(&in->app, second, ESP_SHORT_HEADER);
    in->walk_app = true;
    return true;
}

/** What every walk shares: header that can't be right, file too short. @return image complete */
static bool judge_walk(struct inspection *in, const struct esp_walk *w, const char *name)
{
    char what[48];
    if (esp_walk_is_cut(w)) {
        (void)snprintf(what, sizeof what, "length of the %s", name);
        note_truncated(in->info, what, w->need, in->total);
        return false;
    }
    if (w->state == ESP_BROKEN) {
        char found[32];
        (void)snprintf(what, sizeof what, "%s: %s", name, w->problem);
        (void)snprintf(found, sizeof found, "0x%" PRIx32, w->problem_value);
        note_defect(in->info, IMAGE_DEFECT_HEADER, w->problem_offset, what,
                    w->problem_offset == w->start ? "0xe9" : "a value an image can have", found);
        return false;
    }
    return true;
}

static void note_checksum(struct image_info *info, uint64_t offset, const char *what,
                          uint8_t stored, uint8_t computed)
{
    char want[8], got[8];
    (void)snprintf(want, sizeof want, "0x%02x", computed);
    (void)snprintf(got, sizeof got, "0x%02x", stored);
    note_defect(info, IMAGE_DEFECT_CHECKSUM, offset, what, want, got);
}

/** The chip's ROM starts nothing when this part is wrong. */
static void judge_eboot(struct inspection *in)
{
    const struct esp_walk *w = &in->boot;
    if (!judge_walk(in, w, "boot loader"))
        return;
    if (w->segments[0].load != ESP8266_EBOOT_LOAD)
        note_defect_u32(in->info, IMAGE_DEFECT_HEADER, 8, "load address of eboot",
                        ESP8266_EBOOT_LOAD, w->segments[0].load);
    if (w->end > ESP8266_APP_OFFSET)
        note_defect_u32(in->info, IMAGE_DEFECT_HEADER, 0, "end of the boot loader",
                        ESP8266_APP_OFFSET, (uint32_t)w->end);
    if (w->stored_sum != w->xor_sum)
        note_checksum(in->info, w->sum_offset, "checksum of the boot loader", w->stored_sum,
                      w->xor_sum);
}

static uint8_t without_first_data(const struct esp_walk *w)
{
    uint8_t sum = w->xor_sum;
    for (unsigned i = 0; i < sizeof w->first_data; i++)
        sum ^= w->first_data[i];
    return sum;
}

/** The rule of the two generations. The CRC doesn't cover its own two words, so a CRC that fits
 *  proves a newer image even when the length word is damaged. */
static void judge_sums(struct inspection *in)
{
    const struct esp_walk *w = &in->app;
    struct image_sums *s = &in->info->sums;
    uint32_t length = le32(w->first_data), crc = le32(w->first_data + 4);
    bool length_fits = length == w->end, crc_fits = crc == in->crc;
    uint8_t newer = without_first_data(w);
    s->checksum_found = true;
    s->checksum_offset = w->sum_offset;
    s->checksum_stored = w->stored_sum;
    bool xor_says_newer = w->stored_sum != w->xor_sum && w->stored_sum == newer;
    /* A header that has lost a segment: the word tells more than the rest, and no more than there
     * is. */
    bool length_says_newer = length > w->end && length <= in->total;
    bool by_crc = in->crc_known && (length_fits || crc_fits || xor_says_newer || length_says_newer);
    s->checksum_computed = by_crc ? newer : w->xor_sum;
    s->checksum_by_crc = by_crc;
    s->crc_found = by_crc;
    s->crc_stored = by_crc ? crc : 0;
    s->crc_computed = by_crc ? in->crc : 0;
    s->checksum_valid = by_crc ? length_fits && crc_fits : w->stored_sum == w->xor_sum;
    if (by_crc && !length_fits)
        note_defect_u32(in->info, IMAGE_DEFECT_CHECKSUM, ESP8266_LENGTH_OFFSET, "length word",
                        (uint32_t)w->end, length);
    if (by_crc && !crc_fits)
        note_defect_u32(in->info, IMAGE_DEFECT_CHECKSUM, ESP8266_CRC_OFFSET, "CRC-32", in->crc,
                        crc);
    if (!by_crc && !s->checksum_valid)
        note_checksum(in->info, w->sum_offset, "checksum", w->stored_sum, w->xor_sum);
}

/** eboot's bytes are the ones that ROM and updater look at, and that devices patch. */
static void report_flash(const uint8_t *header, struct image_info *info)
{
    info->header_found = true;
    info->flash_mode = info->flash_mode_byte = header[2];
    info->flash_size_freq_byte = header[3];
    info->flash_size_bytes = chip_flash_bytes(IMAGE_CHIP_ESP8266, header[3] >> 4);
    info->flash_freq_mhz = chip_flash_mhz(IMAGE_CHIP_ESP8266, header[3] & 15u);
    if (header[2] > MODE_MAX || info->flash_size_bytes == 0 || info->flash_freq_mhz == 0)
        note_warning(info, IMAGE_WARN_HEADER, 2, "flash settings 0x%02x 0x%02x are none we know",
                     header[2], header[3]);
}

void esp8266_finish(struct inspection *in)
{
    judge_eboot(in);
    if (!in->walk_app)
        return;
    esp_walk_report(&in->app, in->info);
    in->info->image_offset = 0;
    if (in->info->image_bytes > 0)
        in->info->image_bytes += ESP8266_APP_OFFSET;
    report_flash(in->boot.header, in->info);
    if (judge_walk(in, &in->app, "application"))
        judge_sums(in);
}

void esp8266_finish_plain(struct inspection *in)
{
    const struct esp_walk *w = &in->app;
    struct image_sums *s = &in->info->sums;
    esp_walk_report(w, in->info);
    if (w->start > 0) { /* version 2: the irom segment stands in front */
        in->info->image_offset = 0;
        bool crc = in->total >= w->end + 4; /* a CRC-32 ends the file */
        in->info->image_bytes = w->state == ESP_DONE ? w->end + (crc ? 4 : 0) : 0;
    }
    if (!judge_walk(in, w, "image"))
        return;
    s->checksum_found = true;
    s->checksum_offset = w->sum_offset;
    s->checksum_stored = w->stored_sum;
    s->checksum_computed = w->xor_sum;
    s->checksum_valid = w->stored_sum == w->xor_sum;
    if (!s->checksum_valid)
        note_checksum(in->info, w->sum_offset, "checksum", w->stored_sum, w->xor_sum);
}
