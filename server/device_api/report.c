/* SPDX-License-Identifier: MIT
 * Owns reports: a device's own words on how an update went, answered once they are durable. */
#include "fleet/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mac.h"
#include "device_api/device_api.h"
#include "fleet/build.h"
#include "fleet/device.h"
#include "fleet/otad.h"
#include "fleet/overlay.h"
#include "fleet/product.h"
#include "http/reply.h"
#include "http/target.h"
#include "http/wait.h"

/* One report on its way to the disk. The write_job comes first: the writer knows only that. */
struct report_job {
    struct write_job job;
    struct http_wait *wait;
    int64_t product;
    uint64_t mac;
    struct report report;
    enum otad_err err;
    struct otad_errinfo ei;
};

/* ---- reading ------------------------------------------------------------------------------ */

static enum otad_err bad(struct otad_errinfo *ei, const char *reason)
{
    return otad_fail(ei, OTAD_E_BAD_REQUEST, "%s", reason);
}

static bool copy(const char *from, char *to, size_t room)
{
    if (from == NULL)
        return true;
    size_t n = strlen(from);
    if (n >= room)
        return false;
    memcpy(to, from, n + 1);
    return true;
}

/* Fields are the same in both forms; NULL = not there. */
struct fields {
    const char *result, *code, *message, *version, *build;
};

static enum otad_err take_fields(const struct fields *f, struct report *r, struct otad_errinfo *ei)
{
    if (f->result == NULL || !report_result_is_valid(f->result))
        return bad(ei, "bad_result"); /* success, failed or rolled_back */
    if (!copy(f->result, r->result, sizeof r->result) ||
        !copy(f->message, r->message, sizeof r->message) ||
        !copy(f->version, r->version, sizeof r->version))
        return bad(ei, "field_too_long");
    if (f->code != NULL && f->code[0] != '\0') {
        char *end;
        errno = 0;
        r->code = strtoll(f->code, &end, 10);
        r->has_code = true;
        if (*end != '\0' || errno != 0)
            return bad(ei, "bad_code");
    }
    if (f->build != NULL && f->build[0] != '\0') {
        r->has_build = true;
        if (!build_id_parse(f->build, &r->build))
            return bad(ei, "bad_build");
    }
    return OTAD_E_OK;
}

/* Numbers in JSON are taken as their text: clients send both. */
static const char *json_field(json_t *obj, const char *key, char buf[32])
{
    json_t *value = json_object_get(obj, key);
    if (json_is_integer(value)) {
        (void)snprintf(buf, 32, "%lld", (long long)json_integer_value(value));
        return buf;
    }
    return json_string_value(value);
}

static enum otad_err read_json(const char *body, size_t n, struct report *r,
                               struct otad_errinfo *ei)
{
    json_t *obj OTAD_AUTO(json_free) = NULL;
    if (json_read_object(body, n, &obj, ei) != OTAD_E_OK)
        return bad(ei, "bad_json");
    char code[32], build[32], version[32];
    const struct fields f = {.result = json_string_value(json_object_get(obj, "result")),
                             .code = json_field(obj, "code", code),
                             .message = json_string_value(json_object_get(obj, "message")),
                             .version = json_field(obj, "version", version),
                             .build = json_field(obj, "build", build)};
    return take_fields(&f, r, ei);
}

static enum otad_err read_form(const char *body, struct report *r, struct otad_errinfo *ei)
{
    struct target form;
    char *buf = malloc(2 * strlen(body) + 2);
    if (buf == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    enum otad_err err = bad(ei, "bad_form");
    if (target_parse_query(body, buf, &form)) {
        const struct fields f = {.result = target_query(&form, "result"),
                                 .code = target_query(&form, "code"),
                                 .message = target_query(&form, "message"),
                                 .version = target_query(&form, "version"),
                                 .build = target_query(&form, "build")};
        err = take_fields(&f, r, ei);
    }
    free(buf);
    return err;
}

static enum otad_err read_report(struct http_req *req, struct report *r, struct otad_errinfo *ei)
{
    size_t n;
    const char *body = http_req_body(req, &n);
    if (strlen(body) != n)
        return bad(ei, "bad_form");
    return body[0] == '{' ? read_json(body, n, r, ei) : read_form(body, r, ei);
}

/* ---- writing ------------------------------------------------------------------------------ */

static enum otad_err run(struct write_job *job, struct db *db, struct otad_errinfo *ei)
{
    struct report_job *r = (struct report_job *)job;
    return report_record(db, r->product, r->mac, &r->report, ei);
}

static void done(struct write_job *job, enum otad_err err, const struct otad_errinfo *ei)
{
    struct report_job *r = (struct report_job *)job;
    r->err = err;
    r->ei = *ei;
    http_wait_done(r->wait);
}

static enum otad_err answer(struct http_req *req, void *work, struct otad_errinfo *ei)
{
    const struct report_job *r = work;
    if (r->err == OTAD_E_OK)
        return http_reply_send(req, http_reply_empty(), 204);
    if (r->err == OTAD_E_NOENT)
        return http_reply_refuse(req, 404, "no_update");
    if (r->err == OTAD_E_RATE)
        return http_reply_refuse(req, 429, "too_many_reports");
    *ei = r->ei;
    return r->err;
}

/* A report of an unknown device costs a read, not a write. */
static bool is_known(struct otad *o, struct db *db, int64_t product, uint64_t mac)
{
    struct device d;
    return overlay_knows(o->overlay, product, mac) ||
           device_find(db, product, mac, &d, NULL) == OTAD_E_OK;
}

static enum otad_err submit(struct http_req *req, const struct report_job *filled,
                            struct otad_errinfo *ei)
{
    struct otad *o = http_req_app(req);
    struct http_wait *wait = http_wait_new(sizeof *filled, NULL);
    if (wait == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    struct report_job *r = http_wait_work(wait);
    *r = *filled;
    r->wait = wait;
    r->job = (struct write_job){.run = run, .done = done};
    (void)http_wait_start(req, wait, otad_config_int(o, &o->config.write_timeout_s), answer);
    struct otad_errinfo busy = {.code = OTAD_E_OK};
    enum otad_err err = writer_submit(o->writer, &r->job, &busy);
    if (err != OTAD_E_OK)
        done(&r->job, err, &busy);
    return OTAD_PENDING;
}

enum otad_err device_report(struct http_req *req, struct otad_errinfo *ei)
{
    struct otad *o = http_req_app(req);
    struct report_job job = {.product = 0};
    struct product product;
    struct db *db;
    if (!mac_parse(http_req_param(req, "mac"), &job.mac))
        return http_reply_refuse(req, 404, "no_device");
    enum otad_err err = read_report(req, &job.report, ei);
    if (err == OTAD_E_BAD_REQUEST)
        return http_reply_refuse(req, 400, ei->msg);
    if (err == OTAD_E_OK)
        err = otad_reader(o, &db, ei);
    if (err == OTAD_E_OK)
        err = product_find(db, http_req_param(req, "product"), &product, ei);
    if (err == OTAD_E_NOENT)
        return http_reply_refuse(req, 404, "no_product");
    if (err != OTAD_E_OK)
        return err;
    job.product = product.id;
    job.report.at_s = clock_wall_s(&o->clock);
    (void)snprintf(job.report.address, sizeof job.report.address, "%s", http_req_address(req));
    if (!is_known(o, db, product.id, job.mac))
        return http_reply_refuse(req, 404, "no_device");
    return submit(req, &job, ei);
}
