/* SPDX-License-Identifier: MIT
 * Owns what differs from chip to chip. Source: esptool, targets/NAME.py (IMAGE_CHIP_ID,
 * IROM/DROM_MAP_*, FLASH_FREQUENCY, FLASH_SIZES, BOOTLOADER_FLASH_OFFSET). */
#include "image/chip.h"

#include <string.h>

#define NO_ID 0xffffu

struct range {
    uint32_t start, end; /* upper halves of the addresses; end exclusive */
};

struct chip {
    const char *name;
    unsigned id;
    struct range irom, drom;
    uint32_t bootloader;
    unsigned clocks; /* row of mhz */
};

/* Flash clocks in MHz of the nibbles 0, 1, 2 and F; 0 is not known. */
enum clocks { MHZ_NONE, MHZ_80, MHZ_80_40, MHZ_60, MHZ_48, MHZ_C6 };

static const unsigned mhz[][4] = {
    [MHZ_NONE] = {0,  0,  0,  0 },
    [MHZ_80] = {40, 26, 20, 80},
    [MHZ_80_40] = {40, 0,  20, 80},
    [MHZ_60] = {30, 20, 15, 60},
    [MHZ_48] = {24, 16, 12, 48},
    [MHZ_C6] = {0,  0,  20, 0 }, /* writes the same nibble for 40 and 80 MHz */
};

#define CHIP(name) [IMAGE_CHIP_##name]

/* Where code and data share the mapped range, it stands as irom. One row a chip, unbroken: */
/* clang-format off */
static const struct chip chips[IMAGE_CHIP_COUNT] = {
    CHIP(UNKNOWN) =   {"",          NO_ID, {0, 0},           {0, 0},           0,      MHZ_NONE},
    CHIP(ESP8266) =   {"ESP8266",   NO_ID, {0x4020, 0x4030}, {0, 0},           0,      MHZ_80},
    CHIP(ESP32) =     {"ESP32",     0,     {0x400d, 0x4040}, {0x3f40, 0x3f80}, 0x1000, MHZ_80},
    CHIP(ESP32_S2) =  {"ESP32-S2",  2,     {0x4008, 0x40b8}, {0x3f00, 0x3f3f}, 0x1000, MHZ_80},
    CHIP(ESP32_S3) =  {"ESP32-S3",  9,     {0x4200, 0x4400}, {0x3c00, 0x3e00}, 0,      MHZ_80},
    CHIP(ESP32_C2) =  {"ESP32-C2",  12,    {0x4200, 0x4240}, {0x3c00, 0x3c40}, 0,      MHZ_60},
    CHIP(ESP32_C3) =  {"ESP32-C3",  5,     {0x4200, 0x4280}, {0x3c00, 0x3c80}, 0,      MHZ_80},
    CHIP(ESP32_C5) =  {"ESP32-C5",  23,    {0x4200, 0x4400}, {0, 0},           0x2000, MHZ_80_40},
    CHIP(ESP32_C6) =  {"ESP32-C6",  13,    {0x4200, 0x4300}, {0, 0},           0,      MHZ_C6},
    CHIP(ESP32_C61) = {"ESP32-C61", 20,    {0x4200, 0x4300}, {0, 0},           0,      MHZ_80_40},
    CHIP(ESP32_H2) =  {"ESP32-H2",  16,    {0x4200, 0x4300}, {0, 0},           0,      MHZ_48},
    CHIP(ESP32_H21) = {"ESP32-H21", 25,    {0x4200, 0x4300}, {0, 0},           0,      MHZ_NONE},
    CHIP(ESP32_H4) =  {"ESP32-H4",  28,    {0x4200, 0x4300}, {0, 0},           0x2000, MHZ_NONE},
    CHIP(ESP32_P4) =  {"ESP32-P4",  18,    {0x4000, 0x4c00}, {0, 0},           0x2000, MHZ_80_40},
    CHIP(ESP32_E22) = {"ESP32-E22", 31,    {0x3c00, 0x4000}, {0, 0},           0,      MHZ_NONE},
    CHIP(ESP32_S31) = {"ESP32-S31", 32,    {0x4000, 0x5400}, {0, 0},           0x2000, MHZ_NONE},
};
/* clang-format on */

static bool known(enum image_chip chip)
{
    return (unsigned)chip < IMAGE_CHIP_COUNT;
}

const char *image_chip_name(enum image_chip chip)
{
    return known(chip) ? chips[chip].name : "";
}

enum image_chip image_chip_from_name(const char *name)
{
    for (unsigned i = IMAGE_CHIP_UNKNOWN + 1; i < IMAGE_CHIP_COUNT; i++)
        if (strcmp(name, chips[i].name) == 0)
            return (enum image_chip)i;
    return IMAGE_CHIP_UNKNOWN;
}

enum image_chip chip_from_id(unsigned id)
{
    for (unsigned i = IMAGE_CHIP_ESP32; i < IMAGE_CHIP_COUNT; i++)
        if (chips[i].id == id)
            return (enum image_chip)i;
    return IMAGE_CHIP_UNKNOWN;
}

static bool in_range(struct range r, uint32_t address)
{
    return address >> 16 >= r.start && address >> 16 < r.end;
}

bool chip_maps_flash(enum image_chip chip, uint32_t load)
{
    if (known(chip) && chip != IMAGE_CHIP_UNKNOWN)
        return in_range(chips[chip].irom, load) || in_range(chips[chip].drom, load);
    for (unsigned i = IMAGE_CHIP_ESP32; i < IMAGE_CHIP_COUNT; i++)
        if (in_range(chips[i].irom, load) || in_range(chips[i].drom, load))
            return true;
    return false;
}

unsigned chip_flash_mhz(enum image_chip chip, unsigned nibble)
{
    if (!known(chip) || (nibble > 2 && nibble != 15))
        return 0;
    return mhz[chips[chip].clocks][nibble == 15 ? 3 : nibble];
}

uint64_t chip_flash_bytes(enum image_chip chip, unsigned nibble)
{
    /* ESP8266: Esp.cpp magicFlashChipSize(), plus esptool's 2MB-c1 and 4MB-c1 */
    static const unsigned esp8266_kib[] = {512, 256, 1024, 2048, 4096, 2048, 4096, 0, 8192, 16384};
    if (chip == IMAGE_CHIP_ESP8266)
        return nibble < OTAD_COUNT(esp8266_kib) ? (uint64_t)esp8266_kib[nibble] * 1024 : 0;
    return nibble <= 7 ? UINT64_C(1048576) << nibble : 0;
}

uint32_t chip_bootloader_offset(enum image_chip chip)
{
    return known(chip) ? chips[chip].bootloader : 0;
}
