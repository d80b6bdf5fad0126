/* SPDX-License-Identifier: MIT
 * Owns the bounded lists of defects and warnings. */
#include "image/note.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void note_defect(struct image_info *info, enum image_defect_code code, uint64_t offset,
                 const char *what, const char *expected, const char *found)
{
    if (info->defect_count == IMAGE_DEFECTS_MAX) {
        if (code != IMAGE_DEFECT_TRUNCATED)
            return;
        info->defect_count--;
    }
    struct image_defect *d = &info->defects[info->defect_count++];
    d->code = code;
    d->offset = offset;
    (void)snprintf(d->what, sizeof d->what, "%s", what);
    (void)snprintf(d->expected, sizeof d->expected, "%s", expected);
    (void)snprintf(d->found, sizeof d->found, "%s", found);
}

void note_defect_u32(struct image_info *info, enum image_defect_code code, uint64_t offset,
                     const char *what, uint32_t expected, uint32_t found)
{
    char want[16], got[16];
    (void)snprintf(want, sizeof want, "0x%08" PRIx32, expected);
    (void)snprintf(got, sizeof got, "0x%08" PRIx32, found);
    note_defect(info, code, offset, what, want, got);
}

void note_truncated(struct image_info *info, const char *what, uint64_t need, uint64_t have)
{
    char want[48], got[48];
    (void)snprintf(want, sizeof want, "at least %" PRIu64 " bytes", need);
    (void)snprintf(got, sizeof got, "%" PRIu64 " bytes", have);
    note_defect(info, IMAGE_DEFECT_TRUNCATED, have, what, want, got);
}

void note_warning(struct image_info *info, enum image_warning_code code, uint64_t offset,
                  const char *fmt, ...)
{
    if (info->warning_count == IMAGE_WARNINGS_MAX)
        return;
    struct image_warning *w = &info->warnings[info->warning_count++];
    if (info->warning_count == IMAGE_WARNINGS_MAX) {
        w->code = IMAGE_WARN_LIMIT;
        w->offset = offset;
        (void)snprintf(w->text, sizeof w->text, "more was found than is listed here");
        return;
    }
    w->code = code;
    w->offset = offset;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(w->text, sizeof w->text, fmt, args); /* a cut text is still a text */
    va_end(args);
}

void note_printable(char *out, const uint8_t *p, size_t n)
{
    size_t i = 0;
    for (; i < n && p[i] != 0; i++)
        out[i] = p[i] >= 0x20 && p[i] < 0x7f ? (char)p[i] : '?';
    out[i] = '\0';
}
