/* SPDX-License-Identifier: MIT
 * Images in memory: read once by a loader thread into a sealed mapping, shared by all transfers,
 * dropped least recently used first. */
#ifndef OTAD_FLEET_BLOB_CACHE_H
#define OTAD_FLEET_BLOB_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "db/pool.h"
#include "otad/err.h"

/** Opaque, thread-safe. */
struct blob_cache;
/** One image in memory. Opaque. */
struct blob;

/** Told once that an image is there: `blob` is a share of it to release, or NULL with an error.
 *  Runs on the loader thread and must not block. */
typedef void (*blob_ready)(void *arg, struct blob *blob, enum otad_err err);

/** Starts the loader. @param budget_bytes  for images nobody is being sent @return NULL on failure
 */
struct blob_cache *blob_cache_new(struct db_pool *readers, size_t budget_bytes, struct log *log);
void blob_cache_set_budget(struct blob_cache *cache, size_t budget_bytes);

/** Ends the loader and frees all. No share may be out. Sets *cache to NULL. */
void blob_cache_free(struct blob_cache **cache);

/** Gets an image: at once when it is in memory (OTAD_E_OK, *out is a share), else OTAD_PENDING
 *  and ready() will be called. @return also OTAD_E_NOMEM; then ready() is not called */
enum otad_err blob_get(struct blob_cache *cache, int64_t image, struct blob **out, blob_ready ready,
                       void *arg) OTAD_MUSTCHECK;

/** A share of an image that is in memory already, or NULL: never waits, never loads. */
struct blob *blob_get_cached(struct blob_cache *cache, int64_t image);

/** The bytes; valid while the share is held. */
const void *blob_data(const struct blob *blob);
size_t blob_bytes(const struct blob *blob);

/** Gives a share back; NULL does nothing. Fit as a free callback. */
void blob_release(void *blob);

#endif
