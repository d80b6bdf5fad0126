/* SPDX-License-Identifier: MIT
 * Owns the buffer that images grow in, and the pieces they share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "support/imgbuild.h"

void img_fail(const char *what)
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
            img_fail("out of memory");
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
        img_fail("word outside the image");
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

uint8_t img_xor(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;
    while (n-- > 0)
        sum ^= *p++;
    return sum;
}

void img_put_segment(struct img *img, uint32_t load, const struct img *data, uint8_t *sum)
{
    img_put_u32(img, load);
    img_put_u32(img, (uint32_t)data->n);
    img_put(img, data->data, data->n);
    *sum ^= img_xor(data->data, data->n);
}

void img_put_filler_segment(struct img *img, uint32_t load, size_t n, uint64_t *state, uint8_t *sum)
{
    struct img data = {0};
    img_put_filler(&data, state, n, false);
    img_put_segment(img, load, &data, sum);
    img_free(&data);
}

void img_put_checksum(struct img *img, size_t start, uint8_t sum)
{
    img_fill(img, 0, 15 - (img->n - start) % 16);
    img_put(img, &sum, 1);
}

void img_put_header(struct img *img, unsigned segments, uint8_t mode, uint8_t size_freq,
                    uint32_t entry)
{
    const uint8_t head[4] = {0xe9, (uint8_t)segments, mode, size_freq};
    img_put(img, head, sizeof head);
    img_put_u32(img, entry);
}

void img_put_sha256(struct img *img, size_t start)
{
    uint8_t sha[32];
    if (digest_sha256(img->data + start, img->n - start, sha) != OTAD_E_OK)
        img_fail("SHA-256");
    img_put(img, sha, sizeof sha);
}

void img_put_field(struct img *img, const char *text, size_t n)
{
    size_t used = strlen(text) < n ? strlen(text) : n;
    img_put(img, text, used);
    img_fill(img, 0, n - used);
}

void img_put_long_header(struct img *img, unsigned chip_id, bool hash)
{
    uint8_t rest[16] = {0xee}; /* WP pin disabled */
    rest[4] = (uint8_t)chip_id;
    rest[5] = (uint8_t)(chip_id >> 8);
    rest[9] = 0xff, rest[10] = 0xff; /* max revision: any */
    rest[15] = hash;
    img_put(img, rest, sizeof rest);
}
