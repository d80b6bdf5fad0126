/* SPDX-License-Identifier: MIT
 * Owns the question which version a file says it is. */
#include <stdio.h>
#include <string.h>

#include "image/image.h"

const char *image_blynk_value(const struct image_info *info, const char *key)
{
    for (unsigned i = 0; i < info->blynk.count; i++)
        if (strcmp(info->blynk.pairs[i].key, key) == 0)
            return info->blynk.pairs[i].value;
    return NULL;
}

const char *image_version(const struct image_info *info, const char **source)
{
    const char *from = "Blynk tag mcu";
    const char *version = image_blynk_value(info, "mcu");
    /* An MCU behind a network co-processor says "ncp" there: no version (protocols of Blynk). */
    if (version == NULL || version[0] == '\0' || strcmp(version, "ncp") == 0) {
        from = "Blynk tag fw";
        version = image_blynk_value(info, "fw");
    }
    if ((version == NULL || version[0] == '\0') && info->desc.found &&
        !info->desc.library_builder) {
        from = "app descriptor";
        version = info->desc.version;
    }
    if (version != NULL && version[0] == '\0')
        version = NULL;
    if (source != NULL)
        *source = version != NULL ? from : NULL;
    return version;
}

void image_version_hint(const struct image_info *info, char *out, size_t n)
{
    const char *library = image_blynk_value(info, "ver");
    if (info->desc.found && info->desc.library_builder)
        (void)snprintf(out, n,
                       "no Blynk tag with a version; the app descriptor (%s, %s) is the Arduino "
                       "library builder's, not the sketch's",
                       info->desc.project, info->desc.version);
    else if (library != NULL)
        (void)snprintf(out, n,
                       "the Blynk tag holds no firmware version, only the library's (ver %s)",
                       library);
    else if (info->blynk.found)
        (void)snprintf(out, n, "the Blynk tag holds no firmware version (mcu or fw)");
    else if (info->desc.found)
        (void)snprintf(out, n, "the app descriptor's version is empty, and there is no Blynk tag");
    else
        (void)snprintf(out, n, "neither a Blynk tag nor an app descriptor was found");
}
