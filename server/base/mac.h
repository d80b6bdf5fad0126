/* SPDX-License-Identifier: MIT
 * MAC addresses in every spelling in use, held as 48-bit numbers. */
#ifndef OTAD_BASE_MAC_H
#define OTAD_BASE_MAC_H

#include <stdbool.h>
#include <stdint.h>

#include "otad/limits.h"

/** Reads 12 hex digits, bare or in pairs split by one kind of ':' or '-'.
 *  All-zero, all-one and multicast addresses are no device's and count as not a MAC.
 *  @return false, *out unchanged, on anything else.  Source: what docs/clients.md says clients
 * send. */
bool mac_parse(const char *text, uint64_t *out);

/** Writes "30:AE:A4:84:36:F0". */
void mac_text(uint64_t mac, char out[OTAD_MAC_TEXT]);

/** Whether text may stand where a MAC is expected without being one: [A-Za-z0-9:_.-]{1,32}. */
bool mac_is_word(const char *text);

#endif
