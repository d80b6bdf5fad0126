/* SPDX-License-Identifier: MIT
 * Owns the test images that are no Arduino or ESP-IDF application. */
#include <string.h>

#include <zlib.h>

#include "base/digest.h"
#include "support/imgbuild.h"

#define SECTOR 4096u

void img_build_bootloader(const char *chip, uint64_t seed, bool described, struct img *out)
{
    unsigned id = 0;
    uint32_t dram = 0, iram = 0;
    uint8_t sum = 0xef;
    uint64_t state = seed;
    struct img first = {0};
    if (!img_chip_ram(chip, &id, &dram, &iram))
        img_fail("no such chip");
    if (described) { /* esp_bootloader_desc_t: magic 0x50, version, idf_ver[32], date_time[24] */
        img_put_u32(&first, 0x50);
        img_put_u32(&first, 1);
        img_put_field(&first, "v5.3.1", 32);
        img_put_field(&first, "Mar  9 2024 22:25:48", 24);
        img_fill(&first, 0, 80 - first.n);
    } else {
        img_put_filler(&first, &state, 80, false);
    }
    img_put_header(out, 3, 2, 0x2f, iram);
    img_put_long_header(out, id, true);
    img_put_segment(out, dram, &first, &sum);
    img_put_filler_segment(out, iram, 640, &state, &sum);
    img_put_filler_segment(out, iram + 0x1000, 1280, &state, &sum);
    img_put_checksum(out, 0, sum);
    img_put_sha256(out, 0);
    img_free(&first);
}

static void put_row(struct img *img, uint8_t type, uint8_t subtype, uint32_t offset, uint32_t size,
                    const char *label)
{
    const uint8_t head[4] = {0xaa, 0x50, type, subtype};
    img_put(img, head, sizeof head);
    img_put_u32(img, offset);
    img_put_u32(img, size);
    img_put_field(img, label, 16);
    img_put_u32(img, 0);
}

void img_build_table(bool with_md5, struct img *out)
{
    size_t start = out->n;
    put_row(out, 1, 2, 0x9000, 0x5000, "nvs");
    put_row(out, 1, 0, 0xe000, 0x2000, "otadata");
    put_row(out, 0, 0x10, 0x10000, 0x140000, "app0");
    put_row(out, 0, 0x11, 0x150000, 0x140000, "app1");
    put_row(out, 1, 0x82, 0x290000, 0x170000, "spiffs");
    if (with_md5) {
        uint8_t md5[16];
        if (digest_md5(out->data + start, out->n - start, md5) != OTAD_E_OK)
            img_fail("MD5");
        img_fill(out, 0xeb, 2);
        img_fill(out, 0xff, 14);
        img_put(out, md5, sizeof md5);
    }
    img_fill(out, 0xff, 3072 - (out->n - start));
}

void img_build_otadata(struct img *out)
{
    size_t start = out->n;
    img_put_u32(out, 1);
    img_fill(out, 0xff, 24);
    img_put_u32(out, 0x4743989a); /* CRC of sequence 1, a vector of the format's description */
    img_fill(out, 0xff, SECTOR - 32);
    img_put_u32(out, 0);
    img_fill(out, 0xff, start + 2 * SECTOR - out->n);
}

void img_build_merged(const struct img_spec *spec, struct img *out)
{
    struct img app = {0};
    bool late = strcmp(spec->chip, "ESP32") == 0 || strcmp(spec->chip, "ESP32-S2") == 0;
    if (!img_build_app(spec, &app))
        img_fail("no such chip");
    struct img boot = {0};
    img_build_bootloader(spec->chip, spec->seed, false, &boot);
    img_fill(out, 0xff, late ? SECTOR : 0);
    img_put(out, boot.data, boot.n);
    img_fill(out, 0xff, 0x8000 - out->n);
    img_build_table(true, out);
    img_fill(out, 0xff, 0xe000 - out->n);
    img_build_otadata(out);
    img_put(out, app.data, app.n);
    img_free(&boot);
    img_free(&app);
}

void img_build_eboot(uint64_t seed, struct img *out)
{
    struct img app = {0};
    if (!img_build_app(&(struct img_spec){.chip = "ESP8266", .seed = seed}, &app))
        img_fail("ESP8266");
    img_put(out, app.data, SECTOR);
    img_free(&app);
}

void img_build_esp8266_v1(uint64_t seed, struct img *out)
{
    uint8_t sum = 0xef;
    size_t start = out->n;
    img_put_header(out, 2, 2, 0x40, 0x40100004);
    img_put_filler_segment(out, 0x40100000, 512, &seed, &sum);
    img_put_filler_segment(out, 0x3ffe8000, 256, &seed, &sum);
    img_put_checksum(out, start, sum);
}

void img_build_esp8266_v2(uint64_t seed, struct img *out)
{
    img_put_header(out, 4, 2, 0x40, 0x40100004);
    out->data[0] = 0xea;
    img_put_u32(out, 0); /* irom: load address 0 */
    img_put_u32(out, 1024);
    img_put_filler(out, &seed, 1024, false);
    img_build_esp8266_v1(seed, out);
    img_put_u32(out, (uint32_t)crc32(0, out->data, (uInt)out->n));
}

void img_build_esp8266_rtos(uint64_t seed, struct img *out)
{
    uint8_t sum = 0xef;
    img_put_header(out, 3, 2, 0x20, 0x40100a10);
    img_put_long_header(out, 0, true);
    img_put_filler_segment(out, 0x40210010, 1024, &seed, &sum);
    img_put_filler_segment(out, 0x40100000, 512, &seed, &sum);
    img_put_filler_segment(out, 0x3ffe8000, 256, &seed, &sum);
    img_put_checksum(out, 0, sum);
    img_put_sha256(out, 0);
}

/* ---- LittleFS ---- */

static void put_be32(struct img *img, uint32_t v)
{
    const uint8_t bytes[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
                              (uint8_t)v};
    img_put(img, bytes, sizeof bytes);
}

/** Bit by bit, apart from the parser's: polynomial EDB88320, no final xor. */
static uint32_t lfs_crc(const uint8_t *p, size_t n)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return crc;
}

static uint32_t lfs_tag(uint32_t type, uint32_t id, uint32_t length)
{
    return type << 20 | id << 10 | length;
}

void img_build_littlefs(uint32_t block_bytes, uint32_t blocks, unsigned first, struct img *out)
{
    struct img log = {0};
    uint32_t tag = lfs_tag(0x0ff, 0, 8), before = tag; /* superblock name */
    img_fill(out, 0xff, first * block_bytes);
    img_put_u32(&log, 1); /* revision */
    put_be32(&log, tag ^ 0xffffffff);
    img_put(&log, "littlefs", 8);
    tag = lfs_tag(0x201, 0, 24); /* superblock, inline struct */
    put_be32(&log, tag ^ before);
    before = tag;
    img_put_u32(&log, 0x00020001);
    img_put_u32(&log, block_bytes);
    img_put_u32(&log, blocks);
    img_put_u32(&log, 255);        /* longest name */
    img_put_u32(&log, 0x7fffffff); /* largest file */
    img_put_u32(&log, 1022);       /* largest attribute */
    put_be32(&log, lfs_tag(0x500, 0x3ff, 4) ^ before);
    img_put_u32(&log, lfs_crc(log.data, log.n));
    img_put(out, log.data, log.n);
    img_fill(out, 0xff, (size_t)block_bytes * blocks - out->n);
    img_free(&log);
}

void img_build_spiffs(uint32_t page, uint32_t block_bytes, uint32_t blocks, bool with_length,
                      struct img *out)
{
    uint32_t lookup = block_bytes / page * 2;
    lookup = lookup < page ? page : lookup / page * page;
    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t magic = 0x20140529 ^ page ^ (with_length ? blocks - i : 0);
        const uint8_t end[4] = {(uint8_t)magic, (uint8_t)(magic >> 8), 0, 0}; /* 0: erase count */
        img_fill(out, 0xff, lookup - 4);
        img_put(out, end, sizeof end);
        img_fill(out, 0xff, block_bytes - lookup);
    }
}

void img_build_fat(bool levelled, struct img *out)
{
    uint8_t sector[SECTOR] = {0xeb, 0xfe, 0x90, 'M',  'S', 'D', 'O', 'S', '5',
                              '.',  '0',  0x00, 0x10, 1,   1,   0,   1};
    sector[19] = 17; /* sectors */
    sector[510] = 0x55;
    sector[511] = 0xaa;
    img_fill(out, 0xff, levelled ? SECTOR : 0);
    img_put(out, sector, sizeof sector);
    img_fill(out, 0, 16 * SECTOR);
}
