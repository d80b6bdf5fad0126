/* SPDX-License-Identifier: MIT
 * Bodies of reports, in both forms. */
#include <stdio.h>
#include <string.h>

#include "device_api/report_read.h"
#include "support/unit.h"

static const struct {
    const char *what;
    const char *body;
    const char *bad; /* the word; NULL: it is right */
    struct report want;
} rows[] = {
    {"form, only the result",           "result=success",                                 NULL,         {.result = "success"}},
    {"form, everything",
     "result=failed&code=-102&message=no+room%21&version=1.0&build=18446744073709551615", NULL,
     {.result = "failed",
      .has_code = true,
      .code = -102,
      .message = "no room!",
      .version = "1.0",
      .has_build = true,
      .build = -1}                                                                                                           },
    {"form, empty fields are not said",
     "result=rolled_back&code=&build=&version=&message=",                                 NULL,
     {.result = "rolled_back"}                                                                                               },
    {"form, other names are ignored",   "a=b&result=failed&x",                            NULL,         {.result = "failed"} },
    {"form, the first counts",          "result=failed&result=success",                   NULL,         {.result = "failed"} },
    {"JSON, only the result",           "{\"result\":\"success\"}",                       NULL,         {.result = "success"}},
    {"JSON, texts",
     "{\"result\":\"failed\",\"code\":\"7\",\"message\":\"\\u00e4\\n\",\"version\":\"2\","
     "\"build\":\"5\"}",                                                                  NULL,
     {.result = "failed",
      .has_code = true,
      .code = 7,
      .message = "\xc3\xa4\n",
      .version = "2",
      .has_build = true,
      .build = 5}                                                                                                            },
    {"JSON, numbers",
     "{\"result\":\"failed\",\"code\":7,\"version\":12,\"build\":5}",                     NULL,
     {.result = "failed",
      .has_code = true,
      .code = 7,
      .version = "12",
      .has_build = true,
      .build = 5}                                                                                                            },
    {"JSON, null is not said",
     "{\"result\":\"failed\",\"code\":null,\"build\":null}",                              NULL,
     {.result = "failed"}                                                                                                    },
    {"JSON, other keys are ignored",
     "{\"heap\":1,\"result\":\"failed\"}",                                                NULL,
     {.result = "failed"}                                                                                                    },
    {"nothing",                         "",                                               "bad_result", {.id = 0}            },
    {"no result",                       "code=1",                                         "bad_result", {.id = 0}            },
    {"unknown result",                  "result=ok",                                      "bad_result", {.id = 0}            },
    {"result of another type",          "{\"result\":1}",                                 "bad_result", {.id = 0}            },
    {"code is no number",               "result=failed&code=x",                           "bad_code",   {.id = 0}            },
    {"code with text behind",           "result=failed&code=1x",                          "bad_code",   {.id = 0}            },
    {"code beyond 64 bit",              "result=failed&code=9223372036854775808",         "bad_code",   {.id = 0}            },
    {"JSON code is a text",             "{\"result\":\"failed\",\"code\":\"x\"}",         "bad_code",   {.id = 0}            },
    {"build is no id",                  "result=failed&build=-1",                         "bad_build",  {.id = 0}            },
    {"bad escape",                      "result=failed&message=%",                        "bad_form",   {.id = 0}            },
    {"control character",               "result=failed&message=%07",                      "bad_form",   {.id = 0}            },
    {"cut JSON",                        "{\"result\":\"failed\"",                         "bad_json",   {.id = 0}            },
    {"key twice",                       "{\"result\":\"failed\",\"result\":\"success\"}", "bad_json",   {.id = 0}            },
};

START_TEST(body_row)
{
    struct report r;
    struct otad_errinfo ei = {.msg = ""};
    memset(&r, 0x5a, sizeof r);
    const struct report poison = r, *want = &rows[_i].want;
    enum otad_err err = report_read(rows[_i].body, strlen(rows[_i].body), &r, &ei);
    if (rows[_i].bad != NULL) {
        ck_assert_msg(err == OTAD_E_BAD_REQUEST, "%s", rows[_i].what);
        ck_assert_msg(strcmp(ei.msg, rows[_i].bad) == 0, "%s: %s", rows[_i].what, ei.msg);
        ck_assert_msg(memcmp(&r, &poison, sizeof r) == 0, "%s: touched", rows[_i].what);
        return;
    }
    ck_assert_msg(err == OTAD_E_OK, "%s: %s", rows[_i].what, ei.msg);
    ck_assert_msg(strcmp(r.result, want->result) == 0, "%s", rows[_i].what);
    ck_assert_msg(strcmp(r.message, want->message) == 0, "%s", rows[_i].what);
    ck_assert_msg(strcmp(r.version, want->version) == 0, "%s: %s", rows[_i].what, r.version);
    ck_assert_msg(r.has_code == want->has_code && r.code == want->code, "%s", rows[_i].what);
    ck_assert_msg(r.has_build == want->has_build && r.build == want->build, "%s", rows[_i].what);
}
END_TEST

/* How long each field may be. */
static const struct {
    const char *field;
    size_t max;
} lengths[] = {
    {"message", OTAD_REPORT_MESSAGE_MAX},
    {"version", OTAD_VERSION_MAX       }
};

START_TEST(longest_field_fits_and_one_more_byte_does_not)
{
    for (size_t more = 0; more < 2; more++) {
        char body[2048];
        struct report r;
        struct otad_errinfo ei = {.msg = ""};
        int n = snprintf(body, sizeof body, "result=failed&%s=", lengths[_i].field);
        memset(body + n, 'x', lengths[_i].max + more);
        body[(size_t)n + lengths[_i].max + more] = '\0';
        enum otad_err err = report_read(body, strlen(body), &r, &ei);
        ck_assert_int_eq(err, more == 0 ? OTAD_E_OK : OTAD_E_BAD_REQUEST);
        if (more != 0)
            ck_assert_str_eq(ei.msg, "field_too_long");
    }
}
END_TEST

START_TEST(nul_inside_is_refused)
{
    struct report r;
    struct otad_errinfo ei;
    ck_assert_int_eq(report_read("result=failed\0&x", 16, &r, &ei), OTAD_E_BAD_REQUEST);
    ck_assert_str_eq(ei.msg, "bad_form");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("report_read");
    TCase *t = tcase_create("report_read");
    tcase_add_loop_test(t, body_row, 0, (int)OTAD_COUNT(rows));
    tcase_add_loop_test(t, longest_field_fits_and_one_more_byte_does_not, 0,
                        (int)OTAD_COUNT(lengths));
    tcase_add_test(t, nul_inside_is_refused);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
