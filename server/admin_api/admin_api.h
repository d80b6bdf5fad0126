/* SPDX-License-Identifier: MIT
 * Handlers of /api/v1 and /healthz: what people, scripts and CI talk to. */
#ifndef OTAD_ADMIN_API_ADMIN_API_H
#define OTAD_ADMIN_API_ADMIN_API_H

#include "http/route.h"

/** Judges the key of a request: http_settings.authorise. A key bound to a product opens only
 *  paths of that product. */
enum otad_err admin_authorise(struct http_req *req, enum http_access needed, struct http_who *who,
                              struct otad_errinfo *ei);

enum otad_err admin_products_list(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_products_create(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_product_read(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_product_change(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_product_delete(struct http_req *req, struct otad_errinfo *ei);

enum otad_err admin_product_keys_list(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_product_keys_create(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_product_key_revoke(struct http_req *req, struct otad_errinfo *ei);

extern const struct http_sink admin_upload_sink;
enum otad_err admin_upload(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_builds_list(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_build_read(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_build_file(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_build_preflight(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_build_change(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_build_withdraw(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_build_delete(struct http_req *req, struct otad_errinfo *ei);

enum otad_err admin_channels_list(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_channel_read(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_channel_change(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_channel_undo(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_channel_pause(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_channel_resume(struct http_req *req, struct otad_errinfo *ei);

enum otad_err admin_devices_list(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_device_read(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_device_change(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_device_forget(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_device_retry(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_device_explain(struct http_req *req, struct otad_errinfo *ei);

enum otad_err admin_device_url(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_build_url(struct http_req *req, struct otad_errinfo *ei);

/** Updates that otad begins, by espota: see push/jobs.h. */
enum otad_err admin_device_push(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_push_read(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_push_cancel(struct http_req *req, struct otad_errinfo *ei);

enum otad_err admin_updates_list(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_update_read(struct http_req *req, struct otad_errinfo *ei);

enum otad_err admin_keys_list(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_keys_create(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_key_revoke(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_audit_list(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_stats(struct http_req *req, struct otad_errinfo *ei);
/** Devices of this network that announce ArduinoOTA: see push/discovery.h. */
enum otad_err admin_candidates(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_events(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_events_recent(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_status(struct http_req *req, struct otad_errinfo *ei);
/** Signing in with a browser: a key becomes a cookie. */
enum otad_err admin_session_create(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_session_read(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_session_end(struct http_req *req, struct otad_errinfo *ei);
enum otad_err admin_healthz(struct http_req *req, struct otad_errinfo *ei);

#endif
