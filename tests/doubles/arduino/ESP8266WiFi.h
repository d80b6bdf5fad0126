/* SPDX-License-Identifier: MIT
 * A double of the Arduino cores' header of this name: what client/ports/arduino calls, no more. */
#ifndef OTAD_DOUBLE_ESP8266WIFI_H
#define OTAD_DOUBLE_ESP8266WIFI_H

#include <stddef.h>

#include "WiFi.h"

class WiFiClient {
  public:
    int connect(const char *host, uint16_t port);
    size_t write(const uint8_t *data, size_t n);
    int available();
    int read(uint8_t *to, size_t n);
    uint8_t connected();
    void stop();
    void setTimeout(unsigned long ms);
};

#endif
