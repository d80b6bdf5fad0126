/* SPDX-License-Identifier: MIT
 * One event is one line, whatever a client put into it. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/log.h"
#include "support/unit.h"

enum form { TEXT, JSON, JOURNALD };

/* What was written for one event. */
static size_t capture(enum form form, enum log_level limit, enum log_level level, const char *text,
                      char out[4096])
{
    int fds[2];
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    struct log log = {.fd = fds[1], .json = form == JSON, .journald = form == JOURNALD};
    atomic_init(&log.level, (int)limit);
    log_write(&log, level, "test.event", "ua='%s'", text);
    ssize_t n = read(fds[0], out, 4095);
    (void)close(fds[0]);
    (void)close(fds[1]);
    out[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

static const struct {
    const char *what;
    enum form form;
    enum log_level level;
    const char *want; /* behind the time stamp */
} head_rows[] = {
    {"err",            TEXT,     LOG_LEVEL_ERR,   " err test.event ua='x'\n"  },
    {"warn",           TEXT,     LOG_LEVEL_WARN,  " warn test.event ua='x'\n" },
    {"info",           TEXT,     LOG_LEVEL_INFO,  " info test.event ua='x'\n" },
    {"debug",          TEXT,     LOG_LEVEL_DEBUG, " debug test.event ua='x'\n"},
    {"journald err",   JOURNALD, LOG_LEVEL_ERR,   "<3>test.event ua='x'\n"    },
    {"journald warn",  JOURNALD, LOG_LEVEL_WARN,  "<4>test.event ua='x'\n"    },
    {"journald info",  JOURNALD, LOG_LEVEL_INFO,  "<6>test.event ua='x'\n"    },
    {"journald debug", JOURNALD, LOG_LEVEL_DEBUG, "<7>test.event ua='x'\n"    },
};

START_TEST(head_row)
{
    char line[4096];
    (void)capture(head_rows[_i].form, LOG_LEVEL_DEBUG, head_rows[_i].level, "x", line);
    const char *rest = head_rows[_i].form == TEXT ? line + strcspn(line, " ") : line;
    ck_assert_msg(strcmp(rest, head_rows[_i].want) == 0, "%s: %s", head_rows[_i].what, line);
    if (head_rows[_i].form == TEXT)
        ck_assert_msg(rest == line + 20 && line[10] == 'T' && line[19] == 'Z', "%s", line);
}
END_TEST

START_TEST(more_detailed_levels_are_dropped)
{
    char line[4096];
    for (int limit = LOG_LEVEL_ERR; limit <= LOG_LEVEL_DEBUG; limit++)
        for (int level = LOG_LEVEL_ERR; level <= LOG_LEVEL_DEBUG; level++) {
            size_t n = capture(TEXT, (enum log_level)limit, (enum log_level)level, "x", line);
            ck_assert_msg((n > 0) == (level <= limit), "limit %d level %d", limit, level);
        }
}
END_TEST

static const struct {
    const char *what;
    const char *text;
    const char *plain, *json; /* what becomes of it */
} escape_rows[] = {
    {"plain",              "ESP8266-http-Update",       "ESP8266-http-Update",       "ESP8266-http-Update"},
    {"a forged line",      "a\n2026 err forged ",       "a?2026 err forged ",        "a?2026 err forged " },
    {"carriage return",    "a\rb",                      "a?b",                       "a?b"                },
    {"terminal escape",    "\x1b[31m",                  "?[31m",                     "?[31m"              },
    {"delete",             "a\x7f",                     "a?",                        "a?"                 },
    {"quotes",             "say \"hi\"",                "say \"hi\"",                "say \"hi\""         },
    {"backslash",          "a\\nb",                     "a\\nb",                     "a\\nb"              },
    {"ends a JSON string", "\",\"level\":\"err",        "\",\"level\":\"err",        "\",\"level\":\"err" },
    {"UTF-8",              "l\u00e4mp\u20ac\U0001F600", "l\u00e4mp\u20ac\U0001F600",
     "l\u00e4mp\u20ac\U0001F600"                                                                          },
    {"Latin-1",            "l\xe4mp",                   "l\xe4mp",                   "l?mp"               },
    {"cut UTF-8",          "lamp\xe2\x82",              "lamp\xe2\x82",              "lamp??"             },
    {"too long a form",    "\xc0\xaf",                  "\xc0\xaf",                  "??"                 },
    {"half a surrogate",   "\xed\xa0\x80",              "\xed\xa0\x80",              "???"                },
    {"beyond Unicode",     "\xf4\x90\x80\x80",          "\xf4\x90\x80\x80",          "????"               },
};

START_TEST(text_line_row)
{
    char line[4096], want[256];
    size_t n = capture(TEXT, LOG_LEVEL_INFO, LOG_LEVEL_INFO, escape_rows[_i].text, line);
    (void)snprintf(want, sizeof want, "ua='%s'\n", escape_rows[_i].plain);
    ck_assert_msg(strchr(line, '\n') == line + n - 1, "%s: not one line", escape_rows[_i].what);
    ck_assert_msg(n > strlen(want) && strcmp(line + n - strlen(want), want) == 0, "%s: %s",
                  escape_rows[_i].what, line);
}
END_TEST

START_TEST(json_line_row)
{
    char line[4096], want[256];
    size_t n = capture(JSON, LOG_LEVEL_INFO, LOG_LEVEL_INFO, escape_rows[_i].text, line);
    ck_assert_msg(strchr(line, '\n') == line + n - 1, "%s: not one line", escape_rows[_i].what);
    json_error_t err;
    json_t *j = json_loadb(line, n, JSON_REJECT_DUPLICATES, &err);
    ck_assert_msg(j != NULL, "%s: %s in %s", escape_rows[_i].what, err.text, line);
    (void)snprintf(want, sizeof want, "ua='%s'", escape_rows[_i].json);
    ck_assert_str_eq(json_string_value(json_object_get(j, "event")), "test.event");
    ck_assert_str_eq(json_string_value(json_object_get(j, "level")), "info");
    ck_assert_msg(strcmp(json_string_value(json_object_get(j, "detail")), want) == 0, "%s: %s",
                  escape_rows[_i].what, line);
    json_decref(j);
}
END_TEST

START_TEST(long_lines_are_cut_and_stay_whole)
{
    char text[3000], line[4096];
    static const char fill[] = {'a', '"', '\\', '\n'};
    memset(text, fill[_i % 4], sizeof text - 1);
    text[sizeof text - 1] = '\0';
    enum form form = _i < 4 ? TEXT : JSON;
    size_t n = capture(form, LOG_LEVEL_INFO, LOG_LEVEL_INFO, text, line);
    ck_assert_uint_gt(n, 500);
    ck_assert_ptr_eq(strchr(line, '\n'), line + n - 1);
    if (form == JSON) {
        json_t *j = json_loadb(line, n, 0, NULL);
        ck_assert_msg(j != NULL, "%s", line);
        json_decref(j);
    }
}
END_TEST

/* Cutting must not leave half a character in a JSON string. */
START_TEST(cut_between_the_bytes_of_a_character)
{
    for (size_t shift = 0; shift < 4; shift++) {
        char text[1500] = "aaaa", line[4096];
        text[shift] = '\0';
        while (strlen(text) + 5 < sizeof text)
            strncat(text, "\U0001F600", 5);
        size_t n = capture(JSON, LOG_LEVEL_INFO, LOG_LEVEL_INFO, text, line);
        json_t *j = json_loadb(line, n, 0, NULL);
        ck_assert_msg(j != NULL, "shift %zu", shift);
        json_decref(j);
    }
}
END_TEST

START_TEST(no_log_is_no_crash)
{
    log_write(NULL, LOG_LEVEL_ERR, "x", "y=%d", 1);
}
END_TEST

START_TEST(init_writes_to_stderr)
{
    struct log log;
    (void)unsetenv("JOURNAL_STREAM");
    log_init(&log, LOG_LEVEL_WARN, true);
    ck_assert_int_eq(log.fd, STDERR_FILENO);
    ck_assert_int_eq(atomic_load(&log.level), LOG_LEVEL_WARN);
    ck_assert(log.json);
    ck_assert(!log.journald);
}
END_TEST

START_TEST(level_names_are_the_configurations)
{
    ck_assert_str_eq(log_level_name(LOG_LEVEL_ERR), "err");
    ck_assert_str_eq(log_level_name(LOG_LEVEL_WARN), "warn");
    ck_assert_str_eq(log_level_name(LOG_LEVEL_INFO), "info");
    ck_assert_str_eq(log_level_name(LOG_LEVEL_DEBUG), "debug");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("log");
    TCase *t = tcase_create("line");
    tcase_add_loop_test(t, head_row, 0, (int)OTAD_COUNT(head_rows));
    tcase_add_test(t, more_detailed_levels_are_dropped);
    tcase_add_loop_test(t, text_line_row, 0, (int)OTAD_COUNT(escape_rows));
    tcase_add_loop_test(t, json_line_row, 0, (int)OTAD_COUNT(escape_rows));
    tcase_add_loop_test(t, long_lines_are_cut_and_stay_whole, 0, 8);
    tcase_add_test(t, cut_between_the_bytes_of_a_character);
    suite_add_tcase(s, t);
    t = tcase_create("others");
    tcase_add_test(t, no_log_is_no_crash);
    tcase_add_test(t, init_writes_to_stderr);
    tcase_add_test(t, level_names_are_the_configurations);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
