/* SPDX-License-Identifier: MIT
 * A sketch that keeps itself up to date: ESP8266 and ESP32. Set the five lines below, flash it once
 * over USB, and from then on upload Sketch > Export Compiled Binary to the server:
 *
 *   curl -H "Authorization: Bearer $KEY" -F file=@OtadDevice.ino.bin -F version=1.0.1 \
 *        http://192.168.1.10:8070/api/v1/products/lamp/builds
 */
#include <OtadClient.h>

#if defined(ESP8266)
#include <ESP8266WiFi.h>
#else
#include <WiFi.h>
#endif

#define WIFI_NAME "your network"
#define WIFI_PASSWORD "its password"
#define SERVER "192.168.1.10"
#define PRODUCT "lamp"
#ifndef VERSION
#define VERSION "1.0.0" // raise it with every build, and upload with the same
#endif

OtadClient otad(SERVER, 8070, PRODUCT, VERSION);

void setup()
{
    Serial.begin(115200);
    WiFi.mode(WIFI_STA);
    WiFi.begin(WIFI_NAME, WIFI_PASSWORD);
}

void loop()
{
    static int shown = 1;
    if (WiFi.status() == WL_CONNECTED) {
        int result = otad.loop(3600); // seconds between check-ins; restarts into a new build
        if (result != shown)
            Serial.println(result < 0 ? otad.text(result) : "up to date");
        shown = result;
    }
    delay(10); // what your sketch does
}
