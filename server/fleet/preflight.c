/* SPDX-License-Identifier: MIT
 * Owns the rules of what fits a device. */
#include "fleet/preflight.h"

#include <string.h>

enum family { FAMILY_UNKNOWN, FAMILY_ESP8266, FAMILY_ESP32 };

static enum family family_of(const char *name)
{
    if (strncmp(name, "ESP8266", 7) == 0)
        return FAMILY_ESP8266;
    return strncmp(name, "ESP32", 5) == 0 ? FAMILY_ESP32 : FAMILY_UNKNOWN;
}

/* The exact chip where both are known, else the family by the updater's name. */
static bool wrong_chip(const struct fit_need *b, const struct device_facts *said)
{
    if (b->chip[0] == '\0')
        return false;
    if (said->chip[0] != '\0')
        return strcmp(said->chip, b->chip) != 0;
    enum family device = family_of(said->agent);
    return device != FAMILY_UNKNOWN && device != family_of(b->chip);
}

enum reason preflight_check(const struct fit_need *b, const struct device_facts *said)
{
    if (b->kind != BUILD_APP)
        return REASON_NONE;
    if (wrong_chip(b, said))
        return REASON_WRONG_CHIP;
    if (said->free_space >= 0 && b->size_bytes > said->free_space)
        return REASON_WONT_FIT;
    if (family_of(b->chip) == FAMILY_ESP8266 && b->flash_bytes > 0 && said->chip_size > 0 &&
        b->flash_bytes > said->chip_size)
        return REASON_WONT_FIT;
    return REASON_NONE;
}

struct scan {
    const struct build *build;
    struct preflight result;
};

static enum otad_err look(void *arg, const struct device *d)
{
    struct scan *scan = arg;
    struct preflight *p = &scan->result;
    const struct build *b = scan->build;
    const struct fit_need need = {.kind = b->kind,
                                  .chip = b->chip,
                                  .size_bytes = b->size_bytes,
                                  .flash_bytes = b->flash_bytes};
    enum reason reason = preflight_check(&need, &d->last);
    p->devices++;
    if (reason == REASON_NONE)
        return OTAD_E_OK;
    if (reason == REASON_WONT_FIT)
        p->wont_fit++;
    else
        p->wrong_chip++;
    if (p->n_shown < PREFLIGHT_SHOWN) {
        p->shown[p->n_shown].mac = d->mac;
        p->shown[p->n_shown++].reason = reason;
    }
    return OTAD_E_OK;
}

enum otad_err preflight_run(struct db *db, const struct build *b, struct preflight *out,
                            struct otad_errinfo *ei)
{
    struct scan scan = {.build = b};
    enum otad_err err = device_scan_fit(db, b->product, look, &scan, ei);
    if (err == OTAD_E_OK)
        *out = scan.result;
    return err;
}
