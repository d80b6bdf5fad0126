/* SPDX-License-Identifier: MIT
 * Owns the shape of tokenized paths. */
#include "fleet/static_url.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/build.h"

enum otad_err static_path(const struct otad *o, int64_t build_id, int64_t device_number,
                          int64_t expires_s, char out[STATIC_PATH_MAX])
{
    char token[TOKEN_LEN + 1];
    bool fits = device_number <= INT32_MAX && device_number >= -INT32_MAX;
    int32_t n = fits ? (int32_t)device_number : 0;
    uint32_t expiry = expires_s < (int64_t)UINT32_MAX ? (uint32_t)expires_s : UINT32_MAX;
    enum otad_err err = token_make(o->url_key, (uint64_t)build_id, n, expiry, token);
    if (err == OTAD_E_OK)
        (void)snprintf(out, STATIC_PATH_MAX, "/static/fw_%" PRIu64 "_%" PRId32 ".bin?token=%s",
                       (uint64_t)build_id, n, token);
    return err;
}

static bool parse_number(const char *text, int32_t *out)
{
    const char *digits = text + (*text == '-');
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || n > 10 || digits[n] != '\0' || (digits[0] == '0' && strcmp(text, "0") != 0))
        return false; /* one spelling a number */
    long long value = strtoll(text, NULL, 10);
    if (value < INT32_MIN || value > INT32_MAX)
        return false;
    *out = (int32_t)value;
    return true;
}

bool static_name_parse(const char *name, int64_t *build_id, int32_t *device_number)
{
    char id[24];
    int64_t parsed;
    size_t n = strcspn(name, "_");
    if (name[n] == '\0' || n >= sizeof id)
        return false;
    memcpy(id, name, n);
    id[n] = '\0';
    if (!build_id_parse(id, &parsed) || !parse_number(name + n + 1, device_number))
        return false;
    *build_id = parsed;
    return true;
}
