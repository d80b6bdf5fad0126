/* SPDX-License-Identifier: MIT
 * Shared by all Check programs: each test file is one program with one suite. */
#ifndef OTAD_TESTS_UNIT_H
#define OTAD_TESTS_UNIT_H

#include <stdlib.h>

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

#endif
