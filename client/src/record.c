/* SPDX-License-Identifier: MIT
 * Owns the stored form of the boot record; the layout stands at struct otac_record. */
#include <string.h>

#include "internal.h"

enum offset {
    AT_MAGIC = 0,
    AT_FORMAT = 4,
    AT_ACTIVE = 5,
    AT_REPORT_KIND = 6,
    AT_TRIAL = 7,
    AT_REPORT_CODE = 8,
    AT_REJECTED = 12,
    AT_REPORT_BUILD = 16,
    AT_SLOTS = 24,
    AT_COUNTER = 248,
    AT_CRC = OTAC_RECORD_SIZE - 4
};

enum slot_offset {
    SLOT_BUILD = 0,
    SLOT_SIZE = 8,
    SLOT_SHA256 = 12,
    SLOT_VERSION = 44,
    SLOT_KNOWN = SLOT_VERSION + OTAC_VERSION_MAX,
    SLOT_PROGRESS,
    SLOT_BYTES = 112
};

static const uint8_t magic[] = {'O', 'T', 'A', 'C', 1}; /* and the format */

/* CRC-32 of IEEE 802.3, bit by bit: 256 bytes now and then aren't worth a table. */
static uint32_t crc32(const uint8_t *data, size_t n)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        crc ^= data[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

static void put_le(uint8_t *out, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++, value >>= 8)
        out[i] = (uint8_t)value;
}

static uint64_t get_le(const uint8_t *data, size_t n)
{
    uint64_t value = 0;
    while (n > 0)
        value = (value << 8) | data[--n];
    return value;
}

/* Zero is none, so no image has it. */
uint32_t otac_fingerprint(const struct otac_image *image)
{
    uint8_t raw[8 + sizeof image->sha256];
    put_le(raw, image->build, 8);
    memcpy(raw + 8, image->sha256, sizeof image->sha256);
    uint32_t crc = crc32(raw, sizeof raw);
    return crc + (crc == 0);
}

static void encode(const struct otac_record *r, uint8_t raw[OTAC_RECORD_SIZE])
{
    memset(raw, 0, OTAC_RECORD_SIZE);
    memcpy(raw + AT_MAGIC, magic, sizeof magic);
    raw[AT_ACTIVE] = r->active;
    raw[AT_REPORT_KIND] = r->report.kind;
    raw[AT_TRIAL] = r->trial;
    put_le(raw + AT_REJECTED, r->rejected, 4);
    put_le(raw + AT_COUNTER, r->counter, 4);
    put_le(raw + AT_REPORT_CODE, (uint32_t)r->report.code, 4);
    put_le(raw + AT_REPORT_BUILD, r->report.build, 8);
    for (size_t i = 0; i < OTAC_SLOTS; i++) {
        const struct otac_image *image = &r->slot[i];
        uint8_t *at = raw + AT_SLOTS + i * SLOT_BYTES;
        put_le(at + SLOT_BUILD, image->build, 8);
        put_le(at + SLOT_SIZE, image->size, 4);
        memcpy(at + SLOT_SHA256, image->sha256, sizeof image->sha256);
        memcpy(at + SLOT_VERSION, image->version, OTAC_VERSION_MAX);
        at[SLOT_KNOWN] = image->known;
        put_le(at + SLOT_PROGRESS, image->known ? 0 : r->progress / OTAC_PROGRESS_UNIT, 3);
    }
    put_le(raw + AT_CRC, crc32(raw, AT_CRC), 4);
}

/* The record must hold together: what boots, or is on trial, is a slot with a known image. */
static bool is_sound(const uint8_t raw[OTAC_RECORD_SIZE])
{
    uint8_t active = raw[AT_ACTIVE];
    if (memcmp(raw + AT_MAGIC, magic, sizeof magic) != 0)
        return false;
    if (get_le(raw + AT_CRC, 4) != crc32(raw, AT_CRC) ||
        raw[AT_REPORT_KIND] > OTAC_REPORT_ROLLED_BACK)
        return false;
    if (active == OTAC_NO_SLOT)
        return raw[AT_TRIAL] == 0;
    return active < OTAC_SLOTS && raw[AT_SLOTS + active * SLOT_BYTES + SLOT_KNOWN] != 0;
}

static void decode(const uint8_t raw[OTAC_RECORD_SIZE], struct otac_record *out)
{
    out->active = raw[AT_ACTIVE];
    out->report.kind = raw[AT_REPORT_KIND];
    out->trial = raw[AT_TRIAL];
    out->rejected = (uint32_t)get_le(raw + AT_REJECTED, 4);
    out->counter = (uint32_t)get_le(raw + AT_COUNTER, 4);
    out->progress = 0;
    out->report.code = (int32_t)get_le(raw + AT_REPORT_CODE, 4);
    out->report.build = get_le(raw + AT_REPORT_BUILD, 8);
    for (size_t i = 0; i < OTAC_SLOTS; i++) {
        struct otac_image *image = &out->slot[i];
        const uint8_t *at = raw + AT_SLOTS + i * SLOT_BYTES;
        image->build = get_le(at + SLOT_BUILD, 8);
        image->size = (uint32_t)get_le(at + SLOT_SIZE, 4);
        image->known = at[SLOT_KNOWN] != 0;
        out->progress |= (uint32_t)get_le(at + SLOT_PROGRESS, 3) * OTAC_PROGRESS_UNIT;
        memcpy(image->sha256, at + SLOT_SHA256, sizeof image->sha256);
        memcpy(image->version, at + SLOT_VERSION, OTAC_VERSION_MAX);
        image->version[OTAC_VERSION_MAX] = '\0';
    }
}

int otac_record_load(struct otac *c)
{
    uint8_t raw[OTAC_RECORD_SIZE];
    int got = c->port->record_load(c->port->ctx, raw, sizeof raw);
    if (got < 0)
        return OTAC_E_RECORD_IO;
    if (got == 0) {
        memset(&c->record, 0, sizeof c->record);
        c->record.active = OTAC_NO_SLOT;
        return OTAC_OK;
    }
    if (got != OTAC_RECORD_SIZE || !is_sound(raw))
        return OTAC_E_RECORD;
    decode(raw, &c->record);
    c->report_stored = c->record.report.kind != OTAC_REPORT_NONE;
    return OTAC_OK;
}

int otac_record_store(struct otac *c)
{
    uint8_t raw[OTAC_RECORD_SIZE];
    encode(&c->record, raw);
    c->unsaved = true;
    if (c->port->record_save(c->port->ctx, raw, sizeof raw) != OTAC_OK)
        return OTAC_E_RECORD_IO;
    c->unsaved = false;
    c->report_stored = c->record.report.kind != OTAC_REPORT_NONE;
    return OTAC_OK;
}

struct otac_head otac_record_head(const struct otac *c)
{
    struct otac_head head;
    memcpy(head.bytes, &c->record, sizeof head.bytes);
    return head;
}

int otac_record_change(struct otac *c, const struct otac_head *before)
{
    int err = otac_record_store(c);
    if (err != OTAC_OK)
        memcpy(&c->record, before->bytes, sizeof before->bytes);
    return err;
}

void otac_record_try(struct otac *c)
{
    int err = otac_record_store(c);
    (void)err; /* the callers can live with it, and say why */
}
