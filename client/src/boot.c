/* SPDX-License-Identifier: MIT
 * Owns the trial of a new image: which slot starts, when it is final, and the way back. */
#include <string.h>

#include "internal.h"

/* On trial, the record counts the starts that are left, and one more: 1 is none. */
enum { TRIAL_OVER = 1 };

int otac_roll_back(struct otac *c, int reason)
{
    struct otac_record *r = &c->record;
    const struct otac_head head = otac_record_head(c);
    const uint8_t failed = r->active, before = failed == 0 ? 1 : 0;
    r->rejected = otac_fingerprint(&r->slot[failed]);
    r->report = (struct otac_report){OTAC_REPORT_ROLLED_BACK, reason, r->slot[failed].build};
    r->slot[failed].known = false;
    r->active = r->slot[before].known ? before : OTAC_NO_SLOT;
    r->trial = 0;
    int err = otac_record_change(c, &head);
    r->slot[failed].known = err != OTAC_OK;
    if (err == OTAC_OK)
        otac_log(c, OTAC_EV_ROLLED_BACK, reason);
    return err;
}

/* What stands in the other slot, or is the device's from the factory, can be gone back to. */
static int find_way_back(struct otac *c)
{
    unsigned before = c->record.active == 0 ? 1 : 0;
    if (!c->record.slot[before].known)
        return c->record.trial != 0 ? OTAC_OK : OTAC_E_FLASH_VERIFY;
    return otac_slot_check(c, before);
}

/* One start of a trial less; without a way back the last one stays the last. Should that not be
 * saved, the start counts for nothing: that is better than a device which doesn't start. */
static void count_start(struct otac *c)
{
    if (c->record.trial <= TRIAL_OVER)
        return;
    c->record.trial--;
    otac_record_try(c);
}

int otac_boot(struct otac *c, const struct otac_port *port, void *buf, size_t buf_n)
{
    int err = otac_start(c, port, buf, buf_n);
    if (err != OTAC_OK || c->record.active == OTAC_NO_SLOT)
        return err != OTAC_OK ? err : OTAC_NO_SLOT;
    int image = otac_slot_check(c, c->record.active);
    int reason = image == OTAC_OK && c->record.trial == TRIAL_OVER ? OTAC_E_UNCONFIRMED : image;
    if (reason != OTAC_OK && find_way_back(c) == OTAC_OK)
        err = otac_roll_back(c, reason);
    else if (image == OTAC_OK)
        count_start(c);
    else
        err = image;
    return err != OTAC_OK ? err : c->record.active;
}

int otac_confirm(struct otac *c)
{
    struct otac_record *r = &c->record;
    const struct otac_head head = otac_record_head(c);
    if (r->trial == 0 || c->restart_due)
        return OTAC_OK;
    r->trial = 0;
    r->rejected = 0;
    r->report = (struct otac_report){OTAC_REPORT_SUCCESS, 0, r->slot[r->active].build};
    return otac_record_change(c, &head);
}

int otac_reject(struct otac *c)
{
    if (c->record.trial == 0 || c->restart_due)
        return OTAC_E_CONFIG;
    int err = otac_roll_back(c, OTAC_E_UNHEALTHY);
    c->restart_due = err == OTAC_OK;
    return err;
}
