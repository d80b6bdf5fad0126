/* SPDX-License-Identifier: MIT
 * Typed reading of JSON objects: unknown keys and wrong types are errors with words. */
#ifndef OTAD_BASE_JSON_H
#define OTAD_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "otad/err.h"

/** Drops a reference and sets *j to NULL; fit for OTAD_AUTO. */
void json_free(json_t **j);

/** Parses one JSON object. Deep or huge nesting is refused by jansson's own limits.
 *  @return OTAD_E_OK (the caller owns *out), OTAD_E_BAD_REQUEST with line and column, OTAD_E_NOMEM
 */
enum otad_err json_read_object(const char *text, size_t n, json_t **out,
                               struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Refuses every key of obj that isn't one of `known` (NULL-terminated); names the first.
 *  @return OTAD_E_OK or OTAD_E_INVALID. */
enum otad_err json_only_keys(json_t *obj, const char *const *known,
                             struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Reads a string of at most max bytes without control characters but newline and tab.
 *  @param out  borrowed from obj; NULL when the key is absent and not `needed`
 *  @return OTAD_E_OK or OTAD_E_INVALID. */
enum otad_err json_get_str(json_t *obj, const char *key, size_t max, bool needed, const char **out,
                           struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Reads an integer from min to max; *out is unchanged when the key is absent and not `needed`.
 *  @return OTAD_E_OK or OTAD_E_INVALID. */
enum otad_err json_get_int(json_t *obj, const char *key, int64_t min, int64_t max, bool needed,
                           int64_t *out, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Reads a boolean; *out is unchanged when the key is absent. @return OTAD_E_OK, OTAD_E_INVALID. */
enum otad_err json_get_bool(json_t *obj, const char *key, bool *out,
                            struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** An id as JSON: the unsigned decimal text of its 64 bits. NULL when out of memory. */
json_t *json_id(int64_t id);

/** Unix seconds as an RFC 3339 string, or null for 0. NULL when out of memory. */
json_t *json_time(int64_t wall_s);

/** A string, or null when text is NULL. Bytes that are not UTF-8 become '?'. */
json_t *json_text(const char *text);

#endif
