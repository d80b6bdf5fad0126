/* SPDX-License-Identifier: MIT
 * A double of ESP-IDF's header of this name: what client/ports/esp-idf calls, no more. */
#ifndef OTAD_DOUBLE_ESP_SYSTEM_H
#define OTAD_DOUBLE_ESP_SYSTEM_H

void esp_restart(void) __attribute__((noreturn));

#endif
