/* SPDX-License-Identifier: MIT
 * Which sort of text any bytes are, and what other content. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image/content.h"
#include "image/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct image_info info = {.size_bytes = n};
    struct inspection in = {
        .info = &info, .head = {data, n},
             .total = n
    };
    enum image_kind kind = text_kind(in.head);
    if (kind != IMAGE_UNKNOWN && memchr(data, 0, n < 4096 ? n : 4096) != NULL)
        abort(); /* text has no NUL */
    if (n > 0)
        content_plan(&in);
    return 0;
}
