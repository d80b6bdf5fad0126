/* SPDX-License-Identifier: MIT
 * One read connection a thread. */
#include <pthread.h>

#include "db/pool.h"
#include "support/store.h"

#define THREADS 6

struct user {
    struct db_pool *pool;
    struct db *db, *again;
    int64_t rows;
    enum otad_err err;
};

static void *use(void *arg)
{
    struct user *u = arg;
    u->err = db_pool_get(u->pool, &u->db, NULL);
    if (u->err == OTAD_E_OK)
        u->err = db_pool_get(u->pool, &u->again, NULL);
    if (u->err != OTAD_E_OK)
        return NULL;
    struct db_q q = db_query(u->db, "SELECT count(*) FROM product");
    u->rows = db_step(&q) ? db_int(&q, 0) : -1;
    u->err = db_end(&q, NULL);
    return NULL;
}

START_TEST(each_thread_has_a_connection_of_its_own)
{
    struct store s;
    struct user users[THREADS] = {{.pool = NULL}};
    pthread_t threads[THREADS];
    store_file(&s);
    (void)store_product(s.db, "lamp");
    struct db_pool *pool = db_pool_new(s.path);
    for (size_t i = 0; i < THREADS; i++) {
        users[i].pool = pool;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, use, &users[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
        ck_assert_int_eq(users[i].err, OTAD_E_OK);
        ck_assert_ptr_eq(users[i].db, users[i].again);
        ck_assert_int_eq(users[i].rows, 1);
        for (size_t k = 0; k < i; k++)
            ck_assert_ptr_ne(users[i].db, users[k].db);
    }
    db_pool_free(&pool);
    ck_assert_ptr_null(pool);
    db_pool_free(&pool);
    store_close(&s);
}
END_TEST

START_TEST(pooled_connection_cannot_write)
{
    struct store s;
    struct db *db = NULL;
    store_file(&s);
    struct db_pool *pool = db_pool_new(s.path);
    OK(db_pool_get(pool, &db, EI));
    FAILS(OTAD_E_DB, db_exec(db, "DELETE FROM product", EI));
    HOLDS(store_ei.msg, "readonly");
    db_pool_free(&pool);
    store_close(&s);
}
END_TEST

START_TEST(two_pools_do_not_mix)
{
    struct store a, b;
    struct db *of_a = NULL, *of_b = NULL;
    store_file(&a);
    store_file(&b);
    (void)store_product(b.db, "lamp");
    struct db_pool *pool_a = db_pool_new(a.path), *pool_b = db_pool_new(b.path);
    OK(db_pool_get(pool_a, &of_a, EI));
    OK(db_pool_get(pool_b, &of_b, EI));
    ck_assert_int_eq(store_int(of_a, "SELECT count(*) FROM product"), 0);
    ck_assert_int_eq(store_int(of_b, "SELECT count(*) FROM product"), 1);
    db_pool_free(&pool_a);
    db_pool_free(&pool_b);
    store_close(&a);
    store_close(&b);
}
END_TEST

START_TEST(missing_database_is_an_error)
{
    struct db *const poison = (struct db *)&store_ei;
    struct db *db = poison;
    struct db_pool *pool = db_pool_new("/nonexistent/otad.db");
    FAILS(OTAD_E_DB, db_pool_get(pool, &db, EI));
    ck_assert_ptr_eq(db, poison);
    db_pool_free(&pool);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("pool");
    TCase *t = tcase_create("pool");
    tcase_add_test(t, each_thread_has_a_connection_of_its_own);
    tcase_add_test(t, pooled_connection_cannot_write);
    tcase_add_test(t, two_pools_do_not_mix);
    tcase_add_test(t, missing_database_is_an_error);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
