/* SPDX-License-Identifier: MIT
 * Owns the embedded files (tools/embed_assets.sh writes the table). */
#include "dashboard/assets.h"

#include <string.h>

#include "otad/err.h"

#include "dashboard.inc"

const struct asset *asset_find(const char *name)
{
    for (size_t i = 0; i < OTAD_COUNT(assets); i++)
        if (strcmp(assets[i].name, name) == 0)
            return &assets[i];
    return NULL;
}
