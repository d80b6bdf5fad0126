/* SPDX-License-Identifier: MIT
 * Owns the upload policy: every refusal says what the file is and what to upload instead. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "image/image.h"

#define WHICH_FILE                                                                                 \
    "The application is <sketch>.ino.bin (Arduino IDE: Sketch, Export Compiled Binary), "          \
    ".pio/build/<env>/firmware.bin (PlatformIO) or build/<project>.bin (ESP-IDF)."

/** What to upload instead, for kinds that are never delivered. */
static const char *const advice[IMAGE_KIND_COUNT] = {
    [IMAGE_UNKNOWN] = "Upload what the build made. " WHICH_FILE,
    [IMAGE_EMPTY] = "The upload sent no bytes: check the path after @ in -F file=@PATH.",
    [IMAGE_ERASED] = "It holds no program. " WHICH_FILE,
    [IMAGE_ESP8266_V1] = "Devices with the Arduino core would not start after it: they need eboot "
                         "at 0 and the sketch at 0x1000. " WHICH_FILE,
    [IMAGE_ESP8266_V2] = "The Arduino updater takes only images that start with 0xE9. " WHICH_FILE,
    [IMAGE_ESP8266_RTOS] = "Devices with the Arduino core would not start after it. If all devices "
                           "run the RTOS SDK, upload with ?force=true and an admin key.",
    [IMAGE_BOOTLOADER] = "The application is in the same folder: <sketch>.ino.bin, not "
                         "<sketch>.ino.bootloader.bin (PlatformIO: firmware.bin, not "
                         "bootloader.bin).",
    [IMAGE_PARTITION_TABLE] = "The application is in the same folder: <sketch>.ino.bin, not "
                              "<sketch>.ino.partitions.bin (PlatformIO: firmware.bin, not "
                              "partitions.bin).",
    [IMAGE_OTADATA] = "It only belongs to a first installation by cable. " WHICH_FILE,
    [IMAGE_ENCRYPTED] = "Upload the plain image: a device with flash encryption encrypts it "
                        "itself while it writes. " WHICH_FILE,
    [IMAGE_GZIP] = "Upload the file unpacked, or pack it again with `gzip -9 firmware.bin`.",
    [IMAGE_ZIP] = "Unpack it and upload the application inside. " WHICH_FILE,
    [IMAGE_ELF] = "Upload the .bin that was made from it. " WHICH_FILE,
    [IMAGE_HEX] = "Devices take binary images over the air. " WHICH_FILE,
    [IMAGE_UF2] = "UF2 is for drag and drop over USB. " WHICH_FILE,
    [IMAGE_HTML] = "The download gave an error or login page instead of the file: fetch it again "
                   "and look at it before the upload.",
    [IMAGE_JSON] = "It looks like a manifest or an error answer. " WHICH_FILE,
    [IMAGE_CSV] = "It looks like the definition of a partition table. " WHICH_FILE,
    [IMAGE_TEXT] = "Upload the compiled image, not its source or a log. " WHICH_FILE,
};

static bool is_filesystem(enum image_kind kind)
{
    return kind == IMAGE_LITTLEFS || kind == IMAGE_SPIFFS || kind == IMAGE_FAT;
}

static bool is_application(enum image_kind kind)
{
    return kind == IMAGE_ESP8266_APP || kind == IMAGE_ESP32_APP;
}

enum image_want image_build_kind(const struct image_info *info)
{
    if (is_application(info->kind))
        return IMAGE_WANT_APP;
    if (is_filesystem(info->kind))
        return IMAGE_WANT_FS;
    return info->kind == IMAGE_MERGED ? IMAGE_WANT_FACTORY : IMAGE_WANT_ANY;
}

static enum otad_err refuse_merged(const struct image_info *info, const char *is,
                                   struct otad_errinfo *ei)
{
    (void)otad_fail(ei, OTAD_E_INVALID, "This is %s, not an application.", is);
    if (info->image_bytes == 0)
        return otad_hint(ei, "No application was found inside it. " WHICH_FILE);
    return otad_hint(ei,
                     "The application starts at 0x%" PRIx64 " in it, %" PRIu64 " bytes: upload "
                     "<sketch>.ino.bin, not <sketch>.ino.merged.bin (PlatformIO: firmware.bin). "
                     "Or keep this file with -F kind=factory, for first installs by a web "
                     "flasher; it never goes to a channel.",
                     info->image_offset, info->image_bytes);
}

/** What the file should have been. */
static const char *wanted(const struct image_info *info, enum image_want want)
{
    if (want == IMAGE_WANT_FS)
        return "a filesystem image";
    if (want == IMAGE_WANT_FACTORY)
        return "a merged (factory) image";
    return info->kind == IMAGE_ESP8266_RTOS ? "one for the Arduino core" : "an application";
}

static const char *advice_for(enum image_kind kind, enum image_want want)
{
    if (want == IMAGE_WANT_FS)
        return "The filesystem image is what mklittlefs or mkspiffs made (PlatformIO: "
               ".pio/build/<env>/littlefs.bin or spiffs.bin, after `pio run -t buildfs`).";
    if (want == IMAGE_WANT_FACTORY)
        return "The factory image is <sketch>.ino.merged.bin (Arduino IDE, ESP32) or what "
               "`esptool merge-bin` made.";
    return advice[kind] != NULL ? advice[kind] : WHICH_FILE;
}

static enum otad_err refuse_kind(const struct image_info *info, enum image_want want,
                                 struct otad_errinfo *ei)
{
    char is[160];
    image_describe(info, is, sizeof is);
    enum image_want build = image_build_kind(info);
    if (info->kind == IMAGE_MERGED && want != IMAGE_WANT_FACTORY)
        return refuse_merged(info, is, ei);
    if (build != IMAGE_WANT_ANY) {
        (void)otad_fail(ei, OTAD_E_INVALID, "This is %s, but the upload says kind=%s.", is,
                        image_want_name(want));
        return otad_hint(ei, "Upload it with -F kind=%s, or without a kind.",
                         image_want_name(build));
    }
    (void)otad_fail(ei, OTAD_E_INVALID, "This is %s, not %s.%s%s", is, wanted(info, want),
                    info->detail[0] != '\0' ? " Detail: " : "", info->detail);
    return otad_hint(ei, "%s", advice_for(info->kind, want));
}

static enum otad_err refuse_defect(const struct image_info *info, const struct image_defect *d,
                                   struct otad_errinfo *ei)
{
    char is[160];
    image_describe(info, is, sizeof is);
    if (d->code == IMAGE_DEFECT_TRUNCATED) {
        (void)otad_fail(ei, OTAD_E_INVALID,
                        "This is %s that is cut short: %s: expected %s, found %s.", is, d->what,
                        d->expected, d->found);
        return otad_hint(ei, "The copy or download stopped early. Fetch or build the file again "
                             "and upload all of it; force can't override this.");
    }
    (void)otad_fail(ei, OTAD_E_INVALID,
                    "This is %s, but it is damaged: %s at offset 0x%" PRIx64
                    ": expected %s, found %s.",
                    is, d->what, d->offset, d->expected, d->found);
    if (d->code == IMAGE_DEFECT_TRAILING)
        return otad_hint(ei, "Upload the application alone. " WHICH_FILE);
    if (d->code == IMAGE_DEFECT_GZIP)
        return otad_hint(ei, "%s", advice[IMAGE_GZIP]);
    return otad_hint(ei, "Bytes changed after the build: copy or build the file again (in binary "
                         "mode, if FTP was used) and upload that.");
}

/** Truncation first: it is the one that no force overrides. */
static const struct image_defect *worst_defect(const struct image_info *info)
{
    for (unsigned i = 0; i < info->defect_count; i++)
        if (info->defects[i].code == IMAGE_DEFECT_TRUNCATED)
            return &info->defects[i];
    return info->defect_count > 0 ? &info->defects[0] : NULL;
}

static bool kind_fits(const struct image_info *info, enum image_want want)
{
    enum image_want build = image_build_kind(info);
    if (want == IMAGE_WANT_ANY)
        return build == IMAGE_WANT_APP || build == IMAGE_WANT_FS;
    return build == want;
}

/** gzip is a format of its own here: only the ESP8266's boot loader unpacks it, and only
 *  applications. */
static enum otad_err check_gzip(const struct image_info *info, struct otad_errinfo *ei)
{
    if (!info->gzip.found || info->kind == IMAGE_ESP8266_APP)
        return OTAD_E_OK;
    char is[160];
    image_describe(info, is, sizeof is);
    (void)otad_fail(ei, OTAD_E_INVALID, "This is %s; devices can't unpack it.", is);
    return otad_hint(ei, "Upload it unpacked: only ESP8266 applications are taken as gzip.");
}

enum otad_err image_check_upload(const struct image_info *info, enum image_want want,
                                 struct otad_errinfo *ei)
{
    const struct image_defect *defect = worst_defect(info);
    bool unreadable = info->kind == IMAGE_GZIP && defect != NULL; /* its kind isn't known */
    if (!kind_fits(info, want) && !unreadable)
        return refuse_kind(info, want, ei);
    if (defect != NULL)
        return refuse_defect(info, defect, ei);
    return check_gzip(info, ei);
}

bool image_may_force(const struct image_info *info)
{
    const struct image_defect *defect = worst_defect(info);
    return info->kind != IMAGE_EMPTY && (defect == NULL || defect->code != IMAGE_DEFECT_TRUNCATED);
}

bool image_is_deliverable(const struct image_info *info)
{
    return image_check_upload(info, IMAGE_WANT_ANY, NULL) == OTAD_E_OK;
}
