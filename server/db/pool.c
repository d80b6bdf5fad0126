/* SPDX-License-Identifier: MIT
 * Owns the readers' connections: thread-specific data finds them, a list closes them. */
#include "db/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct member {
    struct db *db;
    struct member *next;
};

struct db_pool {
    pthread_key_t key;
    pthread_mutex_t lock;
    struct member *members;
    char *path;
};

struct db_pool *db_pool_new(const char *path)
{
    struct db_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->path = strdup(path);
    if (pool->path == NULL || pthread_key_create(&pool->key, NULL) != 0) {
        free(pool->path);
        free(pool);
        return NULL;
    }
    (void)pthread_mutex_init(&pool->lock, NULL);
    return pool;
}

void db_pool_free(struct db_pool **pool)
{
    struct db_pool *p = *pool;
    if (p == NULL)
        return;
    while (p->members != NULL) {
        struct member *m = p->members;
        p->members = m->next;
        db_close(&m->db);
        free(m);
    }
    (void)pthread_key_delete(p->key);
    (void)pthread_mutex_destroy(&p->lock);
    free(p->path);
    free(p);
    *pool = NULL;
}

static enum otad_err add_member(struct db_pool *pool, struct db **out, struct otad_errinfo *ei)
{
    struct member *m = calloc(1, sizeof *m);
    if (m == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory opening a database connection");
    enum otad_err err = db_open(pool->path, DB_READ, &m->db, ei);
    if (err == OTAD_E_OK && pthread_setspecific(pool->key, m->db) != 0)
        err = otad_fail(ei, OTAD_E_NOMEM, "Out of memory opening a database connection");
    if (err != OTAD_E_OK) {
        db_close(&m->db);
        free(m);
        return err;
    }
    (void)pthread_mutex_lock(&pool->lock);
    m->next = pool->members;
    pool->members = m;
    (void)pthread_mutex_unlock(&pool->lock);
    *out = m->db;
    return OTAD_E_OK;
}

enum otad_err db_pool_get(struct db_pool *pool, struct db **out, struct otad_errinfo *ei)
{
    struct db *mine = pthread_getspecific(pool->key);
    if (mine == NULL)
        return add_member(pool, out, ei);
    *out = mine;
    return OTAD_E_OK;
}
