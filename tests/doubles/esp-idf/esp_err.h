/* SPDX-License-Identifier: MIT
 * A double of ESP-IDF's header of this name: what client/ports/esp-idf calls, no more. */
#ifndef OTAD_DOUBLE_ESP_ERR_H
#define OTAD_DOUBLE_ESP_ERR_H

typedef int esp_err_t;

#define ESP_OK 0
#define ESP_FAIL (-1)
#define ESP_ERR_INVALID_ARG 0x102
#define ESP_ERR_NOT_FOUND 0x105
#define ESP_ERR_NVS_NOT_FOUND 0x1102
#define ESP_ERR_NVS_INVALID_LENGTH 0x110c
#define ESP_ERR_OTA_VALIDATE_FAILED 0x1503

#endif
