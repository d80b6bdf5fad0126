/* SPDX-License-Identifier: MIT
 * Owns the forms of a report. */
#include "device_api/report_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "fleet/build.h"
#include "http/target.h"

static enum otad_err bad(struct otad_errinfo *ei, const char *reason)
{
    return otad_fail(ei, OTAD_E_BAD_REQUEST, "%s", reason);
}

static bool copy(const char *from, char *to, size_t room)
{
    if (from == NULL)
        return true;
    size_t n = strlen(from);
    if (n >= room)
        return false;
    memcpy(to, from, n + 1);
    return true;
}

static enum otad_err fill(const struct report_fields *f, struct report *r, struct otad_errinfo *ei)
{
    if (f->result == NULL || !report_result_is_valid(f->result))
        return bad(ei, "bad_result"); /* success, failed or rolled_back */
    if (!copy(f->result, r->result, sizeof r->result) ||
        !copy(f->message, r->message, sizeof r->message) ||
        !copy(f->version, r->version, sizeof r->version))
        return bad(ei, "field_too_long");
    if (f->code != NULL && f->code[0] != '\0') {
        char *end;
        errno = 0;
        r->code = strtoll(f->code, &end, 10);
        r->has_code = true;
        if (*end != '\0' || errno != 0)
            return bad(ei, "bad_code");
    }
    if (f->build != NULL && f->build[0] != '\0') {
        r->has_build = true;
        if (!build_id_parse(f->build, &r->build))
            return bad(ei, "bad_build");
    }
    return OTAD_E_OK;
}

enum otad_err report_take(const struct report_fields *f, struct report *out,
                          struct otad_errinfo *ei)
{
    struct report r = {.id = 0};
    enum otad_err err = fill(f, &r, ei);
    if (err == OTAD_E_OK)
        *out = r;
    return err;
}

/* Numbers in JSON are taken as their text: clients send both. */
static const char *json_field(json_t *obj, const char *key, char buf[32])
{
    json_t *value = json_object_get(obj, key);
    if (json_is_integer(value)) {
        (void)snprintf(buf, 32, "%lld", (long long)json_integer_value(value));
        return buf;
    }
    return json_string_value(value);
}

static enum otad_err read_json(const char *body, size_t n, struct report *r,
                               struct otad_errinfo *ei)
{
    json_t *obj OTAD_AUTO(json_free) = NULL;
    enum otad_err err = json_read_object(body, n, &obj, ei);
    if (err != OTAD_E_OK)
        return err == OTAD_E_NOMEM ? err : bad(ei, "bad_json");
    char code[32], build[32], version[32];
    const struct report_fields f = {.result = json_string_value(json_object_get(obj, "result")),
                                    .code = json_field(obj, "code", code),
                                    .message = json_string_value(json_object_get(obj, "message")),
                                    .version = json_field(obj, "version", version),
                                    .build = json_field(obj, "build", build)};
    return report_take(&f, r, ei);
}

static enum otad_err read_form(const char *body, struct report *r, struct otad_errinfo *ei)
{
    struct target form;
    char *buf = malloc(2 * strlen(body) + 2);
    if (buf == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    enum otad_err err = bad(ei, "bad_form");
    if (target_parse_query(body, buf, &form)) {
        const struct report_fields f = {.result = target_query(&form, "result"),
                                        .code = target_query(&form, "code"),
                                        .message = target_query(&form, "message"),
                                        .version = target_query(&form, "version"),
                                        .build = target_query(&form, "build")};
        err = report_take(&f, r, ei);
    }
    free(buf);
    return err;
}

enum otad_err report_read(const char *body, size_t n, struct report *out, struct otad_errinfo *ei)
{
    if (strlen(body) != n)
        return bad(ei, "bad_form");
    return body[0] == '{' ? read_json(body, n, out, ei) : read_form(body, out, ei);
}
