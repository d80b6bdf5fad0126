/* SPDX-License-Identifier: MIT
 * Owns the applications that tests and the demo are made of. */
#include "support/imgbuild.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

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

static void fail(const char *what)
{
    (void)fprintf(stderr, "imgbuild: %s\n", what);
    abort();
}

void img_free(struct img *img)
{
    free(img->data);
    *img = (struct img){0};
}

void img_put(struct img *img, const void *data, size_t n)
{
    if (img->cap - img->n < n) {
        size_t cap = (img->n + n) * 2;
        uint8_t *grown = realloc(img->data, cap);
        if (grown == NULL)
            fail("out of memory");
        img->data = grown;
        img->cap = cap;
    }
    if (n > 0)
        memcpy(img->data + img->n, data, n);
    img->n += n;
}

void img_fill(struct img *img, uint8_t value, size_t n)
{
    uint8_t block[256];
    memset(block, value, sizeof block);
    for (size_t take; n > 0; n -= take) {
        take = n < sizeof block ? n : sizeof block;
        img_put(img, block, take);
    }
}

void img_set_u32(struct img *img, size_t offset, uint32_t value)
{
    if (offset > img->n || img->n - offset < 4)
        fail("word outside the image");
    for (unsigned i = 0; i < 4; i++)
        img->data[offset + i] = (uint8_t)(value >> 8 * i);
}

void img_put_u32(struct img *img, uint32_t value)
{
    img_fill(img, 0, 4);
    img_set_u32(img, img->n - 4, value);
}

/** splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void img_put_filler(struct img *img, uint64_t *state, size_t n, bool compressible)
{
    while (n > 0) {
        uint64_t word = next_random(state);
        if (compressible)
            word &= UINT64_C(0x0f0f0f0f0f0f0f0f);
        uint8_t block[8];
        for (unsigned i = 0; i < 8; i++)
            block[i] = (uint8_t)(word >> 8 * i);
        size_t take = n < sizeof block ? n : sizeof block;
        img_put(img, block, take);
        n -= take;
    }
}

static void put_word(struct img *img, const char *text)
{
    img_put(img, text, strlen(text) + 1);
}

static void put_pair(struct img *img, const char *key, const char *value)
{
    put_word(img, key);
    put_word(img, value);
}

void img_put_blynk(struct img *img, const char *mcu, const char *fw_type, const char *dev)
{
    put_word(img, "blnkinf");
    put_pair(img, "mcu", mcu);
    if (fw_type != NULL)
        put_pair(img, "fw-type", fw_type);
    put_pair(img, "build", "Mar  9 2024 22:25:48");
    put_pair(img, "blynk", "1.3.2");
    put_pair(img, "h-beat", "45");
    put_pair(img, "buff-in", "1024");
    put_pair(img, "dev", dev);
    img_fill(img, 0, 1);
}

/** What stands at the start of the first segment, behind the words of the format. */
static void put_content(const struct img_spec *spec, struct img *out)
{
    if (spec->version != NULL)
        img_put_blynk(out, spec->version, spec->fw_type, spec->chip);
    if (spec->extra_n > 0)
        img_put(out, spec->extra, spec->extra_n);
    img_fill(out, 0, (4 - out->n % 4) % 4);
}

static uint8_t xor_of(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;
    while (n-- > 0)
        sum ^= *p++;
    return sum;
}

/** Writes segment header and data, and adds the data to the checksum. */
static void put_segment(struct img *img, uint32_t load, const struct img *data, uint8_t *sum)
{
    img_put_u32(img, load);
    img_put_u32(img, (uint32_t)data->n);
    img_put(img, data->data, data->n);
    *sum ^= xor_of(data->data, data->n);
}

static void put_filler_segment(struct img *img, uint32_t load, size_t n, uint64_t *state,
                               uint8_t *sum)
{
    struct img data = {0};
    img_put_filler(&data, state, n, false);
    put_segment(img, load, &data, sum);
    img_free(&data);
}

/** Zeros so that the checksum is the last byte of a 16-byte line, counted from `start`. */
static void put_checksum(struct img *img, size_t start, uint8_t sum)
{
    img_fill(img, 0, 15 - (img->n - start) % 16);
    img_put(img, &sum, 1);
}

static void put_header(struct img *img, unsigned segments, uint8_t mode, uint8_t size_freq,
                       uint32_t entry)
{
    const uint8_t head[4] = {0xe9, (uint8_t)segments, mode, size_freq};
    img_put(img, head, sizeof head);
    img_put_u32(img, entry);
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
    put_header(out, spec->old_core ? 1 : 2, spec->flash_mode, esp8266_size_freq(spec), 0x4010f29c);
    put_filler_segment(out, 0x4010f000, 2048, state, &sum);
    if (!spec->old_core)
        put_filler_segment(out, 0x4010f800, 320, state, &sum);
    put_checksum(out, 0, sum);
    img_fill(out, 0xaa, EBOOT_BYTES - out->n);
}

static void seal_esp8266(const struct img_spec *spec, struct img *out)
{
    if (spec->old_core)
        return;
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
    put_header(out, others + 1, spec->flash_mode, esp8266_size_freq(spec), 0x401000bc);
    put_segment(out, 0x40201010, &irom, &sum);
    for (unsigned i = 0; i < others; i++)
        put_filler_segment(out, loads[i], SMALL_SEGMENT, &state, &sum);
    put_checksum(out, EBOOT_BYTES, sum);
    img_free(&irom);
    seal_esp8266(spec, out);
}

/* ---- ESP32 family ---- */

static void put_field(struct img *img, const char *text, size_t n)
{
    size_t used = strlen(text) < n ? strlen(text) : n;
    img_put(img, text, used);
    img_fill(img, 0, n - used);
}

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
    put_field(out, library ? "esp-idf: v4.4.4 e8bdaf9198" : version, 32);
    put_field(out, library ? "arduino-lib-builder" : project, 32);
    put_field(out, "22:25:48", 16);
    put_field(out, "Mar  9 2024", 16);
    put_field(out, library ? "v4.4.4" : "v5.3.1", 32);
    img_put_filler(out, state, 32, false); /* SHA-256 of the ELF */
    img_fill(out, 0, 256 - 176);
}

static void put_long_header(const struct img_spec *spec, const struct chip *chip, struct img *out)
{
    uint8_t size = spec->flash_size != 0 ? spec->flash_size : 2;
    uint8_t rest[16] = {0xee};
    rest[4] = (uint8_t)chip->id;
    rest[9] = 0xff, rest[10] = 0xff; /* max revision: any */
    rest[15] = !spec->no_hash;
    put_header(out, 4, spec->flash_mode, (uint8_t)(size << 4 | 0xf), chip->iram);
    img_put(out, rest, sizeof rest);
}

static void put_hash(struct img *img)
{
    uint8_t sha[32];
    if (digest_sha256(img->data, img->n, sha) != OTAD_E_OK)
        fail("SHA-256");
    img_put(img, sha, sizeof sha);
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
    put_long_header(spec, chip, out);
    put_segment(out, chip->drom + 32, &drom, &sum);
    put_filler_segment(out, chip->dram, SMALL_SEGMENT, &state, &sum);
    /* mapped segments: file offset and load address agree modulo the 64 KiB page */
    put_segment(out, chip->irom + 0x10000 + (uint32_t)((out->n + 8) % 0x10000), &irom, &sum);
    put_filler_segment(out, chip->iram, SMALL_SEGMENT, &state, &sum);
    put_checksum(out, 0, sum);
    if (!spec->no_hash)
        put_hash(out);
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
        sum ^= xor_of(img->data + at + 8, n);
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
        seal_esp8266(spec, img);
        return;
    }
    uint8_t sum = sum_segments(img, 0, 24, &at);
    img->data[at] = sum;
    img->n = at + 1;
    if (!spec->no_hash)
        put_hash(img);
}

const char *const *img_chips(void)
{
    static const char *names[CHIPS + 2] = {"ESP8266"};
    for (size_t i = 0; i < CHIPS; i++)
        names[i + 1] = chips[i].name;
    return names;
}
