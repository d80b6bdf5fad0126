/* SPDX-License-Identifier: MIT
 * Owns the trial of a new image: which slot starts, when it is final, and the way back. */
#include <string.h>

#include "internal.h"

/* On trial, the record counts the starts that are left, and one more: 1 is none. */
enum { TRIAL_OVER = 1 };

int otac_roll_back(struct otac *c, int reason)
{
    struct otac_record next;
    otac_record_copy(&next, &c->record);
    struct otac_image *failed = otac_slot(&next, next.active);
    const uint8_t before = next.active == 0;
    next.rejected = otac_fingerprint(failed);
    otac_record_report(&next, OTAC_REPORT_ROLLED_BACK, reason, failed);
    next.active = otac_known(&next, before) != NULL ? before : OTAC_NO_SLOT;
    next.trial = 0;
    int err = otac_record_store(c, &next);
    if (err == OTAC_OK)
        otac_log(c, OTAC_EV_ROLLED_BACK, (uint32_t)reason);
    return err;
}

/* What stands in the other slot, or is the device's from the factory, can be gone back to. */
static bool has_way_back(struct otac *c)
{
    const unsigned before = c->record.active == 0;
    return c->record.slot[before].state == OTAC_IMAGE_KNOWN ? otac_slot_check(c, before) == OTAC_OK
                                                            : c->record.trial != 0;
}

int otac_boot(struct otac *c, const struct otac_port *port, void *buf, size_t buf_n)
{
    struct otac_record *r = &c->record;
    int err = otac_start(c, port, buf, buf_n);
    if (err != OTAC_OK || r->active == OTAC_NO_SLOT)
        return err != OTAC_OK ? err : OTAC_NO_SLOT;
    int image = otac_slot_check(c, r->active);
    int reason = image == OTAC_OK && r->trial == TRIAL_OVER ? OTAC_E_UNCONFIRMED : image;
    if (reason != OTAC_OK && has_way_back(c)) {
        err = otac_roll_back(c, reason);
    } else if (image != OTAC_OK) {
        err = image;
    } else if (r->trial > TRIAL_OVER) {
        /* One start less; without a way back the last one stays the last. Should that not be saved,
         * the start counts for nothing: that is better than a device which doesn't start. */
        r->trial--;
        int unsaved = otac_record_store(c, r);
        (void)unsaved;
    }
    return err != OTAC_OK ? err : r->active;
}

int otac_confirm(struct otac *c)
{
    if (c->record.trial == 0 || c->restart_due)
        return OTAC_OK;
    struct otac_record next;
    otac_record_copy(&next, &c->record);
    otac_record_settle(&next);
    return otac_record_store(c, &next);
}

int otac_reject(struct otac *c)
{
    if (c->record.trial == 0 || c->restart_due)
        return OTAC_E_CONFIG;
    int err = otac_roll_back(c, OTAC_E_UNHEALTHY);
    c->restart_due = err == OTAC_OK;
    return err;
}
