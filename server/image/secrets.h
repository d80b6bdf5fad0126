/* SPDX-License-Identifier: MIT
 * Secrets of well-known shapes. Only the kind and the place are told, never the secret. */
#ifndef OTAD_IMAGE_SECRETS_H
#define OTAD_IMAGE_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Calls visit with each pair of first bytes that a secret can start with. */
void secrets_each_start(void (*visit)(void *context, uint8_t first, uint8_t second), void *context);

/** Looks for a secret that starts at p.
 *  @param before  the byte before p, or 0 at the start of the content
 *  @param n       bytes that may be read from p
 *  @param name    what it is, "GitHub token"; static text
 *  @return its length, or 0 */
size_t secrets_match(const uint8_t *p, size_t n, uint8_t before, const char **name);

#endif
