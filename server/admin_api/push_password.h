/* SPDX-License-Identifier: MIT
 * "push_password" in the bodies of changes. */
#ifndef OTAD_ADMIN_API_PUSH_PASSWORD_H
#define OTAD_ADMIN_API_PUSH_PASSWORD_H

#include "admin_api/change.h"

/** Takes a text, or null or "" to forget it; without the key nothing changes.
 *  @param mac  of a device, 0 = of all devices of c->product that have none of their own */
enum otad_err change_push_password(struct change *c, struct db *db, uint64_t mac,
                                   struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
