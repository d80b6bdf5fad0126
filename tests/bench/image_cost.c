/* SPDX-License-Identifier: MIT
 * What an inspection costs against the two digests of the same bytes. The upload has the digests
 * already, so image_inspect() gets them: checksum, appended digest, tags and secrets together must
 * cost no more than MD5 plus SHA-256 (issue 3). Prints one row a sort of image and exits 1 when a
 * row is above. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/digest.h"
#include "image/image.h"
#include "support/imgbuild.h"

#define IMAGE_BYTES (4u << 20)
#define ROUNDS 9

static const struct {
    const char *what;
    struct img_spec spec;
    void (*sign)(struct img *img); /* and then the MD5 without the signature is an MD5 more */
} rows[] = {
    {"ESP8266, newer core",    {.chip = "ESP8266", .size_bytes = IMAGE_BYTES, .version = "1"},   NULL                  },
    {"ESP8266, older core",    {.chip = "ESP8266", .size_bytes = IMAGE_BYTES, .old_core = true}, NULL                  },
    {"ESP32, hash appended",
     {.chip = "ESP32", .size_bytes = IMAGE_BYTES, .desc = IMG_DESC_OWN, .version = "1"},
     NULL                                                                                                              },
    {"ESP32-C3, 4-bit filler",
     {.chip = "ESP32-C3", .size_bytes = IMAGE_BYTES, .compressible = true},
     NULL                                                                                                              },
    {"ESP32, arduino-signed",  {.chip = "ESP32", .size_bytes = IMAGE_BYTES},                     img_sign_arduino_esp32},
};

/** Processor time of this thread: a busy machine costs others, not the result. */
static double now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void must(enum otad_err err)
{
    if (err != OTAD_E_OK)
        abort();
}

struct cost {
    double md5, sha, inspect;
};

static void keep_least(double *best, double ms)
{
    if (*best == 0 || ms < *best)
        *best = ms;
}

/** The least of ROUNDS of each, taken in turn. */
static struct cost measure(const struct img *img)
{
    struct cost best = {0};
    struct image_digests known;
    struct image_info info;
    for (unsigned i = 0; i < ROUNDS; i++) {
        double a = now_ms();
        must(digest_md5(img->data, img->n, known.md5));
        double b = now_ms();
        must(digest_sha256(img->data, img->n, known.sha256));
        double c = now_ms();
        must(image_inspect(img->data, img->n, &known, &info));
        keep_least(&best.md5, b - a);
        keep_least(&best.sha, c - b);
        keep_least(&best.inspect, now_ms() - c);
    }
    if (!image_is_deliverable(&info))
        abort();
    return best;
}

int main(void)
{
    int status = EXIT_SUCCESS;
    (void)printf("%-24s %8s %8s %8s  %s\n", "image, 4 MiB", "MD5", "SHA-256", "inspect",
                 "of the two");
    for (size_t i = 0; i < OTAD_COUNT(rows); i++) {
        struct img img OTAD_AUTO(img_free) = {0};
        if (!img_build_app(&rows[i].spec, &img))
            abort();
        if (rows[i].sign != NULL)
            rows[i].sign(&img);
        struct cost cost = measure(&img);
        double share = cost.inspect / (cost.md5 + cost.sha);
        (void)printf("%-24s %5.2f ms %5.2f ms %5.2f ms  %3.0f %%\n", rows[i].what, cost.md5,
                     cost.sha, cost.inspect, share * 100);
        double limit = 1 + (rows[i].sign != NULL ? cost.md5 / (cost.md5 + cost.sha) : 0);
        if (share > limit)
            status = EXIT_FAILURE;
    }
    return status;
}
