/* SPDX-License-Identifier: MIT
 * Owns the files that stand for flash: two slots, and the boot record, which is replaced the way
 * that survives a power cut (new file, fsync, rename, fsync of the folder). */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char record_name[] = "boot.rec", record_temp[] = "boot.rec.tmp";

int posix_slot_fd(struct otac_posix *p, unsigned slot)
{
    static const char *const names[OTAC_SLOTS] = {"slot0.bin", "slot1.bin"};
    if (slot >= OTAC_SLOTS) {
        errno = EINVAL;
        return -1;
    }
    if (p->slot_fd[slot] < 0)
        p->slot_fd[slot] = openat(p->dir_fd, names[slot], O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    return p->slot_fd[slot];
}

/* Empties a slot from `offset` on, and reserves it up to `size`. */
static int make_room(struct otac_posix *p, unsigned slot, uint32_t offset, uint32_t size)
{
    int fd = posix_slot_fd(p, slot);
    if (fd < 0 || ftruncate(fd, (off_t)offset) != 0)
        return posix_fail(p, OTAC_E_FLASH_ERASE, "emptying the slot");
    /* Reserved now, so that a full disk is known before the download. */
    errno = posix_fallocate(fd, 0, (off_t)size);
    if (errno == ENOSPC || errno == EFBIG || errno == EDQUOT)
        return posix_fail(p, OTAC_E_NO_SPACE, "reserving the slot");
    return OTAC_OK;
}

static int flash_begin(void *ctx, unsigned slot, uint32_t size)
{
    struct otac_posix *p = ctx;
    p->detail[0] = '\0';
    if (size > p->slot_size) {
        (void)snprintf(p->detail, sizeof p->detail, "%u bytes don't fit into a slot of %u", size,
                       p->slot_size);
        return OTAC_E_NO_SPACE;
    }
    return make_room(p, slot, 0, size);
}

/* A slot that became shorter than the record says is filled with zeros, which the hash finds. */
static int flash_resume(void *ctx, unsigned slot, uint32_t size, uint32_t offset)
{
    struct otac_posix *p = ctx;
    p->detail[0] = '\0';
    return make_room(p, slot, offset, size);
}

static int flash_sync(void *ctx, unsigned slot)
{
    struct otac_posix *p = ctx;
    int fd = posix_slot_fd(p, slot);
    return fd >= 0 && fdatasync(fd) == 0 ? OTAC_OK
                                         : posix_fail(p, OTAC_E_FLASH_WRITE, "syncing the slot");
}

static int flash_write(void *ctx, unsigned slot, uint32_t offset, const void *data, size_t n)
{
    struct otac_posix *p = ctx;
    const char *from = data;
    int fd = posix_slot_fd(p, slot);
    while (n > 0) {
        ssize_t done = pwrite(fd, from, n, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return posix_fail(p, errno == ENOSPC ? OTAC_E_NO_SPACE : OTAC_E_FLASH_WRITE,
                              "writing the slot");
        from += done;
        offset += (uint32_t)done;
        n -= (size_t)done;
    }
    return OTAC_OK;
}

static int flash_read(void *ctx, unsigned slot, uint32_t offset, void *buf, size_t n)
{
    struct otac_posix *p = ctx;
    char *to = buf;
    int fd = posix_slot_fd(p, slot);
    while (n > 0) {
        ssize_t done = pread(fd, to, n, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return posix_fail(p, OTAC_E_FLASH_READ, "reading the slot");
        if (done == 0) {
            (void)snprintf(p->detail, sizeof p->detail, "slot %u ends at byte %u", slot, offset);
            return OTAC_E_FLASH_READ;
        }
        to += done;
        offset += (uint32_t)done;
        n -= (size_t)done;
    }
    return OTAC_OK;
}

static int flash_finish(void *ctx, unsigned slot)
{
    struct otac_posix *p = ctx;
    p->detail[0] = '\0'; /* what the network did is over */
    int fd = posix_slot_fd(p, slot);
    if (fd < 0 || fsync(fd) != 0 || fsync(p->dir_fd) != 0)
        return posix_fail(p, OTAC_E_FLASH_WRITE, "syncing the slot");
    return OTAC_OK;
}

static int record_load(void *ctx, void *buf, size_t n)
{
    struct otac_posix *p = ctx;
    int fd = openat(p->dir_fd, record_name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : posix_fail(p, OTAC_E_RECORD_IO, "opening boot.rec");
    ssize_t got = read(fd, buf, n);
    struct stat st;
    bool whole = fstat(fd, &st) == 0 && got == (ssize_t)n && st.st_size == got;
    if (got < 0)
        (void)posix_fail(p, OTAC_E_RECORD_IO, "reading boot.rec");
    (void)close(fd);
    if (got < 0)
        return OTAC_E_RECORD_IO;
    return whole ? (int)got : 1; /* any other length than asked for is damage */
}

static int write_temp(struct otac_posix *p, const void *data, size_t n)
{
    int fd = openat(p->dir_fd, record_temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return posix_fail(p, OTAC_E_RECORD_IO, "making boot.rec.tmp");
    int err = OTAC_OK;
    ssize_t done = write(fd, data, n);
    if (done != (ssize_t)n || fsync(fd) != 0) {
        if (done >= 0 && done != (ssize_t)n)
            errno = ENOSPC; /* what a short write of a few bytes to a file means */
        err = posix_fail(p, OTAC_E_RECORD_IO, "writing boot.rec.tmp");
    }
    if (close(fd) != 0 && err == OTAC_OK)
        err = posix_fail(p, OTAC_E_RECORD_IO, "closing boot.rec.tmp");
    return err;
}

static int record_save(void *ctx, const void *data, size_t n)
{
    struct otac_posix *p = ctx;
    int err = write_temp(p, data, n);
    if (err == OTAC_OK && renameat(p->dir_fd, record_temp, p->dir_fd, record_name) != 0)
        err = posix_fail(p, OTAC_E_RECORD_IO, "renaming boot.rec.tmp");
    if (err != OTAC_OK) {
        (void)unlinkat(p->dir_fd, record_temp, 0);
        return err;
    }
    if (fsync(p->dir_fd) != 0)
        return posix_fail(p, OTAC_E_RECORD_IO, "syncing the state folder");
    return OTAC_OK;
}

void posix_flash_fill(struct otac_port *port)
{
    port->slot_begin = flash_begin;
    port->slot_resume = flash_resume;
    port->slot_sync = flash_sync;
    port->resume_step = OTAC_POSIX_STEP;
    port->slot_write = flash_write;
    port->slot_finish = flash_finish;
    port->slot_read = flash_read;
    port->record_load = record_load;
    port->record_save = record_save;
}
