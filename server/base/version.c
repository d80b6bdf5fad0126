/* SPDX-License-Identifier: MIT
 * Owns what a version text may be and when two are the same. */
#include "base/version.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otad/limits.h"

bool version_is_valid(const char *text)
{
    size_t n = strlen(text);
    if (n == 0 || n > OTAD_VERSION_MAX || text[0] == ' ' || text[n - 1] == ' ')
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] > 0x7e ||
            strchr("\"\\'", text[i]) != NULL)
            return false;
    return true;
}

/* Tasmota's steps on the way to a full image carry its version, and are not it. */
static bool is_stopgap(const char *word)
{
    return strcmp(word, "(minimal)") == 0 || strcmp(word, "(safeboot)") == 0;
}

bool version_matches(const char *reported, const char *build)
{
    if (strcmp(reported, build) == 0)
        return true;
    const char *paren = strchr(reported, '(');
    size_t n = strlen(reported);
    if (paren == NULL || paren == reported || reported[n - 1] != ')' || is_stopgap(paren))
        return false;
    size_t head = (size_t)(paren - reported);
    return strlen(build) == head && memcmp(reported, build, head) == 0;
}

bool version_number(const char *text, int64_t *out)
{
    size_t n = strspn(text, "0123456789");
    if (n == 0 || n > 10 || text[n] != '\0' || text[0] == '0')
        return false;
    long long value = strtoll(text, NULL, 10);
    if (value > OTAD_NUMBER_MAX)
        return false;
    *out = value;
    return true;
}

void version_next(const char *text, char *out, size_t n)
{
    size_t end = strlen(text);
    while (end > 0 && !isdigit((unsigned char)text[end - 1]))
        end--;
    size_t start = end;
    while (start > 0 && isdigit((unsigned char)text[start - 1]) && end - start < 10)
        start--;
    if (start == end) {
        (void)snprintf(out, n, "%s.1", text);
        return;
    }
    /* Leading zeros stay ("1.09" → "1.10"): the number keeps its width. */
    long long value = strtoll(text + start, NULL, 10) + 1;
    (void)snprintf(out, n, "%.*s%0*lld%s", (int)start, text, (int)(end - start), value, text + end);
}
