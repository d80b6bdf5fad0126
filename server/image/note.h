/* SPDX-License-Identifier: MIT
 * How parsers write down defects and warnings. */
#ifndef OTAD_IMAGE_NOTE_H
#define OTAD_IMAGE_NOTE_H

#include "image/image.h"

/** Adds a defect; beyond IMAGE_DEFECTS_MAX it is dropped, but a truncation always finds room.
 *  @param what      "checksum"; `expected` and `found` are cut to their fields */
void note_defect(struct image_info *info, enum image_defect_code code, uint64_t offset,
                 const char *what, const char *expected, const char *found);

/** Adds a defect whose expected and found values are 32-bit numbers, shown as 0x%08x. */
void note_defect_u32(struct image_info *info, enum image_defect_code code, uint64_t offset,
                     const char *what, uint32_t expected, uint32_t found);

/** Says that the file ends early.
 *  @param need  bytes from the start of the file that its headers announce, at least */
void note_truncated(struct image_info *info, const char *what, uint64_t need, uint64_t have);

/** Adds a warning; the last place says that there were more. */
void note_warning(struct image_info *info, enum image_warning_code code, uint64_t offset,
                  const char *fmt, ...) OTAD_PRINTF(4, 5);

/** Copies at most `n` bytes up to the first NUL as printable ASCII ('?' for anything else).
 *  @param out  room for n + 1 */
void note_printable(char *out, const uint8_t *p, size_t n);

#endif
