/* SPDX-License-Identifier: MIT
 * Handlers of the paths that devices talk to. */
#ifndef OTAD_DEVICE_API_DEVICE_API_H
#define OTAD_DEVICE_API_DEVICE_API_H

#include "http/route.h"

/** GET /fw/{product}/latest and latest.bin: the image, 304, or why not. */
enum otad_err device_latest(struct http_req *req, struct otad_errinfo *ei);
/** GET /fw/{product}/{mac}.bin: the same for a device named in the path. */
enum otad_err device_mac_bin(struct http_req *req, struct otad_errinfo *ei);
/** GET /fw/{product}/latest.version: the version text, with ?number the number. */
enum otad_err device_latest_version(struct http_req *req, struct otad_errinfo *ei);
/** GET /fw/{product}/{mac}.version: the build's number, a bare decimal. */
enum otad_err device_mac_version(struct http_req *req, struct otad_errinfo *ei);
/** GET /fw/{product}/latest.md5 and latest.sha256: lowercase hex. */
enum otad_err device_latest_md5(struct http_req *req, struct otad_errinfo *ei);
enum otad_err device_latest_sha256(struct http_req *req, struct otad_errinfo *ei);
/** GET /fw/{product}/latest.json: what there is, with a tokenized URL, in Blynk's field names. */
enum otad_err device_latest_json(struct http_req *req, struct otad_errinfo *ei);
/** GET /fw/{product}/manifest.json: for ESPHome's http_request update and ESP Web Tools. */
enum otad_err device_manifest(struct http_req *req, struct otad_errinfo *ei);
/** GET /static/fw_{name}.bin?token=…: the image, for whoever holds the token. */
enum otad_err device_static(struct http_req *req, struct otad_errinfo *ei);
/** POST /fw/{product}/{mac}/report: 204 when it is on the disk. */
enum otad_err device_report(struct http_req *req, struct otad_errinfo *ei);

#endif
