/* SPDX-License-Identifier: MIT
 * Owns reading the files of the command line. */
#include "cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otad/err.h"

void cli_file_free(struct cli_file *c)
{
    if (c->mapped)
        (void)munmap(c->data, c->n);
    else
        free(c->data);
}

static void fd_close(int *fd)
{
    if (*fd > STDIN_FILENO)
        (void)close(*fd);
}

static bool grow(struct cli_file *c)
{
    size_t room = c->room > 0 ? c->room * 2 : 1u << 20;
    uint8_t *grown = realloc(c->data, room);
    if (grown == NULL)
        return false;
    c->data = grown;
    c->room = room;
    return true;
}

/* @return 0 or an errno */
static int read_stream(int fd, struct cli_file *out)
{
    for (;;) {
        if (out->n == out->room && !grow(out))
            return ENOMEM;
        ssize_t got = read(fd, out->data + out->n, out->room - out->n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            return 0;
        out->n += (size_t)got;
    }
}

int cli_file_read(const char *name, struct cli_file *out)
{
    struct stat st;
    int fd OTAD_AUTO(fd_close) =
        strcmp(name, "-") == 0 ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return errno;
    if (!S_ISREG(st.st_mode) || st.st_size == 0 || fd == STDIN_FILENO)
        return read_stream(fd, out);
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return errno;
    *out = (struct cli_file){.data = map, .n = (size_t)st.st_size, .mapped = true};
    return 0;
}
