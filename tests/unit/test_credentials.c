/* SPDX-License-Identifier: MIT
 * Authorization and Cookie headers; the Basic vector is that of RFC 7617 section 2. */
#include <string.h>

#include "base/credentials.h"
#include "otad/err.h"
#include "support/unit.h"

static const struct {
    const char *what, *header;
    const char *want; /* NULL: refused */
} rows[] = {
    {"a bearer",                "Bearer abc",                         "abc"        },
    {"the scheme in any case",  "bEARER abc",                         "abc"        },
    {"an empty bearer",         "Bearer ",                            ""           },
    {"basic of the RFC",        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "open sesame"},
    {"basic without a user",    "basic OmFiYw==",                     "abc"        },
    {"a colon in the password", "Basic dTphOmI=",                     "a:b"        },
    {"an empty password",       "Basic dTo=",                         ""           },
    {"basic without a colon",   "Basic YWJj",                         NULL         },
    {"basic that isn't base64", "Basic !",                            NULL         },
    {"another scheme",          "Digest username=\"x\"",              NULL         },
    {"only the scheme",         "Bearer",                             NULL         },
    {"nothing",                 "",                                   NULL         },
};

START_TEST(header_row)
{
    char out[CREDENTIALS_MAX] = "poison";
    ck_assert_msg(credentials_secret(rows[_i].header, out) == (rows[_i].want != NULL), "%s",
                  rows[_i].what);
    if (rows[_i].want != NULL)
        ck_assert_msg(strcmp(out, rows[_i].want) == 0, "%s: '%s'", rows[_i].what, out);
}
END_TEST

START_TEST(secret_too_long_for_the_buffer_is_refused)
{
    char header[7 + CREDENTIALS_MAX + 1] = "Bearer ", out[CREDENTIALS_MAX];
    memset(header + 7, 'x', CREDENTIALS_MAX);
    ck_assert(!credentials_secret(header, out));
    header[7 + CREDENTIALS_MAX - 1] = '\0';
    ck_assert(credentials_secret(header, out));
    ck_assert_uint_eq(strlen(out), CREDENTIALS_MAX - 1);
}
END_TEST

static const struct {
    const char *what, *header;
    const char *want; /* NULL: none */
} cookies[] = {
    {"alone",                    "sid=abc",          "abc"},
    {"the last",                 "a=1; sid=abc",     "abc"},
    {"the first",                "sid=abc; a=1",     "abc"},
    {"without the blank",        "a=1;sid=abc;b=2",  "abc"},
    {"blanks behind",            "sid=abc  ; a=1",   "abc"},
    {"the first of two",         "sid=abc; sid=def", "abc"},
    {"with an equals sign",      "sid=a=b",          "a=b"},
    {"another name's end",       "mysid=abc",        NULL },
    {"another name's beginning", "sid2=abc",         NULL },
    {"in another's value",       "a=sid=abc",        NULL },
    {"names tell case",          "SID=abc",          NULL },
    {"without a value",          "sid=",             NULL },
    {"without an equals sign",   "sid",              NULL },
    {"only separators",          ";;; ; ",           NULL },
    {"nothing",                  "",                 NULL },
};

START_TEST(cookie_row)
{
    char out[CREDENTIALS_MAX] = "poison";
    ck_assert_msg(credentials_cookie(cookies[_i].header, "sid", out) == (cookies[_i].want != NULL),
                  "%s", cookies[_i].what);
    if (cookies[_i].want != NULL)
        ck_assert_msg(strcmp(out, cookies[_i].want) == 0, "%s: '%s'", cookies[_i].what, out);
}
END_TEST

START_TEST(cookie_too_long_for_the_buffer_is_refused)
{
    char header[4 + CREDENTIALS_MAX + 1] = "sid=", out[CREDENTIALS_MAX];
    memset(header + 4, 'x', CREDENTIALS_MAX);
    ck_assert(!credentials_cookie(header, "sid", out));
    header[4 + CREDENTIALS_MAX - 1] = '\0';
    ck_assert(credentials_cookie(header, "sid", out));
    ck_assert_uint_eq(strlen(out), CREDENTIALS_MAX - 1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("credentials");
    TCase *t = tcase_create("credentials");
    tcase_add_loop_test(t, header_row, 0, (int)OTAD_COUNT(rows));
    tcase_add_test(t, secret_too_long_for_the_buffer_is_refused);
    tcase_add_loop_test(t, cookie_row, 0, (int)OTAD_COUNT(cookies));
    tcase_add_test(t, cookie_too_long_for_the_buffer_is_refused);
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
