/* SPDX-License-Identifier: MIT
 * Owns the way of an offered image into the slot that doesn't run, and the switch to it. The order
 * is the guarantee: check the signature, forget what the slot held, erase, write and hash, flush,
 * compare with what was announced, read back, and only then one atomic record that names the slot.
 * A download that broke goes on behind the last step whose flash was complete and recorded. */
#include <string.h>

#include "internal.h"

unsigned otac_free_slot(const struct otac *c)
{
    const struct otac_port *port = c->port;
    unsigned runs = port->running_slot != NULL ? port->running_slot(port->ctx) : c->record.active;
    return runs == 0 ? 1 : 0;
}

bool otac_may_resume(const struct otac *c)
{
    return c->record.progress != 0 && c->port->slot_resume != NULL;
}

void otac_drop_progress(struct otac *c)
{
    if (c->record.progress == 0)
        return;
    c->record.progress = 0;
    otac_record_try(c);
}

/* ---- the start ----------------------------------------------------------------------------- */

/* A record must never call known, or begun, what is about to be erased. */
static int forget(struct otac *c, unsigned slot)
{
    struct otac_image *image = &c->record.slot[slot];
    const bool known = image->known;
    const uint32_t progress = c->record.progress;
    if (!known && progress == 0)
        return OTAC_OK;
    image->known = false;
    c->record.progress = 0;
    int err = otac_record_store(c);
    if (err != OTAC_OK) {
        image->known = known;
        c->record.progress = progress;
    }
    return err;
}

static int begin(struct otac *c, unsigned slot)
{
    const struct otac_port *port = c->port;
    int err = forget(c, slot);
    if (err != OTAC_OK)
        return err;
    c->record.slot[slot] = c->answer.image;
    c->record.slot[slot].known = false;
    err = port->slot_begin(port->ctx, slot, c->answer.image.size);
    return err == OTAC_OK ? port->hash_begin(port->ctx) : err;
}

/* Hashes the first `size` bytes of a slot, read by way of n bytes at buf. */
static int hash_flash(const struct otac *c, unsigned slot, uint32_t size, uint8_t *buf, uint32_t n)
{
    const struct otac_port *port = c->port;
    int err = port->hash_begin(port->ctx);
    for (uint32_t at = 0; err == OTAC_OK && at < size; at += n) {
        if (n > size - at)
            n = size - at;
        err = port->slot_read(port->ctx, slot, at, buf, n);
        if (err == OTAC_OK)
            err = port->hash_update(port->ctx, buf, n);
    }
    return err;
}

/* Goes on where the progress says. The body's first bytes are in the lower half of the buffer. */
static int go_on(struct otac *c, unsigned slot)
{
    const struct otac_port *port = c->port;
    const uint32_t done = c->record.progress, half = c->buf_n / 2;
    otac_log(c, OTAC_EV_RESUME, done);
    int err = port->slot_resume(port->ctx, slot, c->answer.image.size, done);
    return err == OTAC_OK ? hash_flash(c, slot, done, c->buf + half, half) : err;
}

/* ---- the body ------------------------------------------------------------------------------ */

/* Remembers how far the download has come: down to whole steps, all of which are in flash for
 * good. A save that fails costs nothing but the time to download more again. */
static void keep_progress(struct otac *c, unsigned slot, uint32_t done)
{
    const struct otac_port *port = c->port;
    const uint32_t old = c->record.progress;
    if (port->slot_resume == NULL || done == c->answer.image.size)
        return;
    done -= done % port->resume_step;
    if (done <= old)
        return;
    if (port->slot_sync != NULL && port->slot_sync(port->ctx, slot) != OTAC_OK)
        return;
    c->record.progress = done;
    if (otac_record_store(c) != OTAC_OK)
        c->record.progress = old;
}

static int take(struct otac *c, unsigned slot, uint32_t offset, size_t n)
{
    const struct otac_port *port = c->port;
    int err = port->slot_write(port->ctx, slot, offset, c->buf, n);
    if (err == OTAC_OK)
        err = port->hash_update(port->ctx, c->buf, n);
    if (err != OTAC_OK)
        return err;
    otac_log(c, OTAC_EV_PROGRESS, offset + (int64_t)n);
    keep_progress(c, slot, offset + (uint32_t)n);
    return OTAC_OK;
}

/* The connection must be at its end now. One that breaks or hangs is as good: all that was
 * announced is here. */
static int expect_end(struct otac *c)
{
    return c->port->recv(c->port->ctx, c->buf, c->buf_n) > 0 ? OTAC_E_LONG_BODY : OTAC_OK;
}

/* Moves the body to flash, a full work buffer at a time, so that writes stay aligned whatever
 * pieces the network brings. done: bytes in flash; have: in the buffer, and not in flash yet. */
static int download(struct otac *c, unsigned slot, uint32_t done, size_t have)
{
    const uint32_t size = c->answer.image.size;
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

/* ---- the proof ----------------------------------------------------------------------------- */

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
    int err = hash_flash(c, slot, image->size, c->buf, c->buf_n);
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

/* One atomic save makes the new image boot next, on trial if there are trials, and remembers what
 * to tell the server: that it is there, once it is final. */
static int switch_to(struct otac *c, unsigned slot)
{
    struct otac_record *r = &c->record;
    const struct otac_head before = otac_record_head(c);
    const uint8_t starts = c->config->trial_boots;
    const struct otac_report success = {OTAC_REPORT_SUCCESS, 0, c->answer.image.build};
    r->slot[slot] = c->answer.image;
    r->slot[slot].known = true;
    r->active = (uint8_t)slot;
    r->progress = 0;
    r->trial = starts > 0 ? starts + 1 : 0;
    if (starts == 0) {
        r->report = success;
        r->rejected = 0;
    }
    if (c->config->sign_keys != NULL)
        r->counter = c->answer.counter;
    int err = otac_record_change(c, &before);
    r->slot[slot].known = err == OTAC_OK;
    return err;
}

int otac_install(struct otac *c, size_t body_n)
{
    const struct otac_port *port = c->port;
    unsigned slot = otac_free_slot(c);
    uint32_t done = c->answer.status == 206 ? c->record.progress : 0;
    int err = otac_check_signature(c);
    /* A save that failed may have been stored all the same, and then names the free slot. */
    if (err == OTAC_OK && c->unsaved)
        err = otac_record_store(c);
    if (err == OTAC_OK)
        err = done > 0 ? go_on(c, slot) : begin(c, slot);
    if (err == OTAC_OK)
        err = download(c, slot, done, body_n);
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
