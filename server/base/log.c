/* SPDX-License-Identifier: MIT
 * Owns the shape of a log line. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

#define LINE_MAX_BYTES 1024

static const char *const level_names[] = {"err", "warn", "info", "debug"};
static const char journald_priority[] = {'3', '4', '6', '7'}; /* sd-daemon(3) */

/* Whether stderr is the stream that systemd connected to the journal: JOURNAL_STREAM is inherited
 * by whatever a service starts, redirected or not (systemd.exec(5)). */
static bool is_journal(void)
{
    struct stat st;
    char mine[48];
    const char *stream = getenv("JOURNAL_STREAM");
    if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
        return false;
    (void)snprintf(mine, sizeof mine, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(stream, mine) == 0;
}

void log_init(struct log *log, enum log_level level, bool json)
{
    log->fd = STDERR_FILENO;
    atomic_init(&log->level, (int)level);
    log->json = json;
    log->journald = is_journal();
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

/* Makes text safe inside one line; in JSON also inside a string. Returns the new length. */
static size_t put_escaped(char *out, size_t room, const char *text, bool json)
{
    size_t n = 0;
    for (; *text != '\0' && n + 2 < room; text++) {
        unsigned char c = (unsigned char)*text;
        size_t wide = json && c >= 0x80 ? utf8_length(text) : 0;
        if (wide > 0 && n + wide + 1 < room) {
            memcpy(out + n, text, wide);
            n += wide;
            text += wide - 1;
            continue;
        }
        if (c < 0x20 || c == 0x7f || (json && c >= 0x80))
            c = '?';
        if (json && (c == '"' || c == '\\'))
            out[n++] = '\\';
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return n;
}

static size_t put_head(const struct log *log, char *line, size_t room, enum log_level level,
                       const char *event)
{
    char ts[CLOCK_TEXT];
    clock_text(clock_wall_s(&(struct clock){0}), ts);
    int n;
    if (log->json)
        n = snprintf(line, room, "{\"ts\":\"%s\",\"level\":\"%s\",\"event\":\"%s\",\"detail\":\"",
                     ts, level_names[level], event);
    else if (log->journald)
        n = snprintf(line, room, "<%c>%s ", journald_priority[level], event);
    else
        n = snprintf(line, room, "%s %s %s ", ts, level_names[level], event);
    return n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

void log_write(struct log *log, enum log_level level, const char *event, const char *fmt, ...)
{
    if (log == NULL || (int)level > atomic_load_explicit(&log->level, memory_order_relaxed))
        return;
    char text[LINE_MAX_BYTES / 2];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);

    char line[LINE_MAX_BYTES + 128];
    size_t n = put_head(log, line, 256, level, event);
    n += put_escaped(line + n, sizeof line - n - 4, text, log->json);
    if (log->json) {
        line[n++] = '"';
        line[n++] = '}';
    }
    line[n++] = '\n';
    ssize_t ignored = write(log->fd, line, n); /* nowhere to complain to */
    (void)ignored;
}
