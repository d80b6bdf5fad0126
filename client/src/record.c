/* SPDX-License-Identifier: MIT
 * Owns the stored form of the boot record; the layout stands at struct otac_record. */
#include <string.h>

#include "internal.h"

/* The record in memory is the stored one: a compiler with another layout must not compile this. */
#define MUST(name, sound) typedef char must_##name[(sound) ? 1 : -1]
MUST(code, offsetof(struct otac_record, report_code) == 8);
MUST(rejected, offsetof(struct otac_record, rejected) == 12);
MUST(build, offsetof(struct otac_record, report_build) == 16);
MUST(slots, offsetof(struct otac_record, slot) == 24);
MUST(image, sizeof(struct otac_image) == 112);
MUST(sha256, offsetof(struct otac_image, sha256) == 8);
MUST(size_of_image, offsetof(struct otac_image, size) == 40);
MUST(state, offsetof(struct otac_image, state) == 44);
MUST(version, offsetof(struct otac_image, version) == 48);
MUST(counter, offsetof(struct otac_record, counter) == 248);
MUST(size, sizeof(struct otac_record) == OTAC_RECORD_SIZE);

/* Magic, format, and (but for a record that was stored) no slot that boots. */
static const uint8_t fresh[] = {'O', 'T', 'A', 'C', 2, OTAC_NO_SLOT};

/* CRC-32 of IEEE 802.3, bit by bit: 256 bytes now and then aren't worth a table. Goes on with the
 * crc of what came before; 0 at the start. */
static uint32_t crc32(const void *data, size_t n)
{
    const uint8_t *at = data;
    uint32_t crc = UINT32_MAX;
    for (; n > 0; n--) {
        crc ^= *at++;
        for (unsigned bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

/* Turns a number of this chip into a stored one, or back. */
static void order(void *number, size_t n)
{
#if OTAC_BIG_ENDIAN
    uint8_t *at = number;
    for (size_t i = 0; i < n / 2; i++) {
        uint8_t byte = at[i];
        at[i] = at[n - 1 - i];
        at[n - 1 - i] = byte;
    }
#else
    (void)number, (void)n;
#endif
}

/* Zero is none, so no image has it. */
uint32_t otac_fingerprint(struct otac_image *image)
{
    order(&image->build, sizeof image->build);
    uint32_t crc = crc32(image, offsetof(struct otac_image, size));
    order(&image->build, sizeof image->build);
    return crc + (crc == 0);
}

static void order_all(struct otac_record *r)
{
    order(&r->report_code, sizeof r->report_code);
    order(&r->rejected, sizeof r->rejected);
    order(&r->report_build, sizeof r->report_build);
    order(&r->counter, sizeof r->counter);
    order(&r->crc, sizeof r->crc);
    for (size_t i = 0; i < OTAC_SLOTS; i++) {
        order(&r->slot[i].build, sizeof r->slot[i].build);
        order(&r->slot[i].size, sizeof r->slot[i].size);
        order(&r->slot[i].state, sizeof r->slot[i].state);
    }
}

const struct otac_image *otac_known(const struct otac_record *r, unsigned slot)
{
    const struct otac_image *image = slot == 0 ? r->slot : r->slot + 1;
    return slot < OTAC_SLOTS && image->state == OTAC_IMAGE_KNOWN ? image : NULL;
}

/* The record must hold together: what boots, or is on trial, is a slot with a known image. */
static bool is_sound(const struct otac_record *r)
{
    if (memcmp(r, fresh, offsetof(struct otac_record, active)) != 0 ||
        r->report_kind > OTAC_REPORT_ROLLED_BACK)
        return false;
    return r->active == OTAC_NO_SLOT ? r->trial == 0 : otac_known(r, r->active) != NULL;
}

int otac_record_load(struct otac *c)
{
    struct otac_record *r = &c->record;
    int got = c->port->record_load(c->port->ctx, r, OTAC_RECORD_SIZE);
    if (got < 0)
        return OTAC_E_RECORD_IO;
    if (got == 0) {
        memset(r, 0, sizeof *r);
        memcpy(r, fresh, sizeof fresh);
        return OTAC_OK;
    }
    uint32_t crc = crc32(r, offsetof(struct otac_record, crc));
    order_all(r);
    if (got != OTAC_RECORD_SIZE || r->crc != crc || !is_sound(r))
        return OTAC_E_RECORD;
    c->report_stored = r->report_kind != OTAC_REPORT_NONE;
    return OTAC_OK;
}

void otac_record_copy(struct otac_record *to, const struct otac_record *from)
{
    memmove(to, from, sizeof *to);
}

int otac_record_store(struct otac *c, struct otac_record *next)
{
    order_all(next);
    next->crc = crc32(next, offsetof(struct otac_record, crc));
    order(&next->crc, sizeof next->crc);
    c->unsaved = c->port->record_save(c->port->ctx, next, OTAC_RECORD_SIZE) != OTAC_OK;
    order_all(next);
    if (c->unsaved)
        return OTAC_E_RECORD_IO;
    otac_record_copy(&c->record, next);
    c->report_stored = next->report_kind != OTAC_REPORT_NONE;
    return OTAC_OK;
}

void otac_record_report(struct otac_record *r, enum otac_report_kind kind, int code,
                        const struct otac_image *image)
{
    r->report_kind = (uint8_t)kind;
    r->report_code = code;
    r->report_build = image->build;
}

void otac_record_settle(struct otac_record *r)
{
    r->trial = 0;
    r->rejected = 0;
    otac_record_report(r, OTAC_REPORT_SUCCESS, 0, otac_slot(r, r->active));
}
