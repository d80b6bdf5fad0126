/* SPDX-License-Identifier: MIT
 * Any bytes as a configuration file: refused with words, or dumped to what reads back the same. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Through a file in memory: options_file() reads by path. */
static enum otad_err parse(const void *data, size_t n, struct config *out, struct otad_errinfo *ei)
{
    char path[32];
    int fd = memfd_create("conf", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, n) != (ssize_t)n)
        abort();
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    memset(out, 0, sizeof *out);
    if (options_default(&config_table, out, ei) != OTAD_E_OK)
        abort();
    enum otad_err err = options_file(&config_table, path, out, ei);
    (void)close(fd);
    return err;
}

static char *dump(const struct config *config, size_t *n)
{
    char *text = NULL;
    FILE *to = open_memstream(&text, n);
    if (to == NULL)
        abort();
    options_dump(&config_table, config, false, to);
    (void)fclose(to);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct config config, again;
    struct otad_errinfo ei = {.msg = ""};
    enum otad_err err = parse(data, n, &config, &ei);
    if (err == OTAD_E_OK) {
        size_t n_first, n_second;
        char *first = dump(&config, &n_first);
        if (parse(first, n_first, &again, &ei) != OTAD_E_OK)
            abort();
        char *second = dump(&again, &n_second);
        if (strcmp(first, second) != 0)
            abort();
        free(first);
        free(second);
    } else if (err != OTAD_E_INVALID || strstr(ei.msg, "line ") == NULL) {
        abort(); /* every refusal says where */
    }
    return 0;
}
