/* SPDX-License-Identifier: MIT
 * The segment walk: an image in one piece and in pieces of any size gives the same result, and
 * the quick span agrees with it about where a complete image ends. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image/esp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/** What a caller may read; the cursor inside the walk differs by how the pieces fell. */
static void check_same(const struct esp_walk *a, const struct esp_walk *b)
{
    if (a->state != b->state || a->segment_count != b->segment_count || a->end != b->end ||
        a->need != b->need || a->xor_sum != b->xor_sum || a->sum_offset != b->sum_offset ||
        memcmp(a->segments, b->segments, sizeof a->segments) != 0 ||
        memcmp(a->hash, b->hash, sizeof a->hash) != 0 ||
        memcmp(&a->desc, &b->desc, sizeof a->desc) != 0)
        abort();
}

static void feed_pieces(struct esp_walk *w, const uint8_t *data, size_t n, uint8_t seed)
{
    for (size_t at = 0, step; at < n; at += step) {
        seed = (uint8_t)(seed * 5 + 1);
        step = (size_t)1 + seed % 37;
        if (step > n - at)
            step = n - at;
        esp_walk_feed(w, data + at, step);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2)
        return 0;
    unsigned header = data[0] & 1 ? ESP_LONG_HEADER : ESP_SHORT_HEADER;
    uint64_t start = data[0] >> 1;
    struct esp_walk whole, pieces;
    bool flash;
    esp_walk_init(&whole, start, header);
    esp_walk_init(&pieces, start, header);
    esp_walk_feed(&whole, data + 2, n - 2);
    feed_pieces(&pieces, data + 2, n - 2, data[1]);
    check_same(&whole, &pieces);
    uint64_t end =
        esp_span((struct bytes){data + 2, n - 2}, start, header, IMAGE_CHIP_ESP32_C3, &flash);
    if (whole.state == ESP_DONE ? end != whole.end : end != 0 && whole.state != ESP_BROKEN)
        abort();
    return 0;
}
