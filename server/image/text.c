/* SPDX-License-Identifier: MIT
 * Owns the recognition of text. */
#include "image/text.h"

#include <strings.h>

#include "base/hex.h"

#define LOOK_BYTES 4096u

/** Length of the UTF-8 sequence that a byte above 0x7F starts; 0 for none. */
static size_t utf8_length(uint8_t lead)
{
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if (lead >= 0xe0 && lead <= 0xef)
        return 3;
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

/** Bytes that the character at p takes; 0 when it is none. A sequence cut by the end counts. */
static size_t char_length(const uint8_t *p, size_t n)
{
    if (*p < 0x80)
        return (*p >= 0x20 && *p != 0x7f) || *p == '\n' || *p == '\r' || *p == '\t' ? 1 : 0;
    size_t length = utf8_length(*p);
    for (size_t i = 1; i < length && i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

static bool is_text(struct bytes b)
{
    size_t n = b.n < LOOK_BYTES ? b.n : LOOK_BYTES;
    for (size_t i = 0, step; i < n; i += step) {
        step = char_length(b.data + i, n - i);
        if (step == 0)
            return false;
    }
    return n > 0;
}

static bool starts_with_word(struct bytes b, const char *word)
{
    size_t n = strlen(word);
    return b.n >= n && strncasecmp((const char *)b.data, word, n) == 0;
}

/** ":" and an even number of digits that add up to 0: the first record of an Intel HEX file. */
static bool is_hex_record(struct bytes b)
{
    uint8_t sum = 0;
    size_t i = 1;
    for (; i + 1 < b.n && i < 521; i += 2) {
        int high = hex_digit((char)b.data[i]), low = hex_digit((char)b.data[i + 1]);
        if (high < 0 || low < 0)
            break;
        sum = (uint8_t)(sum + high * 16 + low);
    }
    return b.n > 0 && b.data[0] == ':' && i >= 11 && sum == 0;
}

static size_t line_length(struct bytes b)
{
    const uint8_t *end = b.n > 0 ? memchr(b.data, '\n', b.n) : NULL;
    return end != NULL ? (size_t)(end - b.data) + 1 : b.n;
}

static unsigned commas(const uint8_t *p, size_t n)
{
    unsigned count = 0;
    for (size_t i = 0; i < n; i++)
        count += p[i] == ',';
    return count;
}

/** The first two lines that are neither empty nor a comment have the same number, 2 or more, of
 *  commas; a comment with 4 of them, as over a partition table, counts as a line. */
static bool is_csv(struct bytes b)
{
    unsigned rows = 0, want = 0;
    while (b.n > 0 && rows < 2) {
        size_t n = line_length(b);
        unsigned found = commas(b.data, n);
        bool skip = n <= 2 || (b.data[0] == '#' && found < 4);
        if (!skip && (found < 2 || (rows == 1 && found != want && want != 4 && want != 5)))
            return false;
        if (!skip) {
            want = found;
            rows++;
        }
        b = bytes_from(b, n);
    }
    return rows > 0;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static struct bytes skip_blanks(struct bytes b)
{
    while (b.n > 0 && is_blank(b.data[0]))
        b = bytes_from(b, 1);
    return b;
}

/** An object or an array of objects, arrays, strings or numbers; not an INI file's [section]. */
static bool is_json(struct bytes b)
{
    if (b.n == 0 || (b.data[0] != '{' && b.data[0] != '['))
        return false;
    struct bytes next = skip_blanks(bytes_from(b, 1));
    const char *starts = b.data[0] == '{' ? "\"}" : "{[\"]-0123456789";
    return next.n > 0 && next.data[0] != 0 && strchr(starts, next.data[0]) != NULL;
}

enum image_kind text_kind(struct bytes b)
{
    if (bytes_match(b, 0, "\xef\xbb\xbf", 3))
        b = bytes_from(b, 3);
    if (!is_text(b))
        return IMAGE_UNKNOWN;
    if (b.n > LOOK_BYTES)
        b.n = LOOK_BYTES;
    b = skip_blanks(b);
    if (is_hex_record(b))
        return IMAGE_HEX;
    if (starts_with_word(b, "<!doctype html") || starts_with_word(b, "<html") ||
        starts_with_word(b, "<head") || starts_with_word(b, "<meta"))
        return IMAGE_HTML;
    if (is_json(b))
        return IMAGE_JSON;
    return is_csv(b) ? IMAGE_CSV : IMAGE_TEXT;
}
