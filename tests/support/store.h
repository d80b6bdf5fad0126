/* SPDX-License-Identifier: MIT
 * A real database with the real migrations for tests, and short ways to fill it. Whatever fails in
 * here fails the test. */
#ifndef OTAD_TESTS_STORE_H
#define OTAD_TESTS_STORE_H

#include <string.h>

#include "base/log.h"
#include "db/db.h"
#include "fleet/build.h"
#include "fleet/device.h"
#include "support/unit.h"

struct store {
    char dir[32]; /* "" when in memory */
    char path[64];
    struct db *db;
    struct log log; /* to nowhere */
};

/** A migrated database in memory: for modules that need one connection. */
void store_memory(struct store *s);
/** A migrated database in a temporary folder: for modules that open their own. */
void store_file(struct store *s);
/** Closes and removes everything. s->db may have been handed over (and set to NULL). */
void store_close(struct store *s);

/** A log that writes to nowhere. */
void store_log(struct log *log);

/** Row id of a new product with an empty channel "stable". */
int64_t store_product(struct db *db, const char *slug);
/** A linked image of n bytes made from a seed; @return its row id. */
int64_t store_image(struct db *db, unsigned seed, size_t n, const char *identities);
/** A build of a new image of its own. */
struct build store_build(struct db *db, int64_t product, const char *version, enum build_kind kind);
/** Row id of a device that checked in at time at_s with a version ("" = none). */
int64_t store_device(struct db *db, int64_t product, uint64_t mac, const char *version,
                     int64_t at_s);

/** First column of the first row of a statement without parameters; the text must be constant. */
int64_t store_int(struct db *db, const char *sql);
/** Runs SQL without results. */
void store_exec(struct db *db, const char *sql);

/** Where calls of a test put what went wrong; not for threads. */
extern struct otad_errinfo store_ei;
#define EI (&store_ei)
/** Fails the test unless the call is fine. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        store_ei.msg[0] = '\0';                                                                    \
        enum otad_err err_ = (call);                                                               \
        ck_assert_msg(err_ == OTAD_E_OK, "%s: %s: %s", #call, otad_err_name(err_), store_ei.msg);  \
    } while (0)
/** Fails the test unless the call fails with that code. */
#define FAILS(code, call)                                                                          \
    do {                                                                                           \
        store_ei.msg[0] = store_ei.hint[0] = '\0';                                                 \
        enum otad_err err_ = (call);                                                               \
        ck_assert_msg(err_ == (code), "%s: %s instead of %s", #call, otad_err_name(err_),          \
                      otad_err_name(code));                                                        \
    } while (0)
#endif
