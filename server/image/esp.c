/* SPDX-License-Identifier: MIT
 * Owns the segment walk. */
#include "image/esp.h"

#include <string.h>

#include "image/app_desc.h"
#include "image/chip.h"

static void expect(struct esp_walk *w, enum esp_state state, uint32_t n)
{
    w->state = state;
    w->left = n;
    w->got = 0;
    if (state != ESP_DONE)
        w->need = w->position + n;
}

void esp_walk_init(struct esp_walk *w, uint64_t start, unsigned header_bytes)
{
    memset(w, 0, sizeof *w);
    w->start = start;
    w->header_bytes = header_bytes;
    w->xor_sum = 0xef;
    w->position = start;
    expect(w, ESP_HEADER, header_bytes);
    w->position = 0;
}

static void fail(struct esp_walk *w, uint64_t offset, const char *problem, uint32_t value)
{
    w->state = ESP_BROKEN;
    w->problem = problem;
    w->problem_offset = offset;
    w->problem_value = value;
}

static void header_done(struct esp_walk *w)
{
    memcpy(w->header, w->part, w->header_bytes);
    if (w->header[0] != ESP_MAGIC)
        fail(w, w->start, "magic byte", w->header[0]);
    else if (w->header[1] == 0 || w->header[1] > IMAGE_SEGMENTS_MAX)
        fail(w, w->start + 1, "segment count", w->header[1]);
    else
        expect(w, ESP_SEGMENT_HEAD, ESP_SEGMENT_HEADER);
}

/** The padding before the checksum: its last byte is the last of a 16-byte line. */
static void segments_done(struct esp_walk *w)
{
    uint64_t length = w->position - w->start;
    expect(w, ESP_PADDING, (uint32_t)(16 - length % 16));
}

static void segment_done(struct esp_walk *w)
{
    if (!w->desc.found)
        app_desc_parse(w->probe, w->probe_n, w->segments[w->segment_count - 1].offset, &w->desc);
    if (w->segment_count == 1)
        memcpy(w->first_data, w->probe,
               w->probe_n < sizeof w->first_data ? w->probe_n : sizeof w->first_data);
    if (w->segment_count == w->header[1])
        segments_done(w);
    else
        expect(w, ESP_SEGMENT_HEAD, ESP_SEGMENT_HEADER);
}

static void segment_head_done(struct esp_walk *w)
{
    struct image_segment *s = &w->segments[w->segment_count];
    s->load = le32(w->part);
    s->length = le32(w->part + 4);
    s->offset = w->position;
    if (s->length >= ESP_SEGMENT_MAX) {
        fail(w, w->position - 4, "segment length", s->length);
        return;
    }
    w->segment_count++;
    w->probe_n = 0;
    expect(w, ESP_SEGMENT_DATA, s->length);
    if (s->length == 0)
        segment_done(w);
}

static void padding_done(struct esp_walk *w, uint8_t last)
{
    w->stored_sum = last;
    w->sum_offset = w->position - 1;
    if (w->header_bytes == ESP_LONG_HEADER && w->header[23] == 1) {
        expect(w, ESP_HASH, OTAD_SHA256_LEN);
        return;
    }
    w->end = w->position;
    expect(w, ESP_DONE, 0);
}

static void hash_done(struct esp_walk *w)
{
    w->end = w->position;
    expect(w, ESP_DONE, 0);
}

static uint8_t xor_all(uint8_t sum, const uint8_t *p, size_t n)
{
    uint64_t wide = 0;
    for (; n >= sizeof wide; n -= sizeof wide, p += sizeof wide) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        wide ^= word;
    }
    for (unsigned shift = 0; shift < 64; shift += 8)
        sum ^= (uint8_t)(wide >> shift);
    for (; n > 0; n--)
        sum ^= *p++;
    return sum;
}

static void take_segment_data(struct esp_walk *w, const uint8_t *p, size_t n)
{
    w->xor_sum = xor_all(w->xor_sum, p, n);
    size_t room = sizeof w->probe - w->probe_n;
    size_t keep = n < room ? n : room;
    memcpy(w->probe + w->probe_n, p, keep);
    w->probe_n += (unsigned)keep;
    if (w->left == 0)
        segment_done(w);
}

static void take_part(struct esp_walk *w, const uint8_t *p, size_t n)
{
    if (w->state == ESP_HASH)
        memcpy(w->hash + w->got, p, n);
    else if (w->state != ESP_PADDING)
        memcpy(w->part + w->got, p, n);
    w->got += (unsigned)n;
    if (w->left > 0)
        return;
    if (w->state == ESP_HEADER)
        header_done(w);
    else if (w->state == ESP_SEGMENT_HEAD)
        segment_head_done(w);
    else if (w->state == ESP_PADDING)
        padding_done(w, p[n - 1]);
    else
        hash_done(w);
}

void esp_walk_feed(struct esp_walk *w, const uint8_t *p, size_t n)
{
    if (w->position < w->start) {
        uint64_t skip = w->start - w->position;
        if (skip > n)
            skip = n;
        p += skip;
        n -= (size_t)skip;
        w->position += skip;
    }
    while (n > 0 && w->state != ESP_DONE && w->state != ESP_BROKEN) {
        size_t take = n < w->left ? n : w->left;
        w->left -= (uint32_t)take;
        w->position += take;
        if (w->state == ESP_SEGMENT_DATA)
            take_segment_data(w, p, take);
        else
            take_part(w, p, take);
        p += take;
        n -= take;
    }
}

bool esp_walk_is_cut(const struct esp_walk *w)
{
    return w->state != ESP_DONE && w->state != ESP_BROKEN;
}

uint64_t esp_span(struct bytes b, uint64_t start, unsigned header_bytes, enum image_chip chip,
                  bool *flash)
{
    *flash = false;
    if (!bytes_has(b, start, header_bytes) || b.data[start] != ESP_MAGIC ||
        b.data[start + 1] > IMAGE_SEGMENTS_MAX)
        return 0;
    uint64_t at = start + header_bytes;
    for (unsigned i = 0; i < b.data[start + 1]; i++) {
        if (!bytes_has(b, at, ESP_SEGMENT_HEADER) || le32(b.data + at + 4) >= ESP_SEGMENT_MAX)
            return 0;
        *flash |= chip_maps_flash(chip, le32(b.data + at));
        at += ESP_SEGMENT_HEADER + le32(b.data + at + 4);
    }
    at += 16 - (at - start) % 16;
    if (header_bytes == ESP_LONG_HEADER && b.data[start + 23] == 1)
        at += OTAD_SHA256_LEN;
    return at <= b.n ? at : 0;
}

void esp_walk_report(const struct esp_walk *w, struct image_info *info)
{
    info->image_offset = w->start;
    info->image_bytes = w->state == ESP_DONE ? w->end - w->start : 0;
    info->segment_count = w->segment_count;
    memcpy(info->segments, w->segments, sizeof info->segments);
    info->desc = w->desc;
    if (w->state == ESP_HEADER || (w->state == ESP_BROKEN && w->segment_count == 0))
        return;
    info->header_found = true;
    info->flash_mode = info->flash_mode_byte = w->header[2];
    info->flash_size_freq_byte = w->header[3];
    info->flash_size_bytes = chip_flash_bytes(info->chip, w->header[3] >> 4);
    info->flash_freq_mhz = chip_flash_mhz(info->chip, w->header[3] & 15u);
    info->entry = le32(w->header + 4);
    if (w->header_bytes == ESP_LONG_HEADER) {
        info->min_revision = le16(w->header + 15);
        info->max_revision = le16(w->header + 17);
    }
}
