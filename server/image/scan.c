/* SPDX-License-Identifier: MIT
 * Owns the search for tags. */
#include "image/scan.h"

#include <string.h>

#include "image/blynk_tag.h"
#include "image/note.h"

static void take_options(struct image_info *info, const uint8_t *p, size_t n, uint64_t offset)
{
    bool wifi = false, token = false;
    if (!blynk_options_parse(p, n, &wifi, &token))
        return;
    if (!info->blynk_options)
        note_warning(info, IMAGE_WARN_CREDENTIALS, offset,
                     "provisioning defaults (blnkopt) are compiled in");
    info->blynk_options = true;
    if (wifi)
        note_warning(info, IMAGE_WARN_SECRET, offset, "Wi-Fi passphrase beside its SSID (blnkopt)");
    if (token)
        note_warning(info, IMAGE_WARN_SECRET, offset, "Blynk device token (blnkopt)");
}

static void take_mark(struct image_info *info, const uint8_t *p, size_t n, uint64_t offset)
{
    struct image_blynk tag;
    if (n < BLYNK_MARK_BYTES)
        return;
    if (memcmp(p, "blnkopt", BLYNK_MARK_BYTES) == 0)
        take_options(info, p, n, offset);
    else if (memcmp(p, "blnkinf", BLYNK_MARK_BYTES) == 0 && blynk_tag_parse(p, n, offset, &tag))
        blynk_tag_keep(&info->blynk, &tag);
}

void scan_bytes(struct image_info *info, const uint8_t *p, size_t starts, size_t n, uint64_t offset)
{
    const uint8_t *end = p + n, *stop = p + starts;
    for (const uint8_t *at = p; at < stop; at++) {
        at = memmem(at, (size_t)(end - at), "blnk", 4);
        if (at == NULL || at >= stop)
            return;
        take_mark(info, at, (size_t)(end - at), offset + (uint64_t)(at - p));
    }
}
