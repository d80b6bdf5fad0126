/* SPDX-License-Identifier: MIT
 * Any bytes through the whole of image/: inspection, policy, words and JSON. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image/image.h"
#include "image/image_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_texts(const struct image_info *info)
{
    struct otad_errinfo ei = {0};
    char text[256];
    for (int want = IMAGE_WANT_ANY; want <= IMAGE_WANT_FACTORY; want++) {
        enum otad_err err = image_check_upload(info, (enum image_want)want, &ei);
        if (err != OTAD_E_OK && (ei.msg[0] == '\0' || ei.hint[0] == '\0'))
            abort(); /* every refusal says why and what to do */
    }
    image_describe(info, text, sizeof text);
    image_version_hint(info, text, sizeof text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct image_digests known = {.md5 = {1}, .sha256 = {2}};
    struct image_info info;
    if (image_inspect(data, n, &known, &info) != OTAD_E_OK)
        abort();
    if (info.size_bytes != n || info.image_offset + info.image_bytes > n + IMAGE_UNPACKED_MAX)
        abort();
    check_texts(&info);
    json_t *json = image_info_json(&info);
    if (json == NULL)
        abort();
    json_decref(json);
    return 0;
}
