/* SPDX-License-Identifier: MIT
 * A double of ESP-IDF's header of this name: what client/ports/esp-idf calls, no more. */
#ifndef OTAD_DOUBLE_ESP_OTA_OPS_H
#define OTAD_DOUBLE_ESP_OTA_OPS_H

#include "esp_partition.h"

typedef enum {
    ESP_OTA_IMG_NEW = 0,
    ESP_OTA_IMG_PENDING_VERIFY = 1,
    ESP_OTA_IMG_VALID = 2,
    ESP_OTA_IMG_INVALID = 3,
    ESP_OTA_IMG_ABORTED = 4,
    ESP_OTA_IMG_UNDEFINED = -1
} esp_ota_img_states_t;

const esp_partition_t *esp_ota_get_running_partition(void);
const esp_partition_t *esp_ota_get_boot_partition(void);
const esp_partition_t *esp_ota_get_next_update_partition(const esp_partition_t *start_from);
esp_err_t esp_ota_set_boot_partition(const esp_partition_t *partition);
esp_err_t esp_ota_get_state_partition(const esp_partition_t *partition,
                                      esp_ota_img_states_t *state);
const esp_partition_t *esp_ota_get_last_invalid_partition(void);
esp_err_t esp_ota_mark_app_valid_cancel_rollback(void);

#endif
