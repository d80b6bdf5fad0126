/* SPDX-License-Identifier: MIT
 * Owns the search for tags and secrets. A bitmap of all pairs of bytes that something can start
 * with keeps it at about a cycle a byte; what matches is skipped, so no input makes it slow. */
#include "image/scan.h"

#include <string.h>

#include "image/blynk_tag.h"
#include "image/note.h"
#include "image/secrets.h"

struct starts {
    uint8_t bits[65536 / 8];
};

static void mark_start(void *context, uint8_t first, uint8_t second)
{
    struct starts *starts = context;
    unsigned pair = first | (unsigned)second << 8;
    starts->bits[pair / 8] |= (uint8_t)(1u << pair % 8);
}

static bool is_start(const struct starts *starts, const uint8_t *p)
{
    unsigned pair = p[0] | (unsigned)p[1] << 8;
    return (starts->bits[pair / 8] >> pair % 8 & 1) != 0;
}

static size_t take_options(struct image_info *info, const uint8_t *p, size_t n, uint64_t offset)
{
    bool wifi = false, token = false;
    size_t length = blynk_options_parse(p, n, &wifi, &token);
    if (length == 0)
        return 0;
    if (!info->blynk_options)
        note_warning(info, IMAGE_WARN_CREDENTIALS, offset,
                     "provisioning defaults (blnkopt) are compiled in");
    info->blynk_options = true;
    if (wifi)
        note_warning(info, IMAGE_WARN_SECRET, offset, "Wi-Fi passphrase beside its SSID (blnkopt)");
    if (token)
        note_warning(info, IMAGE_WARN_SECRET, offset, "Blynk device token (blnkopt)");
    return length;
}

static size_t take_tag(struct image_info *info, const uint8_t *p, size_t n, uint64_t offset)
{
    struct image_blynk tag;
    size_t length = blynk_tag_parse(p, n, offset, &tag);
    if (length > 0)
        blynk_tag_keep(&info->blynk, &tag);
    return length;
}

/** Takes what starts at p. @return its length, or 0 when it is nothing */
static size_t take(struct image_info *info, const uint8_t *p, size_t n, uint8_t before,
                   uint64_t offset)
{
    if (n >= BLYNK_MARK_BYTES && memcmp(p, "blnkopt", BLYNK_MARK_BYTES) == 0)
        return take_options(info, p, n, offset);
    if (n >= BLYNK_MARK_BYTES && memcmp(p, "blnkinf", BLYNK_MARK_BYTES) == 0)
        return take_tag(info, p, n, offset);
    const char *name = NULL;
    size_t length = secrets_match(p, n < SCAN_REACH ? n : SCAN_REACH, before, &name);
    if (length > 0)
        note_warning(info, IMAGE_WARN_SECRET, offset, "%s", name);
    return length;
}

size_t scan_bytes(struct image_info *info, const uint8_t *p, size_t from, size_t starts, size_t n,
                  uint64_t offset)
{
    struct starts wanted = {{0}};
    mark_start(&wanted, 'b', 'l');
    secrets_each_start(mark_start, &wanted);
    size_t at = from;
    while (at < starts && at + 1 < n) {
        if (!is_start(&wanted, p + at)) {
            at++;
            continue;
        }
        uint8_t before = at > 0 ? p[at - 1] : 0;
        size_t length = take(info, p + at, n - at, before, offset + at);
        at += length > 0 ? length : 1;
    }
    return at > starts ? at : starts;
}
