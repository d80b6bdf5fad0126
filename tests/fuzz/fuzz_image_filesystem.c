/* SPDX-License-Identifier: MIT
 * LittleFS, SPIFFS and FAT in any bytes, and the LittleFS log at any place and block size. */
#include <stdint.h>
#include <stdlib.h>

#include "image/filesystem.h"
#include "image/littlefs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct image_info info = {.size_bytes = n};
    struct inspection in = {
        .info = &info, .head = {data, n},
             .total = n
    };
    struct image_fs fs;
    if (filesystem_plan(&in) && info.fs.block_bytes == 0)
        abort();
    for (uint64_t at = 0; at <= n; at += 512) {
        (void)filesystem_is_littlefs(in.head, at, &fs);
        for (uint32_t block = 8; block <= 4096; block *= 4)
            (void)littlefs_block_is_sound(in.head, at, block);
    }
    return 0;
}
