/* SPDX-License-Identifier: MIT
 * A double of ESP-IDF's header of this name: what client/ports/esp-idf calls, no more. */
#ifndef OTAD_DOUBLE_SDKCONFIG_H
#define OTAD_DOUBLE_SDKCONFIG_H

#define CONFIG_IDF_TARGET "esp32c3"
#define CONFIG_OTAD_HOST fake_idf_host
#define CONFIG_OTAD_PORT fake_idf_port
#define CONFIG_OTAD_PRODUCT "sensor"
#define CONFIG_OTAD_KEY ""
#define CONFIG_OTAD_SIGN_KEYS fake_idf_keys
#define CONFIG_OTAD_INTERVAL_S 3600

#include <stdint.h>

extern char fake_idf_host[64]; /* the test's server */
extern uint16_t fake_idf_port;
extern const char *fake_idf_keys;

#endif
