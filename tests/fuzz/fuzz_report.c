/* SPDX-License-Identifier: MIT
 * Any bytes as the body of a report: taken whole, or refused with a word. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "device_api/report_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct report r, poison;
    struct otad_errinfo ei = {.msg = ""};
    char *body = malloc(n + 1);
    if (body == NULL)
        abort();
    if (n > 0)
        memcpy(body, data, n);
    body[n] = '\0';
    memset(&poison, 0x5a, sizeof poison);
    memset(&r, 0x5a, sizeof r);
    if (report_read(body, n, &r, &ei) == OTAD_E_OK) {
        if (!report_result_is_valid(r.result) || strlen(r.message) > OTAD_REPORT_MESSAGE_MAX ||
            strlen(r.version) > OTAD_VERSION_MAX)
            abort();
    } else if (ei.msg[0] == '\0' || memcmp(&r, &poison, sizeof r) != 0) {
        abort();
    }
    free(body);
    return 0;
}
