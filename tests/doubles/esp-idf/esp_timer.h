/* SPDX-License-Identifier: MIT
 * A double of ESP-IDF's header of this name: what client/ports/esp-idf calls, no more. */
#ifndef OTAD_DOUBLE_ESP_TIMER_H
#define OTAD_DOUBLE_ESP_TIMER_H

#include <stdint.h>

int64_t esp_timer_get_time(void); /* microseconds */

#endif
