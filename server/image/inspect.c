/* SPDX-License-Identifier: MIT
 * Owns image_inspect(): what the content is, one pass over it, then the verdict of its kind. */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "image/esp32.h"
#include "image/esp8266.h"
#include "image/image.h"
#include "image/scan.h"
#include "image/trailer.h"

/** Looks at the head and decides which walks the content needs. */
static void plan(struct inspection *in)
{
    if (in->total == 0)
        in->info->kind = IMAGE_EMPTY;
    else if (esp8266_is_short_header(in->head))
        esp8266_plan(in);
    else if (esp32_is_header(in->head))
        esp32_plan(in, 0);
    else
        (void)esp8266_is_v2(in);
}

static void finish(struct inspection *in)
{
    struct image_info *info = in->info;
    if (info->kind == IMAGE_ESP32_APP)
        esp32_finish(in);
    else if (info->kind == IMAGE_ESP8266_V1 || info->kind == IMAGE_ESP8266_V2)
        esp8266_finish_plain(in);
    else if (info->kind == IMAGE_ESP8266_APP || info->kind == IMAGE_BOOTLOADER)
        esp8266_finish(in);
}

/** The digests that only a complete image needs. */
static enum otad_err sum_image(struct inspection *in)
{
    const struct esp_walk *w = &in->app;
    if (!in->walk_app || w->state != ESP_DONE)
        return OTAD_E_OK;
    if (in->info->kind == IMAGE_ESP8266_APP) {
        in->crc = esp8266_crc_image(ESP8266_CRC_INIT, 0, in->head.data, (size_t)w->end);
        in->crc_known = true;
    }
    if (w->header_bytes != ESP_LONG_HEADER || w->header[23] != 1)
        return OTAD_E_OK;
    enum otad_err err =
        digest_sha256(in->head.data + w->start, (size_t)(w->sum_offset + 1 - w->start), in->sha);
    in->sha_known = err == OTAD_E_OK;
    return err;
}

/** The digests of the file, and of the image when something follows it. */
static enum otad_err sum_file(struct bytes file, const struct image_digests *known,
                              struct image_info *info)
{
    if (known != NULL) {
        memcpy(info->md5, known->md5, sizeof info->md5);
        memcpy(info->sha256, known->sha256, sizeof info->sha256);
        return OTAD_E_OK;
    }
    enum otad_err err = digest_md5(file.data, file.n, info->md5);
    return err != OTAD_E_OK ? err : digest_sha256(file.data, file.n, info->sha256);
}

static enum otad_err sum_without_trailer(struct bytes file, struct image_info *info)
{
    uint64_t end = info->image_offset + info->image_bytes;
    if (info->image_bytes == 0 || info->image_offset != 0 || end >= file.n)
        return OTAD_E_OK;
    info->md5_image_found = true;
    return digest_md5(file.data, (size_t)end, info->md5_image);
}

static enum otad_err inspect_plain(struct bytes file, struct inspection *in)
{
    in->head = file;
    in->total = file.n;
    plan(in);
    if (in->walk_boot)
        esp_walk_feed(&in->boot, file.data, file.n);
    if (in->walk_app)
        esp_walk_feed(&in->app, file.data, file.n);
    scan_bytes(in->info, file.data, file.n, file.n, 0);
    enum otad_err err = sum_image(in);
    if (err != OTAD_E_OK)
        return err;
    finish(in);
    trailer_find(file, in->info);
    return sum_without_trailer(file, in->info);
}

enum otad_err image_inspect(const uint8_t *data, size_t n, const struct image_digests *known,
                            struct image_info *out)
{
    static const uint8_t nothing[1] = {0};
    struct bytes file = {n > 0 ? data : nothing, n};
    struct image_info info = {.size_bytes = n};
    struct inspection in = {.info = &info};
    enum otad_err err = sum_file(file, known, &info);
    if (err == OTAD_E_OK)
        err = inspect_plain(file, &in);
    if (err == OTAD_E_OK)
        *out = info;
    return err;
}
