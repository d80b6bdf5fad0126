/* SPDX-License-Identifier: MIT
 * Builds: an image and its identity within a product. Owns the table `build`. */
#ifndef OTAD_FLEET_BUILD_H
#define OTAD_FLEET_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"
#include "otad/limits.h"

enum build_kind { BUILD_APP, BUILD_FS, BUILD_FACTORY };

/** A build with the facts of its image that most readers want. */
struct build {
    int64_t seq; /* row id: order of upload, never shown */
    int64_t id;  /* public: random 64 bits */
    int64_t product;
    int64_t image;
    enum build_kind kind;
    char version[OTAD_VERSION_MAX + 1];
    int64_t number; /* what .version answers */
    char chip[16];
    char filename[OTAD_FILENAME_MAX + 1];
    char notes[OTAD_NOTES_MAX + 1];
    bool forced;
    int64_t created_at_s;
    int64_t withdrawn_at_s; /* 0 = not withdrawn */
    int64_t size_bytes;
    int64_t flash_bytes; /* flash size its header asks for, 0 = not said */
    uint8_t md5[OTAD_MD5_LEN];
    uint8_t sha256[OTAD_SHA256_LEN];
    int64_t pruned_at_s; /* retention let the image go, and withdrew the build; 0 = not */
};

const char *build_kind_name(enum build_kind kind);
/** @return false, *out unchanged, for another word than app, fs, factory. */
bool build_kind_parse(const char *text, enum build_kind *out);

/** Reads a public id: the decimal text of unsigned 64 bits. */
bool build_id_parse(const char *text, int64_t *out);

/** Each @return OTAD_E_OK, OTAD_E_NOENT, or a database error; product 0 = any. */
enum otad_err build_find(struct db *db, int64_t product, int64_t id, struct build *out,
                         struct otad_errinfo *ei) OTAD_MUSTCHECK;
enum otad_err build_find_seq(struct db *db, int64_t seq, struct build *out,
                             struct otad_errinfo *ei) OTAD_MUSTCHECK;
enum otad_err build_find_version(struct db *db, int64_t product, enum build_kind kind,
                                 const char *version, struct build *out,
                                 struct otad_errinfo *ei) OTAD_MUSTCHECK;
/** The newest factory build that wasn't withdrawn. */
enum otad_err build_find_factory(struct db *db, int64_t product, struct build *out,
                                 struct otad_errinfo *ei) OTAD_MUSTCHECK;
/** The newest build of a product with these bytes. */
enum otad_err build_find_sha256(struct db *db, int64_t product,
                                const uint8_t sha256[OTAD_SHA256_LEN], struct build *out,
                                struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Inserts b with a fresh random id. @return OTAD_E_OK with b->id and b->seq set,
 *  OTAD_E_CONFLICT when the version exists */
enum otad_err build_insert(struct db *db, struct build *b, struct otad_errinfo *ei) OTAD_MUSTCHECK;

enum otad_err build_set_withdrawn(struct db *db, int64_t seq, int64_t at_s,
                                  struct otad_errinfo *ei) OTAD_MUSTCHECK;
enum otad_err build_set_notes(struct db *db, int64_t seq, const char *notes,
                              struct otad_errinfo *ei) OTAD_MUSTCHECK;
/** Deletes the row; its image stays until blob_drop_unused(). */
enum otad_err build_delete(struct db *db, int64_t seq, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Newest first, with seq below `before` (0 = from the newest). */
enum otad_err build_list(struct db *db, int64_t product, int64_t before, int64_t limit,
                         enum otad_err (*each)(void *arg, const struct build *b), void *arg,
                         struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** The next build behind `after` (a seq, 0 = from the oldest) that has its image and at least
 * `keep` newer ones of its product and kind that have theirs. @return OTAD_E_NOENT when there is
 * none */
enum otad_err build_find_surplus(struct db *db, int64_t after, int64_t keep, struct build *out,
                                 struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Notes that the build's image was let go: nobody gets it any more (withdrawn), its row stays.
 *  blob_prune() is the other half. */
enum otad_err build_prune(struct db *db, int64_t seq, int64_t now_s,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Gives a pruned build its image back, from a new upload; it can be delivered again. */
enum otad_err build_restore(struct db *db, int64_t seq, int64_t image,
                            struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
