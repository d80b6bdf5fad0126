/* SPDX-License-Identifier: MIT
 * Owns the words of `otad inspect` for people. */
#include <inttypes.h>

#include "base/hex.h"
#include "cli/inspect.h"
#include "image/fit.h"

static void print_hex(FILE *to, const char *label, const uint8_t *data, size_t n)
{
    char text[2 * OTAD_SHA256_LEN + 1];
    hex_encode(data, n, text);
    (void)fprintf(to, "  %-14s %s\n", label, text);
}

static void print_version(FILE *to, const struct image_info *info)
{
    const char *source = NULL, *version = image_version(info, &source);
    char hint[256];
    if (version != NULL) {
        (void)fprintf(to, "  %-14s %s (%s)\n", "version", version, source);
        return;
    }
    image_version_hint(info, hint, sizeof hint);
    (void)fprintf(to, "  %-14s none: %s\n", "version", hint);
}

static void print_flash(FILE *to, const struct image_info *info)
{
    if (!info->header_found)
        return;
    const char *mode = image_flash_mode_name(info->flash_mode);
    (void)fprintf(to, "  %-14s %s", "flash", mode[0] != '\0' ? mode : "unknown mode");
    if (info->flash_size_bytes > 0)
        (void)fprintf(to, ", %" PRIu64 " KB", info->flash_size_bytes / 1024);
    if (info->flash_freq_mhz > 0)
        (void)fprintf(to, ", %u MHz", info->flash_freq_mhz);
    (void)fputc('\n', to);
}

static void print_sums(FILE *to, const struct image_info *info)
{
    const struct image_sums *s = &info->sums;
    if (s->checksum_by_crc)
        (void)fprintf(to, "  %-14s CRC-32 0x%08" PRIx32 ", %s\n", "checksum", s->crc_stored,
                      s->checksum_valid ? "valid" : "WRONG");
    else if (s->checksum_found)
        (void)fprintf(to, "  %-14s 0x%02x, %s\n", "checksum", s->checksum_stored,
                      s->checksum_valid ? "valid" : "WRONG");
    if (s->digest_found)
        print_hex(to, s->digest_valid ? "app. SHA-256" : "app. SHA WRONG", s->digest_stored,
                  OTAD_SHA256_LEN);
}

static void print_desc(FILE *to, const struct image_info *info)
{
    const struct image_app_desc *d = &info->desc;
    if (!d->found)
        return;
    (void)fprintf(to, "  %-14s %s %s, IDF %s, %s %s%s\n", "descriptor", d->project, d->version,
                  d->idf, d->date, d->time,
                  d->library_builder ? " (the Arduino library builder's)" : "");
}

static void print_blynk(FILE *to, const struct image_info *info)
{
    for (unsigned i = 0; i < info->blynk.count; i++)
        (void)fprintf(to, "  %-14s %s: %s\n", i == 0 ? "Blynk tag" : "", info->blynk.pairs[i].key,
                      info->blynk.pairs[i].value);
}

static void print_table(FILE *to, const struct image_info *info)
{
    for (unsigned i = 0; i < info->table.count; i++) {
        const struct image_partition *row = &info->table.rows[i];
        (void)fprintf(to, "  %-14s %-16s type %u/0x%02x at 0x%06" PRIx32 ", %" PRIu32 " bytes\n",
                      i == 0 ? "partitions" : "", row->label, row->type, row->subtype, row->offset,
                      row->size);
    }
}

static void print_container(FILE *to, const struct image_info *info)
{
    if (info->gzip.found)
        (void)fprintf(to, "  %-14s %" PRIu64 " bytes\n", "unpacked", info->gzip.unpacked_bytes);
    if (info->signature != IMAGE_SIGN_NONE)
        (void)fprintf(to, "  %-14s %s, %u bytes at 0x%" PRIx64 "\n", "signature",
                      image_signature_name(info->signature), info->signature_bytes,
                      info->signature_offset);
    if (info->fs.block_bytes > 0)
        (void)fprintf(to, "  %-14s %" PRIu32 " blocks of %" PRIu32 " bytes\n", "filesystem",
                      info->fs.block_count, info->fs.block_bytes);
}

static void print_fit(FILE *to, const struct image_info *info)
{
    struct fit_slot slots[FIT_SLOTS_MAX];
    unsigned n = fit_default_slots(info, slots);
    for (unsigned i = 0; i < n; i++) {
        char text[128];
        fit_describe(fit_used_bytes(info), &slots[i], text, sizeof text);
        (void)fprintf(to, "  %-14s %s%s\n", slots[i].fits ? "fits" : "DOESN'T FIT", text,
                      slots[i].fits && !slots[i].updates ? ", but has no room to update" : "");
    }
}

static void print_verdict(FILE *to, const struct image_info *info)
{
    struct otad_errinfo ei = {0};
    for (unsigned i = 0; i < info->warning_count; i++)
        (void)fprintf(to, "  %-14s at 0x%" PRIx64 ": %s\n", "warning", info->warnings[i].offset,
                      info->warnings[i].text);
    if (image_check_upload(info, IMAGE_WANT_ANY, &ei) == OTAD_E_OK) {
        (void)fprintf(to, "  %-14s yes\n", "deliverable");
        return;
    }
    (void)fprintf(to, "  %-14s no. %s\n  %-14s %s\n", "deliverable", ei.msg, "to do", ei.hint);
}

void inspect_print_text(FILE *to, const char *name, const struct image_info *info)
{
    char is[160];
    image_describe(info, is, sizeof is);
    (void)fprintf(to, "%s: %s%s%s\n", name, is, info->detail[0] != '\0' ? "; " : "", info->detail);
    (void)fprintf(to, "  %-14s %" PRIu64 " bytes\n", "size", info->size_bytes);
    if (image_build_kind(info) == IMAGE_WANT_APP)
        print_version(to, info);
    print_container(to, info);
    print_flash(to, info);
    print_desc(to, info);
    print_blynk(to, info);
    print_table(to, info);
    print_sums(to, info);
    print_hex(to, "MD5", info->md5, sizeof info->md5);
    if (info->md5_unpacked_found)
        print_hex(to, "MD5 unpacked", info->md5_unpacked, sizeof info->md5_unpacked);
    if (info->md5_image_found)
        print_hex(to, "MD5 of image", info->md5_image, sizeof info->md5_image);
    print_hex(to, "SHA-256", info->sha256, sizeof info->sha256);
    print_fit(to, info);
    print_verdict(to, info);
}
