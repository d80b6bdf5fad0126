/* SPDX-License-Identifier: MIT
 * A double of the Arduino cores' header of this name: what client/ports/arduino calls, no more. */
#ifndef OTAD_DOUBLE_WIFI_H
#define OTAD_DOUBLE_WIFI_H

#include <stdint.h>

typedef enum { WL_CONNECTED = 3 } wl_status_t;
typedef enum { WIFI_STA = 1 } WiFiMode_t;

class WiFiClass {
  public:
    bool mode(WiFiMode_t mode);
    wl_status_t begin(const char *name, const char *password);
    wl_status_t status();
    uint8_t *macAddress(uint8_t *mac);
};

extern WiFiClass WiFi;

#endif
