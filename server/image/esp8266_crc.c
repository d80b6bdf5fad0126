/* SPDX-License-Identifier: MIT
 * Owns eboot's CRC-32. It is zlib's with the bits of every byte, and of the result, in reverse
 * order, and without the final xor: so zlib's fast code does the work. */
#include <string.h>

#include <zlib.h>

#include "image/esp8266.h"

static uint32_t reverse32(uint32_t v)
{
    v = (v >> 1 & 0x55555555u) | (v & 0x55555555u) << 1;
    v = (v >> 2 & 0x33333333u) | (v & 0x33333333u) << 2;
    v = (v >> 4 & 0x0f0f0f0fu) | (v & 0x0f0f0f0fu) << 4;
    v = (v >> 8 & 0x00ff00ffu) | (v & 0x00ff00ffu) << 8;
    return v >> 16 | v << 16;
}

/** Turns the bits of each of the 8 bytes around. */
static uint64_t reverse_bytes(uint64_t v)
{
    v = (v >> 1 & 0x5555555555555555u) | (v & 0x5555555555555555u) << 1;
    v = (v >> 2 & 0x3333333333333333u) | (v & 0x3333333333333333u) << 2;
    return (v >> 4 & 0x0f0f0f0f0f0f0f0fu) | (v & 0x0f0f0f0f0f0f0f0fu) << 4;
}

uint32_t esp8266_crc(uint32_t crc, const uint8_t *p, size_t n)
{
    uint64_t turned[512];
    uint32_t z = ~reverse32(crc);
    while (n > 0) {
        size_t take = n < sizeof turned ? n : sizeof turned;
        size_t words = (take + 7) / 8;
        turned[words - 1] = 0; /* the last word may be filled in part */
        memcpy(turned, p, take);
        for (size_t i = 0; i < words; i++)
            turned[i] = reverse_bytes(turned[i]);
        z = (uint32_t)crc32_z(z, (const Bytef *)turned, take);
        p += take;
        n -= take;
    }
    return reverse32(~z);
}

uint32_t esp8266_crc_image(uint32_t crc, uint64_t offset, const uint8_t *p, size_t n)
{
    static const uint8_t zero[8] = {0};
    const uint64_t hole = ESP8266_LENGTH_OFFSET, hole_end = hole + sizeof zero;
    while (n > 0) {
        bool inside = offset >= hole && offset < hole_end;
        uint64_t stop = inside ? hole_end : offset < hole ? hole : offset + n;
        size_t take = stop - offset < n ? (size_t)(stop - offset) : n;
        crc = esp8266_crc(crc, inside ? zero : p, take);
        p += take;
        offset += take;
        n -= take;
    }
    return crc;
}
