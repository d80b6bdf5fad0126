/* SPDX-License-Identifier: MIT
 * Owns the issuing of tokenized URLs. */
#include <stdio.h>
#include <string.h>

#include "admin_api/admin_api.h"
#include "admin_api/target.h"
#include "base/json.h"
#include "fleet/build.h"
#include "fleet/static_url.h"

#define LIFETIME_MAX_S 315360000 /* ten years */

static enum otad_err read_lifetime(struct change *c, int64_t *out, struct otad_errinfo *ei)
{
    *out = otad_config_int(c->otad, &c->otad->config.url_lifetime_s);
    return json_get_int(c->body, "expires_in_s", 1, LIFETIME_MAX_S, false, out, ei);
}

static enum otad_err answer(struct change *c, const struct build *b, int64_t device_number,
                            struct otad_errinfo *ei)
{
    char path[STATIC_PATH_MAX], url[OPTION_TEXT_MAX + STATIC_PATH_MAX];
    int64_t lifetime_s;
    enum otad_err err = read_lifetime(c, &lifetime_s, ei);
    if (err == OTAD_E_OK && b->withdrawn_at_s != 0)
        err = otad_fail(ei, OTAD_E_CONFLICT, "Build %s was withdrawn", b->version);
    if (err != OTAD_E_OK)
        return err;
    if (static_path(c->otad, b->id, device_number, c->now_s + lifetime_s, path) != OTAD_E_OK)
        return otad_fail(ei, OTAD_E_INTERNAL, "Making a token failed");
    (void)snprintf(url, sizeof url, "%s%s", c->base_url, path);
    c->status = 201;
    c->result = json_pack("{s:s, s:o, s:o}", "url", url, "build", json_id(b->id), "expires_at",
                          json_time(c->now_s + lifetime_s));
    return c->result != NULL ? OTAD_E_OK : OTAD_E_NOMEM;
}

static enum otad_err for_device(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    struct device d;
    struct build b;
    enum otad_err err = target_device(c, db, &d, ei);
    if (err == OTAD_E_OK)
        err = target_named_build(c, db, &d, false, &b, ei);
    return err == OTAD_E_OK ? answer(c, &b, d.id, ei) : err;
}

static enum otad_err for_build(struct change *c, struct db *db, struct otad_errinfo *ei)
{
    struct build b;
    int64_t id;
    if (!build_id_parse(c->name, &id))
        return otad_fail(ei, OTAD_E_NOENT, "'%.40s' is no build id", c->name);
    enum otad_err err = build_find(db, c->product.id, id, &b, ei);
    return err == OTAD_E_OK ? answer(c, &b, 0, ei) : err;
}

enum otad_err admin_device_url(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {"build", "expires_in_s", NULL};
    return change_submit(req, "device.url", for_device, known, ei);
}

enum otad_err admin_build_url(struct http_req *req, struct otad_errinfo *ei)
{
    static const char *const known[] = {"expires_in_s", NULL};
    return change_submit(req, "build.url", for_build, known, ei);
}
