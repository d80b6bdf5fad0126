/* SPDX-License-Identifier: MIT
 * Owns the table of default slots. Sources: arduino-esp32 tools/partitions, ESP-IDF
 * components/partition_table, esp8266/Arduino tools/sdk/ld. */
#include "image/fit.h"

#include <inttypes.h>
#include <stdio.h>

struct layout {
    const char *name;
    uint64_t bytes;
    uint64_t staging; /* ESP8266: where the filesystem starts. ESP32: 1 = has a second slot */
};

static const struct layout esp32_layouts[] = {
    {"default.csv app0",                             0x140000, 1},
    {"min_spiffs.csv app0",                          0x1e0000, 1},
    {"default_8MB.csv app0",                         0x330000, 1},
    {"default_16MB.csv app0",                        0x640000, 1},
    {"partitions_two_ota.csv ota_0 (ESP-IDF)",       0x100000, 1},
    {"partitions_two_ota_large.csv ota_0 (ESP-IDF)", 1740800,  1},
    {"huge_app.csv app0",                            0x300000, 0},
};

static const struct layout esp8266_layouts[] = {
    {"4M2M sketch",     1044464, 0x200000},
    {"4M1M sketch",     1044464, 0x300000},
    {"4M3M sketch",     1044464, 0x100000},
    {"1M no FS sketch", 1023984, 0xfb000 },
    {"1M64 sketch",     958448,  0xeb000 },
    {"1M512 sketch",    499696,  0x7b000 },
};

uint64_t fit_used_bytes(const struct image_info *info)
{
    return info->gzip.found ? info->gzip.unpacked_bytes : info->size_bytes;
}

static uint64_t sectors(uint64_t bytes)
{
    return (bytes + 4095) / 4096 * 4096;
}

static struct fit_slot compare(const struct image_info *info, const struct layout *layout)
{
    uint64_t used = fit_used_bytes(info);
    struct fit_slot slot = {
        .name = layout->name,
        .slot_bytes = layout->bytes,
        .percent = (unsigned)(used * 100 / layout->bytes),
        .fits = used <= layout->bytes,
    };
    bool room = info->kind == IMAGE_ESP32_APP
                    ? layout->staging != 0
                    : sectors(used) + sectors(info->size_bytes) <= layout->staging;
    slot.updates = slot.fits && room;
    return slot;
}

unsigned fit_default_slots(const struct image_info *info, struct fit_slot out[FIT_SLOTS_MAX])
{
    _Static_assert(OTAD_COUNT(esp32_layouts) <= FIT_SLOTS_MAX, "room for every row");
    _Static_assert(OTAD_COUNT(esp8266_layouts) <= FIT_SLOTS_MAX, "room for every row");
    const struct layout *rows = esp32_layouts;
    unsigned n = OTAD_COUNT(esp32_layouts);
    if (info->kind == IMAGE_ESP8266_APP) {
        rows = esp8266_layouts;
        n = OTAD_COUNT(esp8266_layouts);
    } else if (info->kind != IMAGE_ESP32_APP) {
        return 0;
    }
    for (unsigned i = 0; i < n; i++)
        out[i] = compare(info, &rows[i]);
    return n;
}

/** 1310720 as "1,310,720". */
static void thousands(uint64_t value, char *out, size_t n)
{
    char digits[24];
    int count = snprintf(digits, sizeof digits, "%" PRIu64, value);
    size_t used = 0;
    for (int i = 0; i < count && used + 2 < n; i++) {
        if (i > 0 && (count - i) % 3 == 0)
            out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = '\0';
}

void fit_describe(uint64_t used, const struct fit_slot *slot, char *out, size_t n)
{
    char have[32], room[32];
    thousands(used, have, sizeof have);
    thousands(slot->slot_bytes, room, sizeof room);
    (void)snprintf(out, n, "%s of %s bytes, %u %%, %s", have, room, slot->percent, slot->name);
}
