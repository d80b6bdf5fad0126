/* SPDX-License-Identifier: MIT
 * Owns the recognition of filesystems. Sources: littlefs SPEC.md; SPIFFS spiffs_nucleus.h
 * (SPIFFS_MAGIC, SPIFFS_MAGIC_PADDR) with the settings of the ESP8266 core and of ESP-IDF. */
#include "image/filesystem.h"

#include <inttypes.h>
#include <stdio.h>

#include "image/littlefs.h"
#include "image/note.h"

static bool is_power_of_two(uint32_t v)
{
    return v != 0 && (v & (v - 1)) == 0;
}

bool filesystem_is_littlefs(struct bytes b, uint64_t offset, struct image_fs *out)
{
    /* revision[4] tag[4] "littlefs" tag[4] version[4] block size[4] block count[4] */
    if (!bytes_match(b, offset + 8, "littlefs", 8) || !bytes_has(b, offset, 32))
        return false;
    const uint8_t *p = b.data + offset;
    struct image_fs fs = {
        .version = le32(p + 20), .block_bytes = le32(p + 24), .block_count = le32(p + 28)};
    if (fs.version >> 16 != 2 || !is_power_of_two(fs.block_bytes) || fs.block_bytes < 128 ||
        fs.block_bytes > 0x100000 || fs.block_count < 2)
        return false;
    if (out != NULL)
        *out = fs;
    return true;
}

static void judge_size(struct inspection *in)
{
    const struct image_fs *fs = &in->info->fs;
    uint64_t want = (uint64_t)fs->block_bytes * fs->block_count;
    if (want > in->total)
        note_truncated(in->info, "length of the filesystem", want, in->total);
    else if (want < in->total)
        note_warning(in->info, IMAGE_WARN_TRAILING, want, "%" PRIu64 " bytes follow the filesystem",
                     in->total - want);
}

/** The superblock lives in the first two blocks, in the one with the newer revision. */
static bool plan_littlefs(struct inspection *in)
{
    struct bytes head = in->head;
    struct image_fs fs = {0};
    uint64_t second = 0;
    if (!filesystem_is_littlefs(head, 0, &fs)) {
        for (uint64_t block = 512; second == 0 && block <= 0x10000; block *= 2)
            if (filesystem_is_littlefs(head, block, &fs) && fs.block_bytes == block)
                second = block;
        if (second == 0)
            return false;
    }
    in->info->kind = IMAGE_LITTLEFS;
    in->info->fs = fs;
    bool sound = littlefs_block_is_sound(head, 0, fs.block_bytes) ||
                 littlefs_block_is_sound(head, fs.block_bytes, fs.block_bytes);
    if (!sound && bytes_has(head, 0, 2 * (uint64_t)fs.block_bytes))
        note_defect(in->info, IMAGE_DEFECT_CHECKSUM, 0, "CRC-32 of the LittleFS superblock",
                    "a valid one in block 0 or 1", "none");
    judge_size(in);
    return true;
}

/* ---- SPIFFS: a 16-bit magic in the last but one entry of each block's lookup pages ---- */

struct spiffs_geometry {
    uint32_t page, block;
    bool with_length; /* ESP-IDF mixes in how many blocks are left */
};

static uint16_t spiffs_magic_at(struct bytes b, const struct spiffs_geometry *g, uint64_t block)
{
    uint32_t lookup_pages = g->block / g->page * 2 / g->page;
    if (lookup_pages == 0)
        lookup_pages = 1;
    uint64_t at = block * g->block + (uint64_t)lookup_pages * g->page - 4;
    return bytes_has(b, at, 2) ? le16(b.data + at) : 0;
}

static uint16_t spiffs_magic(const struct spiffs_geometry *g, uint64_t blocks_left)
{
    uint32_t magic = 0x20140529u ^ g->page;
    return (uint16_t)(g->with_length ? magic ^ (uint32_t)blocks_left : magic);
}

/** How many blocks the filesystem has, read from its first magics; 0 when they don't fit. */
static uint64_t spiffs_blocks(struct bytes head, uint64_t total, const struct spiffs_geometry *g)
{
    uint64_t seen = head.n / g->block;
    uint64_t blocks = total / g->block;
    if (g->with_length)
        blocks = (uint16_t)(spiffs_magic_at(head, g, 0) ^ spiffs_magic(g, 0));
    if (seen > blocks)
        seen = blocks;
    if (seen < 2 || (!g->with_length && total % g->block != 0))
        return 0;
    for (uint64_t i = 0; i < seen; i++)
        if (spiffs_magic_at(head, g, i) != spiffs_magic(g, blocks - i))
            return 0;
    return blocks;
}

static bool plan_spiffs(struct inspection *in)
{
    static const uint32_t pages[] = {256, 512, 1024}, blocks[] = {4096, 8192, 16384, 32768, 65536};
    for (unsigned i = 0; i < OTAD_COUNT(pages) * OTAD_COUNT(blocks) * 2; i++) {
        struct spiffs_geometry g = {.with_length = i % 2 != 0,
                                    .page = pages[i / 2 % OTAD_COUNT(pages)],
                                    .block = blocks[i / 2 / OTAD_COUNT(pages)]};
        uint64_t count = spiffs_blocks(in->head, in->total, &g);
        if (count == 0)
            continue;
        in->info->kind = IMAGE_SPIFFS;
        in->info->fs = (struct image_fs){
            .block_bytes = g.block, .block_count = (uint32_t)count, .page_bytes = g.page};
        judge_size(in);
        return true;
    }
    return false;
}

/** A FAT boot sector, at 0 or behind the one erased sector that wear levelling puts in front. */
static bool plan_fat(struct inspection *in)
{
    uint64_t at = bytes_all(in->head, 0, 4096, 0xff) ? 4096 : 0;
    if (!bytes_has(in->head, at, 512))
        return false;
    const uint8_t *p = in->head.data + at;
    uint16_t sector = le16(p + 11);
    if (p[0] != 0xeb || p[2] != 0x90 || p[510] != 0x55 || p[511] != 0xaa ||
        !is_power_of_two(sector) || sector < 512 || sector > 4096 || p[16] < 1 || p[16] > 2)
        return false;
    in->info->kind = IMAGE_FAT;
    in->info->fs.block_bytes = sector;
    in->info->fs.block_count = le16(p + 19) != 0 ? le16(p + 19) : le32(p + 32);
    uint64_t want = at + (uint64_t)sector * in->info->fs.block_count;
    if (want > in->total)
        note_truncated(in->info, "length of the filesystem", want, in->total);
    return true; /* wear levelling keeps sectors of its own behind the volume */
}

bool filesystem_plan(struct inspection *in)
{
    return plan_littlefs(in) || plan_spiffs(in) || plan_fat(in);
}
