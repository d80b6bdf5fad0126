/* SPDX-License-Identifier: MIT
 * Partition tables and OTA data in any bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image/partition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes b = {data, n};
    struct image_table table;
    (void)partition_is_otadata(b);
    for (uint64_t at = 0; at <= n; at += 512) {
        if (!partition_table_parse(b, at, &table))
            continue;
        if (!table.found || table.offset != at || table.count == 0 ||
            table.count > IMAGE_PARTITIONS_MAX)
            abort();
        for (unsigned i = 0; i < table.count; i++)
            if (memchr(table.rows[i].label, 0, sizeof table.rows[i].label) == NULL)
                abort();
    }
    return 0;
}
