/* SPDX-License-Identifier: MIT
 * Running out of memory at every single allocation: told as an error, outputs untouched, nothing
 * leaked. This program brings its own malloc; a sanitizer does that too, so there it tests nothing.
 */
#include <errno.h>
#include <stdio.h>

#include "base/digest.h"
#include "base/json.h"
#include "db/db.h"
#include "db/pool.h"
#include "device_api/report_read.h"
#include "fleet/admission.h"
#include "fleet/blob_cache.h"
#include "fleet/overlay.h"
#include "fleet/worker.h"
#include "http/conns.h"
#include "support/store.h"

#ifdef __has_feature
#define BUILT_WITH(what) __has_feature(what)
#else
#define BUILT_WITH(what) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    BUILT_WITH(address_sanitizer) || BUILT_WITH(thread_sanitizer)
#define OWN_MALLOC 0
#else
#define OWN_MALLOC 1
#endif

/* Allocations of this thread that still succeed; negative: all do. */
static _Thread_local long left = -1;
static _Thread_local bool hit;  /* one was refused */
static _Thread_local long live; /* blocks this thread holds */

#if OWN_MALLOC
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void __libc_free(void *p);

static bool refused(void)
{
    if (left < 0 || left-- > 0)
        return false;
    left = 0;
    hit = true;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t n)
{
    void *p = refused() ? NULL : __libc_malloc(n);
    live += p != NULL;
    return p;
}

void *calloc(size_t n, size_t size)
{
    void *p = refused() ? NULL : __libc_calloc(n, size);
    live += p != NULL;
    return p;
}

void *realloc(void *old, size_t n)
{
    if (refused())
        return NULL;
    void *p = __libc_realloc(old, n);
    live += old == NULL && p != NULL;
    return p;
}

void free(void *p)
{
    live -= p != NULL;
    __libc_free(p);
}
#endif

enum outcome { RIGHT, REFUSED, WRONG };

static enum outcome run_digest(void)
{
    uint8_t md5[OTAD_MD5_LEN], sha256[OTAD_SHA256_LEN];
    struct digest *d OTAD_AUTO(digest_free) = digest_new();
    if (d == NULL)
        return REFUSED;
    digest_update(d, "abc", 3);
    return digest_final(d, md5, sha256) == OTAD_E_OK ? RIGHT : REFUSED;
}

static enum outcome run_overlay(void)
{
    struct overlay *o = overlay_new(10, NULL);
    if (o == NULL)
        return REFUSED;
    struct fact f = {.kind = FACT_CHECKIN, .product = 1, .mac = 0xa};
    bool kept = overlay_note(o, &f);
    bool same = overlay_knows(o, 1, 0xa) == kept && overlay_any(o) == kept;
    overlay_free(&o);
    return !same ? WRONG : kept ? RIGHT : REFUSED;
}

static enum outcome run_conns(void)
{
    static const struct conn_limits limits = {.max = 1, .per_address = 1};
    static const struct sockaddr addr = {.sa_family = AF_UNIX};
    struct conns *c = conns_new(&limits);
    if (c == NULL)
        return REFUSED;
    struct conn *conn = conns_add(c, -1, &addr, 0);
    bool same =
        conns_may_accept(c, &addr) == (conn == NULL) && conns_count(c) == (conn == NULL ? 0 : 1);
    conns_free(&c);
    return !same ? WRONG : conn != NULL ? RIGHT : REFUSED;
}

static enum outcome run_admission(void)
{
    struct admission *a = admission_new();
    bool ok = a != NULL && admission_take(a, "192.0.2.1", 1, 0);
    admission_free(&a);
    return ok ? RIGHT : REFUSED;
}

/* In the middle of a text, jansson takes a refused allocation for a bad token and doesn't say. */
static bool is_told(enum otad_err err)
{
    return err == OTAD_E_NOMEM || err == OTAD_E_BAD_REQUEST;
}

static enum outcome run_json_read(void)
{
    static const char text[] = "{\"name\":\"lamp\",\"list\":[1,2.5,{\"a\":null}],\"on\":true}";
    json_t *j = NULL;
    struct otad_errinfo ei;
    enum otad_err err = json_read_object(text, sizeof text - 1, &j, &ei);
    if (err != OTAD_E_OK)
        return j == NULL && is_told(err) ? REFUSED : WRONG;
    json_free(&j);
    return RIGHT;
}

static enum outcome run_json_write(void)
{
    json_t *a = json_id(-1), *b = json_time(5), *c = json_text("l\xe4mp");
    bool ok = a != NULL && b != NULL && c != NULL;
    json_free(&a);
    json_free(&b);
    json_free(&c);
    return ok ? RIGHT : REFUSED;
}

static enum outcome read_body(const char *body)
{
    static struct report r, poison;
    struct otad_errinfo ei;
    memset(&r, 0x5a, sizeof r);
    memset(&poison, 0x5a, sizeof poison);
    enum otad_err err = report_read(body, strlen(body), &r, &ei);
    if (err == OTAD_E_OK)
        return RIGHT;
    return is_told(err) && memcmp(&r, &poison, sizeof r) == 0 ? REFUSED : WRONG;
}

static enum outcome run_report_form(void)
{
    return read_body("result=failed&code=1&message=x");
}

static enum outcome run_report_json(void)
{
    return read_body("{\"result\":\"failed\",\"code\":1}");
}

static enum outcome run_db(void)
{
    struct db *db = NULL;
    struct otad_errinfo ei;
    enum otad_err err = db_open(":memory:", DB_WRITE, &db, &ei);
    if (err != OTAD_E_OK)
        return db == NULL ? REFUSED : WRONG;
    struct db_q q = db_query(db, "SELECT hex(zeroblob(:n))");
    db_bind_int(&q, ":n", 100000);
    bool row = db_step(&q);
    const char *text = row ? db_text(&q, 0) : NULL;
    row = row && text != NULL;
    err = db_end(&q, &ei);
    db_close(&db);
    return err == OTAD_E_OK && row ? RIGHT : REFUSED;
}

static enum outcome run_pool(void)
{
    struct db_pool *pool = db_pool_new(":memory:");
    struct db *db = NULL;
    struct otad_errinfo ei;
    if (pool == NULL)
        return REFUSED;
    enum otad_err err = db_pool_get(pool, &db, &ei);
    bool same = (err == OTAD_E_OK) == (db != NULL);
    db_pool_free(&pool);
    return !same ? WRONG : err == OTAD_E_OK ? RIGHT : REFUSED;
}

static void never(void *arg, struct blob *blob, enum otad_err err)
{
    (void)blob;
    if (err != OTAD_E_NOENT && err != OTAD_E_DB)
        *(bool *)arg = true;
}

static enum outcome run_blob_cache(void)
{
    struct db_pool *pool = db_pool_new("/nonexistent/otad.db");
    struct blob_cache *cache = pool != NULL ? blob_cache_new(pool, 1000, NULL) : NULL;
    struct blob *blob = NULL;
    bool wrong = false;
    enum otad_err err = OTAD_E_NOMEM;
    if (cache != NULL)
        err = blob_get(cache, 7, &blob, never, &wrong);
    blob_cache_free(&cache);
    db_pool_free(&pool);
    return wrong || blob != NULL ? WRONG : err == OTAD_PENDING ? RIGHT : REFUSED;
}

static enum outcome run_worker(void)
{
    struct worker *w = worker_new();
    bool ok = w != NULL;
    worker_free(&w);
    return ok ? RIGHT : REFUSED;
}

static const struct {
    const char *what;
    enum outcome (*run)(void);
    bool exact; /* libraries below keep nothing: every block must come back */
} rows[] = {
    {"digest",       run_digest,      false},
    {"overlay",      run_overlay,     true },
    {"connections",  run_conns,       true },
    {"admission",    run_admission,   true },
    {"reading JSON", run_json_read,   true },
    {"writing JSON", run_json_write,  true },
    {"report, form", run_report_form, true },
    {"report, JSON", run_report_json, true },
    {"database",     run_db,          true },
    {"reader pool",  run_pool,        true },
    {"images",       run_blob_cache,  false},
    {"worker",       run_worker,      false},
};

START_TEST(every_allocation_may_fail)
{
    long n = 0;
    bool done = false;
    ck_assert_int_eq(rows[_i].run(), RIGHT); /* libraries set themselves up */
    for (; OWN_MALLOC && !done && n < 5000; n++) {
        long before = live;
        hit = false;
        left = n;
        enum outcome got = rows[_i].run();
        left = -1;
        ck_assert_msg(got != WRONG, "%s: allocation %ld", rows[_i].what, n);
        ck_assert_msg(got == RIGHT || hit, "%s: refused without a reason", rows[_i].what);
        ck_assert_msg(!rows[_i].exact || live == before, "%s: allocation %ld: %ld blocks leaked",
                      rows[_i].what, n, live - before);
        done = !hit;
    }
    ck_assert_msg(done || !OWN_MALLOC, "%s: never done", rows[_i].what);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("nomem");
    TCase *t = tcase_create("nomem");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, every_allocation_may_fail, 0, (int)OTAD_COUNT(rows));
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
