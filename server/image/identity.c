/* SPDX-License-Identifier: MIT
 * Owns the MD5s that devices report for images they changed while writing them. Source:
 * esp8266/Arduino Updater.cpp, which sets offset 2 to the mode of the running sketch. */
#include "base/digest.h"
#include "image/esp8266.h"
#include "image/image.h"

#define MODE_OFFSET 2u
#define MODE_MAX 3u

enum otad_err image_md5_with_mode(const uint8_t *data, size_t n, uint8_t mode,
                                  uint8_t out[OTAD_MD5_LEN])
{
    if (mode > MODE_MAX || !esp8266_is_short_header((struct bytes){data, n}))
        return OTAD_E_INVALID;
    struct digest *d OTAD_AUTO(digest_free) = digest_new();
    if (d == NULL)
        return OTAD_E_NOMEM;
    digest_update(d, data, MODE_OFFSET);
    digest_update(d, &mode, 1);
    digest_update(d, data + MODE_OFFSET + 1, n - MODE_OFFSET - 1);
    return digest_final(d, out, NULL);
}
