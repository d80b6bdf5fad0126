/* SPDX-License-Identifier: MIT
 * Owns what operators ask: health, status and the audit. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "admin_api/admin_api.h"
#include "admin_api/list.h"
#include "admin_api/shapes.h"
#include "base/interfaces.h"
#include "base/json.h"
#include "fleet/otad.h"
#include "http/base_url.h"
#include "http/reply.h"

/* Whether requests can be answered: the database can be read, the writer isn't stuck. */
enum otad_err admin_healthz(struct http_req *req, struct otad_errinfo *ei)
{
    struct otad *o = http_req_app(req);
    struct db *db;
    int64_t version, commit_ms;
    size_t queued;
    enum otad_err err = otad_reader(o, &db, ei);
    if (err == OTAD_E_OK)
        err = db_schema_version(db, &version, ei);
    if (err != OTAD_E_OK)
        return err;
    writer_stats(o->writer, &queued, &commit_ms);
    return http_reply_json(req, 200,
                           json_pack("{s:s, s:I, s:I, s:I}", "status", "ok", "schema",
                                     (json_int_t)version, "queued_changes", (json_int_t)queued,
                                     "last_commit_ms", (json_int_t)commit_ms));
}

/* ---- status ------------------------------------------------------------------------------- */

#define URLS_MAX 4

static int64_t file_bytes(const char *dir, const char *name)
{
    char path[OPTION_TEXT_MAX + 32];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

/* null when the system doesn't tell. */
static json_t *free_bytes(const char *dir)
{
    struct statvfs fs;
    return statvfs(dir, &fs) == 0 ? json_integer((json_int_t)fs.f_bavail * (json_int_t)fs.f_frsize)
                                  : json_null();
}

static bool listens_everywhere(const struct option_list *listen)
{
    for (size_t i = 0; i < listen->n; i++)
        if (strncmp(listen->items[i], "0.0.0.0:", 8) == 0 ||
            strncmp(listen->items[i], "[::]:", 5) == 0)
            return true;
    return false;
}

/* Who looks at localhost must still be told an address that a device can use. */
static json_t *device_urls(struct http_req *req, struct otad *o)
{
    char public_url[OPTION_TEXT_MAX], base[OPTION_TEXT_MAX], url[OPTION_TEXT_MAX];
    char addresses[URLS_MAX][NET_TEXT_MAX];
    json_t *urls = json_array();
    const char *port = strrchr(http_req_local(req), ':');
    size_t n = 0;
    otad_config_text(o, o->config.public_url, public_url);
    http_base_url(req, public_url, base, sizeof base);
    if (public_url[0] == '\0' && port != NULL && listens_everywhere(&o->config.listen))
        n = interfaces_ipv4(addresses, URLS_MAX);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(url, sizeof url, "http://%s%s", addresses[i], port);
        (void)json_array_append_new(urls, json_string(url));
    }
    if (n == 0)
        (void)json_array_append_new(urls, json_string(base));
    return urls;
}

enum otad_err admin_status(struct http_req *req, struct otad_errinfo *ei)
{
    struct otad *o = http_req_app(req);
    struct db *db;
    int64_t schema, commit_ms;
    size_t queued;
    enum otad_err err = otad_reader(o, &db, ei);
    if (err == OTAD_E_OK)
        err = db_schema_version(db, &schema, ei);
    if (err != OTAD_E_OK)
        return err;
    writer_stats(o->writer, &queued, &commit_ms);
    return http_reply_json(
        req, 200,
        json_pack("{s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "version", o->version, "at",
                  json_time(clock_wall_s(&o->clock)), "started_at", json_time(o->started_at_s),
                  "schema", (json_int_t)schema, "queued_changes", (json_int_t)queued,
                  "last_commit_ms", (json_int_t)commit_ms, "database_bytes",
                  (json_int_t)file_bytes(o->data_dir, "otad.db"), "wal_bytes",
                  (json_int_t)file_bytes(o->data_dir, "otad.db-wal"), "disk_free_bytes",
                  free_bytes(o->data_dir), "device_urls", device_urls(req, o)));
}

/* ---- the audit ---------------------------------------------------------------------------- */

static enum otad_err add(void *arg, const struct audit *a)
{
    struct list *list = arg;
    if (!list_has_room(list))
        return OTAD_E_OK;
    (void)snprintf(list->next, sizeof list->next, "%" PRId64, a->id);
    return list_add(list, shape_audit(a));
}

enum otad_err admin_audit_list(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {NULL};
    struct list list;
    struct db *db;
    int64_t before = 0;
    enum otad_err err = list_begin(req, known, &list, ei);
    if (err == OTAD_E_OK)
        err = list_cursor_number(&list, 0, &before, ei);
    if (err == OTAD_E_OK)
        err = otad_reader(http_req_app(req), &db, ei);
    if (err == OTAD_E_OK)
        err = audit_list(db, before, list.limit + 1, add, &list, ei);
    return list_send(req, &list, err);
}
