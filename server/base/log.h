/* SPDX-License-Identifier: MIT
 * One line an event on stderr: `ts level event key=value…`. */
#ifndef OTAD_BASE_LOG_H
#define OTAD_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>

#include "otad/err.h"

enum log_level { LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/** Where and how much to log. `level` may change while threads log. */
struct log {
    int fd;
    atomic_int level; /* enum log_level: what is more detailed is dropped */
    bool json;        /* one JSON object a line instead of key=value */
    bool journald;    /* lines start with a <N> priority, without a time stamp */
};

/** Fills *log for stderr; journald is recognised by JOURNAL_STREAM. */
void log_init(struct log *log, enum log_level level, bool json);

/** Writes one line with a single write(2), so lines of threads never mix.
 *  `fmt` holds the pairs, e.g. "mac=%s build=%llu"; quote values that may hold blanks ('%s').
 *  Control characters become '?', so nothing a client sends can forge a line. */
void log_write(struct log *log, enum log_level level, const char *event, const char *fmt, ...)
    OTAD_PRINTF(4, 5);

#define log_err(log, event, ...) log_write(log, LOG_LEVEL_ERR, event, __VA_ARGS__)
#define log_warn(log, event, ...) log_write(log, LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_info(log, event, ...) log_write(log, LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(log, event, ...) log_write(log, LOG_LEVEL_DEBUG, event, __VA_ARGS__)

/** Name of a level as the configuration spells it. */
const char *log_level_name(enum log_level level);

#endif
