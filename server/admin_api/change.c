/* SPDX-License-Identifier: MIT
 * Owns the way of an API change to the writer and back. */
#include "admin_api/change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_api/auth.h"
#include "base/json.h"
#include "fleet/events.h"
#include "fleet/overlay.h"
#include "http/base_url.h"
#include "http/reply.h"
#include "http/wait.h"

static void free_change(void *work)
{
    struct change *c = work;
    json_decref(c->body);
    json_decref(c->result);
    batch_free(&c->batch);
}

static enum otad_err run(struct write_job *job, struct db *db, struct otad_errinfo *ei)
{
    struct change *c = (struct change *)job;
    json_decref(c->result);
    c->result = NULL;
    batch_forget(&c->batch);
    enum otad_err err = OTAD_E_OK;
    if (c->audit.product[0] != '\0')
        err = product_find(db, c->audit.product, &c->product, ei);
    if (err == OTAD_E_OK)
        err = c->apply(c, db, ei);
    if (err == OTAD_E_OK)
        err = audit_add(db, &c->audit, ei);
    return err == OTAD_E_OK ? batch_write(&c->batch, db, ei) : err;
}

void change_tell(struct events *events, const struct audit *a, int64_t product)
{
    struct event event = {.kind = EVENT_CHANGE, .product = product, .at_s = a->at_s};
    (void)snprintf(event.slug, sizeof event.slug, "%s", a->product);
    (void)snprintf(event.cause, sizeof event.cause, "%s", a->action);
    (void)snprintf(event.text, sizeof event.text, "%s", a->object);
    events_publish(events, &event);
}

static void done(struct write_job *job, enum otad_err err, const struct otad_errinfo *ei)
{
    struct change *c = (struct change *)job;
    if (err == OTAD_E_OK) {
        change_tell(c->otad->events, &c->audit, c->product.id);
        batch_tell(&c->batch, c->otad->events);
    }
    if (c->ended != NULL)
        c->ended(c, err == OTAD_E_OK);
    c->err = err;
    c->ei = *ei;
    http_wait_done(c->wait);
}

static enum otad_err answer(struct http_req *req, void *work, struct otad_errinfo *ei)
{
    struct change *c = work;
    if (c->err == OTAD_E_OK)
        log_info(c->otad->log, "change", "action=%s product='%s' object='%s' who='%s' address=%s",
                 c->audit.action, c->audit.product, c->audit.object, c->audit.who,
                 c->audit.address);
    if (c->err != OTAD_E_OK) {
        *ei = c->ei;
        return c->err;
    }
    unsigned status = c->result == NULL ? 204 : c->status;
    struct http_reply *reply =
        c->result == NULL ? http_reply_empty() : http_reply_of_json(OTAD_STEAL(c->result));
    if (c->set_cookie[0] != '\0')
        http_reply_header(reply, "Set-Cookie", c->set_cookie);
    return http_reply_send(req, reply, status);
}

static enum otad_err read_body(struct http_req *req, const char *const *known_keys, json_t **out,
                               struct otad_errinfo *ei)
{
    size_t n;
    const char *text = http_req_body(req, &n);
    json_t *body OTAD_AUTO(json_free) = NULL;
    enum otad_err err = json_read_object(n > 0 ? text : "{}", n > 0 ? n : 2, &body, ei);
    if (err == OTAD_E_OK)
        err = json_only_keys(body, known_keys, ei);
    if (err == OTAD_E_OK)
        *out = OTAD_STEAL(body);
    return err;
}

/* The last name of the route's path says what is changed. */
static void set_name(const struct http_req *req, struct change *c)
{
    static const char *const names[] = {"build", "channel", "mac", "key", "push"};
    for (size_t i = 0; i < OTAD_COUNT(names); i++) {
        const char *value = http_req_param(req, names[i]);
        if (value[0] != '\0')
            (void)snprintf(c->name, sizeof c->name, "%s", value);
    }
}

/* Secrets are not for the audit: that they were given is. */
static char *text_without_secrets(json_t *body)
{
    static const char *const secrets[] = {"password", "push_password", "key"};
    json_t *copy = json_copy(body);
    for (size_t i = 0; copy != NULL && i < OTAD_COUNT(secrets); i++)
        if (json_is_string(json_object_get(copy, secrets[i])))
            (void)json_object_set_new(copy, secrets[i], json_string("(not shown)"));
    char *text = copy != NULL ? json_dumps(copy, JSON_COMPACT) : NULL;
    json_decref(copy);
    return text;
}

static void set_audit(const struct http_req *req, struct change *c, const char *action)
{
    struct audit *a = &c->audit;
    a->at_s = c->now_s;
    (void)snprintf(a->who, sizeof a->who, "%s", http_req_who(req)->name);
    (void)snprintf(a->address, sizeof a->address, "%s", http_req_address(req));
    (void)snprintf(a->action, sizeof a->action, "%s", action);
    (void)snprintf(a->product, sizeof a->product, "%s", http_req_param(req, "product"));
    (void)snprintf(a->object, sizeof a->object, "%s", c->name);
    char *text = text_without_secrets(c->body);
    (void)snprintf(a->detail, sizeof a->detail, "%s", text != NULL ? text : "");
    free(text);
}

enum otad_err change_submit(struct http_req *req, const char *action, change_apply apply,
                            const char *const *known_keys, struct otad_errinfo *ei)
{
    struct otad *o = http_req_app(req);
    json_t *body = NULL;
    enum otad_err err = read_body(req, known_keys, &body, ei);
    if (err != OTAD_E_OK)
        return err;
    struct http_wait *wait = http_wait_new(sizeof(struct change), free_change);
    if (wait == NULL) {
        json_decref(body);
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    }
    struct change *c = http_wait_work(wait);
    c->job = (struct write_job){.run = run, .done = done};
    c->wait = wait;
    c->otad = o;
    c->apply = apply;
    c->body = body;
    c->status = 200;
    c->now_s = clock_wall_s(&o->clock);
    const char *force = http_req_query(req, "force");
    c->role = http_req_who(req)->role;
    c->https = strcmp(http_req_scheme(req), "https") == 0;
    auth_cookie(req, c->session);
    c->force = force != NULL && strcmp(force, "true") == 0;
    char public_url[OPTION_TEXT_MAX];
    otad_config_text(o, o->config.public_url, public_url);
    http_base_url(req, public_url, c->base_url, sizeof c->base_url);
    set_name(req, c);
    set_audit(req, c, action);
    (void)http_wait_start(req, wait, otad_config_int(o, &o->config.write_timeout_s), answer);
    struct otad_errinfo busy = {.code = OTAD_E_OK};
    err = writer_submit(o->writer, &c->job, &busy);
    if (err != OTAD_E_OK)
        done(&c->job, err, &busy);
    return OTAD_PENDING;
}

/* ---- reads that see everything ------------------------------------------------------------ */

struct barrier {
    struct write_job job;
    struct http_wait *wait;
    enum otad_err (*read)(struct http_req *req, struct otad_errinfo *ei);
};

/* The facts noted before this job are folded before it, in the same transaction. */
static enum otad_err barrier_run(struct write_job *job, struct db *db, struct otad_errinfo *ei)
{
    (void)job;
    (void)db;
    (void)ei;
    return OTAD_E_OK;
}

static void barrier_done(struct write_job *job, enum otad_err err, const struct otad_errinfo *ei)
{
    struct barrier *b = (struct barrier *)job;
    (void)err; /* a disk that takes no writes can still be read */
    (void)ei;
    http_wait_done(b->wait);
}

static enum otad_err barrier_answer(struct http_req *req, void *work, struct otad_errinfo *ei)
{
    return ((struct barrier *)work)->read(req, ei);
}

enum otad_err fresh_read(struct http_req *req,
                         enum otad_err (*read)(struct http_req *req, struct otad_errinfo *ei),
                         struct otad_errinfo *ei)
{
    struct otad *o = http_req_app(req);
    if (!overlay_any(o->overlay))
        return read(req, ei);
    struct http_wait *wait = http_wait_new(sizeof(struct barrier), NULL);
    if (wait == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    struct barrier *b = http_wait_work(wait);
    *b = (struct barrier){
        .job = {.run = barrier_run, .done = barrier_done},
          .wait = wait, .read = read
    };
    (void)http_wait_start(req, wait, otad_config_int(o, &o->config.write_timeout_s),
                          barrier_answer);
    if (writer_submit(o->writer, &b->job, NULL) != OTAD_E_OK)
        http_wait_done(wait); /* too busy: the read shows what is on the disk */
    return OTAD_PENDING;
}
