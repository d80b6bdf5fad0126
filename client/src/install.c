/* SPDX-License-Identifier: MIT
 * Owns the way of an offered image into the slot that doesn't run, and the switch to it. The order
 * is the guarantee: forget what the slot held, erase, write and hash, flush, compare with what was
 * announced, read back, and only then one atomic record that names the slot. */
#include <string.h>

#include "internal.h"

static unsigned free_slot(const struct otac *c)
{
    return c->record.active == 0 ? 1 : 0;
}

/* A record must never call known what is about to be erased. */
static int forget(struct otac *c, unsigned slot)
{
    if (!c->record.slot[slot].known)
        return OTAC_OK;
    c->record.slot[slot].known = false;
    return otac_record_store(c);
}

static int take(struct otac *c, unsigned slot, uint32_t offset, size_t n)
{
    const struct otac_port *port = c->port;
    int err = port->slot_write(port->ctx, slot, offset, c->buf, n);
    if (err == OTAC_OK)
        err = port->hash_update(port->ctx, c->buf, n);
    if (err == OTAC_OK)
        otac_log(c, OTAC_EV_PROGRESS, offset + (int64_t)n);
    return err;
}

/* The connection must be at its end now. One that breaks or hangs is as good: all that was
 * announced is here. */
static int expect_end(struct otac *c)
{
    return c->port->recv(c->port->ctx, c->buf, c->buf_n) > 0 ? OTAC_E_LONG_BODY : OTAC_OK;
}

/* Moves the body to flash, a full work buffer at a time, so that writes stay aligned whatever
 * pieces the network brings. have: bytes in the buffer that are not in flash yet. */
static int download(struct otac *c, unsigned slot, size_t have)
{
    const uint32_t size = c->answer.image.size;
    uint32_t done = 0;
    for (;;) {
        if (have > size - done)
            return OTAC_E_LONG_BODY;
        if (have == c->buf_n || have == size - done) {
            int err = take(c, slot, done, have);
            if (err != OTAC_OK)
                return err;
            done += (uint32_t)have;
            have = 0;
        }
        if (done == size)
            return expect_end(c);
        int got = c->port->recv(c->port->ctx, c->buf + have, c->buf_n - have);
        if (got <= 0)
            return got < 0 ? got : OTAC_E_SHORT_BODY;
        have += (size_t)got;
    }
}

/* Compares what came with what was announced. */
static int check_sums(struct otac *c)
{
    uint8_t sha256[32], md5[16];
    int err = c->port->hash_finish(c->port->ctx, sha256, md5);
    if (err != OTAC_OK)
        return err;
    if (memcmp(sha256, c->answer.image.sha256, sizeof sha256) != 0)
        return OTAC_E_SHA256;
    if (otac_answer_has_md5(&c->answer) && memcmp(md5, c->answer.md5, sizeof md5) != 0)
        return OTAC_E_MD5;
    return OTAC_OK;
}

static int check_flash(struct otac *c, unsigned slot, const struct otac_image *image)
{
    const struct otac_port *port = c->port;
    uint8_t sha256[32], md5[16];
    int err = port->hash_begin(port->ctx);
    for (uint32_t at = 0; err == OTAC_OK && at < image->size;) {
        uint32_t n = image->size - at < c->buf_n ? image->size - at : c->buf_n;
        err = port->slot_read(port->ctx, slot, at, c->buf, n);
        if (err == OTAC_OK)
            err = port->hash_update(port->ctx, c->buf, n);
        at += n;
    }
    if (err == OTAC_OK)
        err = port->hash_finish(port->ctx, sha256, md5);
    if (err != OTAC_OK)
        return err;
    return memcmp(sha256, image->sha256, sizeof sha256) == 0 ? OTAC_OK : OTAC_E_FLASH_VERIFY;
}

int otac_slot_check(struct otac *c, unsigned slot)
{
    if (slot >= OTAC_SLOTS || !c->record.slot[slot].known)
        return OTAC_E_FLASH_VERIFY;
    return check_flash(c, slot, &c->record.slot[slot]);
}

/* One atomic save makes the new image boot next and remembers to tell the server. */
static int switch_to(struct otac *c, unsigned slot)
{
    const uint8_t old = c->record.active;
    const struct otac_report old_report = c->record.report;
    const struct otac_report success = {OTAC_REPORT_SUCCESS, 0, c->answer.image.build};
    c->record.slot[slot] = c->answer.image;
    c->record.slot[slot].known = true;
    c->record.active = (uint8_t)slot;
    c->record.report = success;
    int err = otac_record_store(c);
    if (err != OTAC_OK) {
        c->record.slot[slot].known = false;
        c->record.active = old;
        c->record.report = old_report;
    }
    return err;
}

int otac_install(struct otac *c, size_t body_n)
{
    const struct otac_port *port = c->port;
    unsigned slot = free_slot(c);
    int err = forget(c, slot);
    if (err == OTAC_OK)
        err = port->slot_begin(port->ctx, slot, c->answer.image.size);
    if (err == OTAC_OK)
        err = port->hash_begin(port->ctx);
    if (err == OTAC_OK)
        err = download(c, slot, body_n);
    if (err == OTAC_OK)
        err = port->slot_finish(port->ctx, slot);
    if (err == OTAC_OK)
        err = check_sums(c);
    if (err != OTAC_OK)
        return err;
    otac_log(c, OTAC_EV_VERIFY, c->answer.image.size);
    err = check_flash(c, slot, &c->answer.image);
    if (err == OTAC_OK)
        err = switch_to(c, slot);
    if (err != OTAC_OK)
        return err;
    otac_log(c, OTAC_EV_INSTALLED, slot);
    return OTAC_UPDATED;
}
