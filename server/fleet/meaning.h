/* SPDX-License-Identifier: MIT
 * What the error number in a device's report means, in words. The same number means different
 * things on different chips and clients, so none is explained without saying whose it is. Pure. */
#ifndef OTAD_FLEET_MEANING_H
#define OTAD_FLEET_MEANING_H

#include <stdbool.h>
#include <stdint.h>

#define MEANING_MAX 448 /* bytes of the longest text, NUL included */

/** Whose numbers they are. */
enum meaning_of {
    MEANING_OF_ANY,     /* not known */
    MEANING_OF_ESP8266, /* Arduino on an ESP8266: HTTPClient, ESPhttpUpdate, Updater */
    MEANING_OF_ESP32,   /* Arduino on an ESP32 of any kind: HTTPClient, HTTPUpdate, Update */
    MEANING_OF_IDF,     /* ESP-IDF: esp_err_t */
    MEANING_OF_ESPHOME, /* ESPHome, whatever the chip */
    MEANING_OF_COUNT
};

/** Whose numbers a device reports, by what it said of itself; either may be "". The User-Agent
 *  counts first where it names a client with numbers of its own (ESPHome, ESP-IDF's HTTP client);
 *  then the chip ("ESP8266", "ESP32-C3"); then the chip family that a User-Agent begins with. */
enum meaning_of meaning_whose(const char *chip, const char *agent);

/** Writes what a number means: its name, and what to do about it where something can be done. An
 *  Arduino sketch on an ESP32 may report an esp_err_t too, so there both are looked up.
 *  For MEANING_OF_ANY: its name on each that knows it, e.g. "The chip is not known. -108 is, on an
 *  ESP8266, ‘Unauthorized (401)’; on an ESP32, ‘Partition could not be found’".
 *  @return false, out empty, when the number says nothing (0 is no error) */
bool meaning_text(enum meaning_of whose, int64_t code, char out[MEANING_MAX]);

#endif
