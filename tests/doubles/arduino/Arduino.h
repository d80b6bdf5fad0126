/* SPDX-License-Identifier: MIT
 * A double of the Arduino cores' header of this name: what client/ports/arduino calls, no more. */
#ifndef OTAD_DOUBLE_ARDUINO_H
#define OTAD_DOUBLE_ARDUINO_H

#include <stddef.h>
#include <stdint.h>

unsigned long millis();
void delay(unsigned long ms);

typedef enum { FM_QIO, FM_QOUT, FM_DIO, FM_DOUT, FM_UNKNOWN = 255 } FlashMode_t;

class EspClass {
  public:
    void restart();
#if defined(ESP8266)
    uint32_t random();
    uint32_t getSketchSize();
    uint32_t getFreeSketchSpace();
    FlashMode_t getFlashChipMode();
    FlashMode_t magicFlashChipMode(uint8_t byte);
    bool flashEraseSector(uint32_t sector);
    bool flashWrite(uint32_t address, const uint8_t *data, size_t size);
    bool flashRead(uint32_t address, uint8_t *data, size_t size);
#endif
};

class HardwareSerial {
  public:
    void begin(unsigned long baud);
    size_t println(const char *text);
};

extern EspClass ESP;
extern HardwareSerial Serial;

#endif
