/* SPDX-License-Identifier: MIT
 * Any bytes behind a valid image: it stays the application it is, and keeps its own MD5. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image/image.h"
#include "support/imgbuild.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct image_digests known = {.md5 = {1}, .sha256 = {2}};
    static struct img images[2];
    static struct image_info plain[2];
    static const char *const chips[2] = {"ESP8266", "ESP32"};
    struct image_info info;
    for (unsigned i = 0; i < 2; i++) {
        if (images[i].n == 0) {
            if (!img_build_app(&(struct img_spec){.chip = chips[i], .seed = 1}, &images[i]) ||
                image_inspect(images[i].data, images[i].n, NULL, &plain[i]) != OTAD_E_OK)
                abort();
        }
        size_t before = images[i].n;
        img_put(&images[i], data, n);
        enum otad_err err = image_inspect(images[i].data, images[i].n, &known, &info);
        images[i].n = before;
        if (err != OTAD_E_OK || info.kind != plain[i].kind || info.image_bytes != before ||
            info.trailing_bytes != n || (n > 0) != info.md5_image_found ||
            (n > 0 && memcmp(info.md5_image, plain[i].md5, sizeof info.md5_image) != 0))
            abort();
    }
    return 0;
}
