/* SPDX-License-Identifier: MIT
 * A double of ESP-IDF's header of this name: what client/ports/esp-idf calls, no more. */
#ifndef OTAD_DOUBLE_ESP_RANDOM_H
#define OTAD_DOUBLE_ESP_RANDOM_H

#include <stdint.h>

uint32_t esp_random(void);

#endif
