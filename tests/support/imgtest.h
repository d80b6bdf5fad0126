/* SPDX-License-Identifier: MIT
 * What the tests of server/image share. */
#ifndef OTAD_TESTS_IMGTEST_H
#define OTAD_TESTS_IMGTEST_H

#include <string.h>

#include "image/image.h"
#include "support/imgbuild.h"
#include "support/unit.h"

/** Inspects an image; the result is poisoned before, so what isn't written shows. */
static inline struct image_info inspect_img(const struct img *img)
{
    struct image_info info;
    memset(&info, 0x5a, sizeof info);
    ck_assert_int_eq(image_inspect(img->data, img->n, NULL, &info), OTAD_E_OK);
    return info;
}

/** Builds an application or fails the test; the caller frees it. */
static inline struct img build_app(struct img_spec spec)
{
    struct img img = {0};
    ck_assert_msg(img_build_app(&spec, &img), "no chip %s", spec.chip);
    return img;
}

/** Fails unless `text` holds `part`. */
static inline void assert_holds(const char *what, const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "%s: \"%s\" is not in \"%s\"", what, part, text);
}

#endif
