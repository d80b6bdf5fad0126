/* SPDX-License-Identifier: MIT
 * Shared by all Check programs: each test file is one program with one suite. */
#ifndef OTAD_TESTS_UNIT_H
#define OTAD_TESTS_UNIT_H

#include <stdlib.h>
#include <string.h>

#include <check.h>

/** main() of a test program: runs the one suite that `make_suite` builds. */
#define OTAD_TEST_MAIN(make_suite)                                                                 \
    int main(void)                                                                                 \
    {                                                                                              \
        SRunner *runner = srunner_create(make_suite());                                            \
        srunner_run_all(runner, CK_ENV);                                                           \
        int failed = srunner_ntests_failed(runner);                                                \
        srunner_free(runner);                                                                      \
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;                                          \
    }

/** Fails unless the text holds the part. */
#define HOLDS(text, part)                                                                          \
    ck_assert_msg(strstr(text, part) != NULL, "'%s' is not in '%s'", part, text)

#endif
