/* SPDX-License-Identifier: MIT
 * Owns the arithmetic of byte ranges. */
#include "fleet/intervals.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool intervals_add(struct intervals *set, int64_t first, int64_t last)
{
    /* [from, to) are the pieces that overlap or touch the new one. */
    size_t from = 0;
    while (from < set->n && set->items[from].last < first - 1)
        from++;
    size_t to = from;
    while (to < set->n && set->items[to].first <= last + 1)
        to++;
    if (from == to && set->n == INTERVALS_MAX)
        return false;
    if (from < to) {
        first = set->items[from].first < first ? set->items[from].first : first;
        last = set->items[to - 1].last > last ? set->items[to - 1].last : last;
    }
    memmove(&set->items[from + 1], &set->items[to], (set->n - to) * sizeof set->items[0]);
    set->items[from].first = first;
    set->items[from].last = last;
    set->n = set->n + 1 - (to - from);
    return true;
}

int64_t intervals_bytes(const struct intervals *set)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < set->n; i++)
        bytes += set->items[i].last - set->items[i].first + 1;
    return bytes;
}

void intervals_text(const struct intervals *set, char out[INTERVALS_TEXT])
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < set->n; i++)
        used += (size_t)snprintf(out + used, INTERVALS_TEXT - used, "%s%" PRId64 "-%" PRId64,
                                 i == 0 ? "" : ",", set->items[i].first, set->items[i].last);
}

/* Reads one decimal and moves past it. */
static bool take_number(const char **p, int64_t *out)
{
    char *end;
    errno = 0;
    if (**p < '0' || **p > '9')
        return false;
    *out = strtoll(*p, &end, 10);
    *p = end;
    return errno == 0;
}

bool intervals_parse(const char *text, struct intervals *out)
{
    struct intervals set = {.n = 0};
    out->n = 0;
    while (*text != '\0') {
        int64_t first, last;
        if (!take_number(&text, &first) || *text++ != '-' || !take_number(&text, &last) ||
            last < first || last == INT64_MAX || !intervals_add(&set, first, last))
            return false;
        if (*text == ',' && text[1] != '\0')
            text++;
        else if (*text != '\0')
            return false;
    }
    *out = set;
    return true;
}
