/* SPDX-License-Identifier: MIT
 * Owns `manifest.json`: one document for ESPHome's `update: platform: http_request` and for
 * ESP Web Tools.
 *
 *   {"name":"Lamp","version":"1.0.1","new_install_prompt_erase":true,"builds":[{
 *     "chipFamily":"ESP32-C3",
 *     "ota":{"path":"http://…/static/fw_7_0.bin?token=…","md5":"…","summary":"notes"},
 *     "parts":[{"path":"http://…/static/fw_8_0.bin?token=…","offset":0}]}]}
 *
 * ESPHome takes only 200 with a Content-Length, compares `version` with its own for equality, and
 * reads `ota` of the build whose chipFamily is its own. ESP Web Tools reads `parts`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/utf8.h"
#include "device_api/ask.h"
#include "device_api/build_url.h"
#include "device_api/device_api.h"
#include "fleet/blob.h"
#include "fleet/product.h"
#include "http/reply.h"

#define SUMMARY_MAX 200 /* bytes: the device holds the whole document in its memory */

/* What the document is made of. */
struct manifest {
    struct product product;
    struct build app;
    const char *version; /* in its "version" */
    const char *chip;
    char app_url[BUILD_URL_MAX];     /* "": there is nothing to fetch */
    char factory_url[BUILD_URL_MAX]; /* "": no parts */
};

/* ---- gathering ---------------------------------------------------------------------------- */

/* Whether the application's file is what goes to the start of the flash. That of an ESP8266 holds
 * the boot loader, and there are no merged images of that chip; but the ROM unpacks no gzip. */
static bool starts_by_itself(struct db *db, const struct build *app)
{
    char *text = NULL;
    if (strcmp(app->chip, "ESP8266") != 0 || blob_facts(db, app->image, &text, NULL) != OTAD_E_OK)
        return false;
    json_t *facts = json_loads(text, 0, NULL);
    const char *kind = json_string_value(json_object_get(facts, "kind"));
    bool yes =
        kind != NULL && strcmp(kind, "esp8266_app") == 0 && json_object_get(facts, "gzip") == NULL;
    json_decref(facts);
    free(text);
    return yes;
}

/* The factory build of the app's version, else the newest: a later `ota` brings the rest. */
static enum otad_err find_factory(struct db *db, const struct manifest *m, struct build *out,
                                  struct otad_errinfo *ei)
{
    if (starts_by_itself(db, &m->app)) {
        *out = m->app;
        return OTAD_E_OK;
    }
    enum otad_err err =
        build_find_version(db, m->product.id, BUILD_FACTORY, m->app.version, out, ei);
    if (err == OTAD_E_NOENT || (err == OTAD_E_OK && out->withdrawn_at_s != 0))
        err = build_find_factory(db, m->product.id, out, ei);
    return err;
}

static enum otad_err add_urls(const struct http_req *req, struct db *db, const struct ask *a,
                              struct manifest *m, struct otad_errinfo *ei)
{
    struct build factory;
    enum otad_err err = build_url(req, m->app.id, a->row.device, m->app_url, ei);
    if (err == OTAD_E_OK)
        err = find_factory(db, m, &factory, ei);
    if (err == OTAD_E_NOENT)
        return OTAD_E_OK;
    if (err == OTAD_E_OK && strcmp(factory.chip, m->chip) == 0)
        err = build_url(req, factory.id, 0, m->factory_url, ei);
    return err;
}

static enum otad_err gather(const struct http_req *req, const struct ask *a, struct manifest *m,
                            struct otad_errinfo *ei)
{
    struct db *db;
    bool hold = a->decision.verdict == VERDICT_HOLD;
    enum otad_err err = otad_reader(a->otad, &db, ei);
    if (err == OTAD_E_OK)
        err = product_find_id(db, a->row.product, &m->product, ei);
    if (err == OTAD_E_OK)
        err = build_find_seq(db, a->row.build, &m->app, ei);
    if (err != OTAD_E_OK)
        return err;
    m->version = hold ? a->in.said.version : m->app.version;
    m->chip = m->app.chip[0] != '\0' ? m->app.chip : m->product.chip;
    m->app_url[0] = m->factory_url[0] = '\0';
    return hold ? OTAD_E_OK : add_urls(req, db, a, m, ei);
}

/* ---- the document ------------------------------------------------------------------------- */

/* The beginning of the notes, cut between characters; null without any. */
static json_t *summary(const char *notes)
{
    char text[SUMMARY_MAX + 1];
    size_t n = 0, next;
    while ((next = utf8_length(notes + n)) > 0 && n + next <= SUMMARY_MAX)
        n += next;
    memcpy(text, notes, n);
    text[n] = '\0';
    return n > 0 ? json_string(text) : NULL;
}

static json_t *describe(const struct manifest *m)
{
    char md5[2 * OTAD_MD5_LEN + 1] = "";
    if (m->app_url[0] != '\0')
        hex_encode(m->app.md5, sizeof m->app.md5, md5);
    json_t *ota = json_pack("{s:s, s:s, s:o*}", "path", m->app_url, "md5", md5, "summary",
                            m->app_url[0] != '\0' ? summary(m->app.notes) : NULL);
    json_t *parts = NULL;
    if (m->factory_url[0] != '\0')
        parts = json_pack("[{s:s, s:i}]", "path", m->factory_url, "offset", 0);
    return json_pack("{s:o, s:s, s:o*, s:[{s:s, s:o, s:o*}]}", "name", json_text(m->product.name),
                     "version", m->version, "new_install_prompt_erase",
                     parts != NULL ? json_true() : NULL, "builds", "chipFamily", m->chip, "ota",
                     ota, "parts", parts);
}

/* Web flashers fetch it from another origin; a product that needs a key is no web page's. */
static enum otad_err send(struct http_req *req, const struct manifest *m)
{
    json_t *document = describe(m);
    char *text = document != NULL ? json_dumps(document, JSON_COMPACT) : NULL;
    json_decref(document);
    struct http_reply *reply = text != NULL ? http_reply_copy(text, strlen(text)) : NULL;
    free(text);
    http_reply_header(reply, "Content-Type", "application/json");
    http_reply_header(reply, "Cache-Control", "no-store");
    if (m->product.access == PRODUCT_ACCESS_OPEN)
        http_reply_header(reply, "Access-Control-Allow-Origin", "*");
    return http_reply_send(req, reply, 200);
}

/* What makes a client do nothing, for a device or channel that is stopped. ESPHome: a document
 * with the version it runs says "no update" and also takes back an offer it got before; `ota` must
 * be there, but leads nowhere, so that a forced update fails before the first byte. When it doesn't
 * say its version (`source: …/manifest.json?mac=…&version=…`), 404: it notes a failed check and
 * keeps what it knew, but installs nothing by itself; 304 would be the same to it. ESP Web Tools:
 * shows the error; a held product isn't flashed by a page. */
static bool can_say_nothing_new(const struct ask *a)
{
    return a->decision.verdict != VERDICT_HOLD || a->in.said.version[0] != '\0';
}

enum otad_err device_manifest(struct http_req *req, struct otad_errinfo *ei)
{
    struct ask a;
    struct manifest m;
    enum otad_err err = ask(req, NULL, true, &a, ei);
    if (err == OTAD_E_NOENT)
        return http_reply_refuse(req, 404, "no_product");
    if (err != OTAD_E_OK)
        return err;
    if (a.decision.verdict == VERDICT_REFUSE)
        return ask_refuse(req, &a);
    if (a.in.mode == MODE_FS)
        return http_reply_refuse(req, 404, reason_name(REASON_WRONG_MODE));
    if (!can_say_nothing_new(&a))
        return http_reply_refuse(req, 404, reason_name(a.decision.reason));
    err = gather(req, &a, &m, ei);
    if (err != OTAD_E_OK)
        return err;
    /* A build without chipFamily makes ESPHome refuse the whole document. */
    return m.chip[0] != '\0' ? send(req, &m) : http_reply_refuse(req, 404, "no_chip");
}
