/* SPDX-License-Identifier: MIT
 * Small secrets at rest: AES-256-GCM under a key of the server's secret. */
#ifndef OTAD_FLEET_SEAL_H
#define OTAD_FLEET_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "fleet/secret.h"

#define SEAL_KEY_LEN 32
#define SEAL_EXTRA 28 /* bytes a sealed text is longer: nonce and tag */

/** Derives the key. @return OTAD_E_OK or OTAD_E_INTERNAL */
enum otad_err seal_key(const uint8_t secret[SECRET_LEN], uint8_t out[SEAL_KEY_LEN]) OTAD_MUSTCHECK;

/** Seals n bytes into n + SEAL_EXTRA.
 *  @param where  what it belongs to: what was sealed for one place opens at no other */
enum otad_err seal(const uint8_t key[SEAL_KEY_LEN], const char *where, const void *text, size_t n,
                   uint8_t *out) OTAD_MUSTCHECK;

/** Opens n sealed bytes into n - SEAL_EXTRA.
 *  @return OTAD_E_OK, or OTAD_E_INVALID when they were sealed with another key, for another place,
 * or were changed */
enum otad_err seal_open(const uint8_t key[SEAL_KEY_LEN], const char *where, const uint8_t *sealed,
                        size_t n, void *out) OTAD_MUSTCHECK;

#endif
