/* SPDX-License-Identifier: MIT
 * Owns what tools put around a finished image: signatures and gzip. */
#include <stdlib.h>

#include <zlib.h>

#include "support/imgbuild.h"

#define SECTOR 4096u

void img_sign_arduino_esp8266(struct img *img, uint32_t bytes)
{
    uint64_t state = 1;
    img_put_filler(img, &state, bytes, false);
    img_put_u32(img, bytes);
}

void img_sign_arduino_esp32(struct img *img)
{
    uint64_t state = 2;
    img_put_filler(img, &state, 256, false);
    img_fill(img, 0, 512 - 256);
}

void img_sign_secure_boot_v1(struct img *img)
{
    uint64_t state = 3;
    img_put_u32(img, 0); /* version */
    img_put_filler(img, &state, 64, false);
    img_fill(img, 0xff, 12);
}

void img_sign_secure_boot_v2(struct img *img, uint8_t version)
{
    uint64_t state = 4;
    img_fill(img, 0xff, (SECTOR - img->n % SECTOR) % SECTOR);
    struct img block = {0};
    const uint8_t head[4] = {0xe7, version, 0, 0};
    struct img hashed = {0};
    img_put(&hashed, img->data, img->n);
    img_put_sha256(&hashed, 0);
    img_put(&block, head, sizeof head);
    img_put(&block, hashed.data + hashed.n - 32, 32);
    img_put_filler(&block, &state, 1196 - block.n, false);
    img_put_u32(&block, (uint32_t)crc32(0, block.data, (uInt)block.n));
    img_fill(&block, 0, 16);
    img_put(img, block.data, block.n);
    img_fill(img, 0xff, SECTOR - block.n);
    img_free(&hashed);
    img_free(&block);
}

void img_gzip(const struct img *in, struct img *out)
{
    z_stream z = {0};
    if (deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        img_fail("deflate");
    uLong bound = deflateBound(&z, in->n);
    uint8_t *packed = malloc(bound);
    if (packed == NULL)
        img_fail("out of memory");
    z.next_in = in->data;
    z.avail_in = (uInt)in->n;
    z.next_out = packed;
    z.avail_out = (uInt)bound;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        img_fail("deflate");
    img_put(out, packed, z.total_out);
    (void)deflateEnd(&z);
    free(packed);
}
