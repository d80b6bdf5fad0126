/* SPDX-License-Identifier: MIT
 * Owns the order in which kinds are tried, and who judges which. */
#include "image/inspection.h"

#include "image/content.h"
#include "image/esp32.h"
#include "image/esp8266.h"
#include "image/filesystem.h"
#include "image/merged.h"
#include "image/note.h"
#include "image/partition.h"

static bool plan_table(struct inspection *in)
{
    if (!partition_table_parse(in->head, 0, &in->info->table))
        return false;
    in->info->kind = IMAGE_PARTITION_TABLE;
    return true;
}

static bool plan_otadata(struct inspection *in)
{
    if (in->total != in->head.n || !partition_is_otadata(in->head))
        return false;
    in->info->kind = IMAGE_OTADATA;
    return true;
}

static bool plan_esp8266(struct inspection *in)
{
    if (!esp8266_is_short_header(in->head))
        return false;
    esp8266_plan(in);
    return true;
}

static bool plan_esp32(struct inspection *in)
{
    if (!esp32_is_header(in->head))
        return false;
    esp32_plan(in);
    return true;
}

void inspection_plan(struct inspection *in)
{
    if (in->total == 0)
        in->info->kind = IMAGE_EMPTY;
    else if (!plan_table(in) && !plan_esp8266(in) && !merged_plan(in) && !plan_esp32(in) &&
             !esp8266_is_v2(in) && !plan_otadata(in) && !filesystem_plan(in))
        content_plan(in);
}

void inspection_walk(struct inspection *in, const uint8_t *p, size_t n)
{
    if (in->walk_boot)
        esp_walk_feed(&in->boot, p, n);
    if (in->walk_app)
        esp_walk_feed(&in->app, p, n);
}

uint64_t inspection_sum_end(const struct inspection *in)
{
    const struct esp_walk *w = &in->app;
    if (!in->walk_app || w->state == ESP_BROKEN)
        return 0;
    if (in->info->kind == IMAGE_ESP8266_APP)
        return w->position;
    if (w->header_bytes != ESP_LONG_HEADER)
        return 0;
    return w->sum_offset > 0 ? w->sum_offset + 1 : w->position;
}

static void finish_table(struct inspection *in)
{
    const struct image_table *table = &in->info->table;
    if (table->md5_present && !table->md5_valid)
        note_defect(in->info, IMAGE_DEFECT_CHECKSUM, table->offset, "MD5 of the partition table",
                    "the MD5 of its rows", "another");
}

void inspection_finish(struct inspection *in)
{
    static void (*const judges[IMAGE_KIND_COUNT])(struct inspection *) = {
        [IMAGE_ESP8266_APP] = esp8266_finish,
        [IMAGE_BOOTLOADER] = esp8266_finish, /* eboot; the ESP32's is told apart while judging */
        [IMAGE_ESP8266_V1] = esp8266_finish_plain,
        [IMAGE_ESP8266_V2] = esp8266_finish_plain,
        [IMAGE_ESP32_APP] = esp32_finish,
        [IMAGE_MERGED] = merged_finish,
        [IMAGE_PARTITION_TABLE] = finish_table,
    };
    if (judges[in->info->kind] != NULL)
        judges[in->info->kind](in);
}
