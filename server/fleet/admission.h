/* SPDX-License-Identifier: MIT
 * Limits on first check-ins: open products must not fill up with invented MAC addresses. */
#ifndef OTAD_FLEET_ADMISSION_H
#define OTAD_FLEET_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

/** Opaque, thread-safe, bounded. */
struct admission;

/** @return NULL when out of memory. */
struct admission *admission_new(void);
void admission_free(struct admission **admission);

/** Whether one more device may register from an address, and counts it.
 *  @param per_hour  how many an address may register in an hour
 *  @param now_ms    monotonic */
bool admission_take(struct admission *admission, const char *address, int64_t per_hour,
                    int64_t now_ms);

#endif
