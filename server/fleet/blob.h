/* SPDX-License-Identifier: MIT
 * Images as rows: staged in chunks, linked in one transaction. Owns the tables `image` and
 * `image_chunk`. */
#ifndef OTAD_FLEET_BLOB_H
#define OTAD_FLEET_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/db.h"
#include "otad/limits.h"

#define BLOB_CHUNK_BYTES 262144
#define BLOB_IDENTITIES_MAX 256

/** An image as the upload found it. */
struct blob_meta {
    uint8_t sha256[OTAD_SHA256_LEN];
    uint8_t md5[OTAD_MD5_LEN];
    int64_t size_bytes;
    int64_t flash_bytes;    /* flash size the image's header asks for, 0 = not said */
    const char *facts;      /* JSON */
    const char *identities; /* hex words split by blanks, see struct identity */
};

/** Begins an image that nobody can see yet. @param id  its row id */
enum otad_err blob_stage(struct db *db, const struct blob_meta *meta, int64_t *id,
                         struct otad_errinfo *ei) OTAD_MUSTCHECK;
/** Adds chunk seq (from 0); every chunk but the last has BLOB_CHUNK_BYTES. */
enum otad_err blob_put_chunk(struct db *db, int64_t image, int64_t seq, const void *data, size_t n,
                             struct otad_errinfo *ei) OTAD_MUSTCHECK;
/** Makes a staged image real. @return OTAD_E_CONFLICT when the same bytes are linked already */
enum otad_err blob_link(struct db *db, int64_t image, int64_t now_s,
                        struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** The linked image with these bytes, unless it was pruned.
 *  @return OTAD_E_OK, OTAD_E_NOENT, or a database error */
enum otad_err blob_find(struct db *db, const uint8_t sha256[OTAD_SHA256_LEN], int64_t *id,
                        struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Removes one staged image, or (image 0) all that a crash left behind. */
enum otad_err blob_unstage(struct db *db, int64_t image, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Removes the image if no build uses it, or (image 0) all that none uses. */
enum otad_err blob_drop_unused(struct db *db, int64_t image,
                               struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Reads a whole image, linked or staged, into out (size bytes) and checks length and SHA-256.
 *  @return OTAD_E_OK, OTAD_E_NOENT (also when pruned), OTAD_E_IO when the stored bytes are not the
 * image's */
enum otad_err blob_read(struct db *db, int64_t image, uint8_t *out, size_t size,
                        struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** The same check without keeping the bytes: needs one chunk of memory, whatever the size. */
enum otad_err blob_verify(struct db *db, int64_t image, int64_t size,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Size of an image. @return OTAD_E_OK, OTAD_E_NOENT, or a database error */
enum otad_err blob_size(struct db *db, int64_t image, int64_t *out,
                        struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** The further digests devices may report for it. */
enum otad_err blob_identities(struct db *db, int64_t image, char out[BLOB_IDENTITIES_MAX],
                              struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Whether the digests of images that devices patched are among them. */
enum otad_err blob_variants_known(struct db *db, int64_t image, bool *known,
                                  struct otad_errinfo *ei) OTAD_MUSTCHECK;
/** Writes the further digests, with those. */
enum otad_err blob_set_variants(struct db *db, int64_t image, const char *identities,
                                struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** The JSON facts of an image; the caller frees *out. */
enum otad_err blob_facts(struct db *db, int64_t image, char **out,
                         struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Gives up the image's bytes unless a build that was not pruned uses it: from now on it can't be
 *  found or read; its facts stay. */
enum otad_err blob_prune(struct db *db, int64_t image, int64_t now_s,
                         struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Deletes up to `room` chunks of pruned images. @param gone  how many; fewer than room: all */
enum otad_err blob_prune_chunks(struct db *db, int64_t room, int64_t *gone,
                                struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
