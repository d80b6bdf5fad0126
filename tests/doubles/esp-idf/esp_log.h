/* SPDX-License-Identifier: MIT
 * A double of ESP-IDF's header of this name: what client/ports/esp-idf calls, no more. */
#ifndef OTAD_DOUBLE_ESP_LOG_H
#define OTAD_DOUBLE_ESP_LOG_H

#include <stdio.h>

#define ESP_LOGE(tag, ...) fake_log('E', tag, __VA_ARGS__)
#define ESP_LOGW(tag, ...) fake_log('W', tag, __VA_ARGS__)
#define ESP_LOGI(tag, ...) fake_log('I', tag, __VA_ARGS__)

void fake_log(char level, const char *tag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
