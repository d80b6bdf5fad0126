/* SPDX-License-Identifier: MIT
 * Owns the way on from a record that isn't true any more. In a file of its own: linked only into
 * ports whose platform knows what runs. */
#include <string.h>

#include "internal.h"

int otac_start_over(struct otac *c)
{
    struct otac_record next;
    otac_record_copy(&next, &c->record);
    memset(next.slot, 0, sizeof next.slot);
    next.active = OTAC_NO_SLOT;
    next.trial = 0;
    if (next.report_kind == OTAC_REPORT_SUCCESS)
        next.report_kind = OTAC_REPORT_NONE; /* of an image that doesn't run */
    return otac_record_store(c, &next);
}
