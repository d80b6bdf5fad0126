/* SPDX-License-Identifier: MIT
 * Owns the syntax of Range. */
#include "http/range.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Reads digits and moves past them; a number too large for 64 bits becomes UINT64_MAX.
 * @return false when there is none. */
static bool take_number(const char **p, uint64_t *out)
{
    const char *start = *p;
    uint64_t n = 0;
    for (; **p >= '0' && **p <= '9'; (*p)++) {
        uint64_t digit = (uint64_t)(**p - '0');
        n = n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : n * 10 + digit;
    }
    *out = n;
    return *p != start;
}

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t");
}

/* "-500": the last 500 bytes. */
static enum range_verdict suffix(const char *p, uint64_t size, uint64_t *first, uint64_t *last)
{
    uint64_t n;
    if (!take_number(&p, &n) || n == 0 || *skip_blanks(p) != '\0')
        return RANGE_UNSATISFIABLE;
    *first = n < size ? size - n : 0;
    *last = size - 1;
    return RANGE_PART;
}

enum range_verdict range_parse(const char *header, uint64_t size, uint64_t *first, uint64_t *last)
{
    static const char unit[] = "bytes=";
    if (header == NULL)
        return RANGE_WHOLE;
    const char *p = skip_blanks(header);
    if (strncasecmp(p, unit, sizeof unit - 1) != 0)
        return RANGE_UNSATISFIABLE;
    p = skip_blanks(p + sizeof unit - 1);
    if (*p == '-')
        return suffix(p + 1, size, first, last);

    uint64_t from, to = UINT64_MAX;
    if (!take_number(&p, &from) || *p++ != '-')
        return RANGE_UNSATISFIABLE;
    bool open_ended = !take_number(&p, &to);
    if (open_ended)
        to = UINT64_MAX;
    if (*skip_blanks(p) != '\0' || from > to || from >= size)
        return RANGE_UNSATISFIABLE;
    *first = from;
    *last = to < size ? to : size - 1;
    return RANGE_PART;
}

bool range_is_suffix(const char *header)
{
    return skip_blanks(strchr(header, '=') + 1)[0] == '-';
}
