/* SPDX-License-Identifier: MIT
 * Tags and secrets anywhere in any bytes: found places lie inside, texts are printable. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image/blynk_tag.h"
#include "image/scan.h"
#include "image/secrets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_text(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text < 0x20 || *text > 0x7e)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct image_info info = {0};
    struct image_blynk tag;
    bool wifi, token;
    const char *name = NULL;
    if (scan_bytes(&info, data, 0, n, n, 0) < n)
        abort();
    for (unsigned i = 0; i < info.warning_count; i++) {
        if (info.warnings[i].offset >= n)
            abort();
        check_text(info.warnings[i].text);
    }
    if (blynk_tag_parse(data, n, 0, &tag) > n || blynk_options_parse(data, n, &wifi, &token) > n ||
        secrets_match(data, n, 0, &name) > n)
        abort();
    for (unsigned i = 0; i < info.blynk.count; i++) {
        check_text(info.blynk.pairs[i].key);
        check_text(info.blynk.pairs[i].value);
    }
    return 0;
}
