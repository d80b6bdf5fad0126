/* SPDX-License-Identifier: MIT
 * Owns the lines of a push on a terminal. */
#include "cli/push_text.h"

#include <inttypes.h>
#include <string.h>

#include "base/number.h"

#define BAR 30 /* characters of the progress bar */

static void begin_line(struct push_text *t)
{
    if (t->open)
        (void)fputs("\r\033[K", t->out);
    t->open = false;
}

void push_text_running(struct push_text *t, const char *step, int64_t done, int64_t total,
                       int64_t bytes_per_s)
{
    char bar[BAR + 1], had[NUMBER_TEXT], all[NUMBER_TEXT], rate[NUMBER_TEXT];
    if (!t->live)
        return;
    begin_line(t);
    if (total > 0) {
        int full = (int)(done * BAR / total);
        memset(bar, '.', BAR);
        memset(bar, '#', (size_t)(full < BAR ? full : BAR));
        bar[BAR] = '\0';
        (void)fprintf(t->out, "%-13s [%s] %3d %%  %s of %s bytes, %s/s", step, bar,
                      (int)(done * 100 / total), number_text(done, had), number_text(total, all),
                      number_text(bytes_per_s, rate));
    } else {
        (void)fprintf(t->out, "%-13s ...", step);
    }
    t->open = true;
    (void)fflush(t->out);
}

void push_text_ended(struct push_text *t, const char *step, bool ok, const char *detail)
{
    begin_line(t);
    (void)fprintf(t->out, "%-13s %s%s\n", step, ok ? "" : "failed: ", detail);
    (void)fflush(t->out);
}

void push_text_causes(FILE *out, const char *causes)
{
    if (causes[0] == '\0')
        return;
    (void)fputs("Likely, in this order:\n", out);
    for (int number = 1; causes[0] != '\0'; number++) {
        int n = (int)strcspn(causes, "\n");
        (void)fprintf(out, "  %d. %.*s\n", number, n, causes);
        causes += n + (causes[n] == '\n');
    }
}
