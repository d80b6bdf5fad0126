/* SPDX-License-Identifier: MIT
 * Typed reading of JSON objects, and the few shapes that are written everywhere. */
#include <string.h>

#include "base/json.h"
#include "support/unit.h"

static json_t *object(const char *text)
{
    json_t *out = NULL;
    struct otad_errinfo ei;
    ck_assert_msg(json_read_object(text, strlen(text), &out, &ei) == OTAD_E_OK, "%s", text);
    return out;
}

static const struct {
    const char *what;
    const char *text;
    size_t n; /* 0: all of it */
    enum otad_err want;
} read_rows[] = {
    {"empty object",          "{}",                           0, OTAD_E_OK         },
    {"an object",             "{\"a\":{\"b\":[1,null]}}",     0, OTAD_E_OK         },
    {"blanks around",         " {\"a\":1}\n",                 0, OTAD_E_OK         },
    {"nothing",               "",                             0, OTAD_E_BAD_REQUEST},
    {"array",                 "[1]",                          0, OTAD_E_BAD_REQUEST},
    {"text",                  "\"a\"",                        0, OTAD_E_BAD_REQUEST},
    {"number",                "7",                            0, OTAD_E_BAD_REQUEST},
    {"null",                  "null",                         0, OTAD_E_BAD_REQUEST},
    {"cut",                   "{\"a\":",                      0, OTAD_E_BAD_REQUEST},
    {"text behind",           "{} x",                         0, OTAD_E_BAD_REQUEST},
    {"same key twice",        "{\"a\":1,\"a\":2}",            0, OTAD_E_BAD_REQUEST},
    {"comma at the end",      "{\"a\":1,}",                   0, OTAD_E_BAD_REQUEST},
    {"single quotes",         "{'a':1}",                      0, OTAD_E_BAD_REQUEST},
    {"not UTF-8",             "{\"a\":\"\xff\"}",             0, OTAD_E_BAD_REQUEST},
    {"NUL in a key",          "{\"a\\u0000\":1}",             0, OTAD_E_BAD_REQUEST},
    {"NUL behind",            "{}\0",                         3, OTAD_E_BAD_REQUEST},
    {"only the given length", "{\"a\":1}]]]",                 7, OTAD_E_OK         },
    {"number too large",      "{\"a\":99999999999999999999}", 0, OTAD_E_BAD_REQUEST},
};

START_TEST(read_row)
{
    json_t *const poison = (json_t *)(uintptr_t)&read_rows;
    json_t *out = poison;
    struct otad_errinfo ei = {.msg = ""};
    size_t n = read_rows[_i].n != 0 ? read_rows[_i].n : strlen(read_rows[_i].text);
    enum otad_err err = json_read_object(read_rows[_i].text, n, &out, &ei);
    ck_assert_msg(err == read_rows[_i].want, "%s: %s", read_rows[_i].what, otad_err_name(err));
    if (err == OTAD_E_OK) {
        json_free(&out);
        ck_assert_ptr_null(out);
        return;
    }
    ck_assert_msg(out == poison, "%s: output touched", read_rows[_i].what);
    ck_assert_msg(ei.msg[0] != '\0', "%s: no words", read_rows[_i].what);
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
    char text[8192] = "{\"a\":";
    size_t n = strlen(text);
    memset(text + n, '[', 4000);
    memset(text + n + 4000, ']', 4000);
    text[n + 8000] = '}';
    json_t *out = NULL;
    struct otad_errinfo ei;
    ck_assert_int_eq(json_read_object(text, n + 8001, &out, &ei), OTAD_E_BAD_REQUEST);
}
END_TEST

START_TEST(error_names_line_and_column)
{
    json_t *out = NULL;
    struct otad_errinfo ei;
    ck_assert_int_eq(json_read_object("{\n  x}", 6, &out, &ei), OTAD_E_BAD_REQUEST);
    ck_assert_msg(strstr(ei.msg, "line 2, column 3") != NULL, "%s", ei.msg);
}
END_TEST

START_TEST(unknown_key_is_named_with_the_known_ones)
{
    static const char *const known[] = {"name", "notes", NULL};
    json_t *good OTAD_AUTO(json_free) = object("{\"notes\":1,\"name\":2}");
    json_t *bad OTAD_AUTO(json_free) = object("{\"name\":1,\"nam\":2}");
    struct otad_errinfo ei;
    ck_assert_int_eq(json_only_keys(good, known, &ei), OTAD_E_OK);
    ck_assert_int_eq(json_only_keys(bad, known, &ei), OTAD_E_INVALID);
    ck_assert_str_eq(ei.msg, "Unknown key 'nam'");
    ck_assert_str_eq(ei.hint, "Known keys here: name, notes");
}
END_TEST

START_TEST(long_list_of_known_keys_is_cut)
{
    static const char key[] = "a_key_of_sixty_characters_that_fills_the_hint_rather_quickly";
    static const char *const known[] = {key, key, key, key, key, NULL};
    json_t *bad OTAD_AUTO(json_free) = object("{\"x\":2}");
    struct otad_errinfo ei;
    ck_assert_int_eq(json_only_keys(bad, known, &ei), OTAD_E_INVALID);
}
END_TEST

static const struct {
    const char *what;
    const char *text;
    bool needed;
    enum otad_err want;
    const char *value;
} str_rows[] = {
    {"a text",            "{\"k\":\"v\"}",                        true,  OTAD_E_OK,      "v"       },
    {"empty text",        "{\"k\":\"\"}",                         true,  OTAD_E_OK,      ""        },
    {"longest",           "{\"k\":\"12345678\"}",                 true,  OTAD_E_OK,      "12345678"},
    {"one byte too long", "{\"k\":\"123456789\"}",                true,  OTAD_E_INVALID, NULL      },
    {"bytes count",       "{\"k\":\"\u00e4\u00e4\u00e4\u00e4\"}", true,  OTAD_E_OK,
     "\u00e4\u00e4\u00e4\u00e4"                                                                    },
    {"newline may stand", "{\"k\":\"a\\nb\"}",                    true,  OTAD_E_OK,      "a\nb"    },
    {"tab may stand",     "{\"k\":\"a\\tb\"}",                    true,  OTAD_E_OK,      "a\tb"    },
    {"absent, optional",  "{}",                                   false, OTAD_E_OK,      NULL      },
    {"null, optional",    "{\"k\":null}",                         false, OTAD_E_OK,      NULL      },
    {"absent, needed",    "{}",                                   true,  OTAD_E_INVALID, NULL      },
    {"null, needed",      "{\"k\":null}",                         true,  OTAD_E_INVALID, NULL      },
    {"number",            "{\"k\":1}",                            false, OTAD_E_INVALID, NULL      },
    {"bool",              "{\"k\":true}",                         false, OTAD_E_INVALID, NULL      },
    {"array",             "{\"k\":[]}",                           false, OTAD_E_INVALID, NULL      },
    {"bell",              "{\"k\":\"\\u0007\"}",                  false, OTAD_E_INVALID, NULL      },
    {"carriage return",   "{\"k\":\"a\\r\\nb\"}",                 false, OTAD_E_INVALID, NULL      },
};

START_TEST(get_str_row)
{
    json_t *obj OTAD_AUTO(json_free) = object(str_rows[_i].text);
    static const char poison[] = "poison";
    const char *out = poison;
    struct otad_errinfo ei = {.msg = ""};
    enum otad_err err = json_get_str(obj, "k", 8, str_rows[_i].needed, &out, &ei);
    ck_assert_msg(err == str_rows[_i].want, "%s", str_rows[_i].what);
    if (err != OTAD_E_OK)
        ck_assert_msg(out == poison && strstr(ei.msg, "'k'") != NULL, "%s: %s", str_rows[_i].what,
                      ei.msg);
    else if (str_rows[_i].value == NULL)
        ck_assert_msg(out == NULL, "%s", str_rows[_i].what);
    else
        ck_assert_msg(strcmp(out, str_rows[_i].value) == 0, "%s", str_rows[_i].what);
}
END_TEST

static const struct {
    const char *what;
    const char *text;
    bool needed;
    enum otad_err want;
    int64_t value;
} int_rows[] = {
    {"in between",       "{\"k\":5}",     true,  OTAD_E_OK,      5 },
    {"least",            "{\"k\":-3}",    true,  OTAD_E_OK,      -3},
    {"most",             "{\"k\":9}",     true,  OTAD_E_OK,      9 },
    {"too small",        "{\"k\":-4}",    true,  OTAD_E_INVALID, 77},
    {"too large",        "{\"k\":10}",    true,  OTAD_E_INVALID, 77},
    {"absent, optional", "{}",            false, OTAD_E_OK,      77},
    {"absent, needed",   "{}",            true,  OTAD_E_INVALID, 77},
    {"null",             "{\"k\":null}",  false, OTAD_E_INVALID, 77},
    {"real",             "{\"k\":5.0}",   false, OTAD_E_INVALID, 77},
    {"text",             "{\"k\":\"5\"}", false, OTAD_E_INVALID, 77},
    {"bool",             "{\"k\":true}",  false, OTAD_E_INVALID, 77},
};

START_TEST(get_int_row)
{
    json_t *obj OTAD_AUTO(json_free) = object(int_rows[_i].text);
    int64_t out = 77;
    struct otad_errinfo ei;
    ck_assert_msg(json_get_int(obj, "k", -3, 9, int_rows[_i].needed, &out, &ei) ==
                      int_rows[_i].want,
                  "%s", int_rows[_i].what);
    ck_assert_msg(out == int_rows[_i].value, "%s", int_rows[_i].what);
}
END_TEST

static const struct {
    const char *what;
    const char *text;
    bool before;
    enum otad_err want;
    bool after;
} bool_rows[] = {
    {"true",          "{\"k\":true}",     false, OTAD_E_OK,      true },
    {"false",         "{\"k\":false}",    true,  OTAD_E_OK,      false},
    {"absent, true",  "{}",               true,  OTAD_E_OK,      true },
    {"absent, false", "{}",               false, OTAD_E_OK,      false},
    {"number",        "{\"k\":1}",        false, OTAD_E_INVALID, false},
    {"text",          "{\"k\":\"true\"}", false, OTAD_E_INVALID, false},
    {"null",          "{\"k\":null}",     true,  OTAD_E_INVALID, true },
};

START_TEST(get_bool_row)
{
    json_t *obj OTAD_AUTO(json_free) = object(bool_rows[_i].text);
    bool out = bool_rows[_i].before;
    struct otad_errinfo ei;
    ck_assert_msg(json_get_bool(obj, "k", &out, &ei) == bool_rows[_i].want, "%s",
                  bool_rows[_i].what);
    ck_assert_msg(out == bool_rows[_i].after, "%s", bool_rows[_i].what);
}
END_TEST

START_TEST(id_is_the_unsigned_decimal_text)
{
    json_t *small OTAD_AUTO(json_free) = json_id(7);
    json_t *large OTAD_AUTO(json_free) = json_id(-1);
    ck_assert_str_eq(json_string_value(small), "7");
    ck_assert_str_eq(json_string_value(large), "18446744073709551615");
}
END_TEST

START_TEST(time_is_rfc3339_or_null)
{
    json_t *never OTAD_AUTO(json_free) = json_time(0);
    json_t *then OTAD_AUTO(json_free) = json_time(1795228860);
    ck_assert(json_is_null(never));
    ck_assert_str_eq(json_string_value(then), "2026-11-21T02:41:00Z");
}
END_TEST

static const struct {
    const char *what;
    const char *text, *want; /* NULL: null */
} text_rows[] = {
    {"none",       NULL,         NULL       },
    {"plain",      "lamp",       "lamp"     },
    {"UTF-8",      "l\u00e4mp",  "l\u00e4mp"},
    {"Latin-1",    "l\xe4mp",    "l?mp"     },
    {"cut UTF-8",  "lamp\xc3",   "lamp?"    },
    {"both kinds", "\u00e4\xff", "\u00e4?"  },
};

START_TEST(text_row)
{
    json_t *j OTAD_AUTO(json_free) = json_text(text_rows[_i].text);
    ck_assert_ptr_nonnull(j);
    if (text_rows[_i].want == NULL)
        ck_assert(json_is_null(j));
    else
        ck_assert_msg(strcmp(json_string_value(j), text_rows[_i].want) == 0, "%s: %s",
                      text_rows[_i].what, json_string_value(j));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("json");
    TCase *t = tcase_create("reading");
    tcase_add_loop_test(t, read_row, 0, (int)OTAD_COUNT(read_rows));
    tcase_add_test(t, deep_nesting_is_refused);
    tcase_add_test(t, error_names_line_and_column);
    tcase_add_test(t, unknown_key_is_named_with_the_known_ones);
    tcase_add_test(t, long_list_of_known_keys_is_cut);
    tcase_add_loop_test(t, get_str_row, 0, (int)OTAD_COUNT(str_rows));
    tcase_add_loop_test(t, get_int_row, 0, (int)OTAD_COUNT(int_rows));
    tcase_add_loop_test(t, get_bool_row, 0, (int)OTAD_COUNT(bool_rows));
    suite_add_tcase(s, t);
    t = tcase_create("writing");
    tcase_add_test(t, id_is_the_unsigned_decimal_text);
    tcase_add_test(t, time_is_rfc3339_or_null);
    tcase_add_loop_test(t, text_row, 0, (int)OTAD_COUNT(text_rows));
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
