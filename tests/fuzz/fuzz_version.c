/* SPDX-License-Identifier: MIT
 * Any bytes as a version: the first line is what a device reported, the second a build's. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "otad/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_one(const char *text)
{
    char next[OTAD_VERSION_MAX + 3], digits[24];
    int64_t number = -1;
    if (version_number(text, &number)) {
        (void)snprintf(digits, sizeof digits, "%lld", (long long)number);
        if (number < 1 || number > OTAD_NUMBER_MAX || strcmp(digits, text) != 0)
            abort();
    } else if (number != -1) {
        abort();
    }
    if (!version_matches(text, text))
        abort();
    if (!version_is_valid(text))
        return;
    version_next(text, next, sizeof next);
    if (strcmp(next, text) == 0 || strlen(next) > strlen(text) + 2)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = malloc(n + 1);
    if (text == NULL)
        abort();
    if (n > 0)
        memcpy(text, data, n);
    text[n] = '\0';
    char *second = strchr(text, '\n');
    if (second != NULL)
        *second++ = '\0';
    else
        second = text;
    check_one(text);
    check_one(second);
    if (version_matches(text, second) && strncmp(text, second, strlen(second)) != 0)
        abort(); /* equal, or equal up to a bracket */
    free(text);
    return 0;
}
