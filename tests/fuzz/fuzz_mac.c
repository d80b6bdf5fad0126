/* SPDX-License-Identifier: MIT
 * Any bytes as a MAC address: what is taken reads back from its own text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mac.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const uint64_t poison = 0x5a5a5a5a5a5a5a5a;
    char *text = malloc(n + 1), shown[OTAD_MAC_TEXT];
    uint64_t mac = poison, back = 0;
    if (text == NULL)
        abort();
    if (n > 0)
        memcpy(text, data, n);
    text[n] = '\0';
    if (mac_parse(text, &mac)) {
        if (mac == 0 || mac >> 48 != 0 || (mac >> 40 & 1) != 0 || !mac_is_word(text))
            abort();
        mac_text(mac, shown);
        if (strlen(shown) != OTAD_MAC_TEXT - 1 || !mac_parse(shown, &back) || back != mac)
            abort();
    } else if (mac != poison) {
        abort();
    }
    if (mac_is_word(text) && (text[0] == '\0' || strlen(text) > OTAD_MAC_WORD_MAX))
        abort();
    free(text);
    return 0;
}
