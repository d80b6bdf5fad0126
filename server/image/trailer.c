/* SPDX-License-Identifier: MIT
 * Owns the trailers. Sources: esp8266/Arduino tools/signing.py, arduino-esp32
 * tools/bin_signing.py, ESP-IDF secure_boot.h. */
#include "image/trailer.h"

#include <inttypes.h>

#include "image/note.h"

#define ARDUINO_ESP32_BYTES 512u

/** <image> <signature> <length of the signature, 4 bytes>: RSA-512 to RSA-4096. */
static bool is_arduino_esp8266(struct bytes tail)
{
    if (tail.n < 64 + 4 || tail.n > 512 + 4)
        return false;
    return le32(tail.data + tail.n - 4) == tail.n - 4;
}

/** <image> <signature padded with zeros to 512 bytes>. */
static bool is_arduino_esp32(struct bytes tail)
{
    return tail.n == ARDUINO_ESP32_BYTES && !bytes_all(tail, 0, 64, tail.data[0]);
}

static enum image_signature signature_of(struct bytes tail, enum image_chip chip)
{
    if (chip == IMAGE_CHIP_ESP8266)
        return is_arduino_esp8266(tail) ? IMAGE_SIGN_ARDUINO_ESP8266 : IMAGE_SIGN_NONE;
    return is_arduino_esp32(tail) ? IMAGE_SIGN_ARDUINO_ESP32 : IMAGE_SIGN_NONE;
}

void trailer_find(struct bytes content, struct image_info *info)
{
    uint64_t end = info->image_offset + info->image_bytes;
    if (info->image_bytes == 0 || end >= content.n)
        return;
    struct bytes tail = bytes_from(content, end);
    info->trailing_offset = end;
    info->trailing_bytes = tail.n;
    info->signature = signature_of(tail, info->chip);
    if (info->signature != IMAGE_SIGN_NONE) {
        info->trailing = IMAGE_TRAIL_SIGNATURE;
        info->signature_offset = end;
        info->signature_bytes = (unsigned)tail.n;
        return;
    }
    info->trailing =
        bytes_all(tail, 0, tail.n, tail.data[0]) ? IMAGE_TRAIL_PADDING : IMAGE_TRAIL_UNKNOWN;
    note_warning(info, IMAGE_WARN_TRAILING, end, "%" PRIu64 " bytes follow the image",
                 info->trailing_bytes);
}
