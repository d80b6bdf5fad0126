/* SPDX-License-Identifier: MIT
 * Owns the names of things. */
#include <stdio.h>
#include <string.h>

#include "image/image.h"

static const struct {
    const char *name, *text;
} kinds[IMAGE_KIND_COUNT] = {
#define X(name, json, text) {json, text},
    IMAGE_KIND_TABLE(X)
#undef X
};

const char *image_kind_name(enum image_kind kind)
{
    return (unsigned)kind < IMAGE_KIND_COUNT ? kinds[kind].name : "unknown";
}

/** Kinds that are built for one chip say for which. */
static bool name_chip(const struct image_info *info, char *out, size_t n)
{
    const char *chip = image_chip_name(info->chip);
    const char *what = info->kind == IMAGE_ESP32_APP    ? "application"
                       : info->kind == IMAGE_BOOTLOADER ? "boot loader"
                       : info->kind == IMAGE_MERGED     ? "merged (factory) image"
                                                        : NULL;
    if (what == NULL || chip[0] == '\0')
        return false;
    (void)snprintf(out, n, "an %s %s", chip, what);
    return true;
}

void image_describe(const struct image_info *info, char *out, size_t n)
{
    char base[128];
    if (!name_chip(info, base, sizeof base))
        (void)snprintf(base, sizeof base, "%s",
                       (unsigned)info->kind < IMAGE_KIND_COUNT ? kinds[info->kind].text : "?");
    if (info->gzip.found && info->kind != IMAGE_GZIP)
        (void)snprintf(out, n, "gzip of %s", base);
    else
        (void)snprintf(out, n, "%s", base);
}

const char *image_want_name(enum image_want want)
{
    static const char *const names[] = {"any", "app", "fs", "factory"};
    return (unsigned)want < OTAD_COUNT(names) ? names[want] : "any";
}

const char *image_signature_name(enum image_signature signature)
{
    static const char *const names[] = {"none", "arduino-esp8266", "arduino-esp32",
                                        "secure-boot-v1", "secure-boot-v2"};
    return (unsigned)signature < OTAD_COUNT(names) ? names[signature] : "none";
}

const char *image_trailing_name(enum image_trailing trailing)
{
    static const char *const names[] = {
        "none", "signature", "padding", "second_image", "partition_table", "filesystem", "unknown"};
    return (unsigned)trailing < OTAD_COUNT(names) ? names[trailing] : "unknown";
}

const char *image_flash_mode_name(unsigned mode)
{
    static const char *const names[] = {"QIO", "QOUT", "DIO", "DOUT", "fast read", "slow read"};
    return mode < OTAD_COUNT(names) ? names[mode] : "";
}
