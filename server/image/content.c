/* SPDX-License-Identifier: MIT
 * Owns the recognition of what is no image. */
#include "image/content.h"

#include <stdio.h>

#include "image/esp32.h"
#include "image/text.h"

struct magic {
    const char *bytes;
    size_t n;
    enum image_kind kind;
    const char *detail; /* or NULL */
};

static const struct magic magics[] = {
    {"\x7f"
     "ELF",              4, IMAGE_ELF,     NULL                               },
    {"UF2\n\x57\x51\x5d\x9e", 8, IMAGE_UF2,     NULL                               },
    {"\x1f\x8b\x08",          3, IMAGE_GZIP,    "packed twice"                     },
    {"PK\x03\x04",            4, IMAGE_ZIP,     NULL                               },
    {"PK\x05\x06",            4, IMAGE_ZIP,     "it is empty"                      },
    {"7z\xbc\xaf\x27\x1c",    6, IMAGE_UNKNOWN, "a 7z archive"                     },
    {"\xfd"
     "7zXZ",             5, IMAGE_UNKNOWN, "an xz archive"                    },
    {"\x28\xb5\x2f\xfd",      4, IMAGE_UNKNOWN, "a zstd archive"                   },
    {"BZh",                   3, IMAGE_UNKNOWN, "a bzip2 archive"                  },
    {"Rar!",                  4, IMAGE_UNKNOWN, "a RAR archive"                    },
    {"\x89PNG",               4, IMAGE_UNKNOWN, "a PNG picture"                    },
    {"\xff\xd8\xff",          3, IMAGE_UNKNOWN, "a JPEG picture"                   },
    {"%PDF",                  4, IMAGE_UNKNOWN, "a PDF document"                   },
    {"\x3d\xb8\xf3\x96",      4, IMAGE_UNKNOWN, "an MCUboot image, as Zephyr makes"},
    {"!<arch>\n",             8, IMAGE_UNKNOWN, "a library of object files"        },
};

static void set_detail(struct inspection *in, const char *text)
{
    (void)snprintf(in->info->detail, sizeof in->info->detail, "%s", text);
}

static bool plan_magic(struct inspection *in)
{
    for (size_t i = 0; i < OTAD_COUNT(magics); i++) {
        if (!bytes_match(in->head, 0, magics[i].bytes, magics[i].n))
            continue;
        in->info->kind = magics[i].kind;
        if (magics[i].detail != NULL)
            set_detail(in, magics[i].detail);
        return true;
    }
    return false;
}

static bool plan_erased(struct inspection *in)
{
    if (!bytes_all(in->head, 0, in->head.n, in->head.data[0]))
        return false;
    char text[48];
    (void)snprintf(text, sizeof text, "every byte is 0x%02x", in->head.data[0]);
    in->info->kind = IMAGE_ERASED;
    set_detail(in, text);
    return true;
}

bool content_is_random(struct bytes b)
{
    uint32_t counts[256] = {0};
    size_t n = b.n < 65536 ? b.n : 65536;
    if (n < 512)
        return false;
    for (size_t i = 0; i < n; i++)
        counts[b.data[i]]++;
    double expected = (double)n / 256, chi = 0;
    for (unsigned i = 0; i < 256; i++)
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
    /* 255 degrees of freedom: mean 255, deviation 22.6; beyond 6 deviations it isn't random */
    return chi > 119 && chi < 391;
}

/** esp32FOTA puts a signature of 512 bytes in front of the image. */
static bool has_prefix_signature(struct bytes head)
{
    bool flash;
    return esp32_is_header(bytes_from(head, 512)) &&
           esp_span(head, 512, ESP_LONG_HEADER, IMAGE_CHIP_UNKNOWN, &flash) != 0 && flash;
}

static void plan_rest(struct inspection *in)
{
    const struct bytes head = in->head;
    if (has_prefix_signature(head)) {
        set_detail(in, "512 bytes, then an ESP32-family application, as esp32FOTA signs");
        return;
    }
    if (head.data[0] == ESP_MAGIC)
        set_detail(in, "it starts with 0xE9 like an ESP image, but its header can't be one");
    else if (content_is_random(head) && in->total % 16 == 0) /* AES blocks */
        in->info->kind = IMAGE_ENCRYPTED;
    else if (content_is_random(head))
        set_detail(in, "its bytes look random: compressed, or encrypted and cut short");
}

void content_plan(struct inspection *in)
{
    if (plan_magic(in) || plan_erased(in))
        return;
    enum image_kind kind = text_kind(in->head);
    if (kind != IMAGE_UNKNOWN)
        in->info->kind = kind;
    else
        plan_rest(in);
}
