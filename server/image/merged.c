/* SPDX-License-Identifier: MIT
 * Owns the recognition of merged images. */
#include "image/merged.h"

#include <stdio.h>

#include "image/chip.h"
#include "image/esp32.h"
#include "image/note.h"
#include "image/partition.h"

#define SECTOR 0x1000u
#define APP_OFFSET 0x10000u
#define TABLE_OFFSET_MAX 0x1f000u

/** Where the boot loader's header stands: 0, or 0x1000 or 0x2000 behind erased bytes. */
static bool find_bootloader(struct bytes head, uint64_t *out)
{
    for (uint64_t at = 0; at <= 0x2000; at += SECTOR) {
        if (esp32_is_header(bytes_from(head, at))) {
            *out = at;
            return true;
        }
        if (!bytes_all(head, at, SECTOR, 0xff))
            return false;
    }
    return false;
}

/** The table stands on a sector behind the boot loader, at 0x8000 unless the project moved it. */
static bool find_table(struct bytes head, uint64_t from, struct image_table *out)
{
    if (from <= PARTITION_TABLE_OFFSET && partition_table_parse(head, PARTITION_TABLE_OFFSET, out))
        return true;
    for (uint64_t at = (from + SECTOR - 1) / SECTOR * SECTOR; at <= TABLE_OFFSET_MAX; at += SECTOR)
        if (partition_table_parse(head, at, out))
            return true;
    return false;
}

/** The first application partition that holds something. The file may begin at the boot loader
 *  instead of at 0, as esptool's --target-offset makes it; then all offsets move. */
static uint64_t find_app(const struct inspection *in, uint64_t boot, enum image_chip chip)
{
    uint64_t base = chip_bootloader_offset(chip);
    uint64_t shift = base > boot ? base - boot : 0;
    const struct image_table *table = &in->info->table;
    for (unsigned i = 0; i < table->count; i++) {
        const struct image_partition *row = &table->rows[i];
        if (row->type == PARTITION_TYPE_APP && row->offset >= shift &&
            esp32_is_header(bytes_from(in->head, row->offset - shift)))
            return row->offset - shift;
    }
    return esp32_is_header(bytes_from(in->head, APP_OFFSET)) ? APP_OFFSET : 0;
}

bool merged_plan(struct inspection *in)
{
    uint64_t boot = 0, boot_end = 0;
    bool flash = true;
    if (!find_bootloader(in->head, &boot))
        return false;
    enum image_chip chip = chip_from_id(le16(in->head.data + boot + 12));
    boot_end = esp_span(in->head, boot, ESP_LONG_HEADER, chip, &flash);
    if (boot == 0 && (flash || boot_end == 0))
        return false; /* an application of its own, or cut short */
    bool table = find_table(in->head, boot_end != 0 ? boot_end : boot + SECTOR, &in->info->table);
    uint64_t app = find_app(in, boot, chip);
    if (!table && (app == 0 || app < boot_end)) {
        in->info->table = (struct image_table){0};
        return false;
    }
    in->info->kind = IMAGE_MERGED;
    in->info->chip = chip;
    in->info->chip_id = le16(in->head.data + boot + 12);
    esp_walk_init(&in->boot, boot, ESP_LONG_HEADER);
    in->walk_boot = true;
    if (app > 0) {
        esp_walk_init(&in->app, app, ESP_LONG_HEADER);
        in->walk_app = true;
    }
    return true;
}

void merged_finish(struct inspection *in)
{
    const struct esp_walk *w = &in->boot;
    if (w->state == ESP_DONE && w->stored_sum != w->xor_sum) {
        char want[8], got[8];
        (void)snprintf(want, sizeof want, "0x%02x", w->xor_sum);
        (void)snprintf(got, sizeof got, "0x%02x", w->stored_sum);
        note_defect(in->info, IMAGE_DEFECT_CHECKSUM, w->sum_offset, "checksum of the boot loader",
                    want, got);
    }
    if (in->info->table.md5_present && !in->info->table.md5_valid)
        note_defect(in->info, IMAGE_DEFECT_CHECKSUM, in->info->table.offset,
                    "MD5 of the partition table", "the MD5 of its rows", "another");
    if (in->walk_app)
        esp32_judge(in);
    else
        note_defect(in->info, IMAGE_DEFECT_HEADER, APP_OFFSET, "application", "one at its slot",
                    "none");
}
