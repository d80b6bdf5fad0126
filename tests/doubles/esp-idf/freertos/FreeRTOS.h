/* SPDX-License-Identifier: MIT
 * A double of ESP-IDF's header of this name: what client/ports/esp-idf calls, no more. */
#ifndef OTAD_DOUBLE_FREERTOS_FREERTOS_H
#define OTAD_DOUBLE_FREERTOS_FREERTOS_H

#include <stdint.h>

typedef uint32_t TickType_t;

#define portTICK_PERIOD_MS ((TickType_t)10)

#endif
