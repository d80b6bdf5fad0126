/* SPDX-License-Identifier: MIT
 * Owns the way of an offered image into the slot that doesn't run, and the switch to it. The order
 * is the guarantee: check the signature, forget what the slot held, erase, write and hash, flush,
 * compare with what was announced, read back, and only then one atomic record that names the slot.
 * A download that broke goes on behind the last step whose flash was complete and recorded. */
#include <string.h>

#include "internal.h"

struct otac_image *otac_free_slot(struct otac *c)
{
    const struct otac_port *port = c->port;
    unsigned runs = port->running_slot != NULL ? port->running_slot(port->ctx) : c->record.active;
    return otac_slot(&c->record, runs == 0);
}

uint32_t otac_progress(struct otac *c)
{
    const uint32_t state = otac_free_slot(c)->state;
    return state != OTAC_IMAGE_KNOWN && c->port->slot_resume != NULL ? state : 0;
}

/* Stores what a slot holds now. Should that fail, what is stored no longer counts: nothing is
 * erased before a later save has worked. */
static int set_state(struct otac *c, struct otac_image *image, uint32_t state)
{
    image->state = state;
    return otac_record_store(c, &c->record);
}

void otac_drop_progress(struct otac *c)
{
    if (otac_progress(c) == 0)
        return;
    int err = set_state(c, otac_free_slot(c), 0);
    (void)err; /* it is tried once more after the next start, and fails the same way */
}

static unsigned slot_of(const struct otac *c, const struct otac_image *image)
{
    return image != c->record.slot;
}

/* ---- the start ----------------------------------------------------------------------------- */

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

/* Makes the slot ready for all behind its first `done` bytes. Of a body that goes on with them, the
 * first bytes are in the lower half of the buffer. */
static int begin(struct otac *c, struct otac_image *image, uint32_t done)
{
    const struct otac_port *port = c->port;
    const unsigned slot = slot_of(c, image);
    const uint32_t half = c->buf_n / 2;
    int err = OTAC_OK;
    /* A record must never call known, or begun, what is about to be erased. */
    if (done == 0 && image->state != 0)
        err = set_state(c, image, 0);
    if (err != OTAC_OK)
        return err;
    *image = c->answer.image;
    image->state = done;
    if (done == 0) {
        err = port->slot_begin(port->ctx, slot, image->size);
    } else {
        otac_log(c, OTAC_EV_RESUME, done);
        err = port->slot_resume(port->ctx, slot, image->size, done);
    }
    return err == OTAC_OK ? hash_flash(c, slot, done, c->buf + half, half) : err;
}

/* ---- the body ------------------------------------------------------------------------------ */

/* Remembers how far the download has come: down to whole steps, all of which are in flash for
 * good. A save that fails costs nothing but the time to download more again. */
static void keep_progress(struct otac *c, struct otac_image *image, uint32_t done)
{
    const struct otac_port *port = c->port;
    if (done == image->size)
        return;
    done &= ~(port->resume_step - 1); /* 0 without steps */
    if (done > image->state &&
        (port->slot_sync == NULL || port->slot_sync(port->ctx, slot_of(c, image)) == OTAC_OK)) {
        int err = set_state(c, image, done);
        (void)err;
    }
}

/* Moves the body to flash, a full work buffer at a time, so that writes stay aligned whatever
 * pieces the network brings. done: bytes in flash; have: in the buffer, and not in flash yet. */
static int download(struct otac *c, struct otac_image *image, uint32_t done, size_t have)
{
    const struct otac_port *port = c->port;
    for (;;) {
        const uint32_t left = image->size - done, piece = left < c->buf_n ? left : c->buf_n;
        if (have > left)
            return OTAC_E_LONG_BODY;
        if (have == piece) {
            int err = port->slot_write(port->ctx, slot_of(c, image), done, c->buf, have);
            if (err == OTAC_OK)
                err = port->hash_update(port->ctx, c->buf, have);
            if (err != OTAC_OK)
                return err;
            done += (uint32_t)have;
            have = 0;
            otac_log(c, OTAC_EV_PROGRESS, done);
            keep_progress(c, image, done);
        }
        int got = port->recv(port->ctx, c->buf + have, c->buf_n - have);
        if (done == image->size) /* a connection that breaks or hangs now is as good as its end */
            return got > 0 ? OTAC_E_LONG_BODY : OTAC_OK;
        if (got <= 0)
            return got < 0 ? got : OTAC_E_SHORT_BODY;
        have += (size_t)got;
    }
}

/* ---- the proof ----------------------------------------------------------------------------- */

/* Compares what was hashed with an image's SHA-256 (@return `differs`), and an MD5 if there is. */
static int compare(struct otac *c, const struct otac_image *image, int differs, const uint8_t *md5)
{
    uint8_t got[32], got_md5[16];
    int err = c->port->hash_finish(c->port->ctx, got, got_md5);
    if (err != OTAC_OK)
        return err;
    if (memcmp(got, image->sha256, sizeof got) != 0)
        return differs;
    return md5 != NULL && memcmp(got_md5, md5, sizeof got_md5) != 0 ? OTAC_E_MD5 : OTAC_OK;
}

static int check_flash(struct otac *c, const struct otac_image *image)
{
    int err = hash_flash(c, slot_of(c, image), image->size, c->buf, c->buf_n);
    return err == OTAC_OK ? compare(c, image, OTAC_E_FLASH_VERIFY, NULL) : err;
}

int otac_slot_check(struct otac *c, unsigned slot)
{
    const struct otac_image *image = otac_known(&c->record, slot);
    return image != NULL ? check_flash(c, image) : OTAC_E_FLASH_VERIFY;
}

/* One atomic save makes the new image boot next, on trial if there are trials, and remembers what
 * to tell the server: that it is there, once it is final. */
OTAC_APART static int switch_to(struct otac *c, unsigned slot)
{
    struct otac_record next;
    otac_record_copy(&next, &c->record);
    const uint8_t starts = c->config->trial_boots;
    otac_slot(&next, slot)->state = OTAC_IMAGE_KNOWN;
    next.active = (uint8_t)slot;
    if (starts == 0)
        otac_record_settle(&next);
    else
        next.trial = starts + 1;
    if (c->config->signing != NULL)
        next.counter = c->answer.counter;
    return otac_record_store(c, &next);
}

int otac_install(struct otac *c, size_t body_n)
{
    const struct otac_port *port = c->port;
    const struct otac_answer *a = &c->answer;
    struct otac_image *image = otac_free_slot(c);
    const unsigned slot = slot_of(c, image);
    const uint32_t done = a->status == 206 ? image->state : 0;
    int err = OTAC_OK;
    /* Nothing is forgotten for an image that can't be taken. */
    if (c->config->slot_size != 0 && a->image.size > c->config->slot_size)
        return OTAC_E_NO_SPACE;
    if (c->config->signing != NULL)
        err = c->config->signing->check(c);
    /* A save that failed may have been stored all the same, and then names the free slot. */
    if (err == OTAC_OK && c->unsaved)
        err = otac_record_store(c, &c->record);
    if (err == OTAC_OK)
        err = begin(c, image, done);
    if (err == OTAC_OK)
        err = download(c, image, done, body_n);
    if (err == OTAC_OK)
        err = port->slot_finish(port->ctx, slot);
    if (err == OTAC_OK)
        err =
            compare(c, image, OTAC_E_SHA256, (a->have >> OTAC_FIELD_MD5 & 1) != 0 ? a->md5 : NULL);
    if (err != OTAC_OK)
        return err;
    otac_log(c, OTAC_EV_VERIFY, image->size);
    err = check_flash(c, image);
    if (err == OTAC_OK)
        err = switch_to(c, slot);
    if (err != OTAC_OK)
        return err;
    otac_log(c, OTAC_EV_INSTALLED, slot);
    return OTAC_UPDATED;
}
