/* SPDX-License-Identifier: MIT
 * Owns the file DATA_DIR/secret: 64 hex digits and a newline. */
#include "fleet/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/hex.h"

#define PATH_ROOM 512
#define TEXT_LEN (2 * SECRET_LEN)

static enum otad_err io_error(const char *what, const char *path, struct otad_errinfo *ei)
{
    return otad_fail(ei, OTAD_E_IO, "Can't %s %.180s: %s", what, path, strerror(errno));
}

static enum otad_err parse(const char *path, char *text, ssize_t n, uint8_t out[SECRET_LEN],
                           struct otad_errinfo *ei)
{
    if (n > 0 && text[n - 1] == '\n')
        n--;
    text[n > 0 ? n : 0] = '\0';
    if (hex_decode(text, SECRET_LEN, out))
        return OTAD_E_OK;
    (void)otad_fail(ei, OTAD_E_INVALID, "%.180s is damaged: %d hex digits were expected", path,
                    TEXT_LEN);
    return otad_hint(ei, "Restore it from a backup. If you remove it, a new one is made and every "
                         "tokenized URL given out so far stops working.");
}

/* @return OTAD_E_NOENT when there is no such file. */
static enum otad_err read_file(const char *path, uint8_t out[SECRET_LEN], struct otad_errinfo *ei)
{
    char text[TEXT_LEN + 2];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? OTAD_E_NOENT : io_error("open", path, ei);
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    return n < 0 ? io_error("read", path, ei) : parse(path, text, n, out, ei);
}

static bool write_synced(const char *path, const char *text, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool ok = write(fd, text, n) == (ssize_t)n && fsync(fd) == 0;
    return close(fd) == 0 && ok;
}

static void sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd); /* a lost name would only make the next start choose another secret */
    (void)close(fd);
}

static enum otad_err make_file(const char *dir, const char *path, uint8_t out[SECRET_LEN],
                               struct otad_errinfo *ei)
{
    char temporary[PATH_ROOM + 8], text[TEXT_LEN + 1];
    uint8_t fresh[SECRET_LEN];
    if (random_bytes(fresh, sizeof fresh) != OTAD_E_OK)
        return otad_fail(ei, OTAD_E_INTERNAL, "No randomness for the server's secret");
    (void)snprintf(temporary, sizeof temporary, "%s.tmp", path);
    hex_encode(fresh, sizeof fresh, text);
    text[TEXT_LEN] = '\n'; /* the NUL's place */
    if (!write_synced(temporary, text, sizeof text) || rename(temporary, path) != 0) {
        enum otad_err err = io_error("write", path, ei);
        (void)unlink(temporary);
        return err;
    }
    sync_dir(dir);
    memcpy(out, fresh, sizeof fresh);
    return OTAD_E_OK;
}

enum otad_err secret_load(const char *dir, uint8_t out[SECRET_LEN], struct otad_errinfo *ei)
{
    char path[PATH_ROOM];
    (void)snprintf(path, sizeof path, "%s/secret", dir);
    enum otad_err err = read_file(path, out, ei);
    return err == OTAD_E_NOENT ? make_file(dir, path, out, ei) : err;
}
