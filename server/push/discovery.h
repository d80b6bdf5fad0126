/* SPDX-License-Identifier: MIT
 * Listens for devices that announce `_arduino._tcp` by mDNS, through avahi's daemon. Without one it
 * is off, and says so. */
#ifndef OTAD_PUSH_DISCOVERY_H
#define OTAD_PUSH_DISCOVERY_H

#include <stdbool.h>

#include "base/log.h"
#include "push/candidates.h"

/** Opaque, thread-safe. */
struct discovery;

/** Starts listening on a thread of its own. That avahi isn't there is no error.
 *  @return NULL when out of memory */
struct discovery *discovery_new(struct log *log);

/** Stops listening, frees, sets NULL. */
void discovery_free(struct discovery **d);

/** What was found so far; lives as long as the discovery. */
struct candidates *discovery_found(struct discovery *d);

/** Whether it listens. @param why  receives, when it doesn't, the reason in words */
bool discovery_is_on(struct discovery *d, char *why, size_t room);

#endif
