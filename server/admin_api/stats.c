/* SPDX-License-Identifier: MIT
 * Owns /stats and /products/{product}/stats. Both are worked out on the worker thread, and an
 * answer is given again for some seconds. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_api/admin_api.h"
#include "admin_api/change.h"
#include "admin_api/list.h"
#include "admin_api/shapes.h"
#include "fleet/answer_cache.h"
#include "fleet/worker.h"
#include "http/reply.h"
#include "http/wait.h"

/* What is asked for. */
struct question {
    char slug[OTAD_SLUG_MAX + 1];   /* of the one product, or "" */
    char cursor[OTAD_SLUG_MAX + 1]; /* of a page of all */
    int64_t limit;
    int64_t only; /* product id a key is bound to, 0 = all */
};

struct calculation {
    struct worker_job job; /* first: the worker knows only this */
    struct http_wait *wait;
    struct otad *otad;
    struct question question;
    char *text;
    enum otad_err err;
    struct otad_errinfo ei;
};

/* A page that is being filled. */
struct page {
    struct list list;
    struct db *db;
    int64_t only, now_s;
    struct otad_errinfo *ei;
};

static void free_calculation(void *work)
{
    free(((struct calculation *)work)->text);
}

static void cache_key(const struct question *q, char out[ANSWER_CACHE_KEY])
{
    (void)snprintf(out, ANSWER_CACHE_KEY, "stats %s %s %" PRId64 " %" PRId64, q->slug, q->cursor,
                   q->limit, q->only);
}

/* ---- on the worker ------------------------------------------------------------------------ */

static enum otad_err add(void *arg, const struct product *p)
{
    struct page *page = arg;
    if ((page->only != 0 && p->id != page->only) || !list_has_room(&page->list))
        return OTAD_E_OK;
    (void)snprintf(page->list.next, sizeof page->list.next, "%s", p->slug);
    json_t *shape = shape_stats(page->db, p, page->now_s, page->ei);
    return shape != NULL ? list_add(&page->list, shape) : page->ei->code;
}

static enum otad_err one(const struct calculation *c, struct db *db, json_t **out,
                         struct otad_errinfo *ei)
{
    struct product p;
    enum otad_err err = product_find(db, c->question.slug, &p, ei);
    if (err != OTAD_E_OK)
        return err;
    *out = shape_stats(db, &p, clock_wall_s(&c->otad->clock), ei);
    return *out != NULL ? OTAD_E_OK : ei->code;
}

static enum otad_err all(const struct calculation *c, struct db *db, json_t **out,
                         struct otad_errinfo *ei)
{
    const struct question *q = &c->question;
    struct page page = {
        .list = {.limit = q->limit, .items = json_array()},
        .db = db,
        .only = q->only,
        .now_s = clock_wall_s(&c->otad->clock),
        .ei = ei
    };
    enum otad_err err =
        product_list(db, q->cursor, q->only != 0 ? INT64_MAX : q->limit + 1, add, &page, ei);
    *out = list_json(&page.list, err);
    return err == OTAD_E_OK && *out == NULL ? otad_fail(ei, OTAD_E_NOMEM, "Out of memory") : err;
}

static enum otad_err calculate(struct calculation *c, struct otad_errinfo *ei)
{
    struct db *db;
    json_t *shape = NULL;
    char key[ANSWER_CACHE_KEY];
    enum otad_err err = otad_reader(c->otad, &db, ei);
    if (err == OTAD_E_OK)
        err = c->question.slug[0] != '\0' ? one(c, db, &shape, ei) : all(c, db, &shape, ei);
    if (err != OTAD_E_OK)
        return err;
    c->text = json_dumps(shape, JSON_COMPACT);
    json_decref(shape);
    if (c->text == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    cache_key(&c->question, key);
    answer_cache_put(c->otad->answers, key, c->text, clock_mono_ms(&c->otad->clock));
    return OTAD_E_OK;
}

static void run(struct worker_job *job, bool closing)
{
    struct calculation *c = (struct calculation *)job;
    c->err =
        closing ? otad_fail(&c->ei, OTAD_E_BUSY, "otad is shutting down") : calculate(c, &c->ei);
    http_wait_done(c->wait);
}

/* ---- on the HTTP thread ------------------------------------------------------------------- */

static enum otad_err send(struct http_req *req, const char *text)
{
    struct http_reply *reply = http_reply_copy(text, strlen(text));
    http_reply_header(reply, "Content-Type", "application/json");
    http_reply_header(reply, "Cache-Control", "no-store");
    return http_reply_send(req, reply, 200);
}

static enum otad_err answer(struct http_req *req, void *work, struct otad_errinfo *ei)
{
    const struct calculation *c = work;
    if (c->err == OTAD_E_OK)
        return send(req, c->text);
    *ei = c->ei;
    return c->err;
}

static enum otad_err read_question(struct http_req *req, struct question *q,
                                   struct otad_errinfo *ei)
{
    static const char *const known[] = {NULL};
    struct list list;
    enum otad_err err = list_begin(req, known, &list, ei);
    if (err != OTAD_E_OK)
        return err;
    json_decref(list.items);
    *q = (struct question){.limit = list.limit, .only = http_req_who(req)->product};
    (void)snprintf(q->slug, sizeof q->slug, "%s", http_req_param(req, "product"));
    if (list.cursor != NULL)
        (void)snprintf(q->cursor, sizeof q->cursor, "%s", list.cursor);
    return OTAD_E_OK;
}

static enum otad_err start(struct http_req *req, struct otad_errinfo *ei)
{
    struct otad *o = http_req_app(req);
    struct http_wait *wait = http_wait_new(sizeof(struct calculation), free_calculation);
    if (wait == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    struct calculation *c = http_wait_work(wait);
    enum otad_err err = read_question(req, &c->question, ei);
    if (err != OTAD_E_OK) {
        http_wait_discard(wait);
        return err;
    }
    c->job.run = run;
    c->wait = wait;
    c->otad = o;
    (void)http_wait_start(req, wait, otad_config_int(o, &o->config.upload_timeout_s), answer);
    if (worker_submit(o->worker, &c->job, NULL) != OTAD_E_OK)
        run(&c->job, true);
    return OTAD_PENDING;
}

enum otad_err admin_stats(struct http_req *req, struct otad_errinfo *ei)
{
    struct otad *o = http_req_app(req);
    struct question question;
    char key[ANSWER_CACHE_KEY];
    enum otad_err err = read_question(req, &question, ei);
    if (err != OTAD_E_OK)
        return err;
    cache_key(&question, key);
    char *text = answer_cache_get(o->answers, key, clock_mono_ms(&o->clock));
    if (text == NULL)
        return fresh_read(req, start, ei);
    err = send(req, text);
    free(text);
    return err;
}
