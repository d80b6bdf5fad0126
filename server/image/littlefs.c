/* SPDX-License-Identifier: MIT
 * Owns the walk over a LittleFS metadata log:
 *
 *   revision[4] { tag[4], big-endian, xor the tag before it; data[length] }… CRC tag, CRC-32[4]
 *
 * tag: 1 bit invalid, 11 bits type, 10 bits id, 10 bits length (3FF: deleted, no data). The CRC
 * (polynomial EDB88320, initial value FFFFFFFF, no final xor) runs from the revision through the
 * CRC tag. Source: littlefs SPEC.md, lfs.c lfs_dir_fetchmatch(). */
#include "image/littlefs.h"

#include <zlib.h>

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

bool littlefs_block_is_sound(struct bytes b, uint64_t offset, uint32_t block_bytes)
{
    if (!bytes_has(b, offset, block_bytes) || block_bytes < 16)
        return false;
    const uint8_t *p = b.data + offset;
    uint32_t before = 0xffffffffu, at = 4;
    uLong crc = crc32(0, p, 4);
    while (at + 8 <= block_bytes) {
        uint32_t tag = be32(p + at) ^ before;
        uint32_t length = tag & 0x3ffu;
        if (tag >> 31 != 0)
            return false;
        crc = crc32(crc, p + at, 4);
        at += 4;
        if ((tag & 0x78000000u) == 0x50000000u) /* the commit's CRC */
            return le32(p + at) == ~(uint32_t)crc;
        if (length == 0x3ffu)
            length = 0;
        if (length > block_bytes - at)
            return false;
        crc = crc32(crc, p + at, length);
        at += length;
        before = tag;
    }
    return false;
}
