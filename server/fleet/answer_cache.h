/* SPDX-License-Identifier: MIT
 * Answers that cost more than a moment, kept for some seconds: many dashboards may ask at once. */
#ifndef OTAD_FLEET_ANSWER_CACHE_H
#define OTAD_FLEET_ANSWER_CACHE_H

#include <stdint.h>

#define ANSWER_CACHE_MAX 64  /* answers; the oldest goes */
#define ANSWER_CACHE_KEY 160 /* bytes of a key, NUL included; longer ones are not kept */
#define ANSWER_CACHE_MS 5000 /* how long an answer is given again */

/** Opaque, thread-safe. */
struct answer_cache;

/** @return NULL when out of memory. */
struct answer_cache *answer_cache_new(void);
void answer_cache_free(struct answer_cache **cache);

/** A copy of what was kept under the key less than ANSWER_CACHE_MS ago, the caller's to free; NULL
 *  when there is none (or no memory).  @param now_ms  monotonic */
char *answer_cache_get(struct answer_cache *cache, const char *key, int64_t now_ms);

/** Keeps a copy of the text; without memory for it, nothing. */
void answer_cache_put(struct answer_cache *cache, const char *key, const char *text,
                      int64_t now_ms);

#endif
