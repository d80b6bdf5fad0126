/* SPDX-License-Identifier: MIT
 * Owns how JSON is read into typed values and how ids and times are written. */
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"

void json_free(json_t **j)
{
    json_decref(*j);
    *j = NULL;
}

/* jansson has a code for it, but often just fails without a word. In the middle of a text it may
 * even call it a bad token: that can't be told apart. */
static bool is_nomem(const json_error_t *err)
{
    return err->text[0] == '\0' || json_error_code(err) == json_error_out_of_memory;
}

enum otad_err json_read_object(const char *text, size_t n, json_t **out, struct otad_errinfo *ei)
{
    json_error_t err;
    json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES, &err);
    if (j == NULL && is_nomem(&err))
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory reading the body");
    if (j == NULL)
        return otad_fail(ei, OTAD_E_BAD_REQUEST,
                         "The body is not valid JSON: line %d, column %d: %s", err.line, err.column,
                         err.text);
    if (!json_is_object(j)) {
        json_decref(j);
        return otad_fail(ei, OTAD_E_BAD_REQUEST, "The body must be one JSON object: {…}");
    }
    *out = j;
    return OTAD_E_OK;
}

enum otad_err json_only_keys(json_t *obj, const char *const *known, struct otad_errinfo *ei)
{
    const char *key;
    json_t *value;
    json_object_foreach(obj, key, value)
    {
        const char *const *k = known;
        while (*k != NULL && strcmp(*k, key) != 0)
            k++;
        if (*k != NULL)
            continue;
        char list[160] = "";
        size_t used = 0;
        for (k = known; *k != NULL && used < sizeof list; k++)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                     k == known ? "" : ", ", *k);
        (void)otad_fail(ei, OTAD_E_INVALID, "Unknown key '%.40s'", key);
        return otad_hint(ei, "Known keys here: %s", list);
    }
    return OTAD_E_OK;
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 && *text != '\n' && *text != '\t')
            return true;
    return false;
}

enum otad_err json_get_str(json_t *obj, const char *key, size_t max, bool needed, const char **out,
                           struct otad_errinfo *ei)
{
    json_t *value = json_object_get(obj, key);
    if (value == NULL || json_is_null(value)) {
        if (needed)
            return otad_fail(ei, OTAD_E_INVALID, "The key '%s' is missing: a text is needed", key);
        *out = NULL;
        return OTAD_E_OK;
    }
    if (!json_is_string(value))
        return otad_fail(ei, OTAD_E_INVALID, "'%s' must be a text in quotes", key);
    if (json_string_length(value) > max)
        return otad_fail(ei, OTAD_E_INVALID, "'%s' is %zu bytes long, at most %zu are allowed", key,
                         json_string_length(value), max);
    if (strlen(json_string_value(value)) != json_string_length(value) ||
        has_control(json_string_value(value)))
        return otad_fail(ei, OTAD_E_INVALID, "'%s' holds a control character", key);
    *out = json_string_value(value);
    return OTAD_E_OK;
}

enum otad_err json_get_int(json_t *obj, const char *key, int64_t min, int64_t max, bool needed,
                           int64_t *out, struct otad_errinfo *ei)
{
    json_t *value = json_object_get(obj, key);
    if (value == NULL && !needed)
        return OTAD_E_OK;
    if (!json_is_integer(value) || json_integer_value(value) < min ||
        json_integer_value(value) > max)
        return otad_fail(ei, OTAD_E_INVALID,
                         "'%s' must be a whole number from %" PRId64 " to %" PRId64, key, min, max);
    *out = json_integer_value(value);
    return OTAD_E_OK;
}

enum otad_err json_get_bool(json_t *obj, const char *key, bool *out, struct otad_errinfo *ei)
{
    json_t *value = json_object_get(obj, key);
    if (value == NULL)
        return OTAD_E_OK;
    if (!json_is_boolean(value))
        return otad_fail(ei, OTAD_E_INVALID, "'%s' must be true or false", key);
    *out = json_is_true(value);
    return OTAD_E_OK;
}

json_t *json_id(int64_t id)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, (uint64_t)id);
    return json_string(text);
}

json_t *json_time(int64_t wall_s)
{
    char text[CLOCK_TEXT];
    if (wall_s == 0)
        return json_null();
    clock_text(wall_s, text);
    return json_string(text);
}

json_t *json_text(const char *text)
{
    if (text == NULL)
        return json_null();
    json_t *j = json_string(text);
    if (j != NULL)
        return j;
    char *copy = strdup(text);
    if (copy == NULL)
        return NULL;
    for (char *p = copy; *p != '\0';) {
        size_t n = utf8_length(p);
        if (n == 0)
            *p = '?';
        p += n > 0 ? n : 1;
    }
    j = json_string_nocheck(copy);
    free(copy);
    return j;
}
