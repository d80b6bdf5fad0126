/* SPDX-License-Identifier: MIT
 * Owns the Blynk tags. A reader must be strict: the mark also stands in code that looks for it. */
#include "image/blynk_tag.h"

#include <stdio.h>
#include <string.h>

#include "image/note.h"

struct pair {
    const uint8_t *key, *value;
    size_t key_n, value_n;
};

/** Length of the printable text at p that ends with NUL inside n bytes; false if it doesn't. */
static bool text_length(const uint8_t *p, size_t n, size_t *out)
{
    const uint8_t *end = memchr(p, 0, n);
    if (end == NULL)
        return false;
    for (const uint8_t *c = p; c < end; c++)
        if (*c < 0x20 || *c > 0x7e)
            return false;
    *out = (size_t)(end - p);
    return true;
}

/** Takes the next pair from p; false at the closing NUL and at anything that is no pair. */
static bool next_pair(const uint8_t **p, size_t *n, struct pair *out)
{
    struct pair pair = {.key = *p};
    if (!text_length(*p, *n, &pair.key_n) || pair.key_n == 0)
        return false;
    pair.value = *p + pair.key_n + 1;
    size_t left = *n - pair.key_n - 1;
    if (!text_length(pair.value, left, &pair.value_n))
        return false;
    *p = pair.value + pair.value_n + 1;
    *n = left - pair.value_n - 1;
    *out = pair;
    return true;
}

/* The library writes no secrets into this tag, but people do, and facts are shown to viewers. */
static bool is_secret_key(const char *key)
{
    static const char *const words[] = {"pass", "auth", "token", "secret", "ssid", "psk"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasestr(key, words[i]) != NULL)
            return true;
    return false;
}

static bool keep_pair(struct image_blynk *tag, const struct pair *pair)
{
    struct image_blynk_pair *slot = &tag->pairs[tag->count];
    if (tag->count == IMAGE_BLYNK_PAIRS_MAX || pair->key_n >= sizeof slot->key ||
        pair->value_n >= sizeof slot->value)
        return false;
    note_printable(slot->key, pair->key, pair->key_n);
    if (is_secret_key(slot->key))
        (void)snprintf(slot->value, sizeof slot->value, "not shown");
    else
        note_printable(slot->value, pair->value, pair->value_n);
    tag->count++;
    return true;
}

static size_t tag_bytes(size_t n)
{
    return n < BLYNK_TAG_MAX ? n : BLYNK_TAG_MAX;
}

size_t blynk_tag_parse(const uint8_t *p, size_t n, uint64_t offset, struct image_blynk *out)
{
    n = tag_bytes(n);
    if (n < BLYNK_MARK_BYTES)
        return 0;
    const uint8_t *cursor = p + BLYNK_MARK_BYTES;
    size_t left = n - BLYNK_MARK_BYTES;
    struct image_blynk tag = {.found = true, .offset = offset};
    struct pair pair;
    while (next_pair(&cursor, &left, &pair))
        (void)keep_pair(&tag, &pair); /* an overlong pair is left out, the next may fit */
    if (tag.count == 0)
        return 0;
    *out = tag;
    return (size_t)(cursor - p) + (left > 0); /* the closing NUL */
}

static bool key_is(const struct pair *pair, const char *key)
{
    return pair->key_n == strlen(key) && memcmp(pair->key, key, pair->key_n) == 0;
}

size_t blynk_options_parse(const uint8_t *p, size_t n, bool *wifi, bool *token)
{
    n = tag_bytes(n);
    if (n < BLYNK_MARK_BYTES)
        return 0;
    const uint8_t *cursor = p + BLYNK_MARK_BYTES;
    size_t left = n - BLYNK_MARK_BYTES;
    bool any = false, ssid = false, pass = false, auth = false;
    struct pair pair;
    while (next_pair(&cursor, &left, &pair)) {
        any = true;
        ssid |= key_is(&pair, "ssid") && pair.value_n > 0;
        pass |= key_is(&pair, "pass") && pair.value_n > 0;
        auth |= key_is(&pair, "auth") && pair.value_n > 0;
    }
    *wifi = ssid && pass;
    *token = auth;
    return any ? (size_t)(cursor - p) + (left > 0) : 0;
}

static bool names_version(const struct image_blynk *tag)
{
    for (unsigned i = 0; i < tag->count; i++)
        if (strcmp(tag->pairs[i].key, "mcu") == 0 || strcmp(tag->pairs[i].key, "fw") == 0)
            return true;
    return false;
}

void blynk_tag_keep(struct image_blynk *kept, const struct image_blynk *found)
{
    if (!kept->found || (!names_version(kept) && names_version(found)))
        *kept = *found;
}
