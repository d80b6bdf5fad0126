/* SPDX-License-Identifier: MIT
 * The table of errors and the words that travel with a code. */
#include <string.h>

#include "otad/err.h"
#include "support/unit.h"

static const struct {
    const char *what;
    enum otad_err code;
    unsigned status;
    const char *name;
} table[] = {
  /* Written out again on purpose: statuses and strings are API. */
    {"ok",                 OTAD_E_OK,              200, "ok"                    },
    {"bad request",        OTAD_E_BAD_REQUEST,     400, "bad_request"           },
    {"unauthorized",       OTAD_E_UNAUTHORIZED,    401, "unauthorized"          },
    {"forbidden",          OTAD_E_FORBIDDEN,       403, "forbidden"             },
    {"not found",          OTAD_E_NOENT,           404, "not_found"             },
    {"method",             OTAD_E_METHOD,          405, "method_not_allowed"    },
    {"conflict",           OTAD_E_CONFLICT,        409, "conflict"              },
    {"gone",               OTAD_E_GONE,            410, "gone"                  },
    {"length required",    OTAD_E_LENGTH_REQUIRED, 411, "length_required"       },
    {"too large",          OTAD_E_TOO_LARGE,       413, "too_large"             },
    {"media type",         OTAD_E_MEDIA_TYPE,      415, "unsupported_media_type"},
    {"range",              OTAD_E_RANGE,           416, "range_not_satisfiable" },
    {"misdirected",        OTAD_E_MISDIRECTED,     421, "misdirected"           },
    {"invalid",            OTAD_E_INVALID,         422, "invalid"               },
    {"rate",               OTAD_E_RATE,            429, "too_many_requests"     },
    {"internal",           OTAD_E_INTERNAL,        500, "internal"              },
    {"database",           OTAD_E_DB,              500, "database"              },
    {"i/o",                OTAD_E_IO,              500, "io"                    },
    {"out of memory",      OTAD_E_NOMEM,           503, "out_of_memory"         },
    {"busy",               OTAD_E_BUSY,            503, "busy"                  },
    {"no space",           OTAD_E_NOSPACE,         507, "insufficient_storage"  },
    {"outside: the count", OTAD_E_COUNT,           500, "internal"              },
    {"outside: pending",   OTAD_PENDING,           500, "internal"              },
    {"outside: far away",  (enum otad_err)12345,   500, "internal"              },
};

START_TEST(code_has_its_status_and_name)
{
    ck_assert_msg(otad_err_status(table[_i].code) == table[_i].status, "%s", table[_i].what);
    ck_assert_msg(strcmp(otad_err_name(table[_i].code), table[_i].name) == 0, "%s", table[_i].what);
}
END_TEST

START_TEST(every_code_is_in_the_table_above)
{
    ck_assert_uint_eq(OTAD_COUNT(table), (size_t)OTAD_E_COUNT + 3);
}
END_TEST

START_TEST(fail_fills_message_and_clears_the_hint)
{
    struct otad_errinfo ei;
    memset(&ei, 'x', sizeof ei);
    ck_assert_int_eq(otad_fail(&ei, OTAD_E_GONE, "build %d of %s", 7, "lamp"), OTAD_E_GONE);
    ck_assert_int_eq(ei.code, OTAD_E_GONE);
    ck_assert_str_eq(ei.msg, "build 7 of lamp");
    ck_assert_str_eq(ei.hint, "");
}
END_TEST

START_TEST(hint_keeps_code_and_message)
{
    struct otad_errinfo ei;
    (void)otad_fail(&ei, OTAD_E_CONFLICT, "taken");
    ck_assert_int_eq(otad_hint(&ei, "try %s", "another"), OTAD_E_CONFLICT);
    ck_assert_str_eq(ei.msg, "taken");
    ck_assert_str_eq(ei.hint, "try another");
}
END_TEST

START_TEST(nobody_listening_still_gives_the_code)
{
    ck_assert_int_eq(otad_fail(NULL, OTAD_E_IO, "x"), OTAD_E_IO);
    ck_assert_int_eq(otad_hint(NULL, "x"), OTAD_E_INTERNAL);
}
END_TEST

START_TEST(long_words_are_cut_not_overrun)
{
    struct otad_errinfo ei;
    char longer[1000];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    (void)otad_fail(&ei, OTAD_E_IO, "%s", longer);
    (void)otad_hint(&ei, "%s", longer);
    ck_assert_uint_eq(strlen(ei.msg), sizeof ei.msg - 1);
    ck_assert_uint_eq(strlen(ei.hint), sizeof ei.hint - 1);
}
END_TEST

START_TEST(steal_empties_the_variable)
{
    int n = 3, *p = &n;
    ck_assert_ptr_eq(OTAD_STEAL(p), &n);
    ck_assert_ptr_null(p);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("err");
    TCase *t = tcase_create("table");
    tcase_add_loop_test(t, code_has_its_status_and_name, 0, (int)OTAD_COUNT(table));
    tcase_add_test(t, every_code_is_in_the_table_above);
    suite_add_tcase(s, t);
    t = tcase_create("words");
    tcase_add_test(t, fail_fills_message_and_clears_the_hint);
    tcase_add_test(t, hint_keeps_code_and_message);
    tcase_add_test(t, nobody_listening_still_gives_the_code);
    tcase_add_test(t, long_words_are_cut_not_overrun);
    tcase_add_test(t, steal_empties_the_variable);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
