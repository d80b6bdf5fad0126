/* SPDX-License-Identifier: MIT
 * The example sketch as the Arduino IDE compiles it, with the version that the fake device runs;
 * its static client is made anew at each start, as RAM is. */
#include <Arduino.h>

#include "fake_esp8266.h"

#define VERSION fake_8266.version

void setup();
void loop();

#include "../../../client/ports/arduino/examples/OtadDevice/OtadDevice.ino"

void fake_8266_start(void)
{
    otad = OtadClient(SERVER, 8070, PRODUCT, VERSION);
    if (fake_8266.keys != nullptr)
        otad.signKeys(fake_8266.keys); /* a line of the sketch's setup() */
    setup();
}

void fake_8266_loop(void)
{
    loop();
}
