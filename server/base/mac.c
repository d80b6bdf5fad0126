/* SPDX-License-Identifier: MIT
 * Owns the spellings of MAC addresses. */
#include "base/mac.h"

#include <stddef.h>
#include <string.h>

#include "base/hex.h"

#define MAC_ALL_ONES 0xFFFFFFFFFFFFULL
#define MAC_MULTICAST_BIT (1ULL << 40) /* lowest bit of the first octet */

bool mac_parse(const char *text, uint64_t *out)
{
    size_t len = strlen(text);
    char separator = '\0';
    if (len == 17)
        separator = text[2];
    else if (len != 12)
        return false;
    if (len == 17 && separator != ':' && separator != '-')
        return false;

    uint64_t mac = 0;
    for (size_t i = 0; i < len; i++) {
        if (separator != '\0' && i % 3 == 2) {
            if (text[i] != separator)
                return false;
            continue;
        }
        int value = hex_digit(text[i]);
        if (value < 0)
            return false;
        mac = mac << 4 | (uint64_t)value;
    }
    if (mac == 0 || mac == MAC_ALL_ONES || (mac & MAC_MULTICAST_BIT) != 0)
        return false;
    *out = mac;
    return true;
}

void mac_text(uint64_t mac, char out[OTAD_MAC_TEXT])
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < 6; i++) {
        unsigned octet = (unsigned)(mac >> (40 - 8 * i)) & 0xFF;
        out[3 * i] = digits[octet >> 4];
        out[3 * i + 1] = digits[octet & 15];
        out[3 * i + 2] = i < 5 ? ':' : '\0';
    }
}

bool mac_is_word(const char *text)
{
    size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.-");
    return n >= 1 && n <= OTAD_MAC_WORD_MAX && text[n] == '\0';
}
