/* SPDX-License-Identifier: MIT
 * Owns finding the device of a verb and what it should run. */
#include "admin_api/target.h"

#include <string.h>

#include "base/json.h"
#include "base/mac.h"
#include "fleet/checkin.h"

enum otad_err target_device(struct change *c, struct db *db, struct device *d,
                            struct otad_errinfo *ei)
{
    uint64_t mac;
    if (mac_parse(c->name, &mac))
        return device_find(db, c->product.id, mac, d, ei);
    (void)otad_fail(ei, OTAD_E_NOENT, "'%.40s' is no MAC address", c->name);
    return otad_hint(ei, "12 hex digits, with or without ':' or '-': 30:AE:A4:84:36:F0");
}

enum otad_err target_build(struct change *c, struct db *db, const struct device *d, bool fs,
                           struct build *b, struct otad_errinfo *ei)
{
    struct checkin_row row;
    const struct checkin_query query = {
        .slug = c->product.slug, .mac = d->mac, .channel = d->last.channel, .fs = fs};
    enum otad_err err = checkin_load(db, &query, &row, ei);
    if (err != OTAD_E_OK || row.has_target)
        return err == OTAD_E_OK ? build_find_seq(db, row.build, b, ei) : err;
    (void)otad_fail(ei, OTAD_E_CONFLICT, "There is no build this device should run");
    return otad_hint(ei, "Release one to its channel, or pin one: PATCH …/devices/{mac} "
                         "{\"pin\":\"…\"}");
}

enum otad_err target_named_build(struct change *c, struct db *db, const struct device *d, bool fs,
                                 struct build *b, struct otad_errinfo *ei)
{
    const char *text;
    int64_t id;
    enum otad_err err = json_get_str(c->body, "build", 32, false, &text, ei);
    if (err != OTAD_E_OK)
        return err;
    if (text == NULL)
        return target_build(c, db, d, fs, b, ei);
    if (!build_id_parse(text, &id))
        return otad_fail(ei, OTAD_E_INVALID, "'build' must be a build's id in quotes");
    return build_find(db, c->product.id, id, b, ei);
}

enum otad_err target_kind(struct change *c, bool *fs, struct otad_errinfo *ei)
{
    const char *kind;
    enum otad_err err = json_get_str(c->body, "kind", 8, false, &kind, ei);
    if (err == OTAD_E_OK && kind != NULL && strcmp(kind, "app") != 0 && strcmp(kind, "fs") != 0)
        err = otad_fail(ei, OTAD_E_INVALID, "'kind' must be app or fs");
    if (err == OTAD_E_OK)
        *fs = kind != NULL && strcmp(kind, "fs") == 0;
    return err;
}
