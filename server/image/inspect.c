/* SPDX-License-Identifier: MIT
 * Owns image_inspect(): a plain file in one go, a gzip file through gzip.c. */
#include <string.h>

#include "base/digest.h"
#include "image/esp8266.h"
#include "image/gzip.h"
#include "image/inspection.h"
#include "image/scan.h"
#include "image/trailer.h"

/** CRC or digest of the image, which only a complete one needs. */
static enum otad_err sum_image(struct inspection *in)
{
    uint64_t end = inspection_sum_end(in);
    if (end == 0 || in->app.state != ESP_DONE)
        return OTAD_E_OK;
    if (in->info->kind == IMAGE_ESP8266_APP) {
        in->crc = esp8266_crc_image(ESP8266_CRC_INIT, 0, in->head.data, (size_t)end);
        in->crc_known = true;
        return OTAD_E_OK;
    }
    if (in->app.header[23] != 1)
        return OTAD_E_OK;
    enum otad_err err =
        digest_sha256(in->head.data + in->app.start, (size_t)(end - in->app.start), in->sha);
    in->sha_known = err == OTAD_E_OK;
    return err;
}

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

/** What a device reports when it keeps the image without what follows it. */
static enum otad_err sum_without_trailer(struct bytes file, struct image_info *info)
{
    uint64_t end = info->image_offset + info->image_bytes;
    if (info->image_bytes == 0 || info->image_offset != 0 || end >= file.n)
        return OTAD_E_OK;
    info->md5_image_found = true;
    return digest_md5(file.data, (size_t)end, info->md5_image);
}

static enum otad_err inspect_plain(struct bytes file, struct image_info *info)
{
    struct inspection in = {.info = info, .head = file, .total = file.n};
    inspection_plan(&in);
    inspection_walk(&in, file.data, file.n);
    (void)scan_bytes(info, file.data, 0, file.n, file.n, 0);
    enum otad_err err = sum_image(&in);
    if (err != OTAD_E_OK)
        return err;
    inspection_finish(&in);
    err = trailer_find(file, info);
    return err != OTAD_E_OK ? err : sum_without_trailer(file, info);
}

enum otad_err image_inspect(const uint8_t *data, size_t n, const struct image_digests *known,
                            struct image_info *out)
{
    static const uint8_t nothing[1] = {0};
    struct bytes file = {n > 0 ? data : nothing, n};
    struct image_info info = {.size_bytes = n};
    enum otad_err err = sum_file(file, known, &info);
    if (err == OTAD_E_OK)
        err = gzip_is(file) ? gzip_inspect(file, &info) : inspect_plain(file, &info);
    if (err == OTAD_E_OK)
        *out = info;
    return err;
}
