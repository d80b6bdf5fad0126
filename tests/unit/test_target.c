/* SPDX-License-Identifier: MIT
 * Request targets from their raw bytes: what is decoded, what is refused. */
#include <stdio.h>
#include <string.h>

#include "http/target.h"
#include "otad/err.h"
#include "support/unit.h"

/* Parses in a block of exactly the documented size, so that a sanitizer sees any reach beyond. */
static bool parse(const char *raw, struct target *t, char **buf)
{
    char *exact = malloc(strlen(raw) + 1);
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, raw, strlen(raw) + 1);
    *buf = malloc(2 * strlen(raw) + 2);
    bool ok = target_parse(exact, *buf, t);
    free(exact);
    return ok;
}

static const struct {
    const char *what;
    const char *raw;
    bool want;
    size_t segments;
    const char *last;
} path_rows[] = {
    {"root",                      "/",                                    true,  0, NULL               },
    {"one",                       "/healthz",                             true,  1, "healthz"          },
    {"three",                     "/fw/lamp/latest",                      true,  3, "latest"           },
    {"MAC with colons",           "/fw/lamp/30:AE:A4:84:36:F0",           true,  3, "30:AE:A4:84:36:F0"},
    {"MAC percent-encoded",       "/fw/lamp/30%3aAE%3AA4%3A84%3A36%3AF0", true,  3, "30:AE:A4:84:36:F0"},
    {"plus stays a plus",         "/fw/lamp/a+b",                         true,  3, "a+b"              },
    {"encoded blank",             "/fw/lamp/a%20b",                       true,  3, "a b"              },
    {"encoded question mark",     "/fw/lamp/a%3Fb",                       true,  3, "a?b"              },
    {"encoded percent, once",     "/fw/lamp/%2541",                       true,  3, "%41"              },
    {"UTF-8",                     "/fw/l%C3%A4mp",                        true,  2, "l\xc3\xa4mp"      },
    {"dots inside a word",        "/fw/..lamp./a..b",                     true,  3, "a..b"             },
    {"nine segments",             "/1/2/3/4/5/6/7/8/9",                   true,  9, "9"                },
    {"ten segments",              "/1/2/3/4/5/6/7/8/9/10",                false, 0, NULL               },
    {"empty target",              "",                                     false, 0, NULL               },
    {"star",                      "*",                                    false, 0, NULL               },
    {"no leading slash",          "fw/lamp",                              false, 0, NULL               },
    {"absolute form",             "http://host/fw",                       false, 0, NULL               },
    {"trailing slash",            "/fw/lamp/",                            false, 0, NULL               },
    {"two slashes",               "/fw//lamp",                            false, 0, NULL               },
    {"two slashes first",         "//fw",                                 false, 0, NULL               },
    {"one dot",                   "/fw/./lamp",                           false, 0, NULL               },
    {"two dots",                  "/fw/../etc",                           false, 0, NULL               },
    {"encoded dots",              "/fw/%2e%2E/etc",                       false, 0, NULL               },
    {"encoded slash",             "/fw/a%2Fb",                            false, 0, NULL               },
    {"encoded slash, lower case", "/fw/a%2fb",                            false, 0, NULL               },
    {"encoded NUL",               "/fw/lamp%00/latest",                   false, 0, NULL               },
    {"encoded newline",           "/fw/a%0Ab",                            false, 0, NULL               },
    {"encoded delete",            "/fw/a%7Fb",                            false, 0, NULL               },
    {"raw tab",                   "/fw/a\tb",                             false, 0, NULL               },
    {"percent at the end",        "/fw/a%",                               false, 0, NULL               },
    {"one digit at the end",      "/fw/a%4",                              false, 0, NULL               },
    {"escape across a slash",     "/fw/a%4/1",                            false, 0, NULL               },
    {"escape across the query",   "/fw/a%4?1",                            false, 0, NULL               },
    {"bad first digit",           "/fw/a%G1",                             false, 0, NULL               },
    {"bad second digit",          "/fw/a%1G",                             false, 0, NULL               },
};

START_TEST(path_row)
{
    struct target t;
    char *buf;
    memset(&t, 0x5a, sizeof t);
    ck_assert_msg(parse(path_rows[_i].raw, &t, &buf) == path_rows[_i].want, "%s",
                  path_rows[_i].what);
    if (path_rows[_i].want) {
        ck_assert_msg(t.n_segments == path_rows[_i].segments, "%s", path_rows[_i].what);
        ck_assert_msg(t.n_query == 0, "%s", path_rows[_i].what);
        if (t.n_segments > 0)
            ck_assert_msg(strcmp(t.segments[t.n_segments - 1], path_rows[_i].last) == 0, "%s",
                          path_rows[_i].what);
    }
    free(buf);
}
END_TEST

static const struct {
    const char *what;
    const char *query; /* behind the '?' */
    bool want;
    size_t n;
    const char *key, *value; /* what target_query() finds; NULL: nothing */
} query_rows[] = {
    {"empty",                    "",                          true,  0,  "a",      NULL        },
    {"one pair",                 "a=1",                       true,  1,  "a",      "1"         },
    {"two pairs",                "a=1&b=2",                   true,  2,  "b",      "2"         },
    {"no value",                 "number",                    true,  1,  "number", ""          },
    {"empty value",              "a=&b=2",                    true,  2,  "a",      ""          },
    {"the first counts",         "a=1&a=2",                   true,  2,  "a",      "1"         },
    {"the case counts",          "A=1",                       true,  1,  "a",      NULL        },
    {"an equals sign inside",    "a=b=c",                     true,  1,  "a",      "b=c"       },
    {"empty key",                "=x",                        true,  1,  "",       "x"         },
    {"nothing between",          "a=1&&b=2&",                 true,  2,  "b",      "2"         },
    {"only ampersands",          "&&&&&&&&",                  true,  0,  "",       NULL        },
    {"plus is a blank",          "a=b+c",                     true,  1,  "a",      "b c"       },
    {"encoded plus",             "a=b%2Bc",                   true,  1,  "a",      "b+c"       },
    {"encoded ampersand",        "a=b%26c=d",                 true,  1,  "a",      "b&c=d"     },
    {"encoded key",              "%61=1",                     true,  1,  "a",      "1"         },
    {"slashes may stand",        "u=http%3A%2F%2Fh/x",        true,  1,  "u",      "http://h/x"},
    {"second question mark",     "a=?b",                      true,  1,  "a",      "?b"        },
    {"ten pairs",                "0&1&2&3&4&5&6&7&8&9=x",     true,  10, "9",      "x"         },
    {"the eleventh is dropped",  "0&1&2&3&4&5&6&7&8&9&a=x",   true,  10, "a",      NULL        },
    {"NUL in a value",           "a=%00",                     false, 0,  NULL,     NULL        },
    {"newline in a key",         "a%0d%0a=1",                 false, 0,  NULL,     NULL        },
    {"cut escape",               "a=%2",                      false, 0,  NULL,     NULL        },
    {"escape across pairs",      "a=%2&1=b",                  false, 0,  NULL,     NULL        },
    {"bad escape in a key",      "%zz=1",                     false, 0,  NULL,     NULL        },
    {"bad one behind the tenth", "0&1&2&3&4&5&6&7&8&9&a=%00", false, 0,  NULL,     NULL        },
};

START_TEST(query_row)
{
    struct target t;
    char raw[128], *buf;
    (void)snprintf(raw, sizeof raw, "/x?%s", query_rows[_i].query);
    ck_assert_msg(parse(raw, &t, &buf) == query_rows[_i].want, "%s", query_rows[_i].what);
    if (query_rows[_i].want) {
        const char *value = target_query(&t, query_rows[_i].key);
        ck_assert_msg(t.n_query == query_rows[_i].n, "%s: %zu", query_rows[_i].what, t.n_query);
        if (query_rows[_i].value == NULL)
            ck_assert_msg(value == NULL, "%s", query_rows[_i].what);
        else
            ck_assert_msg(value != NULL && strcmp(value, query_rows[_i].value) == 0, "%s",
                          query_rows[_i].what);
    }
    free(buf);
}
END_TEST

START_TEST(form_body_reads_as_the_query_does)
{
    struct target t;
    char buf[2 * 64 + 2];
    memset(&t, 0x5a, sizeof t);
    ck_assert_msg(target_parse_query(query_rows[_i].query, buf, &t) == query_rows[_i].want, "%s",
                  query_rows[_i].what);
    if (query_rows[_i].want)
        ck_assert_msg(t.n_query == query_rows[_i].n, "%s", query_rows[_i].what);
}
END_TEST

static const struct {
    const char *what, *raw, *want;
} forms[] = {
    {"origin form",         "/fw/lamp?x=http://y/",       "/fw/lamp?x=http://y/"},
    {"absolute form",       "http://host:8070/fw/lamp?x", "/fw/lamp?x"          },
    {"scheme in capitals",  "HTTP://host/fw",             "/fw"                 },
    {"no path",             "http://host",                "/"                   },
    {"no path but a query", "http://host?x=/y",           "/"                   },
    {"another scheme",      "ftp://host/fw",              "ftp://host/fw"       },
    {"the asterisk",        "*",                          "*"                   },
    {"nothing",             "",                           ""                    },
};

START_TEST(target_of_any_form_becomes_origin_form)
{
    ck_assert_msg(strcmp(target_origin_form(forms[_i].raw), forms[_i].want) == 0, "%s: %s",
                  forms[_i].what, target_origin_form(forms[_i].raw));
}
END_TEST

static const struct {
    const char *what, *raw, *want;
} loggables[] = {
    {"nothing to hide",          "/fw/lamp/latest",              "/fw/lamp/latest"       },
    {"a key",                    "/fw/lamp~SECRET/latest",       "/fw/lamp~/latest"      },
    {"a key with a tilde in it", "/fw/lamp~SE~CRET/latest",      "/fw/lamp~/latest"      },
    {"an encoded tilde",         "/fw/lamp%7eSECRET/latest.bin", "/fw/lamp%7e/latest.bin"},
    {"encoded in capitals",      "/fw/lamp%7ESE%41/latest.bin",  "/fw/lamp%7E/latest.bin"},
    {"at the end",               "/fw/lamp~SECRET",              "/fw/lamp~"             },
    {"two of them",              "/fw/a~SECRET/b~SECRET",        "/fw/a~/b~"             },
    {"in the first segment",     "/~SECRET/x",                   "/~/x"                  },
    {"another escape",           "/fw/%37Eabc/x%7",              "/fw/%37Eabc/x%7"       },
    {"not even a path",          "*~SECRET",                     "*~"                    },
    {"nothing",                  "",                             ""                      },
};

START_TEST(key_in_a_path_is_not_loggable)
{
    char out[64];
    memset(out, 0x5a, sizeof out);
    target_copy_loggable(loggables[_i].raw, strlen(loggables[_i].raw), out);
    ck_assert_msg(strcmp(out, loggables[_i].want) == 0, "%s: %s", loggables[_i].what, out);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("target");
    TCase *t = tcase_create("target");
    tcase_add_loop_test(t, path_row, 0, (int)OTAD_COUNT(path_rows));
    tcase_add_loop_test(t, query_row, 0, (int)OTAD_COUNT(query_rows));
    tcase_add_loop_test(t, form_body_reads_as_the_query_does, 0, (int)OTAD_COUNT(query_rows));
    tcase_add_loop_test(t, target_of_any_form_becomes_origin_form, 0, (int)OTAD_COUNT(forms));
    tcase_add_loop_test(t, key_in_a_path_is_not_loggable, 0, (int)OTAD_COUNT(loggables));
    suite_add_tcase(s, t);
    return s;
}

OTAD_TEST_MAIN(make_suite)
