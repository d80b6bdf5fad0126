/* SPDX-License-Identifier: MIT
 * Owns reading the clocks and their text form. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t now_ms(clockid_t id)
{
    struct timespec ts;
    (void)clock_gettime(id, &ts); /* can't fail for these two ids */
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_wall_ms(const struct clock *c)
{
    return c->fixed_wall_s != 0 ? c->fixed_wall_s * 1000 : now_ms(CLOCK_REALTIME);
}

int64_t clock_wall_s(const struct clock *c)
{
    return clock_wall_ms(c) / 1000;
}

int64_t clock_mono_ms(const struct clock *c)
{
    return c->fixed_mono_ms != 0 ? c->fixed_mono_ms : now_ms(CLOCK_MONOTONIC);
}

void clock_text(int64_t wall_s, char out[CLOCK_TEXT])
{
    time_t t = (time_t)wall_s;
    struct tm tm;
    if (gmtime_r(&t, &tm) == NULL || strftime(out, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        memcpy(out, "1970-01-01T00:00:00Z", CLOCK_TEXT);
}

bool clock_parse(const char *text, int64_t *out)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (end == NULL) {
        memset(&tm, 0, sizeof tm);
        end = strptime(text, "%Y-%m-%d", &tm);
    }
    if (end == NULL || *end != '\0')
        return false;
    /* strptime() takes blanks, single digits and 31 February; only the exact text reads back. */
    int64_t wall_s = (int64_t)timegm(&tm);
    char again[CLOCK_TEXT];
    clock_text(wall_s, again);
    if (strncmp(again, text, strlen(text)) != 0)
        return false;
    *out = wall_s;
    return true;
}
