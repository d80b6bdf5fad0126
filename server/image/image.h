/* SPDX-License-Identifier: MIT
 * What a file is: one result that the API, the CLI and the decision share. Pure parsers over a
 * byte range: no I/O, no global state, every length checked, no allocation that grows with the
 * input. Formats: docs of elf2bin.py, esptool and ESP-IDF, restated beside each parser. */
#ifndef OTAD_IMAGE_IMAGE_H
#define OTAD_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otad/err.h"
#include "otad/limits.h"

/* Row: enum name, name in JSON, what it is with its article. The names are API. */
#define IMAGE_KIND_TABLE(X)                                                                        \
    X(UNKNOWN, "unknown", "a file of no known kind")                                               \
    X(EMPTY, "empty", "an empty file")                                                             \
    X(ERASED, "erased", "nothing but bytes of one value, as a dump of erased flash is")            \
    X(ESP8266_APP, "esp8266_app", "an ESP8266 application")                                        \
    X(ESP8266_V1, "esp8266_v1", "an ESP8266 image without the Arduino boot loader")                \
    X(ESP8266_V2, "esp8266_v2", "an ESP8266 version 2 image (0xEA, for Espressif's own loader)")   \
    X(ESP8266_RTOS, "esp8266_rtos", "an ESP8266 RTOS SDK application")                             \
    X(ESP32_APP, "esp32_app", "an ESP32-family application")                                       \
    X(BOOTLOADER, "bootloader", "a boot loader")                                                   \
    X(PARTITION_TABLE, "partition_table", "a partition table")                                     \
    X(OTADATA, "otadata", "an OTA data partition (boot_app0.bin)")                                 \
    X(MERGED, "merged", "a merged (factory) image")                                                \
    X(LITTLEFS, "littlefs", "a LittleFS filesystem image")                                         \
    X(SPIFFS, "spiffs", "a SPIFFS filesystem image")                                               \
    X(FAT, "fat", "a FAT filesystem image")                                                        \
    X(ENCRYPTED, "encrypted", "random bytes without a header, as a flash-encrypted image is")      \
    X(GZIP, "gzip", "a gzip file")                                                                 \
    X(ZIP, "zip", "a ZIP archive")                                                                 \
    X(ELF, "elf", "an ELF file")                                                                   \
    X(HEX, "hex", "an Intel HEX file")                                                             \
    X(UF2, "uf2", "a UF2 file")                                                                    \
    X(HTML, "html", "an HTML page")                                                                \
    X(JSON, "json", "a JSON document")                                                             \
    X(CSV, "csv", "a CSV table")                                                                   \
    X(TEXT, "text", "a text file")

enum image_kind {
#define X(name, json, text) IMAGE_##name,
    IMAGE_KIND_TABLE(X)
#undef X
        IMAGE_KIND_COUNT
};

/** Chips by the names devices use (ESPHome's chipFamily). Rows of the table in chip.c. */
enum image_chip {
    IMAGE_CHIP_UNKNOWN,
    IMAGE_CHIP_ESP8266,
    IMAGE_CHIP_ESP32,
    IMAGE_CHIP_ESP32_S2,
    IMAGE_CHIP_ESP32_S3,
    IMAGE_CHIP_ESP32_C2,
    IMAGE_CHIP_ESP32_C3,
    IMAGE_CHIP_ESP32_C5,
    IMAGE_CHIP_ESP32_C6,
    IMAGE_CHIP_ESP32_C61,
    IMAGE_CHIP_ESP32_H2,
    IMAGE_CHIP_ESP32_H21,
    IMAGE_CHIP_ESP32_H4,
    IMAGE_CHIP_ESP32_P4,
    IMAGE_CHIP_ESP32_E22,
    IMAGE_CHIP_ESP32_S31,
    IMAGE_CHIP_COUNT
};

/** What the uploader wants the file to be. ANY takes an application or a filesystem. */
enum image_want { IMAGE_WANT_ANY, IMAGE_WANT_APP, IMAGE_WANT_FS, IMAGE_WANT_FACTORY };

enum image_signature {
    IMAGE_SIGN_NONE,
    IMAGE_SIGN_ARDUINO_ESP8266, /* RSA signature and its length in the last 4 bytes (signing.py) */
    IMAGE_SIGN_ARDUINO_ESP32,   /* 512 bytes, zero-padded (bin_signing.py) */
    IMAGE_SIGN_SECURE_BOOT_V1,
    IMAGE_SIGN_SECURE_BOOT_V2
};

/** What follows the image inside the file. */
enum image_trailing {
    IMAGE_TRAIL_NONE,
    IMAGE_TRAIL_SIGNATURE,
    IMAGE_TRAIL_PADDING,      /* bytes of one value */
    IMAGE_TRAIL_SECOND_IMAGE, /* another ESP image */
    IMAGE_TRAIL_TABLE,        /* a partition table */
    IMAGE_TRAIL_FILESYSTEM,   /* LittleFS */
    IMAGE_TRAIL_UNKNOWN
};

enum image_defect_code {
    IMAGE_DEFECT_TRUNCATED, /* the only one that no `force` overrides */
    IMAGE_DEFECT_HEADER,
    IMAGE_DEFECT_CHECKSUM,
    IMAGE_DEFECT_DIGEST,
    IMAGE_DEFECT_TRAILING,
    IMAGE_DEFECT_GZIP
};

enum image_warning_code {
    IMAGE_WARN_CREDENTIALS, /* blnkopt: provisioning defaults, maybe with a Wi-Fi passphrase */
    IMAGE_WARN_SECRET,
    IMAGE_WARN_TRAILING,
    IMAGE_WARN_GZIP,
    IMAGE_WARN_HEADER,
    IMAGE_WARN_LIMIT /* there was more than the bounded result can hold */
};

#define IMAGE_SEGMENTS_MAX 16
#define IMAGE_DEFECTS_MAX 6
#define IMAGE_WARNINGS_MAX 16
#define IMAGE_TEXT_MAX 160
#define IMAGE_BLYNK_PAIRS_MAX 16
#define IMAGE_PARTITIONS_MAX 24

/** One thing that is wrong. The texts are printable ASCII, made here, never copied from the file.
 */
struct image_defect {
    enum image_defect_code code;
    uint64_t offset; /* in the file, or in the unpacked image of a gzip file */
    char what[48];   /* "checksum" */
    char expected[72];
    char found[72];
};

struct image_warning {
    enum image_warning_code code;
    uint64_t offset;
    char text[IMAGE_TEXT_MAX];
};

struct image_segment {
    uint64_t offset; /* of the data, from the start of the (unpacked) file */
    uint32_t load;
    uint32_t length;
};

/** esp_app_desc_t (ESP-IDF). Strings are cut at NUL and hold printable ASCII only. */
struct image_app_desc {
    bool found;
    bool library_builder; /* Arduino's library builder wrote it: it says nothing of the sketch */
    uint64_t offset;
    uint32_t secure_version;
    char version[33];
    char project[33];
    char time[17];
    char date[17];
    char idf[33];
    uint8_t elf_sha256[OTAD_SHA256_LEN];
    unsigned mmu_page_log2; /* 0: not said */
};

struct image_blynk_pair {
    char key[16];
    char value[OTAD_VERSION_MAX + 1];
};

/** The firmware information tag of the Blynk library (`blnkinf`). */
struct image_blynk {
    bool found;
    uint64_t offset;
    unsigned count;
    struct image_blynk_pair pairs[IMAGE_BLYNK_PAIRS_MAX];
};

struct image_partition {
    uint8_t type;
    uint8_t subtype;
    uint32_t offset;
    uint32_t size;
    char label[17];
};

/** Of a partition table: the file itself, or the one inside a merged image. */
struct image_table {
    bool found;
    uint64_t offset;
    bool md5_present;
    bool md5_valid;
    unsigned count; /* rows kept, see IMAGE_PARTITIONS_MAX */
    struct image_partition rows[IMAGE_PARTITIONS_MAX];
};

struct image_gzip {
    bool found;
    bool complete;         /* inflated to its end, CRC-32 and length right, nothing behind it */
    uint64_t packed_bytes; /* the gzip member alone */
    uint64_t unpacked_bytes;
};

/** Checksum and digests of an ESP image. */
struct image_sums {
    bool checksum_found;
    bool checksum_valid;
    bool checksum_by_crc; /* newer ESP8266 cores: the CRC-32 at 0x1014 decides, the XOR is wrong by
                             design, see esp8266.c */
    uint64_t checksum_offset;
    uint8_t checksum_stored;
    uint8_t checksum_computed;
    bool crc_found;
    uint32_t crc_stored;
    uint32_t crc_computed;
    bool digest_found; /* the SHA-256 that ESP32 tools append */
    bool digest_valid;
    uint64_t digest_offset;
    uint8_t digest_stored[OTAD_SHA256_LEN];
    uint8_t digest_computed[OTAD_SHA256_LEN];
};

/** Filesystem facts; 0 where the format doesn't say. */
struct image_fs {
    uint32_t version;
    uint32_t block_bytes;
    uint32_t block_count;
    uint32_t page_bytes;
};

/** Everything that is known about a file. Plain data without pointers: copy it as you like. */
struct image_info {
    uint64_t size_bytes;  /* of the file */
    enum image_kind kind; /* of the content, when gzip.found */
    enum image_chip chip;
    unsigned chip_id;            /* as in the header, for chips this version doesn't know */
    char detail[IMAGE_TEXT_MAX]; /* one more sentence on what it is; may be empty */

    struct image_gzip gzip;
    enum image_signature signature;
    uint64_t signature_offset;
    unsigned signature_bytes;

    bool header_found; /* the next seven hold something */
    unsigned flash_mode;
    uint64_t flash_size_bytes; /* 0: not a size we know */
    unsigned flash_freq_mhz;   /* 0: not known for this chip */
    uint8_t flash_mode_byte;   /* header bytes 2 and 3 as stored */
    uint8_t flash_size_freq_byte;
    uint32_t entry;
    unsigned min_revision, max_revision; /* major * 100 + minor; ESP32 family only */

    unsigned segment_count;
    struct image_segment segments[IMAGE_SEGMENTS_MAX];
    uint64_t image_offset; /* where the application starts: 0, but for merged images */
    uint64_t image_bytes;  /* up to and with checksum and digest, from image_offset; 0 unknown */

    struct image_sums sums;
    struct image_app_desc desc;
    struct image_blynk blynk;
    bool blynk_options; /* `blnkopt` is in it; its content is never kept */
    struct image_table table;
    struct image_fs fs;

    enum image_trailing trailing;
    uint64_t trailing_offset;
    uint64_t trailing_bytes;

    /* What a device may report later (sketch-md5, sketch-sha256). */
    uint8_t md5[OTAD_MD5_LEN]; /* of the file */
    uint8_t sha256[OTAD_SHA256_LEN];
    bool md5_unpacked_found;
    uint8_t md5_unpacked[OTAD_MD5_LEN];
    bool md5_image_found; /* set when it differs from the above: without signature and trailer */
    uint8_t md5_image[OTAD_MD5_LEN];

    unsigned defect_count;
    struct image_defect defects[IMAGE_DEFECTS_MAX];
    unsigned warning_count;
    struct image_warning warnings[IMAGE_WARNINGS_MAX];
};

/** Digests of the whole file that the caller already has, to spare a second pass. */
struct image_digests {
    uint8_t md5[OTAD_MD5_LEN];
    uint8_t sha256[OTAD_SHA256_LEN];
};

/** Looks at n bytes and says what they are. Never refuses: judging is image_check_upload()'s.
 *  @param data   may be NULL when n is 0; read only during the call
 *  @param known  digests of these bytes, or NULL to have them computed
 *  @param out    written only on OTAD_E_OK
 *  @return OTAD_E_OK, OTAD_E_NOMEM (gzip only), OTAD_E_INTERNAL (a digest failed)
 *  Thread-safe: yes (pure). Time: linear; a gzip file is unpacked up to IMAGE_UNPACKED_MAX. */
enum otad_err image_inspect(const uint8_t *data, size_t n, const struct image_digests *known,
                            struct image_info *out) OTAD_MUSTCHECK;

/** The largest flash an ESP8266 maps (16 MB): nothing beyond it is unpacked. */
#define IMAGE_UNPACKED_MAX (16u * 1024 * 1024)

/** MD5 that an ESP8266 reports for a plain image whose flash mode it patched: devices write their
 *  own mode over header byte 2 as the image arrives (not for gzip). Costs an MD5: not for the
 *  request path.
 *  @param n     bytes of the image, without its signature
 *  @param mode  0 to 3
 *  @return OTAD_E_OK, OTAD_E_INVALID (no such image or mode), OTAD_E_NOMEM, OTAD_E_INTERNAL */
enum otad_err image_md5_with_mode(const uint8_t *data, size_t n, uint8_t mode,
                                  uint8_t out[OTAD_MD5_LEN]) OTAD_MUSTCHECK;

/** The version a build gets when the uploader names none: Blynk `mcu`, else `fw`, else the app
 *  descriptor's when it is the project's own.
 *  @param source  "Blynk tag mcu", "Blynk tag fw", "app descriptor", or NULL; may be NULL
 *  @return a string inside *info, or NULL when the file names no version */
const char *image_version(const struct image_info *info, const char **source);

/** Says in words what was found where a version could have stood, for the 422 that asks for one.
 *  @param out  at least 1 byte; always ends with NUL */
void image_version_hint(const struct image_info *info, char *out, size_t n);

/** Value of a key of the Blynk tag, or NULL. */
const char *image_blynk_value(const struct image_info *info, const char *key);

/** The upload policy: may this file be kept as what the uploader wants? Product policy (chip of
 *  the product, key, channel) is not looked at.
 *  @return OTAD_E_OK, or OTAD_E_INVALID with a message that names what the file is (and offset,
 *          expected and found when it is broken) and a hint that says what to upload instead */
enum otad_err image_check_upload(const struct image_info *info, enum image_want want,
                                 struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Whether `force` may override a refusal by image_check_upload(): all but truncation. */
bool image_may_force(const struct image_info *info);

/** Whether a channel could hand it to a device: an application or filesystem without defects. */
bool image_is_deliverable(const struct image_info *info);

/** The kind a build of this file has: IMAGE_WANT_APP, _FS or _FACTORY, or ANY for none of them. */
enum image_want image_build_kind(const struct image_info *info);

/** "ESP32-C3"; "" for IMAGE_CHIP_UNKNOWN. */
const char *image_chip_name(enum image_chip chip);

/** The chip of exactly that name, or IMAGE_CHIP_UNKNOWN. */
enum image_chip image_chip_from_name(const char *name);

/** "esp32_app" (API string). */
const char *image_kind_name(enum image_kind kind);

/** "an ESP32-C3 application", "gzip of a partition table": what the file is, in words.
 *  @param out  at least 1 byte; cut if too short, always ends with NUL */
void image_describe(const struct image_info *info, char *out, size_t n);

/** "app", "fs", "factory", "any". */
const char *image_want_name(enum image_want want);

/** "none", "arduino-esp8266", "arduino-esp32", "secure-boot-v1", "secure-boot-v2". */
const char *image_signature_name(enum image_signature signature);

/** "none", "signature", "padding", "second_image", "partition_table", "filesystem", "unknown". */
const char *image_trailing_name(enum image_trailing trailing);

/** "QIO" … "slow read"; "" for a mode we don't know. */
const char *image_flash_mode_name(unsigned mode);

#endif
