/* SPDX-License-Identifier: MIT
 * mkimage: writes an image of imgbuild to a file, for the demo and for tests in shell. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otad/err.h"
#include "support/imgbuild.h"

enum option_id { OPT_HELP = 1, OPT_DESC_VERSION, OPT_CUT };

struct request {
    struct img_spec spec;
    const char *kind, *sign, *out;
    bool gzip;
    uint64_t cut; /* bytes to leave away at the end */
};

/* ---- kinds ---- */

static void make_bootloader(const struct img_spec *spec, struct img *out)
{
    if (strcmp(spec->chip, "ESP8266") == 0)
        img_build_eboot(spec->seed, out);
    else
        img_build_bootloader(spec->chip, spec->seed, true, out);
}

static void make_table(const struct img_spec *spec, struct img *out)
{
    (void)spec;
    img_build_table(true, out);
}

static void make_otadata(const struct img_spec *spec, struct img *out)
{
    (void)spec;
    img_build_otadata(out);
}

static void make_littlefs(const struct img_spec *spec, struct img *out)
{
    size_t blocks = spec->size_bytes / 4096;
    img_build_littlefs(4096, blocks < 2 ? 2 : (uint32_t)blocks, 0, out);
}

static void make_spiffs(const struct img_spec *spec, struct img *out)
{
    bool esp8266 = strcmp(spec->chip, "ESP8266") == 0;
    size_t blocks = spec->size_bytes / 4096;
    img_build_spiffs(256, 4096, blocks < 2 ? 2 : (uint32_t)blocks, !esp8266, out);
}

static void make_fat(const struct img_spec *spec, struct img *out)
{
    (void)spec;
    img_build_fat(false, out);
}

static void make_v1(const struct img_spec *spec, struct img *out)
{
    img_build_esp8266_v1(spec->seed, out);
}

static void make_v2(const struct img_spec *spec, struct img *out)
{
    img_build_esp8266_v2(spec->seed, out);
}

static void make_rtos(const struct img_spec *spec, struct img *out)
{
    img_build_esp8266_rtos(spec->seed, out);
}

static const struct {
    const char *name;
    void (*make)(const struct img_spec *spec, struct img *out);
} kinds[] = {
    {"bootloader",      make_bootloader },
    {"partition-table", make_table      },
    {"otadata",         make_otadata    },
    {"merged",          img_build_merged},
    {"littlefs",        make_littlefs   },
    {"spiffs",          make_spiffs     },
    {"fat",             make_fat        },
    {"esp8266-v1",      make_v1         },
    {"esp8266-v2",      make_v2         },
    {"esp8266-rtos",    make_rtos       },
};

/* ---- options ---- */

static const struct option options[] = {
    {"chip",         required_argument, NULL, 'c'             },
    {"version",      required_argument, NULL, 'v'             },
    {"size",         required_argument, NULL, 's'             },
    {"seed",         required_argument, NULL, 'S'             },
    {"out",          required_argument, NULL, 'o'             },
    {"fw-type",      required_argument, NULL, 't'             },
    {"desc",         required_argument, NULL, 'd'             },
    {"project",      required_argument, NULL, 'p'             },
    {"desc-version", required_argument, NULL, OPT_DESC_VERSION},
    {"old-core",     no_argument,       NULL, 'O'             },
    {"no-hash",      no_argument,       NULL, 'H'             },
    {"compressible", no_argument,       NULL, 'z'             },
    {"kind",         required_argument, NULL, 'k'             },
    {"sign",         required_argument, NULL, 'g'             },
    {"gzip",         no_argument,       NULL, 'G'             },
    {"cut",          required_argument, NULL, OPT_CUT         },
    {"help",         no_argument,       NULL, OPT_HELP        },
    {NULL,           0,                 NULL, 0               },
};

static void usage(FILE *to)
{
    (void)fputs("usage: mkimage --chip NAME --out FILE [options]\n"
                "Writes a valid image with pseudo-random content.\n"
                "  --chip NAME          ESP8266, ESP32, ESP32-C3, …\n"
                "  --version TEXT       version in a Blynk tag (default: no tag)\n"
                "  --fw-type TEXT       fw-type in that tag\n"
                "  --size BYTES         of the file, rounded up to 16 (default: the smallest)\n"
                "  --seed N             other bytes for another number (default 0)\n"
                "  --desc own|library   app descriptor, ESP32 family (default: none)\n"
                "  --project TEXT       of an own descriptor\n"
                "  --desc-version TEXT  of an own descriptor\n"
                "  --old-core           ESP8266: the older checksum rule\n"
                "  --no-hash            ESP32 family: no appended SHA-256\n"
                "  --compressible       content that gzip can halve\n"
                "  --kind KIND          app (default), bootloader, partition-table, otadata,\n"
                "                       merged, littlefs, spiffs, fat, esp8266-v1, esp8266-v2,\n"
                "                       esp8266-rtos\n"
                "  --sign SCHEME        arduino-esp8266, arduino-esp32, secure-boot-v1,\n"
                "                       secure-boot-v2 (a trailer of that shape, not a signature)\n"
                "  --gzip               packed, before it is signed\n"
                "  --cut BYTES          without the last BYTES\n",
                to);
}

static bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || value > max)
        return false;
    *out = value;
    return true;
}

static bool parse_desc(const char *text, enum img_desc *out)
{
    if (strcmp(text, "own") == 0)
        *out = IMG_DESC_OWN;
    else if (strcmp(text, "library") == 0)
        *out = IMG_DESC_LIBRARY;
    else
        return false;
    return true;
}

static bool take_option(int option, struct request *r)
{
    uint64_t number = 0;
    switch (option) {
    case 'c':
        r->spec.chip = optarg;
        return true;
    case 'v':
        r->spec.version = optarg;
        return true;
    case 't':
        r->spec.fw_type = optarg;
        return true;
    case 'p':
        r->spec.project = optarg;
        return true;
    case 'o':
        r->out = optarg;
        return true;
    case 'O':
        r->spec.old_core = true;
        return true;
    case 'H':
        r->spec.no_hash = true;
        return true;
    case 'z':
        r->spec.compressible = true;
        return true;
    case 'k':
        r->kind = optarg;
        return true;
    case 'g':
        r->sign = optarg;
        return true;
    case 'G':
        r->gzip = true;
        return true;
    case OPT_CUT:
        return parse_number(optarg, 64u << 20, &r->cut);
    case 'd':
        return parse_desc(optarg, &r->spec.desc);
    case 'S':
        return parse_number(optarg, UINT64_MAX, &r->spec.seed);
    case OPT_DESC_VERSION:
        r->spec.desc_version = optarg;
        return true;
    case 's':
        if (!parse_number(optarg, 64u << 20, &number))
            return false;
        r->spec.size_bytes = (size_t)number;
        return true;
    default:
        return false;
    }
}

static bool parse(int argc, char **argv, struct request *r)
{
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == OPT_HELP) {
            usage(stdout);
            exit(EXIT_SUCCESS);
        }
        if (option == '?')
            return false;
        if (!take_option(option, r)) {
            (void)fprintf(stderr, "mkimage: bad value %s\n", optarg);
            return false;
        }
    }
    if (optind != argc || r->spec.chip == NULL || r->out == NULL) {
        (void)fputs("mkimage: --chip and --out are needed, and nothing but options\n", stderr);
        return false;
    }
    return true;
}

static bool write_file(const char *path, const struct img *img)
{
    FILE *f = fopen(path, "wb");
    if (f == NULL) {
        (void)fprintf(stderr, "mkimage: %s: %s\n", path, strerror(errno));
        return false;
    }
    bool ok = fwrite(img->data, 1, img->n, f) == img->n;
    if (fclose(f) != 0 || !ok) {
        (void)fprintf(stderr, "mkimage: %s: %s\n", path, strerror(errno));
        return false;
    }
    return true;
}

static bool build(const struct request *r, struct img *out)
{
    if (!img_build_app(&r->spec, out)) {
        (void)fprintf(stderr, "mkimage: no chip %s\n", r->spec.chip);
        return false;
    }
    if (r->kind == NULL || strcmp(r->kind, "app") == 0)
        return true;
    img_free(out);
    for (size_t i = 0; i < OTAD_COUNT(kinds); i++)
        if (strcmp(r->kind, kinds[i].name) == 0) {
            kinds[i].make(&r->spec, out);
            return true;
        }
    (void)fprintf(stderr, "mkimage: no kind %s\n", r->kind);
    return false;
}

static bool sign(const char *scheme, struct img *img)
{
    if (strcmp(scheme, "arduino-esp8266") == 0)
        img_sign_arduino_esp8266(img, 256);
    else if (strcmp(scheme, "arduino-esp32") == 0)
        img_sign_arduino_esp32(img);
    else if (strcmp(scheme, "secure-boot-v1") == 0)
        img_sign_secure_boot_v1(img);
    else if (strcmp(scheme, "secure-boot-v2") == 0)
        img_sign_secure_boot_v2(img, 2);
    else {
        (void)fprintf(stderr, "mkimage: no scheme %s\n", scheme);
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct request r = {.spec = {.flash_mode = 2}};
    if (!parse(argc, argv, &r)) {
        usage(stderr);
        return 2;
    }
    struct img img OTAD_AUTO(img_free) = {0}, packed OTAD_AUTO(img_free) = {0};
    if (!build(&r, &img))
        return 2;
    if (r.gzip)
        img_gzip(&img, &packed);
    struct img *last = r.gzip ? &packed : &img;
    if (r.sign != NULL && !sign(r.sign, last))
        return 2;
    last->n -= r.cut < last->n ? (size_t)r.cut : last->n;
    return write_file(r.out, last) ? EXIT_SUCCESS : EXIT_FAILURE;
}
