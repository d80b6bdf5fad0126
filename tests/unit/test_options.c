/* SPDX-License-Identifier: MIT
 * The table of options: every type, every source, and what a mistake is answered. */
#include <string.h>
#include <unistd.h>

#include "base/options.h"
#include "support/unit.h"

struct values {
    char name[OPTION_TEXT_MAX];
    struct option_list listen;
    int64_t count, size, odd_size, level;
    bool on;
};

#define AT(field) offsetof(struct values, field)
static const char *const levels[] = {"low", "high", NULL};
/* clang-format off */
static const struct option_row table_rows[] = {
    {"main", "name",     OPTION_TEXT,   AT(name),     "lamp",   0, 0, "", NULL, NULL, true, "a text"},
    {"main", "listen",   OPTION_LIST,   AT(listen),   "a:1",    0, 0, "", "listen", NULL, true, "a list"},
    {"main", "count",    OPTION_INT,    AT(count),    "5",      -2, 99, "s", NULL, NULL, true, "a number"},
    {"data", "max_size", OPTION_SIZE,   AT(size),     "2M",     1048576, 4294967296, "bytes", NULL, NULL, true, "a size"},
    {"data", "odd_size", OPTION_SIZE,   AT(odd_size), "5000",   5000, 6000, "bytes", NULL, NULL, false, "a size"},
    {"data", "level",    OPTION_CHOICE, AT(level),    "low",    0, 0, "", NULL, levels, true, "a choice"},
    {"data", "on",       OPTION_BOOL,   AT(on),       "no",     0, 0, "", NULL, NULL, false, "a switch"},
};
/* clang-format on */
static const struct option_table table = {table_rows, OTAD_COUNT(table_rows)};

#define A250                                                                                       \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct values defaults(void)
{
    struct values v;
    struct otad_errinfo ei;
    memset(&v, 0, sizeof v);
    ck_assert_int_eq(options_default(&table, &v, &ei), OTAD_E_OK);
    return v;
}

static enum otad_err set(const char *flag, const char *value, struct values *v,
                         struct otad_errinfo *ei)
{
    bool seen[OTAD_COUNT(table_rows)] = {false};
    return options_flag(&table, flag, value, seen, v, ei);
}

START_TEST(defaults_are_the_rows_fallbacks)
{
    struct values v = defaults();
    ck_assert_str_eq(v.name, "lamp");
    ck_assert_uint_eq(v.listen.n, 1);
    ck_assert_str_eq(v.listen.items[0], "a:1");
    ck_assert_int_eq(v.count, 5);
    ck_assert_int_eq(v.size, 2097152);
    ck_assert_int_eq(v.level, 0);
    ck_assert(!v.on);
}
END_TEST

START_TEST(bad_default_is_invalid)
{
    static const struct option_row row = {"a", "b", OPTION_INT, 0,    "x",   0,
                                          1,   "",  NULL,       NULL, false, ""};
    const struct option_table bad = {&row, 1};
    int64_t value = 7;
    struct otad_errinfo ei;
    ck_assert_int_eq(options_default(&bad, &value, &ei), OTAD_E_INVALID);
    ck_assert_int_eq(value, 7);
}
END_TEST

/* ---- numbers ------------------------------------------------------------------------------ */

static const struct {
    const char *what;
    const char *flag, *text;
    bool ok;
    int64_t want;
} number_rows[] = {
    {"number",                "main-count",    "42",                    true,  42        },
    {"least",                 "main-count",    "-2",                    true,  -2        },
    {"most",                  "main-count",    "99",                    true,  99        },
    {"below",                 "main-count",    "-3",                    false, 0         },
    {"above",                 "main-count",    "100",                   false, 0         },
    {"empty",                 "main-count",    "",                      false, 0         },
    {"a word",                "main-count",    "many",                  false, 0         },
    {"text behind",           "main-count",    "5s",                    false, 0         },
    {"real",                  "main-count",    "5.0",                   false, 0         },
    {"hex",                   "main-count",    "0x10",                  false, 0         },
    {"beyond 64 bit",         "main-count",    "99999999999999999999",  false, 0         },
    {"no K for a number",     "main-count",    "0K",                    false, 0         },
    {"plain size",            "data-max-size", "1048576",               true,  1048576   },
    {"K",                     "data-max-size", "1024K",                 true,  1048576   },
    {"small k",               "data-max-size", "1024k",                 true,  1048576   },
    {"M",                     "data-max-size", "16M",                   true,  16777216  },
    {"G, the most",           "data-max-size", "4G",                    true,  4294967296},
    {"G, too much",           "data-max-size", "5G",                    false, 0         },
    {"K, just too little",    "data-max-size", "1023K",                 false, 0         },
    {"none of G",             "data-max-size", "0G",                    false, 0         },
    {"less than none",        "data-max-size", "-1G",                   false, 0         },
    {"overflow in G",         "data-max-size", "9223372036854775807G",  false, 0         },
    {"underflow in G",        "data-max-size", "-9223372036854775808G", false, 0         },
    {"T",                     "data-max-size", "1T",                    false, 0         },
    {"KB",                    "data-max-size", "2048KB",                false, 0         },
    {"only a letter",         "data-max-size", "M",                     false, 0         },
    {"blank before the unit", "data-max-size", "2 M",                   false, 0         },
    {"4 KiB below the least", "data-odd-size", "4K",                    false, 0         },
    {"5 KiB in between",      "data-odd-size", "5K",                    true,  5120      },
    {"choice",                "data-level",    "high",                  true,  1         },
    {"choice, other case",    "data-level",    "HIGH",                  false, 0         },
    {"choice, empty",         "data-level",    "",                      false, 0         },
    {"yes",                   "data-on",       "yes",                   true,  1         },
    {"no",                    "data-on",       "no",                    true,  0         },
    {"TRUE",                  "data-on",       "TRUE",                  true,  1         },
    {"false",                 "data-on",       "false",                 true,  0         },
    {"On",                    "data-on",       "On",                    true,  1         },
    {"off",                   "data-on",       "off",                   true,  0         },
    {"1",                     "data-on",       "1",                     true,  1         },
    {"0",                     "data-on",       "0",                     true,  0         },
    {"2",                     "data-on",       "2",                     false, 0         },
    {"nothing",               "data-on",       "",                      false, 0         },
};

static int64_t number_of(const struct values *v, const char *flag)
{
    return strcmp(flag, "main-count") == 0      ? v->count
           : strcmp(flag, "data-max-size") == 0 ? v->size
           : strcmp(flag, "data-odd-size") == 0 ? v->odd_size
           : strcmp(flag, "data-level") == 0    ? v->level
                                                : v->on;
}

START_TEST(number_row)
{
    struct values v = defaults();
    struct otad_errinfo ei = {.msg = ""};
    const char *flag = number_rows[_i].flag, *what = number_rows[_i].what;
    int64_t before = number_of(&v, flag);
    enum otad_err err = set(flag, number_rows[_i].text, &v, &ei);
    ck_assert_msg(err == (number_rows[_i].ok ? OTAD_E_OK : OTAD_E_INVALID), "%s", what);
    ck_assert_msg(number_of(&v, flag) == (number_rows[_i].ok ? number_rows[_i].want : before), "%s",
                  what);
    if (!number_rows[_i].ok)
        ck_assert_msg(strstr(ei.msg, "expected") != NULL, "%s: %s", what, ei.msg);
}
END_TEST

/* ---- texts and lists ---------------------------------------------------------------------- */

START_TEST(text_of_255_bytes_fits_and_one_more_does_not)
{
    struct values v = defaults();
    struct otad_errinfo ei;
    ck_assert_int_eq(set("main-name", A250 "12345", &v, &ei), OTAD_E_OK);
    ck_assert_uint_eq(strlen(v.name), 255);
    ck_assert_int_eq(set("main-name", A250 "123456", &v, &ei), OTAD_E_INVALID);
    ck_assert_uint_eq(strlen(v.name), 255);
}
END_TEST

static const struct {
    const char *what;
    const char *text;
    size_t n; /* 99: refused */
    const char *last;
} list_rows[] = {
    {"one",              "b:2",               1,  "b:2"},
    {"two",              "b:2,c:3",           2,  "c:3"},
    {"blanks and tabs",  " b:2 ,\t c:3\t",    2,  "c:3"},
    {"empty places",     ",,b:2,,",           1,  "b:2"},
    {"blank splits too", "b:2 c:3",           2,  "c:3"},
    {"eight",            "1,2,3,4,5,6,7,8",   8,  "8"  },
    {"nine",             "1,2,3,4,5,6,7,8,9", 99, NULL },
    {"nothing",          "",                  0,  NULL },
    {"one of 256 bytes", A250 "123456",       99, NULL },
};

START_TEST(list_row)
{
    struct values v = defaults();
    struct otad_errinfo ei;
    bool ok = list_rows[_i].n != 99;
    ck_assert_msg((set("listen", list_rows[_i].text, &v, &ei) == OTAD_E_OK) == ok, "%s",
                  list_rows[_i].what);
    ck_assert_msg(v.listen.n == (ok ? list_rows[_i].n : 1), "%s", list_rows[_i].what);
    if (v.listen.n > 0)
        ck_assert_msg(strcmp(v.listen.items[v.listen.n - 1], ok ? list_rows[_i].last : "a:1") == 0,
                      "%s", list_rows[_i].what);
}
END_TEST

START_TEST(repeated_list_flag_clears_then_adds)
{
    struct values v = defaults();
    struct otad_errinfo ei;
    bool seen[OTAD_COUNT(table_rows)] = {false};
    ck_assert_int_eq(options_flag(&table, "listen", "b:2", seen, &v, &ei), OTAD_E_OK);
    ck_assert_int_eq(options_flag(&table, "main-listen", "c:3", seen, &v, &ei), OTAD_E_OK);
    ck_assert_uint_eq(v.listen.n, 2);
    ck_assert_str_eq(v.listen.items[0], "b:2");
    ck_assert_str_eq(v.listen.items[1], "c:3");
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(options_flag(&table, "listen", "d:4", seen, &v, &ei), OTAD_E_OK);
    ck_assert_int_eq(options_flag(&table, "listen", "e:5", seen, &v, &ei), OTAD_E_INVALID);
    ck_assert_uint_eq(v.listen.n, 8);
}
END_TEST

START_TEST(unknown_flag_is_noent)
{
    struct values v = defaults(), same = v;
    struct otad_errinfo ei;
    ck_assert_int_eq(set("main-nam", "x", &v, &ei), OTAD_E_NOENT);
    ck_assert_int_eq(set("name", "x", &v, &ei), OTAD_E_NOENT);
    ck_assert_int_eq(set("main.name", "x", &v, &ei), OTAD_E_NOENT);
    ck_assert_mem_eq(&v, &same, sizeof v);
}
END_TEST

/* ---- environment -------------------------------------------------------------------------- */

static char home[] = "HOME=/root", other[] = "OTAD_CONFIG=x", other_bare[] = "OTAD_KEY",
            good[] = "OTAD_DATA_MAX_SIZE=3M", bad_value[] = "OTAD_MAIN_COUNT=x",
            bad_name[] = "OTAD_MAIN_COUNTS=1", bare[] = "OTAD_MAIN_NAME",
            lower[] = "OTAD_main_name=x", prefix[] = "OTADMAIN=1",
            list_var[] = "OTAD_MAIN_LISTEN=x:1,y:2";
static const struct {
    const char *what;
    char *variable;
    enum otad_err want;
} env_rows[] = {
    {"somebody else's",     home,       OTAD_E_OK     },
    {"one of the others",   other,      OTAD_E_OK     },
    {"without a value",     other_bare, OTAD_E_OK     },
    {"an option",           good,       OTAD_E_OK     },
    {"a list",              list_var,   OTAD_E_OK     },
    {"an option, no value", bare,       OTAD_E_OK     },
    {"bad value",           bad_value,  OTAD_E_INVALID},
    {"unknown name",        bad_name,   OTAD_E_INVALID},
    {"lower case",          lower,      OTAD_E_INVALID},
    {"no underscore",       prefix,     OTAD_E_OK     },
};

START_TEST(env_row)
{
    static const char *const others[] = {"OTAD_CONFIG", "OTAD_KEY", NULL};
    struct values v = defaults();
    struct otad_errinfo ei = {.msg = ""};
    char *const environment[] = {home, env_rows[_i].variable, NULL};
    ck_assert_msg(options_env(&table, environment, others, &v, &ei) == env_rows[_i].want, "%s",
                  env_rows[_i].what);
    if (env_rows[_i].variable == good)
        ck_assert_int_eq(v.size, 3 << 20);
    if (env_rows[_i].variable == list_var)
        ck_assert_uint_eq(v.listen.n, 2);
    if (env_rows[_i].variable == bad_name)
        ck_assert_msg(strstr(ei.msg, "OTAD_MAIN_COUNTS") != NULL, "%s", ei.msg);
}
END_TEST

/* ---- file --------------------------------------------------------------------------------- */

static enum otad_err parse_n(const char *text, size_t n, struct values *v, struct otad_errinfo *ei)
{
    char path[] = "/tmp/otad-options-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, n), (ssize_t)n);
    (void)close(fd);
    enum otad_err err = options_file(&table, path, v, ei);
    (void)unlink(path);
    return err;
}

static enum otad_err parse(const char *text, struct values *v, struct otad_errinfo *ei)
{
    return parse_n(text, strlen(text), v, ei);
}

static const struct {
    const char *what;
    const char *text;
    const char *part; /* of the message; NULL: it is right */
    const char *also;
} file_rows[] = {
    {"empty",                               "",                                                 NULL,                                               NULL          },
    {"comments",                            "# a\n; b\n\n[main]\n#count = x\n",                 NULL,                                               NULL          },
    {"all kinds",
     "[main]\nname = x y\nlisten=b:1, c:2\ncount=7\n[data]\nmax_size=1G\nlevel=high\non=yes\n", NULL,                                               NULL          },
    {"windows line ends",                   "[main]\r\ncount = 7\r\n",                          NULL,                                               NULL          },
    {"no end of line",                      "[main]\ncount = 7",                                NULL,                                               NULL          },
    {"byte order mark",                     "\xef\xbb\xbf[main]\ncount = 7\n",                  NULL,                                               NULL          },
    {"unknown key",                         "[main]\nname = x\ncoutn = 7\n",                    "line 3: unknown key 'main.coutn'",
     "did you mean 'main.count'?"                                                                                                                                 },
    {"key of another section",              "[main]\nmax_size = 2M\n",                          "line 2: unknown key 'main.max_size'",
     "did you mean 'data.max_size'?"                                                                                                                              },
    {"nothing near",                        "[main]\nelephants = 2\n",                          "line 2: unknown key 'main.elephants'",             ""            },
    {"key before a section",                "count = 7\n",                                      "line 1: unknown key 'count'",                      "'main.count'"},
    {"unknown section",                     "[mian]\ncount = 7\n",                              "line 2: unknown key 'mian.count'",                 "'main.count'"},
    {"bad value",                           "\n[main]\n\ncount = lots\n",                       "line 4: 'main.count' is 'lots', expected a whole",
     "from -2 to 99 s"                                                                                                                                            },
    {"no equals sign",                      "[main]\nname = x\ncount\n",                        "line 3: expected '[section]', 'key = value'",
     ""                                                                                                                                                           },
    {"open section",                        "[main\n",                                          "line 1: expected",                                 ""            },
    {"the first of two errors",             "[main]\ncount = x\nname = y\ncount = z\n",         "line 2: 'main.count'",
     ""                                                                                                                                                           },
    {"a key twice",                         "[main]\ncount = 3\nname = x\ncount = 4\n",         "line 4: 'main.count' is given",
     ""                                                                                                                                                           },
    {"an indented line is no second value", "[main]\nname = x\n  count = 7\n",
     "line 3: 'main.name' is given",                                                                                                                "indented"    },
};

START_TEST(file_row)
{
    struct values v = defaults();
    struct otad_errinfo ei = {.msg = ""};
    enum otad_err err = parse(file_rows[_i].text, &v, &ei);
    const char *what = file_rows[_i].what, *part = file_rows[_i].part;
    ck_assert_msg(err == (part == NULL ? OTAD_E_OK : OTAD_E_INVALID), "%s: %s", what, ei.msg);
    if (part == NULL)
        return;
    ck_assert_msg(strstr(ei.msg, part) != NULL, "%s: %s", what, ei.msg);
    ck_assert_msg(strstr(ei.msg, file_rows[_i].also) != NULL ||
                      strstr(ei.hint, file_rows[_i].also) != NULL,
                  "%s: %s", what, ei.msg);
    ck_assert_msg(strstr(ei.msg, "/tmp/otad-options-") == ei.msg, "%s: %s", what, ei.msg);
}
END_TEST

START_TEST(file_sets_every_kind)
{
    struct values v = defaults();
    struct otad_errinfo ei;
    ck_assert_int_eq(parse(file_rows[2].text, &v, &ei), OTAD_E_OK);
    ck_assert_str_eq(v.name, "x y");
    ck_assert_uint_eq(v.listen.n, 2);
    ck_assert_int_eq(v.count, 7);
    ck_assert_int_eq(v.size, 1 << 30);
    ck_assert_int_eq(v.level, 1);
    ck_assert(v.on);
}
END_TEST

/* The library reads lines into a buffer of its own: a long value must not be cut silently. */
START_TEST(long_value_is_taken_whole_or_refused)
{
    struct values v = defaults();
    struct otad_errinfo ei;
    enum otad_err err = parse("[main]\nname = " A250 "\n", &v, &ei);
    ck_assert_msg(err == OTAD_E_INVALID || strcmp(v.name, A250) == 0, "%s", v.name);
}
END_TEST

START_TEST(missing_file_is_noent)
{
    struct values v = defaults(), same = v;
    struct otad_errinfo ei;
    ck_assert_int_eq(options_file(&table, "/nonexistent/otad.conf", &v, &ei), OTAD_E_NOENT);
    ck_assert_msg(strstr(ei.msg, "/nonexistent/otad.conf") != NULL, "%s", ei.msg);
    ck_assert_msg(strstr(ei.msg, "No such file") != NULL, "%s", ei.msg);
    ck_assert_mem_eq(&v, &same, sizeof v);
}
END_TEST

/* ---- printing ----------------------------------------------------------------------------- */

static char *dump(const struct values *v, bool commented)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    options_dump(&table, v, commented, to);
    (void)fclose(to);
    return text;
}

START_TEST(dump_reads_back_to_the_same_dump)
{
    struct values v = defaults(), back = defaults();
    struct otad_errinfo ei;
    ck_assert_int_eq(parse(file_rows[2].text, &v, &ei), OTAD_E_OK);
    char *first = dump(&v, false);
    ck_assert_msg(parse(first, &back, &ei) == OTAD_E_OK, "%s", ei.msg);
    char *second = dump(&back, false);
    ck_assert_str_eq(first, second);
    ck_assert_msg(strstr(first, "[data]\nmax_size = 1073741824\n") != NULL, "%s", first);
    free(first);
    free(second);
}
END_TEST

START_TEST(example_changes_nothing_and_says_what_is_allowed)
{
    struct values v = defaults(), back = defaults();
    struct otad_errinfo ei;
    char *text = dump(&v, true);
    ck_assert_msg(parse(text, &back, &ei) == OTAD_E_OK, "%s", ei.msg);
    ck_assert_mem_eq(&v, &back, sizeof v);
    ck_assert_msg(strstr(text, "# a number (-2 to 99 s); SIGHUP rereads it\n#count = 5\n") != NULL,
                  "%s", text);
    ck_assert_msg(strstr(text, "# a choice (low, high); SIGHUP") != NULL, "%s", text);
    ck_assert_msg(strstr(text, "# a switch\n#on = no\n") != NULL, "%s", text);
    free(text);
}
END_TEST

START_TEST(help_has_a_line_for_every_flag)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    options_help(&table, to);
    (void)fclose(to);
    ck_assert_msg(strstr(text, "--main-listen, --listen ") != NULL, "%s", text);
    ck_assert_msg(strstr(text, "--data-max-size ") != NULL, "%s", text);
    size_t lines = 0;
    for (const char *p = text; *p != '\0'; p++)
        lines += *p == '\n';
    ck_assert_uint_eq(lines, table.n);
    free(text);
}
END_TEST

static const struct {
    const char *what;
    const char *name, *want; /* NULL: none is near */
} nearest_rows[] = {
    {"equal",                "main.count",                 "main.count"   },
    {"letters swapped",      "main.coutn",                 "main.count"   },
    {"one missing",          "data.maxsize",               "data.max_size"},
    {"other section",        "main.odd_size",              "data.odd_size"},
    {"no section",           "level",                      "data.level"   },
    {"far away",             "zebra.elephants_and_tigers", NULL           },
    {"longer than any name", "main." A250,                 NULL           },
    {"long without a point", A250,                         NULL           },
};

START_TEST(nearest_row)
{
    char buf[128];
    const char *near = options_nearest(&table, nearest_rows[_i].name, buf);
    if (nearest_rows[_i].want == NULL)
        ck_assert_msg(near == NULL, "%s: %s", nearest_rows[_i].what, near);
    else
        ck_assert_msg(near != NULL && strcmp(near, nearest_rows[_i].want) == 0, "%s",
                      nearest_rows[_i].what);
}
END_TEST

/* ---- reload ------------------------------------------------------------------------------- */

START_TEST(reload_moves_what_may_change_and_counts_the_rest)
{
    struct values now = defaults(), fresh = defaults();
    struct otad_errinfo ei;
    ck_assert_uint_eq(options_reload(&table, &fresh, &now), 0);
    ck_assert_int_eq(parse("[main]\nname=new\nlisten=q:1,r:2\ncount=9\n[data]\nmax_size=3M\n"
                           "odd_size=5500\nlevel=high\non=yes\n",
                           &fresh, &ei),
                     OTAD_E_OK);
    ck_assert_uint_eq(options_reload(&table, &fresh, &now), 2);
    ck_assert_str_eq(now.name, "new");
    ck_assert_uint_eq(now.listen.n, 2);
    ck_assert_str_eq(now.listen.items[1], "r:2");
    ck_assert_int_eq(now.count, 9);
    ck_assert_int_eq(now.size, 3 << 20);
    ck_assert_int_eq(now.level, 1);
    ck_assert_int_eq(now.odd_size, 5000);
    ck_assert(!now.on);
    ck_assert_uint_eq(options_reload(&table, &fresh, &now), 2);
    (void)snprintf(fresh.listen.items[1], sizeof fresh.listen.items[1], "s:3");
    (void)options_reload(&table, &fresh, &now);
    ck_assert_str_eq(now.listen.items[1], "s:3");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("options");
    TCase *t = tcase_create("values");
    tcase_add_test(t, defaults_are_the_rows_fallbacks);
    tcase_add_test(t, bad_default_is_invalid);
    tcase_add_loop_test(t, number_row, 0, (int)OTAD_COUNT(number_rows));
    tcase_add_test(t, text_of_255_bytes_fits_and_one_more_does_not);
    tcase_add_loop_test(t, list_row, 0, (int)OTAD_COUNT(list_rows));
    tcase_add_test(t, repeated_list_flag_clears_then_adds);
    tcase_add_test(t, unknown_flag_is_noent);
    tcase_add_loop_test(t, env_row, 0, (int)OTAD_COUNT(env_rows));
    suite_add_tcase(s, t);
    t = tcase_create("file");
    tcase_add_loop_test(t, file_row, 0, (int)OTAD_COUNT(file_rows));
    tcase_add_test(t, file_sets_every_kind);
    tcase_add_test(t, long_value_is_taken_whole_or_refused);
    tcase_add_test(t, missing_file_is_noent);
    suite_add_tcase(s, t);
    t = tcase_create("printing");
    tcase_add_test(t, dump_reads_back_to_the_same_dump);
    tcase_add_test(t, example_changes_nothing_and_says_what_is_allowed);
    tcase_add_test(t, help_has_a_line_for_every_flag);
    tcase_add_loop_test(t, nearest_row, 0, (int)OTAD_COUNT(nearest_rows));
    tcase_add_test(t, reload_moves_what_may_change_and_counts_the_rest);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
