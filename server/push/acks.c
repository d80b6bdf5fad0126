/* SPDX-License-Identifier: MIT
 * Owns the reading of counts that nothing separates. */
#include "push/acks.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define COUNT_DIGITS 4 /* of the largest count: devices write at most 4096 bytes at a time */
#define OUTSTANDING_MAX 4096

/* ---- taking in ---------------------------------------------------------------------------- */

/* Everything that is no count: "OK", or an error's text, which may hold digits. */
static void add_text(struct acks *a, unsigned char c)
{
    size_t n = strlen(a->text);
    if ((n == 0 && isspace(c)) || n + 1 == sizeof a->text)
        return;
    a->text[n] = (char)(isspace(c) ? ' ' : c >= 0x20 && c < 0x7f ? c : '?');
    a->text[n + 1] = '\0';
    a->ok = a->ok || strcmp(a->text, "OK") == 0;
    a->error = !a->ok && strcmp(a->text, "O") != 0;
}

void acks_add(struct acks *a, const void *data, size_t n)
{
    const char *bytes = data;
    for (size_t i = 0; i < n; i++) {
        bool digit = isdigit((unsigned char)bytes[i]) != 0;
        if (!digit || a->error)
            add_text(a, (unsigned char)bytes[i]);
        else if (a->n < sizeof a->digits)
            a->digits[a->n++] = bytes[i];
    }
}

void acks_begin(struct acks *a)
{
    a->n = 0;
}

/* ---- counting ----------------------------------------------------------------------------- */

/* Value of the first `n` digits, or 0 when they are no count: counts have no leading zero. */
static size_t count_at(const char *digits, size_t n)
{
    size_t value = 0;
    if (digits[0] == '0')
        return 0;
    for (size_t i = 0; i < n; i++)
        value = value * 10 + (size_t)(digits[i] - '0');
    return value;
}

/* Marks which sums up to `most` the digits from `at` on can have, when cut into counts: sums[i] for
 * those that end at digit i. What is over `most` is kept as `most` itself when `cap` says so. */
static bool reaches(const struct acks *a, size_t most, bool cap, size_t *best)
{
    static const size_t row = OUTSTANDING_MAX + 1;
    uint8_t sums[COUNT_DIGITS + 1][OUTSTANDING_MAX + 1]; /* a ring: only the last few matter */
    memset(sums, 0, sizeof sums);
    sums[0][0] = 1;
    *best = 0;
    for (size_t end = 1; end <= a->n; end++) {
        uint8_t *here = sums[end % (COUNT_DIGITS + 1)];
        memset(here, 0, row);
        for (size_t len = 1; len <= COUNT_DIGITS && len <= end; len++) {
            const uint8_t *before = sums[(end - len) % (COUNT_DIGITS + 1)];
            size_t count = count_at(a->digits + end - len, len);
            for (size_t sum = 0; count > 0 && count <= most && sum <= most; sum++)
                if (before[sum] != 0 && (cap || sum + count <= most))
                    here[sum + count < most ? sum + count : most] = 1;
        }
        for (size_t sum = *best + 1; sum <= most; sum++)
            if (here[sum] != 0)
                *best = sum;
    }
    return a->n > 0 && sums[a->n % (COUNT_DIGITS + 1)][most] != 0;
}

bool acks_overflow(const struct acks *a)
{
    return a->n == sizeof a->digits;
}

static size_t within(size_t outstanding)
{
    return outstanding < OUTSTANDING_MAX ? outstanding : OUTSTANDING_MAX;
}

size_t acks_count(const struct acks *a, size_t outstanding)
{
    size_t best, most = within(outstanding);
    if (most == 0 || a->n == 0)
        return 0;
    if (reaches(a, most, false, &best))
        return outstanding;
    return best < most ? best : most - 1;
}

bool acks_enough(const struct acks *a, size_t outstanding)
{
    size_t best, most = within(outstanding);
    return most == 0 || reaches(a, most, true, &best);
}
