/* SPDX-License-Identifier: MIT
 * Owns the applications that tests and the demo are made of. */
#include "support/imgbuild.h"

#include <string.h>

/* Load addresses that the linker scripts of the chips use; DROM comes first in the file. */
struct chip {
    const char *name;
    unsigned id;
    uint32_t drom, irom, dram, iram;
};

static const struct chip chips[] = {
    {"ESP32",     0,  0x3f400000, 0x400d0000, 0x3ffb0000, 0x40080000},
    {"ESP32-S2",  2,  0x3f000000, 0x40080000, 0x3ffb0000, 0x40024000},
    {"ESP32-C3",  5,  0x3c000000, 0x42000000, 0x3fc80000, 0x40380000},
    {"ESP32-S3",  9,  0x3c000000, 0x42000000, 0x3fc88000, 0x40374000},
    {"ESP32-C2",  12, 0x3c000000, 0x42000000, 0x3fca0000, 0x4037c000},
    {"ESP32-C6",  13, 0x42000000, 0x42000000, 0x40800000, 0x40810000},
    {"ESP32-H2",  16, 0x42000000, 0x42000000, 0x40800000, 0x40810000},
    {"ESP32-P4",  18, 0x40000000, 0x40000000, 0x4ff00000, 0x4ff10000},
    {"ESP32-C61", 20, 0x42000000, 0x42000000, 0x40800000, 0x40810000},
    {"ESP32-C5",  23, 0x42000000, 0x42000000, 0x40800000, 0x40810000},
    {"ESP32-H21", 25, 0x42000000, 0x42000000, 0x40800000, 0x40810000},
    {"ESP32-H4",  28, 0x42000000, 0x42000000, 0x40800000, 0x40810000},
    {"ESP32-E22", 31, 0x3c000000, 0x3e000000, 0x20400000, 0x20500000},
    {"ESP32-S31", 32, 0x40000000, 0x44000000, 0x2f000000, 0x2f100000},
};

#define CHIPS (sizeof chips / sizeof chips[0])
#define SMALL_SEGMENT 64u
#define EBOOT_BYTES 4096u
#define CRC_OFFSET 4112u

/** What stands at the start of the first segment, behind the words of the format. */
static void put_content(const struct img_spec *spec, struct img *out)
{
    if (spec->version != NULL)
        img_put_blynk(out, spec->version, spec->fw_type, spec->chip);
    if (spec->extra_n > 0)
        img_put(out, spec->extra, spec->extra_n);
    img_fill(out, 0, (4 - out->n % 4) % 4);
}

/* ---- ESP8266 ---- */

/** CRC-32, polynomial 04C11DB7, most significant bit first, bit by bit as eboot does it. */
static uint32_t crc8266(const uint8_t *p, size_t n)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        crc ^= (uint32_t)p[i] << 24;
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc << 1 ^ (crc & 0x80000000 ? 0x04c11db7 : 0);
    }
    return crc;
}

static uint8_t esp8266_size_freq(const struct img_spec *spec)
{
    return (uint8_t)((spec->flash_size != 0 ? spec->flash_size : 4) << 4); /* 40 MHz */
}

static void put_eboot(const struct img_spec *spec, uint64_t *state, struct img *out)
{
    uint8_t sum = 0xef;
    img_put_header(out, spec->old_core ? 1 : 2, spec->flash_mode, esp8266_size_freq(spec),
                   0x4010f29c);
    img_put_filler_segment(out, 0x4010f000, 2048, state, &sum);
    if (!spec->old_core)
        img_put_filler_segment(out, 0x4010f800, 320, state, &sum);
    img_put_checksum(out, 0, sum);
    img_fill(out, 0xaa, EBOOT_BYTES - out->n);
}

void img_seal_esp8266(struct img *out)
{
    img_set_u32(out, CRC_OFFSET, 0);
    img_set_u32(out, CRC_OFFSET + 4, 0);
    uint32_t crc = crc8266(out->data, out->n);
    img_set_u32(out, CRC_OFFSET, (uint32_t)out->n);
    img_set_u32(out, CRC_OFFSET + 4, crc);
}

static void build_esp8266(const struct img_spec *spec, struct img *out)
{
    static const uint32_t loads[] = {0x40100000, 0x40107000, 0x3ffe8000, 0x3ffe8400};
    unsigned others = spec->old_core ? 3 : 4;
    uint64_t state = spec->seed;
    uint8_t sum = 0xef;
    put_eboot(spec, &state, out);
    struct img irom = {0};
    if (spec->old_core)
        img_put_filler(&irom, &state, 8, false); /* code, where newer cores keep length and CRC */
    else
        img_fill(&irom, 0, 8);
    put_content(spec, &irom);
    size_t fixed = EBOOT_BYTES + 8 + 8 + others * (8 + SMALL_SEGMENT) + 1;
    size_t want = (spec->size_bytes + 15) / 16 * 16;
    if (want > fixed + irom.n)
        img_put_filler(&irom, &state, (want - fixed - irom.n) / 4 * 4, spec->compressible);
    img_put_header(out, others + 1, spec->flash_mode, esp8266_size_freq(spec), 0x401000bc);
    img_put_segment(out, 0x40201010, &irom, &sum);
    for (unsigned i = 0; i < others; i++)
        img_put_filler_segment(out, loads[i], SMALL_SEGMENT, &state, &sum);
    img_put_checksum(out, EBOOT_BYTES, sum);
    img_free(&irom);
    if (!spec->old_core)
        img_seal_esp8266(out);
}

/* ---- ESP32 family ---- */

static void put_desc(const struct img_spec *spec, uint64_t *state, struct img *out)
{
    bool library = spec->desc == IMG_DESC_LIBRARY;
    const char *version = spec->desc_version != NULL ? spec->desc_version : "1.0";
    const char *project = spec->project != NULL ? spec->project : "sensor";
    if (spec->desc == IMG_DESC_NONE)
        return;
    img_put_u32(out, 0xabcd5432);
    img_put_u32(out, 0); /* secure_version */
    img_fill(out, 0, 8);
    img_put_field(out, library ? "esp-idf: v4.4.4 e8bdaf9198" : version, 32);
    img_put_field(out, library ? "arduino-lib-builder" : project, 32);
    img_put_field(out, "22:25:48", 16);
    img_put_field(out, "Mar  9 2024", 16);
    img_put_field(out, library ? "v4.4.4" : "v5.3.1", 32);
    img_put_filler(out, state, 32, false); /* SHA-256 of the ELF */
    img_fill(out, 0, 256 - 176);
}

static void put_family_header(const struct img_spec *spec, const struct chip *chip, struct img *out)
{
    uint8_t size = spec->flash_size != 0 ? spec->flash_size : 2;
    img_put_header(out, 4, spec->flash_mode, (uint8_t)(size << 4 | 0xf), chip->iram);
    img_put_long_header(out, chip->id, !spec->no_hash);
}

static void build_esp32(const struct img_spec *spec, const struct chip *chip, struct img *out)
{
    uint64_t state = spec->seed;
    uint8_t sum = 0xef;
    struct img drom = {0}, irom = {0};
    put_desc(spec, &state, &drom);
    put_content(spec, &drom);
    if (drom.n < SMALL_SEGMENT)
        img_put_filler(&drom, &state, SMALL_SEGMENT - drom.n, false);
    size_t fixed = 24 + 4 * 8 + 2 * SMALL_SEGMENT + 1 + (spec->no_hash ? 0 : 32);
    size_t want = (spec->size_bytes + 15) / 16 * 16;
    size_t room = want > fixed + drom.n ? (want - fixed - drom.n) / 4 * 4 : 0;
    img_put_filler(&drom, &state, room / 3 / 4 * 4, spec->compressible);
    room -= room / 3 / 4 * 4;
    img_put_filler(&irom, &state, room, spec->compressible);
    put_family_header(spec, chip, out);
    img_put_segment(out, chip->drom + 32, &drom, &sum);
    img_put_filler_segment(out, chip->dram, SMALL_SEGMENT, &state, &sum);
    /* mapped segments: file offset and load address agree modulo the 64 KiB page */
    img_put_segment(out, chip->irom + 0x10000 + (uint32_t)((out->n + 8) % 0x10000), &irom, &sum);
    img_put_filler_segment(out, chip->iram, SMALL_SEGMENT, &state, &sum);
    img_put_checksum(out, 0, sum);
    if (!spec->no_hash)
        img_put_sha256(out, 0);
    img_free(&drom);
    img_free(&irom);
}

static const struct chip *find_chip(const char *name)
{
    for (size_t i = 0; i < CHIPS; i++)
        if (strcmp(name, chips[i].name) == 0)
            return &chips[i];
    return NULL;
}

bool img_chip_ram(const char *name, unsigned *id, uint32_t *dram, uint32_t *iram)
{
    const struct chip *chip = find_chip(name);
    if (chip == NULL)
        return false;
    *id = chip->id;
    *dram = chip->dram;
    *iram = chip->iram;
    return true;
}

bool img_build_app(const struct img_spec *spec, struct img *out)
{
    struct img built = {0};
    const struct chip *chip = find_chip(spec->chip);
    if (strcmp(spec->chip, "ESP8266") == 0)
        build_esp8266(spec, &built);
    else if (chip != NULL)
        build_esp32(spec, chip, &built);
    else
        return false;
    *out = built;
    return true;
}

size_t img_min_bytes(const struct img_spec *spec)
{
    struct img_spec small = *spec;
    struct img img = {0};
    small.size_bytes = 0;
    if (!img_build_app(&small, &img))
        return 0;
    size_t n = img.n;
    img_free(&img);
    return n;
}

/** Sum of all segment data of the image at `start`; sets *end to the checksum's offset. */
static uint8_t sum_segments(const struct img *img, size_t start, size_t header, size_t *end)
{
    uint8_t sum = 0xef;
    size_t at = start + header;
    for (unsigned i = 0; i < img->data[start + 1]; i++) {
        size_t n = (size_t)img->data[at + 4] | (size_t)img->data[at + 5] << 8 |
                   (size_t)img->data[at + 6] << 16;
        sum ^= img_xor(img->data + at + 8, n);
        at += 8 + n;
    }
    *end = start + (at - start) / 16 * 16 + 15;
    return sum;
}

void img_reseal(const struct img_spec *spec, struct img *img)
{
    size_t at;
    if (strcmp(spec->chip, "ESP8266") == 0) {
        uint8_t sum = sum_segments(img, 0, 8, &at);
        img->data[at] = sum;
        if (!spec->old_core) {
            img_set_u32(img, CRC_OFFSET, 0);
            img_set_u32(img, CRC_OFFSET + 4, 0);
        }
        sum = sum_segments(img, EBOOT_BYTES, 8, &at);
        img->data[at] = sum;
        if (!spec->old_core)
            img_seal_esp8266(img);
        return;
    }
    uint8_t sum = sum_segments(img, 0, 24, &at);
    img->data[at] = sum;
    img->n = at + 1;
    if (!spec->no_hash)
        img_put_sha256(img, 0);
}

const char *const *img_chips(void)
{
    static const char *names[CHIPS + 2] = {"ESP8266"};
    for (size_t i = 0; i < CHIPS; i++)
        names[i + 1] = chips[i].name;
    return names;
}
