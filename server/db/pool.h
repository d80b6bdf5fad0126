/* SPDX-License-Identifier: MIT
 * Read-only connections, one for each thread that asks. */
#ifndef OTAD_DB_POOL_H
#define OTAD_DB_POOL_H

#include "db/db.h"

/** Opaque: holds every connection it has opened. Thread-safe. */
struct db_pool;

/** @param path  of the database; copied. @return NULL when out of memory. */
struct db_pool *db_pool_new(const char *path);

/** Closes all connections. No thread may use one any more. Sets *pool to NULL. */
void db_pool_free(struct db_pool **pool);

/** The calling thread's own connection, opened at its first call; borrowed until db_pool_free().
 *  @return OTAD_E_OK, OTAD_E_DB, OTAD_E_NOMEM */
enum otad_err db_pool_get(struct db_pool *pool, struct db **out,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
