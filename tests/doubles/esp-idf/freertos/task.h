/* SPDX-License-Identifier: MIT
 * A double of ESP-IDF's header of this name: what client/ports/esp-idf calls, no more. */
#ifndef OTAD_DOUBLE_FREERTOS_TASK_H
#define OTAD_DOUBLE_FREERTOS_TASK_H

#include "freertos/FreeRTOS.h"

typedef struct tskTaskControlBlock *TaskHandle_t;

void vTaskDelay(const TickType_t ticks);
void vTaskDelete(TaskHandle_t task);

#endif
