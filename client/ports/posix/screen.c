/* SPDX-License-Identifier: MIT
 * Owns what a person sees of an update: a progress bar on a terminal, plain lines elsewhere. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vfprintf(stdout, format, args);
    va_end(args);
    (void)fputc('\n', stdout);
    (void)fflush(stdout);
}

struct grouped {
    char text[32];
};

/* 1048576 as 1,048,576. */
static struct grouped grouped(int64_t value)
{
    struct grouped out;
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%lld", (long long)value);
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-')
            out.text[at++] = ',';
        out.text[at++] = digits[i];
    }
    out.text[at] = '\0';
    return out;
}

static void show_bar(struct otac_screen *s, int64_t done)
{
    enum { WIDTH = 40 };
    int filled = (int)(done * WIDTH / s->offered);
    int64_t percent = done * 100 / s->offered;
    if (percent == s->shown)
        return;
    s->shown = percent;
    (void)printf("\r  [%.*s%.*s] %3d %%  %s bytes", filled,
                 "########################################", WIDTH - filled,
                 "........................................", (int)percent, grouped(done).text);
    if (done == s->offered)
        (void)putchar('\n');
    (void)fflush(stdout);
}

static void show_quarters(struct otac_screen *s, int64_t done)
{
    int64_t quarter = done * 4 / s->offered;
    if (quarter == s->shown)
        return;
    s->shown = quarter;
    say("  %3d %%  %s of %s bytes", (int)(quarter * 25), grouped(done).text,
        grouped(s->offered).text);
}

static void show_offer(struct otac_screen *s, int64_t size)
{
    const char *version = s->client->answer.image.version;
    s->offered = size;
    s->shown = 0;
    say("update offered: version %s, %s bytes", version[0] != '\0' ? version : "(not told)",
        grouped(size).text);
}

static void show_kept_report(int32_t value)
{
    if (value > 0)
        say("the server can't take the report now (HTTP %d); it goes out after the next check-in",
            value);
    else
        say("the report could not be sent (%s); it goes out after the next check-in",
            otac_err_text(value));
}

static void show_report(uint32_t status)
{
    if (status >= 200 && status < 300)
        say("reported to the server");
    else
        say("the server has no use for the report (HTTP %u)", status);
}

void otac_screen_event(struct otac_screen *s, enum otac_event event, uint32_t value)
{
    switch (event) {
    case OTAC_EV_OFFER:
        show_offer(s, value);
        break;
    case OTAC_EV_PROGRESS:
        if (s->terminal)
            show_bar(s, value);
        else
            show_quarters(s, value);
        break;
    case OTAC_EV_INSTALLED:
        say("verified: length, SHA-256 and MD5 are as announced, and the slot reads back the same");
        break;
    case OTAC_EV_FAILED:
        if (s->terminal && s->shown > 0 && s->shown < 100)
            (void)putchar('\n');
        break;
    case OTAC_EV_REPORTED:
        show_report(value);
        break;
    case OTAC_EV_REPORT_KEPT:
        show_kept_report((int32_t)value);
        break;
    case OTAC_EV_RESUME:
        say("going on with the download: %s bytes are here already", grouped(value).text);
        break;
    case OTAC_EV_ROLLED_BACK:
        say("rolled back: %s", otac_err_text((int32_t)value));
        break;
    case OTAC_EV_CONNECT:
    case OTAC_EV_ANSWER:
    case OTAC_EV_VERIFY:
        break;
    }
}
