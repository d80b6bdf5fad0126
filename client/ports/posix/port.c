/* SPDX-License-Identifier: MIT
 * Owns the life of the POSIX port: state folder, lock, clock, sleep, random. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

int posix_fail(struct otac_posix *p, int err, const char *what)
{
    int code = errno;
    char text[80];
    (void)snprintf(p->detail, sizeof p->detail, "%s: %s", what,
                   strerror_r(code, text, sizeof text));
    return err;
}

const char *otac_posix_detail(const struct otac_posix *p)
{
    return p->detail;
}

/* Two programs that play the same device would overwrite each other's slots. */
static int lock_folder(struct otac_posix *p)
{
    p->lock_fd = openat(p->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (p->lock_fd < 0)
        return posix_fail(p, OTAC_E_RECORD_IO, "opening the lock file");
    if (flock(p->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return posix_fail(p, OTAC_E_RECORD_IO, "locking the state folder");
        (void)snprintf(p->detail, sizeof p->detail, "another program uses this state folder");
        return OTAC_E_RECORD_IO;
    }
    return OTAC_OK;
}

static int open_all(struct otac_posix *p, const char *dir)
{
    if (mkdir(dir, 0755) != 0 && errno != EEXIST)
        return posix_fail(p, OTAC_E_RECORD_IO, "making the state folder");
    p->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->dir_fd < 0)
        return posix_fail(p, OTAC_E_RECORD_IO, "opening the state folder");
    int err = lock_folder(p);
    if (err != OTAC_OK)
        return err;
    p->sha256 = EVP_MD_CTX_new();
    p->md5 = EVP_MD_CTX_new();
    if (p->sha256 == NULL || p->md5 == NULL) {
        (void)snprintf(p->detail, sizeof p->detail, "out of memory");
        return OTAC_E_HASH;
    }
    return OTAC_OK;
}

int otac_posix_open(struct otac_posix *p, const char *dir, uint32_t slot_size)
{
    memset(p, 0, sizeof *p);
    p->dir_fd = p->lock_fd = p->sock = p->slot_fd[0] = p->slot_fd[1] = -1;
    p->slot_size = slot_size;
    p->timeout_ms = 15000;
    int err = open_all(p, dir);
    if (err != OTAC_OK)
        otac_posix_close(p);
    return err;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

void otac_posix_close(struct otac_posix *p)
{
    close_fd(&p->sock);
    close_fd(&p->slot_fd[0]);
    close_fd(&p->slot_fd[1]);
    close_fd(&p->lock_fd);
    close_fd(&p->dir_fd);
    EVP_MD_CTX_free(p->sha256);
    EVP_MD_CTX_free(p->md5);
    p->sha256 = p->md5 = NULL;
}

static uint32_t system_clock_ms(void *ctx)
{
    struct timespec ts;
    (void)ctx;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* can't fail for this id */
    return (uint32_t)((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

/* A signal ends it early, so that a program that is told to stop does. */
static void system_sleep_ms(void *ctx, uint32_t ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)ctx;
    (void)nanosleep(&ts, NULL);
}

static uint32_t system_random(void *ctx)
{
    uint32_t value = 0;
    if (getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value)
        value = system_clock_ms(ctx); /* spreads check-ins well enough */
    return value;
}

struct otac_port otac_posix_port(struct otac_posix *p)
{
    struct otac_port port = {.ctx = p,
                             .clock_ms = system_clock_ms,
                             .sleep_ms = system_sleep_ms,
                             .random = system_random};
    posix_transport_fill(&port);
    posix_flash_fill(&port);
    posix_hash_fill(&port);
    posix_verify_fill(&port);
    return port;
}
