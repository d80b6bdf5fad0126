/* SPDX-License-Identifier: MIT
 * Units of http/range.h. */
#include "http/range.h"

#include "support/unit.h"

#define POISON 0xDEADBEEFu

static const struct row {
    const char *what;
    const char *header;
    uint64_t size;
    enum range_verdict want;
    uint64_t first, last;
} rows[] = {
    {"no header",                               NULL,                              10, RANGE_WHOLE,         POISON, POISON},
    {"first bytes",                             "bytes=0-3",                       10, RANGE_PART,          0,      3     },
    {"one byte, as IDF probes",                 "bytes=0-0",                       10, RANGE_PART,          0,      0     },
    {"open end",                                "bytes=4-",                        10, RANGE_PART,          4,      9     },
    {"open end from the start, as IDF resumes", "bytes=0-",                        10, RANGE_PART,          0,      9     },
    {"last byte",                               "bytes=9-9",                       10, RANGE_PART,          9,      9     },
    {"end past the last byte is clamped",       "bytes=0-10",                      10, RANGE_PART,          0,      9     },
    {"end far past is clamped",                 "bytes=5-99999999999999999999999", 10, RANGE_PART,          5,      9     },
    {"suffix",                                  "bytes=-3",                        10, RANGE_PART,          7,      9     },
    {"suffix of the whole",                     "bytes=-10",                       10, RANGE_PART,          0,      9     },
    {"suffix longer than the whole",            "bytes=-11",                       10, RANGE_PART,          0,      9     },
    {"unit in capitals",                        "Bytes=1-2",                       10, RANGE_PART,          1,      2     },
    {"blanks around",                           "  bytes= 1-2 \t",                 10, RANGE_PART,          1,      2     },
    {"size of one",                             "bytes=0-0",                       1,  RANGE_PART,          0,      0     },
    {"start at size",                           "bytes=10-",                       10, RANGE_UNSATISFIABLE, POISON, POISON},
    {"start beyond 64 bits",                    "bytes=99999999999999999999-",     10, RANGE_UNSATISFIABLE, POISON,
     POISON                                                                                                               },
    {"backwards",                               "bytes=5-4",                       10, RANGE_UNSATISFIABLE, POISON, POISON},
    {"suffix of nothing",                       "bytes=-0",                        10, RANGE_UNSATISFIABLE, POISON, POISON},
    {"empty suffix",                            "bytes=-",                         10, RANGE_UNSATISFIABLE, POISON, POISON},
    {"junk behind a suffix",                    "bytes=-3x",                       10, RANGE_UNSATISFIABLE, POISON, POISON},
    {"two ranges",                              "bytes=0-1,4-5",                   10, RANGE_UNSATISFIABLE, POISON, POISON},
    {"two suffixes",                            "bytes=-1,-2",                     10, RANGE_UNSATISFIABLE, POISON, POISON},
    {"unknown unit",                            "items=0-1",                       10, RANGE_UNSATISFIABLE, POISON, POISON},
    {"no unit",                                 "0-1",                             10, RANGE_UNSATISFIABLE, POISON, POISON},
    {"no dash",                                 "bytes=5",                         10, RANGE_UNSATISFIABLE, POISON, POISON},
    {"no number",                               "bytes=x-5",                       10, RANGE_UNSATISFIABLE, POISON, POISON},
    {"negative end",                            "bytes=1--2",                      10, RANGE_UNSATISFIABLE, POISON, POISON},
    {"junk behind",                             "bytes=1-2x",                      10, RANGE_UNSATISFIABLE, POISON, POISON},
    {"hex",                                     "bytes=0x1-2",                     10, RANGE_UNSATISFIABLE, POISON, POISON},
    {"empty",                                   "",                                10, RANGE_UNSATISFIABLE, POISON, POISON},
    {"only the unit",                           "bytes=",                          10, RANGE_UNSATISFIABLE, POISON, POISON},
};

START_TEST(range_header_gives_part)
{
    const struct row *r = &rows[_i];
    uint64_t first = POISON, last = POISON;
    enum range_verdict got = range_parse(r->header, r->size, &first, &last);
    ck_assert_msg(got == r->want && first == r->first && last == r->last,
                  "%s: got %d, %llu to %llu", r->what, (int)got, (unsigned long long)first,
                  (unsigned long long)last);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("range");
    TCase *tc = tcase_create("parse");
    tcase_add_loop_test(tc, range_header_gives_part, 0, (int)(sizeof rows / sizeof rows[0]));
    suite_add_tcase(suite, tc);
    return suite;
}

OTAD_TEST_MAIN(make_suite)
