/* SPDX-License-Identifier: MIT
 * Owns the columns of the ledger's CSV. */
#include "admin_api/updates_csv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/csv.h"
#include "base/mac.h"
#include "fleet/otad.h"
#include "http/reply.h"
#include "http/stream.h"

#define PAGE 200 /* rows read at a time, some 30 KiB */
#define PATIENCE_S 60

struct export
{
    struct otad *otad;
    struct product product;
    struct update_filter filter;
    char state[32], cause[64]; /* what the filter points to: the request's own are gone by now */
    struct csv csv;            /* the page being sent */
    int64_t rows;              /* of it */
    bool begun, all;
};

static void free_export(void *arg)
{
    struct export *x = arg;
    csv_free(&x->csv);
    free(x);
}

static void add_header(struct csv *csv)
{
    static const char *const names[] = {"id",           "product",    "mac",        "build",
                                        "from_version", "to_version", "state",      "cause",
                                        "detail",       "attempts",   "created_at", "updated_at"};
    for (size_t i = 0; i < OTAD_COUNT(names); i++)
        csv_field(csv, names[i]);
    csv_end_row(csv);
}

static void add_id(struct csv *csv, int64_t id)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, (uint64_t)id);
    csv_field(csv, text);
}

static void add_time(struct csv *csv, int64_t wall_s)
{
    char text[CLOCK_TEXT];
    clock_text(wall_s, text);
    csv_field(csv, text);
}

static enum otad_err add_row(void *arg, const struct update *u)
{
    struct export *x = arg;
    struct csv *csv = &x->csv;
    char mac[OTAD_MAC_TEXT];
    mac_text(u->mac, mac);
    add_id(csv, u->id);
    csv_field(csv, x->product.slug);
    csv_field(csv, mac);
    add_id(csv, u->build_id);
    csv_field(csv, u->from_version);
    csv_field(csv, u->to_version);
    csv_field(csv, update_state_name(u->state));
    csv_field(csv, u->cause);
    csv_field(csv, u->detail);
    csv_number(csv, u->attempts);
    add_time(csv, u->created_at_s);
    add_time(csv, u->updated_at_s);
    csv_end_row(csv);
    x->rows++;
    x->filter.after_id = u->id;
    x->filter.after_s = u->updated_at_s;
    return csv->failed ? OTAD_E_NOMEM : OTAD_E_OK;
}

static enum http_stream_next next(void *arg, bool due, const char **data, size_t *n)
{
    struct export *x = arg;
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    struct db *db;
    (void)due;
    if (x->all)
        return HTTP_STREAM_END;
    csv_clear(&x->csv);
    x->rows = 0;
    if (!x->begun)
        add_header(&x->csv);
    x->begun = true;
    enum otad_err err = otad_reader(x->otad, &db, &ei);
    if (err == OTAD_E_OK)
        err = update_list(db, &x->filter, add_row, x, &ei);
    if (err != OTAD_E_OK || x->csv.failed) {
        log_err(x->otad->log, "updates.csv", "error='%s'", ei.msg);
        return HTTP_STREAM_CUT;
    }
    x->all = x->rows < PAGE;
    *data = x->csv.text;
    *n = x->csv.n;
    return *n > 0 ? HTTP_STREAM_DATA : HTTP_STREAM_END;
}

static const char *keep(char *room, size_t n, const char *text)
{
    if (text == NULL)
        return NULL;
    (void)snprintf(room, n, "%s", text);
    return room;
}

static struct export *make_export(struct http_req *req, const struct product *product,
                                  const struct update_filter *filter)
{
    struct export *x = calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    x->otad = http_req_app(req);
    x->product = *product;
    x->filter = *filter;
    x->filter.limit = PAGE;
    x->filter.state = keep(x->state, sizeof x->state, filter->state);
    x->filter.cause = keep(x->cause, sizeof x->cause, filter->cause);
    return x;
}

enum otad_err updates_csv(struct http_req *req, const struct product *product,
                          const struct update_filter *filter, struct otad_errinfo *ei)
{
    char disposition[OTAD_SLUG_MAX + 64];
    struct http_reply *reply;
    struct export *x = make_export(req, product, filter);
    if (x == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    const struct http_stream_source source = {
        .next = next, .free_arg = free_export, .arg = x, .interval_s = PATIENCE_S};
    enum otad_err err = http_stream_reply(req, &source, &reply, ei);
    if (err != OTAD_E_OK)
        return err;
    (void)snprintf(disposition, sizeof disposition, "attachment; filename=\"updates-%s.csv\"",
                   product->slug);
    http_reply_header(reply, "Content-Type", "text/csv; charset=utf-8");
    http_reply_header(reply, "Content-Disposition", disposition);
    http_reply_header(reply, "Cache-Control", "no-store");
    return http_reply_send(req, reply, 200);
}
