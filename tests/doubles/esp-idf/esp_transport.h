/* SPDX-License-Identifier: MIT
 * A double of ESP-IDF's header of this name: what client/ports/esp-idf calls, no more. */
#ifndef OTAD_DOUBLE_ESP_TRANSPORT_H
#define OTAD_DOUBLE_ESP_TRANSPORT_H

#include "esp_err.h"

enum esp_tcp_transport_err_t {
    ERR_TCP_TRANSPORT_CONNECTION_FAILED = -2,
    ERR_TCP_TRANSPORT_CONNECTION_CLOSED_BY_FIN = -1,
    ERR_TCP_TRANSPORT_CONNECTION_TIMEOUT = 0
};

typedef struct esp_transport_item_t *esp_transport_handle_t;

int esp_transport_connect(esp_transport_handle_t t, const char *host, int port, int timeout_ms);
int esp_transport_read(esp_transport_handle_t t, char *buffer, int len, int timeout_ms);
int esp_transport_write(esp_transport_handle_t t, const char *buffer, int len, int timeout_ms);
int esp_transport_close(esp_transport_handle_t t);
esp_err_t esp_transport_destroy(esp_transport_handle_t t);

#endif
