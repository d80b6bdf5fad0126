/* SPDX-License-Identifier: MIT
 * gzip files: any bytes behind the magic; and any content, packed, is the kind it is plain. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct image_digests known = {.md5 = {1}, .sha256 = {2}};

static struct image_info inspect(const uint8_t *data, size_t n)
{
    struct image_info info;
    if (image_inspect(data, n, &known, &info) != OTAD_E_OK)
        abort();
    return info;
}

static void inspect_as_gzip(const uint8_t *data, size_t n)
{
    uint8_t *file = malloc(n + 3);
    if (file == NULL)
        abort();
    memcpy(file, "\x1f\x8b\x08", 3);
    memcpy(file + 3, data, n);
    struct image_info info = inspect(file, n + 3);
    if (!info.gzip.found || info.gzip.packed_bytes > n + 3 ||
        info.gzip.unpacked_bytes > IMAGE_UNPACKED_MAX + 65536)
        abort();
    free(file);
}

/** Packs fast and badly: what matters is what comes out again. */
static uint8_t *pack(const uint8_t *data, size_t n, size_t *out_n)
{
    z_stream z = {0};
    if (deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    uLong bound = deflateBound(&z, n);
    uint8_t *copy = malloc(n), *packed = malloc(bound);
    if (copy == NULL || packed == NULL)
        abort();
    memcpy(copy, data, n);
    z.next_in = copy;
    z.avail_in = (uInt)n;
    z.next_out = packed;
    z.avail_out = (uInt)bound;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        abort();
    *out_n = z.total_out;
    (void)deflateEnd(&z);
    free(copy);
    return packed;
}

static void compare_with_plain(const uint8_t *data, size_t n)
{
    size_t packed_n;
    uint8_t *packed = pack(data, n, &packed_n);
    struct image_info plain = inspect(data, n), inner = inspect(packed, packed_n);
    free(packed);
    if (plain.gzip.found) /* a gzip file in a gzip file is not looked into twice */
        return;
    if (inner.kind != plain.kind || inner.chip != plain.chip || !inner.gzip.complete ||
        inner.image_bytes != plain.image_bytes || inner.defect_count != plain.defect_count ||
        memcmp(&inner.sums, &plain.sums, sizeof plain.sums) != 0 ||
        memcmp(&inner.blynk, &plain.blynk, sizeof plain.blynk) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    inspect_as_gzip(data, n);
    if (n > 0 && n < 65536)
        compare_with_plain(data, n);
    return 0;
}
