/* SPDX-License-Identifier: MIT
 * A double of ESP-IDF's header of this name: what client/ports/esp-idf calls, no more. */
#ifndef OTAD_DOUBLE_ESP_TRANSPORT_TCP_H
#define OTAD_DOUBLE_ESP_TRANSPORT_TCP_H

#include "esp_transport.h"

esp_transport_handle_t esp_transport_tcp_init(void);

#endif
