/* SPDX-License-Identifier: MIT
 * A double of ESP-IDF's header of this name: what client/ports/esp-idf calls, no more. */
#ifndef OTAD_DOUBLE_ESP_PARTITION_H
#define OTAD_DOUBLE_ESP_PARTITION_H

#include <stddef.h>
#include <stdint.h>

#include "esp_err.h"

typedef struct {
    uint32_t address; /* in the flash */
    uint32_t size;
    char label[17];
} esp_partition_t;

esp_err_t esp_partition_read(const esp_partition_t *partition, size_t offset, void *to, size_t n);
esp_err_t esp_partition_write(const esp_partition_t *partition, size_t offset, const void *from,
                              size_t n);
esp_err_t esp_partition_erase_range(const esp_partition_t *partition, size_t offset, size_t n);

#endif
