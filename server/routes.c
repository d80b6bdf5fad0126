/* SPDX-License-Identifier: MIT
 * THE route table: method, path, access class, body, handler. docs/api.yaml is held against it. */
#include "routes.h"

#include "admin_api/admin_api.h"
#include "dashboard/dashboard.h"
#include "device_api/device_api.h"
#include "http/reply.h"

#define IMAGE_METHODS (HTTP_GET | HTTP_HEAD)
#define JSON_MAX 65536
#define REPORT_MAX 8192

static enum otad_err endpoints(struct http_req *req, struct otad_errinfo *ei);

/* clang-format off */
#define P "/api/v1/products/{product}"
static const struct http_route rows[] = {
    /* devices */
    {IMAGE_METHODS, "/fw/{product}/latest",         HTTP_ACCESS_DEVICE, HTTP_BODY_NONE, 0, device_latest, NULL},
    {IMAGE_METHODS, "/fw/{product}/latest.bin",     HTTP_ACCESS_DEVICE, HTTP_BODY_NONE, 0, device_latest, NULL},
    {IMAGE_METHODS, "/fw/{product}/latest.version", HTTP_ACCESS_DEVICE, HTTP_BODY_NONE, 0, device_latest_version, NULL},
    {IMAGE_METHODS, "/fw/{product}/latest.md5",     HTTP_ACCESS_DEVICE, HTTP_BODY_NONE, 0, device_latest_md5, NULL},
    {IMAGE_METHODS, "/fw/{product}/latest.sha256",  HTTP_ACCESS_DEVICE, HTTP_BODY_NONE, 0, device_latest_sha256, NULL},
    {IMAGE_METHODS, "/fw/{product}/latest.json",    HTTP_ACCESS_DEVICE, HTTP_BODY_NONE, 0, device_latest_json, NULL},
    {IMAGE_METHODS, "/fw/{product}/manifest.json",  HTTP_ACCESS_DEVICE, HTTP_BODY_NONE, 0, device_manifest, NULL},
    {IMAGE_METHODS, "/fw/{product}/{mac}.version",  HTTP_ACCESS_DEVICE, HTTP_BODY_NONE, 0, device_mac_version, NULL},
    {IMAGE_METHODS, "/fw/{product}/{mac}.bin",      HTTP_ACCESS_DEVICE, HTTP_BODY_NONE, 0, device_mac_bin, NULL},
    {HTTP_POST,     "/fw/{product}/{mac}/report",   HTTP_ACCESS_DEVICE, HTTP_BODY_REPORT, REPORT_MAX, device_report, NULL},
    {IMAGE_METHODS, "/static/fw_{name}.bin",        HTTP_ACCESS_DEVICE, HTTP_BODY_NONE, 0, device_static, NULL},

    /* products */
    {HTTP_GET,    "/api/v1/products", HTTP_ACCESS_VIEWER, HTTP_BODY_NONE, 0, admin_products_list, NULL},
    {HTTP_POST,   "/api/v1/products", HTTP_ACCESS_ADMIN,  HTTP_BODY_JSON, JSON_MAX, admin_products_create, NULL},
    {HTTP_GET,    P,                  HTTP_ACCESS_VIEWER, HTTP_BODY_NONE, 0, admin_product_read, NULL},
    {HTTP_PATCH,  P,                  HTTP_ACCESS_ADMIN,  HTTP_BODY_JSON, JSON_MAX, admin_product_change, NULL},
    {HTTP_DELETE, P,                  HTTP_ACCESS_ADMIN,  HTTP_BODY_NONE, 0, admin_product_delete, NULL},
    {HTTP_GET,    P "/stats",         HTTP_ACCESS_VIEWER, HTTP_BODY_NONE, 0, admin_stats, NULL},

    /* what devices of a product carry */
    {HTTP_GET,    P "/keys",       HTTP_ACCESS_ADMIN, HTTP_BODY_NONE, 0, admin_product_keys_list, NULL},
    {HTTP_POST,   P "/keys",       HTTP_ACCESS_ADMIN, HTTP_BODY_JSON, JSON_MAX, admin_product_keys_create, NULL},
    {HTTP_DELETE, P "/keys/{key}", HTTP_ACCESS_ADMIN, HTTP_BODY_NONE, 0, admin_product_key_revoke, NULL},

    /* builds */
    {HTTP_GET,     P "/builds",                  HTTP_ACCESS_VIEWER,    HTTP_BODY_NONE, 0, admin_builds_list, NULL},
    {HTTP_POST,    P "/builds",                  HTTP_ACCESS_PUBLISHER, HTTP_BODY_UPLOAD, HTTP_MAX_BODY_IMAGE, admin_upload, &admin_upload_sink},
    {HTTP_GET,     P "/builds/{build}",          HTTP_ACCESS_VIEWER,    HTTP_BODY_NONE, 0, admin_build_read, NULL},
    {HTTP_PATCH,   P "/builds/{build}",          HTTP_ACCESS_PUBLISHER, HTTP_BODY_JSON, JSON_MAX, admin_build_change, NULL},
    {HTTP_DELETE,  P "/builds/{build}",          HTTP_ACCESS_PUBLISHER, HTTP_BODY_NONE, 0, admin_build_delete, NULL},
    {IMAGE_METHODS, P "/builds/{build}/file",    HTTP_ACCESS_VIEWER,    HTTP_BODY_NONE, 0, admin_build_file, NULL},
    {HTTP_GET,     P "/builds/{build}/preflight", HTTP_ACCESS_VIEWER,   HTTP_BODY_NONE, 0, admin_build_preflight, NULL},
    {HTTP_POST,    P "/builds/{build}/withdraw", HTTP_ACCESS_PUBLISHER, HTTP_BODY_JSON, JSON_MAX, admin_build_withdraw, NULL},
    {HTTP_POST,    P "/builds/{build}/url",      HTTP_ACCESS_PUBLISHER, HTTP_BODY_JSON, JSON_MAX, admin_build_url, NULL},

    /* channels */
    {HTTP_GET,   P "/channels",                  HTTP_ACCESS_VIEWER,    HTTP_BODY_NONE, 0, admin_channels_list, NULL},
    {HTTP_GET,   P "/channels/{channel}",        HTTP_ACCESS_VIEWER,    HTTP_BODY_NONE, 0, admin_channel_read, NULL},
    {HTTP_PATCH, P "/channels/{channel}",        HTTP_ACCESS_PUBLISHER, HTTP_BODY_JSON, JSON_MAX, admin_channel_change, NULL},
    {HTTP_POST,  P "/channels/{channel}/undo",   HTTP_ACCESS_PUBLISHER, HTTP_BODY_JSON, JSON_MAX, admin_channel_undo, NULL},
    {HTTP_POST,  P "/channels/{channel}/pause",  HTTP_ACCESS_PUBLISHER, HTTP_BODY_JSON, JSON_MAX, admin_channel_pause, NULL},
    {HTTP_POST,  P "/channels/{channel}/resume", HTTP_ACCESS_PUBLISHER, HTTP_BODY_JSON, JSON_MAX, admin_channel_resume, NULL},

    /* devices and the ledger */
    {HTTP_GET,    P "/devices",          HTTP_ACCESS_VIEWER,    HTTP_BODY_NONE, 0, admin_devices_list, NULL},
    {HTTP_GET,    P "/devices/{mac}",    HTTP_ACCESS_VIEWER,    HTTP_BODY_NONE, 0, admin_device_read, NULL},
    {HTTP_PATCH,  P "/devices/{mac}",    HTTP_ACCESS_PUBLISHER, HTTP_BODY_JSON, JSON_MAX, admin_device_change, NULL},
    {HTTP_DELETE, P "/devices/{mac}",    HTTP_ACCESS_PUBLISHER, HTTP_BODY_NONE, 0, admin_device_forget, NULL},
    {HTTP_POST,   P "/devices/{mac}/url", HTTP_ACCESS_PUBLISHER, HTTP_BODY_JSON, JSON_MAX, admin_device_url, NULL},
    {HTTP_POST,   P "/devices/{mac}/retry", HTTP_ACCESS_PUBLISHER, HTTP_BODY_JSON, JSON_MAX, admin_device_retry, NULL},
    {HTTP_POST,   P "/devices/{mac}/push", HTTP_ACCESS_PUBLISHER, HTTP_BODY_JSON, JSON_MAX, admin_device_push, NULL},
    {HTTP_GET,    P "/pushes/{push}", HTTP_ACCESS_VIEWER, HTTP_BODY_NONE, 0, admin_push_read, NULL},
    {HTTP_DELETE, P "/pushes/{push}", HTTP_ACCESS_PUBLISHER, HTTP_BODY_NONE, 0, admin_push_cancel, NULL},
    {HTTP_GET,    P "/devices/{mac}/explain", HTTP_ACCESS_VIEWER, HTTP_BODY_NONE, 0, admin_device_explain, NULL},
    {HTTP_GET,    P "/updates",          HTTP_ACCESS_VIEWER,    HTTP_BODY_NONE, 0, admin_updates_list, NULL},
    {HTTP_GET,    P "/updates/{update}", HTTP_ACCESS_VIEWER,    HTTP_BODY_NONE, 0, admin_update_read, NULL},

    /* operations */
    {HTTP_POST,   "/api/v1/session",    HTTP_ACCESS_OPEN,   HTTP_BODY_JSON, JSON_MAX, admin_session_create, NULL},
    {HTTP_GET,    "/api/v1/session",    HTTP_ACCESS_VIEWER, HTTP_BODY_NONE, 0, admin_session_read, NULL},
    {HTTP_DELETE, "/api/v1/session",    HTTP_ACCESS_VIEWER, HTTP_BODY_NONE, 0, admin_session_end, NULL},
    {HTTP_GET,    "/api/v1/keys",       HTTP_ACCESS_ADMIN,  HTTP_BODY_NONE, 0, admin_keys_list, NULL},
    {HTTP_POST,   "/api/v1/keys",       HTTP_ACCESS_ADMIN,  HTTP_BODY_JSON, JSON_MAX, admin_keys_create, NULL},
    {HTTP_DELETE, "/api/v1/keys/{key}", HTTP_ACCESS_ADMIN,  HTTP_BODY_NONE, 0, admin_key_revoke, NULL},
    {HTTP_GET,    "/api/v1/audit",      HTTP_ACCESS_ADMIN,  HTTP_BODY_NONE, 0, admin_audit_list, NULL},
    {HTTP_GET,    "/api/v1/stats",      HTTP_ACCESS_VIEWER, HTTP_BODY_NONE, 0, admin_stats, NULL},
    {HTTP_GET,    "/api/v1/events",     HTTP_ACCESS_VIEWER, HTTP_BODY_NONE, 0, admin_events, NULL},
    {HTTP_GET,    "/api/v1/events/recent", HTTP_ACCESS_VIEWER, HTTP_BODY_NONE, 0, admin_events_recent, NULL},
    {HTTP_GET,    "/api/v1/status",     HTTP_ACCESS_VIEWER, HTTP_BODY_NONE, 0, admin_status, NULL},
    {HTTP_GET,    "/api/v1/candidates", HTTP_ACCESS_VIEWER, HTTP_BODY_NONE, 0, admin_candidates, NULL},
    {HTTP_GET,    "/api/v1/endpoints",  HTTP_ACCESS_VIEWER, HTTP_BODY_NONE, 0, endpoints, NULL},
    {IMAGE_METHODS, "/healthz",         HTTP_ACCESS_OPEN,   HTTP_BODY_NONE, 0, admin_healthz, NULL},

    /* the dashboard */
    {IMAGE_METHODS, "/",                HTTP_ACCESS_OPEN,   HTTP_BODY_NONE, 0, dashboard_page, NULL},
    {IMAGE_METHODS, "/assets/{name}",   HTTP_ACCESS_OPEN,   HTTP_BODY_NONE, 0, dashboard_asset, NULL},
};
/* clang-format on */

static const char *const device_prefixes[] = {"fw", "static", NULL};

const struct http_route_table routes = {rows, OTAD_COUNT(rows), device_prefixes};

static json_t *endpoint(const struct http_route *row)
{
    static const char *const access[] = {"", "open", "device", "viewer", "publisher", "admin"};
    static const char *const body[] = {"none", "json", "report", "upload"};
    char methods[64];
    route_methods_text(row->methods, methods, sizeof methods);
    return json_pack("{s:s, s:s, s:s, s:s, s:I}", "methods", methods, "path", row->path, "access",
                     access[row->access], "body", body[row->body], "max_body",
                     (json_int_t)row->max_body);
}

/* GET /api/v1/endpoints prints this very table. */
static enum otad_err endpoints(struct http_req *req, struct otad_errinfo *ei)
{
    (void)ei;
    json_t *items = json_array();
    for (size_t i = 0; i < routes.n; i++)
        (void)json_array_append_new(items, endpoint(&rows[i]));
    return http_reply_json(req, 200, json_pack("{s:o, s:n}", "items", items, "next"));
}
