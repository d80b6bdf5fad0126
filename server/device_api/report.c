/* SPDX-License-Identifier: MIT
 * Owns reports: a device's own words on how an update went, answered once they are durable. */
#include "fleet/report.h"

#include <stdio.h>

#include "base/mac.h"
#include "device_api/access.h"
#include "device_api/device_api.h"
#include "device_api/report_read.h"
#include "fleet/batch.h"
#include "fleet/device.h"
#include "fleet/otad.h"
#include "fleet/overlay.h"
#include "http/reply.h"
#include "http/wait.h"

/* One report on its way to the disk. The write_job comes first: the writer knows only that. */
struct report_job {
    struct write_job job;
    struct http_wait *wait;
    struct otad *otad;
    struct batch batch; /* what it changed */
    int64_t product;
    uint64_t mac;
    struct report report;
    enum otad_err err;
    struct otad_errinfo ei;
};

/* ---- writing ------------------------------------------------------------------------------ */

static enum otad_err run(struct write_job *job, struct db *db, struct otad_errinfo *ei)
{
    struct report_job *r = (struct report_job *)job;
    batch_forget(&r->batch);
    enum otad_err err = report_record(db, r->product, r->mac, &r->report, &r->batch, ei);
    return err == OTAD_E_OK ? batch_write(&r->batch, db, ei) : err;
}

static void done(struct write_job *job, enum otad_err err, const struct otad_errinfo *ei)
{
    struct report_job *r = (struct report_job *)job;
    r->err = err;
    r->ei = *ei;
    if (err == OTAD_E_OK)
        batch_tell(&r->batch, r->otad->events);
    http_wait_done(r->wait);
}

static void free_job(void *work)
{
    batch_free(&((struct report_job *)work)->batch);
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

/* A report of an unknown device costs reads, not a write. The last look is for a device that was
 * being written when `row` was read, and had left the overlay when that was asked. */
static bool is_known(struct otad *o, struct db *db, const struct checkin_row *row, uint64_t mac)
{
    struct device d;
    return row->device != 0 || overlay_knows(o->overlay, row->product, mac) ||
           device_find(db, row->product, mac, &d, NULL) == OTAD_E_OK;
}

/* Product and device, as a check-in reads them. */
static enum otad_err load(const struct http_req *req, struct report_job *job, bool *known,
                          struct otad_errinfo *ei)
{
    struct otad *o = http_req_app(req);
    struct access access;
    struct checkin_row row;
    struct db *db;
    access_read(req, &access);
    const struct checkin_query query = {
        .slug = access.slug, .mac = job->mac, .channel = "", .key_hash = access_hash(&access)};
    enum otad_err err = otad_reader(o, &db, ei);
    if (err == OTAD_E_OK)
        err = checkin_load(db, &query, &row, ei);
    if (err == OTAD_E_OK)
        err = access_check(req, &access, &row, ei);
    if (err != OTAD_E_OK)
        return err;
    job->product = row.product;
    job->report.authenticated = row.key_ok;
    *known = is_known(o, db, &row, job->mac);
    return OTAD_E_OK;
}

static enum otad_err submit(struct http_req *req, const struct report_job *filled,
                            struct otad_errinfo *ei)
{
    struct otad *o = http_req_app(req);
    struct http_wait *wait = http_wait_new(sizeof *filled, free_job);
    if (wait == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    struct report_job *r = http_wait_work(wait);
    *r = *filled;
    r->wait = wait;
    r->otad = o;
    r->job = (struct write_job){.run = run, .done = done};
    (void)http_wait_start(req, wait, otad_config_int(o, &o->config.write_timeout_s), answer);
    struct otad_errinfo busy = {.code = OTAD_E_OK};
    enum otad_err err = writer_submit(o->writer, &r->job, &busy);
    if (err != OTAD_E_OK)
        done(&r->job, err, &busy);
    return OTAD_PENDING;
}

/* The body, or without one the query: a client for which a form costs too much sends none. */
static enum otad_err read_report(const struct http_req *req, struct report *out,
                                 struct otad_errinfo *ei)
{
    size_t n;
    const char *body = http_req_body(req, &n);
    if (n > 0)
        return report_read(body, n, out, ei);
    const struct report_fields f = {.result = http_req_query(req, "result"),
                                    .code = http_req_query(req, "code"),
                                    .message = http_req_query(req, "message"),
                                    .version = http_req_query(req, "version"),
                                    .build = http_req_query(req, "build")};
    return report_take(&f, out, ei);
}

enum otad_err device_report(struct http_req *req, struct otad_errinfo *ei)
{
    struct otad *o = http_req_app(req);
    struct report_job job = {.product = 0};
    bool known;
    if (!mac_parse(http_req_param(req, "mac"), &job.mac))
        return http_reply_refuse(req, 404, "no_device");
    enum otad_err err = read_report(req, &job.report, ei);
    if (err == OTAD_E_BAD_REQUEST)
        return http_reply_refuse(req, 400, ei->msg);
    if (err == OTAD_E_OK)
        err = load(req, &job, &known, ei);
    if (err == OTAD_E_NOENT)
        return http_reply_refuse(req, 404, "no_product");
    if (err != OTAD_E_OK)
        return err;
    job.report.at_s = clock_wall_s(&o->clock);
    (void)snprintf(job.report.address, sizeof job.report.address, "%s", http_req_address(req));
    if (!known)
        return http_reply_refuse(req, 404, "no_device");
    return submit(req, &job, ei);
}
