/* SPDX-License-Identifier: MIT
 * Owns the JSON of an image. Builders set what they have; one out-of-memory anywhere shows as
 * NULL at the end, because json_object_set_new() takes NULL and fails. */
#include "image/image_json.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hex.h"
#include "image/fit.h"

/** An object under construction, with a sticky error. */
struct builder {
    json_t *object;
    bool failed;
};

static struct builder begin(void)
{
    json_t *object = json_object();
    return (struct builder){object, object == NULL};
}

static void put(struct builder *b, const char *key, json_t *value)
{
    if (json_object_set_new(b->object, key, value) != 0)
        b->failed = true;
}

static void put_text(struct builder *b, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0')
        put(b, key, json_string(text));
}

static void put_number(struct builder *b, const char *key, uint64_t value)
{
    put(b, key, json_integer((json_int_t)value));
}

static void put_bool(struct builder *b, const char *key, bool value)
{
    put(b, key, json_boolean(value));
}

static void put_hex(struct builder *b, const char *key, const uint8_t *data, size_t n)
{
    char text[2 * OTAD_SHA256_LEN + 1];
    hex_encode(data, n, text);
    put(b, key, json_string(text));
}

static void put_u32(struct builder *b, const char *key, uint32_t value)
{
    char text[16];
    (void)snprintf(text, sizeof text, "0x%08" PRIx32, value);
    put(b, key, json_string(text));
}

static json_t *done(struct builder *b)
{
    if (b->failed) {
        json_decref(b->object);
        return NULL;
    }
    return b->object;
}

static json_t *gzip_json(const struct image_gzip *gzip)
{
    struct builder b = begin();
    put_bool(&b, "complete", gzip->complete);
    put_number(&b, "packed_bytes", gzip->packed_bytes);
    put_number(&b, "unpacked_bytes", gzip->unpacked_bytes);
    return done(&b);
}

static json_t *flash_json(const struct image_info *info)
{
    struct builder b = begin();
    put_text(&b, "mode", image_flash_mode_name(info->flash_mode));
    if (info->flash_size_bytes > 0)
        put_number(&b, "size_bytes", info->flash_size_bytes);
    if (info->flash_freq_mhz > 0)
        put_number(&b, "freq_mhz", info->flash_freq_mhz);
    return done(&b);
}

static json_t *segments_json(const struct image_info *info)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < info->segment_count; i++) {
        struct builder b = begin();
        put_number(&b, "offset", info->segments[i].offset);
        put_u32(&b, "load", info->segments[i].load);
        put_number(&b, "length", info->segments[i].length);
        if (json_array_append_new(list, done(&b)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *checksum_json(const struct image_sums *sums)
{
    struct builder b = begin();
    char stored[8], computed[8];
    (void)snprintf(stored, sizeof stored, "0x%02x", sums->checksum_stored);
    (void)snprintf(computed, sizeof computed, "0x%02x", sums->checksum_computed);
    put_bool(&b, "valid", sums->checksum_valid);
    put_text(&b, "rule", sums->checksum_by_crc ? "crc32" : "xor");
    put_number(&b, "offset", sums->checksum_offset);
    put_text(&b, "stored", stored);
    put_text(&b, "computed", computed);
    if (sums->crc_found) {
        put_u32(&b, "crc_stored", sums->crc_stored);
        put_u32(&b, "crc_computed", sums->crc_computed);
    }
    return done(&b);
}

static json_t *digest_json(const struct image_sums *sums)
{
    struct builder b = begin();
    put_bool(&b, "valid", sums->digest_valid);
    put_number(&b, "offset", sums->digest_offset);
    put_hex(&b, "stored", sums->digest_stored, sizeof sums->digest_stored);
    put_hex(&b, "computed", sums->digest_computed, sizeof sums->digest_computed);
    return done(&b);
}

static json_t *desc_json(const struct image_app_desc *desc)
{
    struct builder b = begin();
    put_text(&b, "project", desc->project);
    put_text(&b, "version", desc->version);
    put_text(&b, "idf", desc->idf);
    put_text(&b, "date", desc->date);
    put_text(&b, "time", desc->time);
    put_hex(&b, "elf_sha256", desc->elf_sha256, sizeof desc->elf_sha256);
    put_number(&b, "secure_version", desc->secure_version);
    put_bool(&b, "library_builder", desc->library_builder);
    put_number(&b, "offset", desc->offset);
    return done(&b);
}

static json_t *blynk_json(const struct image_blynk *blynk)
{
    struct builder b = begin();
    for (unsigned i = 0; i < blynk->count; i++)
        put(&b, blynk->pairs[i].key, json_string(blynk->pairs[i].value));
    return done(&b);
}

static json_t *table_json(const struct image_table *table)
{
    struct builder b = begin();
    json_t *rows = json_array();
    for (unsigned i = 0; i < table->count; i++) {
        const struct image_partition *row = &table->rows[i];
        struct builder r = begin();
        put(&r, "label", json_string(row->label));
        put_number(&r, "type", row->type);
        put_number(&r, "subtype", row->subtype);
        put_number(&r, "offset", row->offset);
        put_number(&r, "size", row->size);
        if (json_array_append_new(rows, done(&r)) != 0)
            b.failed = true;
    }
    put_number(&b, "offset", table->offset);
    if (table->md5_present)
        put_bool(&b, "md5_valid", table->md5_valid);
    put(&b, "rows", rows);
    return done(&b);
}

static json_t *fs_json(const struct image_fs *fs)
{
    struct builder b = begin();
    if (fs->version > 0)
        put_u32(&b, "version", fs->version);
    put_number(&b, "block_bytes", fs->block_bytes);
    if (fs->block_count > 0)
        put_number(&b, "block_count", fs->block_count);
    if (fs->page_bytes > 0)
        put_number(&b, "page_bytes", fs->page_bytes);
    return done(&b);
}

static json_t *trailing_json(const struct image_info *info)
{
    struct builder b = begin();
    put_text(&b, "what", image_trailing_name(info->trailing));
    put_number(&b, "offset", info->trailing_offset);
    put_number(&b, "bytes", info->trailing_bytes);
    return done(&b);
}

static json_t *signature_json(const struct image_info *info)
{
    struct builder b = begin();
    put_text(&b, "scheme", image_signature_name(info->signature));
    put_number(&b, "offset", info->signature_offset);
    put_number(&b, "bytes", info->signature_bytes);
    return done(&b);
}

static json_t *identities_json(const struct image_info *info)
{
    struct builder b = begin();
    put_hex(&b, "md5", info->md5, sizeof info->md5);
    put_hex(&b, "sha256", info->sha256, sizeof info->sha256);
    if (info->md5_unpacked_found)
        put_hex(&b, "md5_unpacked", info->md5_unpacked, sizeof info->md5_unpacked);
    if (info->md5_image_found)
        put_hex(&b, "md5_image", info->md5_image, sizeof info->md5_image);
    if (info->sums.digest_found)
        put_hex(&b, "appended_sha256", info->sums.digest_stored, OTAD_SHA256_LEN);
    return done(&b);
}

static json_t *defects_json(const struct image_info *info)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < info->defect_count; i++) {
        const struct image_defect *d = &info->defects[i];
        struct builder b = begin();
        put_text(&b, "what", d->what);
        put_number(&b, "offset", d->offset);
        put_text(&b, "expected", d->expected);
        put_text(&b, "found", d->found);
        put_bool(&b, "truncated", d->code == IMAGE_DEFECT_TRUNCATED);
        if (json_array_append_new(list, done(&b)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *warnings_json(const struct image_info *info)
{
    static const char *const codes[] = {"credentials", "secret", "trailing",
                                        "gzip",        "header", "more"};
    json_t *list = json_array();
    for (unsigned i = 0; i < info->warning_count; i++) {
        const struct image_warning *w = &info->warnings[i];
        struct builder b = begin();
        put_text(&b, "code", codes[w->code]);
        put_number(&b, "offset", w->offset);
        put_text(&b, "text", w->text);
        if (json_array_append_new(list, done(&b)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *image_fit_json(const struct image_info *info)
{
    struct fit_slot slots[FIT_SLOTS_MAX];
    unsigned n = fit_default_slots(info, slots);
    uint64_t used = fit_used_bytes(info);
    json_t *list = json_array();
    for (unsigned i = 0; i < n; i++) {
        char text[128];
        fit_describe(used, &slots[i], text, sizeof text);
        struct builder b = begin();
        put_text(&b, "slot", slots[i].name);
        put_number(&b, "slot_bytes", slots[i].slot_bytes);
        put_number(&b, "used_bytes", used);
        put_number(&b, "percent", slots[i].percent);
        put_bool(&b, "fits", slots[i].fits);
        put_bool(&b, "updates", slots[i].updates);
        put_text(&b, "text", text);
        if (json_array_append_new(list, done(&b)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static void put_parts(struct builder *b, const struct image_info *info)
{
    if (info->gzip.found)
        put(b, "gzip", gzip_json(&info->gzip));
    if (info->header_found)
        put(b, "flash", flash_json(info));
    if (info->segment_count > 0)
        put(b, "segments", segments_json(info));
    if (info->sums.checksum_found)
        put(b, "checksum", checksum_json(&info->sums));
    if (info->sums.digest_found)
        put(b, "digest", digest_json(&info->sums));
    if (info->desc.found)
        put(b, "app_desc", desc_json(&info->desc));
    if (info->blynk.found)
        put(b, "blynk", blynk_json(&info->blynk));
    if (info->table.found)
        put(b, "partitions", table_json(&info->table));
    if (info->fs.block_bytes > 0)
        put(b, "fs", fs_json(&info->fs));
    if (info->trailing != IMAGE_TRAIL_NONE)
        put(b, "trailing", trailing_json(info));
    if (info->signature != IMAGE_SIGN_NONE)
        put(b, "signature", signature_json(info));
}

json_t *image_info_json(const struct image_info *info)
{
    struct builder b = begin();
    char is[160];
    const char *source = NULL, *version = image_version(info, &source);
    image_describe(info, is, sizeof is);
    put_text(&b, "kind", image_kind_name(info->kind));
    put_text(&b, "description", is);
    put_text(&b, "detail", info->detail);
    put_text(&b, "chip", image_chip_name(info->chip));
    put_number(&b, "size", info->size_bytes);
    if (info->image_bytes > 0) {
        put_number(&b, "image_offset", info->image_offset);
        put_number(&b, "image_bytes", info->image_bytes);
    }
    put_text(&b, "version", version);
    put_text(&b, "version_source", source);
    put_parts(&b, info);
    put(&b, "identities", identities_json(info));
    put(&b, "defects", defects_json(info));
    put(&b, "warnings", warnings_json(info));
    put(&b, "deliverable", json_boolean(image_is_deliverable(info)));
    put(&b, "fit", image_fit_json(info));
    return done(&b);
}
