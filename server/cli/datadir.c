/* SPDX-License-Identifier: MIT
 * Owns the data folder's lock and address file. */
#include "cli/datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PATH_ROOM 512
#define FULL_BYTES (1U << 20)

static enum otad_err held(const char *dir, int fd, struct otad_errinfo *ei)
{
    char pid[32] = "";
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
    (void)otad_fail(ei, OTAD_E_BUSY, "The data folder %.150s is in use by another otad (pid %s)",
                    dir, pid[0] != '\0' ? pid : "unknown");
    return otad_hint(ei, "Stop that one first, or pass another --data-dir: one daemon a folder.");
}

/* A folder that was just made could be gone after a power cut, with all that is synced in it. */
static void sync_parent(const char *dir)
{
    char parent[PATH_ROOM];
    (void)snprintf(parent, sizeof parent, "%s/..", dir);
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return; /* some parents can't be read; most file systems order this anyway */
    (void)fsync(fd);
    (void)close(fd);
}

enum otad_err datadir_lock(const char *dir, int *lock_fd, struct otad_errinfo *ei)
{
    char path[PATH_ROOM], pid[32];
    bool made = mkdir(dir, 0700) == 0;
    if (!made && errno != EEXIST) {
        (void)otad_fail(ei, OTAD_E_IO, "Can't make the data folder %.160s: %s", dir,
                        strerror(errno));
        return otad_hint(ei, "Make it yourself, or pass another one: --data-dir DIR");
    }
    if (made)
        sync_parent(dir);
    (void)snprintf(path, sizeof path, "%s/lock", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        (void)otad_fail(ei, OTAD_E_IO, "Can't open %.180s: %s", path, strerror(errno));
        return otad_hint(ei, "The user that runs otad must own the data folder.");
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        enum otad_err err = held(dir, fd, ei);
        (void)close(fd);
        return err;
    }
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n) {
        (void)close(fd);
        return otad_fail(ei, OTAD_E_IO, "Can't write %.180s: %s", path, strerror(errno));
    }
    *lock_fd = fd;
    return OTAD_E_OK;
}

static void address_path(const char *dir, char path[PATH_ROOM], const char *suffix)
{
    (void)snprintf(path, PATH_ROOM, "%s/otad.addr%s", dir, suffix);
}

bool datadir_is_full(const char *dir)
{
    struct statvfs fs;
    return statvfs(dir, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < FULL_BYTES;
}

enum otad_err datadir_write_addresses(const char *dir, const char *text, struct otad_errinfo *ei)
{
    char temporary[PATH_ROOM], path[PATH_ROOM];
    address_path(dir, temporary, ".tmp");
    address_path(dir, path, "");
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ssize_t n = (ssize_t)strlen(text);
    /* Scripts of other users may need the address; nothing else in the folder is theirs. */
    bool ok = fd >= 0 && fchmod(fd, 0644) == 0 && write(fd, text, (size_t)n) == n;
    if (fd >= 0)
        ok = close(fd) == 0 && ok;
    if (ok && rename(temporary, path) == 0)
        return OTAD_E_OK;
    bool full = errno == ENOSPC;
    enum otad_err err = otad_fail(ei, full ? OTAD_E_NOSPACE : OTAD_E_IO, "Can't write %.200s: %s",
                                  path, strerror(errno));
    (void)unlink(temporary);
    return err;
}

void datadir_remove_addresses(const char *dir)
{
    char path[PATH_ROOM];
    address_path(dir, path, "");
    (void)unlink(path);
}
