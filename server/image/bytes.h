/* SPDX-License-Identifier: MIT
 * Integers out of byte ranges; every reader checks its range. */
#ifndef OTAD_IMAGE_BYTES_H
#define OTAD_IMAGE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** A borrowed byte range; valid while the caller of image_inspect() waits. */
struct bytes {
    const uint8_t *data;
    size_t n;
};

/** Whether n bytes stand at offset. */
static inline bool bytes_has(struct bytes b, uint64_t offset, uint64_t n)
{
    return offset <= b.n && n <= b.n - offset;
}

/** Little-endian 32 bits at p; the caller has checked the range. */
static inline uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/** Little-endian 16 bits at p; the caller has checked the range. */
static inline uint16_t le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

/** Whether the n bytes of `text` stand at offset. */
static inline bool bytes_match(struct bytes b, uint64_t offset, const char *text, size_t n)
{
    return bytes_has(b, offset, n) && memcmp(b.data + offset, text, n) == 0;
}

/** Whether the n bytes at offset, all of them there, have one value. */
static inline bool bytes_all(struct bytes b, uint64_t offset, uint64_t n, uint8_t value)
{
    if (!bytes_has(b, offset, n))
        return false;
    const uint8_t *p = b.data + offset;
    /* a range whose bytes all equal their neighbour and whose first is the value */
    return n == 0 || (p[0] == value && (n == 1 || memcmp(p, p + 1, (size_t)n - 1) == 0));
}

/** b without its first `offset` bytes; empty when it is shorter. */
static inline struct bytes bytes_from(struct bytes b, uint64_t offset)
{
    if (offset >= b.n)
        return (struct bytes){b.data + b.n, 0};
    return (struct bytes){b.data + offset, b.n - (size_t)offset};
}

#endif
