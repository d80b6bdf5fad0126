/* SPDX-License-Identifier: MIT
 * Owns learning the digests of patched images. */
#include "fleet/variants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "fleet/blob.h"
#include "image/image.h"

#define MODES 4
#define MODE_OFFSET 2

/* What the device has of the file: no signature, no trailer. */
static size_t image_part(const uint8_t *data, const struct build *b)
{
    struct image_info info;
    size_t n = (size_t)b->size_bytes;
    if (image_inspect(data, n, NULL, &info) != OTAD_E_OK || info.image_offset != 0 ||
        info.image_bytes == 0 || info.image_bytes > n)
        return n;
    return (size_t)info.image_bytes;
}

static enum otad_err add_modes(const uint8_t *data, size_t n, char also[BLOB_IDENTITIES_MAX])
{
    uint8_t md5[OTAD_MD5_LEN];
    for (uint8_t mode = 0; mode < MODES; mode++) {
        size_t used = strlen(also);
        if (mode == data[MODE_OFFSET] || used + 2 * OTAD_MD5_LEN + 2 > BLOB_IDENTITIES_MAX)
            continue;
        enum otad_err err = image_md5_with_mode(data, n, mode, md5);
        if (err == OTAD_E_INVALID)
            return OTAD_E_OK; /* no such byte: nothing to learn, which is worth remembering too */
        if (err != OTAD_E_OK)
            return err;
        if (used > 0)
            also[used++] = ' ';
        hex_encode(md5, sizeof md5, also + used);
    }
    return OTAD_E_OK;
}

static enum otad_err learn(struct db *db, const struct build *b, char also[BLOB_IDENTITIES_MAX],
                           struct otad_errinfo *ei)
{
    uint8_t *data = malloc((size_t)b->size_bytes);
    if (data == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    enum otad_err err = blob_identities(db, b->image, also, ei);
    if (err == OTAD_E_OK)
        err = blob_read(db, b->image, data, (size_t)b->size_bytes, ei);
    if (err == OTAD_E_OK)
        err = add_modes(data, image_part(data, b), also);
    free(data);
    return err;
}

enum otad_err variants_learn(struct db *db, const struct build *b, bool *learned,
                             struct otad_errinfo *ei)
{
    char before[BLOB_IDENTITIES_MAX], also[BLOB_IDENTITIES_MAX];
    bool done = true;
    *learned = false;
    if (b->kind != BUILD_APP || strcmp(b->chip, "ESP8266") != 0 || b->size_bytes <= MODE_OFFSET)
        return OTAD_E_OK;
    enum otad_err err = blob_variants_known(db, b->image, &done, ei);
    if (err != OTAD_E_OK || done)
        return err;
    err = blob_identities(db, b->image, before, ei);
    if (err == OTAD_E_OK)
        err = learn(db, b, also, ei);
    if (err == OTAD_E_NOENT) /* its bytes were let go by retention */
        return OTAD_E_OK;
    if (err == OTAD_E_OK)
        err = blob_set_variants(db, b->image, also, ei);
    *learned = err == OTAD_E_OK && strcmp(before, also) != 0;
    return err;
}
