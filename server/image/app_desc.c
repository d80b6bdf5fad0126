/* SPDX-License-Identifier: MIT
 * Owns esp_app_desc_t. Offsets (ESP-IDF esp_app_desc.h): 0 magic, 4 secure_version, 16 version[32],
 * 48 project_name[32], 80 time[16], 96 date[16], 112 idf_ver[32], 144 app_elf_sha256[32],
 * 180 mmu_page_size (log2). */
#include "image/app_desc.h"

#include <string.h>

#include "image/bytes.h"
#include "image/note.h"

/** Arduino sketches are linked with a library that was built beforehand: its descriptor names
 *  `arduino-lib-builder` or `esp32-arduino-lib-builder`, never the sketch. */
static bool is_library_builder(const char *project)
{
    static const char suffix[] = "arduino-lib-builder";
    size_t n = strlen(project), want = sizeof suffix - 1;
    return n >= want && strcmp(project + n - want, suffix) == 0;
}

bool app_desc_parse(const uint8_t *p, size_t n, uint64_t offset, struct image_app_desc *out)
{
    if (n < APP_DESC_BYTES || le32(p) != APP_DESC_MAGIC)
        return false;
    struct image_app_desc d = {
        .found = true,
        .offset = offset,
        .secure_version = le32(p + 4),
        .mmu_page_log2 = p[180],
    };
    note_printable(d.version, p + 16, 32);
    note_printable(d.project, p + 48, 32);
    note_printable(d.time, p + 80, 16);
    note_printable(d.date, p + 96, 16);
    note_printable(d.idf, p + 112, 32);
    memcpy(d.elf_sha256, p + 144, sizeof d.elf_sha256);
    d.library_builder = is_library_builder(d.project);
    *out = d;
    return true;
}
