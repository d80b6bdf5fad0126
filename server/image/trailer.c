/* SPDX-License-Identifier: MIT
 * Owns the trailers. Sources: esp8266/Arduino tools/signing.py, arduino-esp32
 * tools/bin_signing.py, ESP-IDF secure_boot.h. */
#include "image/trailer.h"

#include <inttypes.h>

#include <zlib.h>

#include "base/digest.h"
#include "base/hex.h"
#include "image/chip.h"
#include "image/esp32.h"
#include "image/esp8266.h"
#include "image/filesystem.h"
#include "image/note.h"
#include "image/partition.h"

#define ARDUINO_ESP32_BYTES 512u
#define SECTOR 4096u
#define V1_BYTES 68u
#define V2_BLOCK_BYTES 1216u
#define V2_CRC_OFFSET 1196u

/** RSA-512 to RSA-4096. */
bool trailer_is_arduino_esp8266(struct bytes b)
{
    return b.n >= 64 + 4 && b.n <= 512 + 4 && le32(b.data + b.n - 4) == b.n - 4;
}

/** A signature has at least the 64 bytes of P-256, and is not padding. */
static bool is_arduino_esp32(struct bytes tail)
{
    return tail.n == ARDUINO_ESP32_BYTES && !bytes_all(tail, 0, 64, tail.data[0]);
}

static bool is_secure_boot_v1(struct bytes tail)
{
    return (tail.n == V1_BYTES || tail.n == V1_BYTES + 12) && le32(tail.data) == 0 &&
           !bytes_all(tail, 4, 64, tail.data[4]);
}

static bool is_secure_boot_v2_block(struct bytes b)
{
    return bytes_has(b, 0, V2_BLOCK_BYTES) && b.data[0] == 0xe7 &&
           (b.data[1] == 2 || b.data[1] == 3) && le16(b.data + 2) == 0 &&
           le32(b.data + V2_CRC_OFFSET) == (uint32_t)crc32(0, b.data, V2_CRC_OFFSET);
}

/** Behind padding of one value the file ends with a sector that starts with a valid block. */
static bool is_secure_boot_v2(struct bytes content, struct bytes tail)
{
    if (tail.n < SECTOR || content.n % SECTOR != 0)
        return false;
    size_t padding = tail.n - SECTOR;
    return (padding == 0 || bytes_all(tail, 0, padding, tail.data[0])) &&
           is_secure_boot_v2_block(bytes_from(tail, padding));
}

/** The block holds the SHA-256 of the padded image: if it doesn't fit, the device won't start it.
 */
static enum otad_err judge_secure_boot_v2(struct bytes content, struct image_info *info)
{
    uint8_t sha[OTAD_SHA256_LEN];
    size_t at = content.n - SECTOR;
    enum otad_err err = digest_sha256(content.data, at, sha);
    if (err != OTAD_E_OK || memcmp(sha, content.data + at + 4, sizeof sha) == 0)
        return err;
    char want[2 * OTAD_SHA256_LEN + 1], got[2 * OTAD_SHA256_LEN + 1];
    hex_encode(sha, sizeof sha, want);
    hex_encode(content.data + at + 4, sizeof sha, got);
    note_defect(info, IMAGE_DEFECT_DIGEST, at + 4, "SHA-256 in the Secure Boot block", want, got);
    return OTAD_E_OK;
}

static enum image_signature signature_of(struct bytes content, struct bytes tail,
                                         enum image_chip chip)
{
    if (chip == IMAGE_CHIP_ESP8266)
        return trailer_is_arduino_esp8266(tail) ? IMAGE_SIGN_ARDUINO_ESP8266 : IMAGE_SIGN_NONE;
    if (is_secure_boot_v2(content, tail))
        return IMAGE_SIGN_SECURE_BOOT_V2;
    if (is_secure_boot_v1(tail))
        return IMAGE_SIGN_SECURE_BOOT_V1;
    return is_arduino_esp32(tail) ? IMAGE_SIGN_ARDUINO_ESP32 : IMAGE_SIGN_NONE;
}

static bool is_image(struct bytes b)
{
    bool flash;
    if (esp8266_is_short_header(b))
        return esp_span(b, 0, ESP_SHORT_HEADER, IMAGE_CHIP_ESP8266, &flash) != 0;
    return esp32_is_header(b) && esp_span(b, 0, ESP_LONG_HEADER, IMAGE_CHIP_UNKNOWN, &flash) != 0;
}

/** Whatever starts right behind the image or on a sector after it. @return its offset in tail */
static bool find_content(struct bytes content, uint64_t end, enum image_trailing *what,
                         uint64_t *at)
{
    struct image_table table;
    for (*at = end; *at < content.n; *at = (*at / SECTOR + 1) * SECTOR) {
        struct bytes here = bytes_from(content, *at);
        *what = is_image(here)                           ? IMAGE_TRAIL_SECOND_IMAGE
                : partition_table_parse(here, 0, &table) ? IMAGE_TRAIL_TABLE
                : filesystem_is_littlefs(here, 0, NULL)  ? IMAGE_TRAIL_FILESYSTEM
                                                         : IMAGE_TRAIL_UNKNOWN;
        if (*what != IMAGE_TRAIL_UNKNOWN)
            return true;
    }
    return false;
}

static void judge_content(enum image_trailing what, uint64_t at, struct image_info *info)
{
    if (what == IMAGE_TRAIL_FILESYSTEM)
        note_warning(info, IMAGE_WARN_TRAILING, at, "a LittleFS filesystem follows the image");
    else
        note_defect(info, IMAGE_DEFECT_TRAILING, at, "what follows the image", "nothing",
                    what == IMAGE_TRAIL_TABLE ? "a partition table" : "another image");
}

static void name_trailing(struct bytes content, struct bytes tail, struct image_info *info)
{
    uint64_t at = 0;
    if (bytes_all(tail, 0, tail.n, tail.data[0])) {
        info->trailing = IMAGE_TRAIL_PADDING;
        note_warning(info, IMAGE_WARN_TRAILING, info->trailing_offset,
                     "%" PRIu64 " bytes of padding (0x%02x) follow the image", info->trailing_bytes,
                     tail.data[0]);
    } else if (find_content(content, info->trailing_offset, &info->trailing, &at)) {
        judge_content(info->trailing, at, info);
    } else {
        trailer_unseen(content.n, info);
    }
}

enum otad_err trailer_find(struct bytes content, struct image_info *info)
{
    uint64_t end = info->image_offset + info->image_bytes;
    if (info->image_bytes == 0 || end >= content.n || info->kind == IMAGE_MERGED)
        return OTAD_E_OK;
    struct bytes tail = bytes_from(content, end);
    info->trailing_offset = end;
    info->trailing_bytes = tail.n;
    info->signature = signature_of(content, tail, info->chip);
    if (info->signature == IMAGE_SIGN_NONE) {
        name_trailing(content, tail, info);
        return OTAD_E_OK;
    }
    bool v2 = info->signature == IMAGE_SIGN_SECURE_BOOT_V2;
    info->trailing = IMAGE_TRAIL_SIGNATURE;
    info->signature_offset = v2 ? content.n - SECTOR : end;
    info->signature_bytes = (unsigned)(content.n - info->signature_offset);
    return v2 ? judge_secure_boot_v2(content, info) : OTAD_E_OK;
}

void trailer_unseen(uint64_t total, struct image_info *info)
{
    uint64_t end = info->image_offset + info->image_bytes;
    if (info->image_bytes == 0 || end >= total || info->kind == IMAGE_MERGED)
        return;
    info->trailing = IMAGE_TRAIL_UNKNOWN;
    info->trailing_offset = end;
    info->trailing_bytes = total - end;
    note_warning(info, IMAGE_WARN_TRAILING, end, "%" PRIu64 " bytes follow the image",
                 info->trailing_bytes);
}
