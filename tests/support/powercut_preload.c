/* SPDX-License-Identifier: MIT
 * powercut.so: loaded into the unmodified daemon (LD_PRELOAD), it becomes SQLite's default VFS and
 * plays the page cache of a machine that can lose power. What SQLite writes to the database, its
 * WAL and its journal stays in this process until xSync; so do truncations, and deletions until
 * the folder is synced. SIGKILL is then a power cut that drops everything that was not synced.
 * Locks and the WAL's shared memory are the real VFS's. The control file of powercut.h holds
 * syncs back, makes writes fail and cuts the power inside a sync.
 *
 * Not modelled: a file's own directory entry (SQLite syncs the folder with the first sync of a
 * journal or WAL, and an empty file means the same to it as none). */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sqlite3.h>

#include "powercut.h"

#define BLOCK 4096
#define SHADOWED (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)

/* What the machine would forget about one file. Shared by all connections of the process; never
 * freed, so that a path that is opened again finds what is still unsynced. */
struct shadow {
    struct shadow *next;
    char *path;
    pthread_mutex_t lock;
    unsigned char **blocks; /* written since the last sync; NULL = as on the disk */
    size_t n_blocks;        /* room of that array */
    sqlite3_int64 size;     /* as the process sees it */
    sqlite3_int64 disk;     /* bytes of the real file */
    sqlite3_int64 intact;   /* below this the real file's bytes count; truncation lowers it */
    bool dirty;
    bool deleted;  /* deleted, but the folder is not synced: the real file is still there */
    bool new_name; /* created by us: the first sync syncs the folder too */
};

struct file {
    sqlite3_file base;
    struct shadow *shadow; /* NULL: a temporary file, passed through */
    bool wal;
    sqlite3_file *real; /* directly behind this struct */
};

static sqlite3_vfs *real_vfs;
static struct shadow *shadows;
static pthread_mutex_t shadows_lock = PTHREAD_MUTEX_INITIALIZER;
static struct powercut no_control;
static struct powercut *control = &no_control;

static sqlite3_file *real(sqlite3_file *f)
{
    return ((struct file *)f)->real;
}

/* ---- shadows ------------------------------------------------------------------------------ */

/* Under shadows_lock. */
static struct shadow *look_up(const char *path)
{
    struct shadow *s = shadows;
    while (s != NULL && strcmp(s->path, path) != 0)
        s = s->next;
    return s;
}

static struct shadow *shadow_find(const char *path)
{
    (void)pthread_mutex_lock(&shadows_lock);
    struct shadow *s = look_up(path);
    (void)pthread_mutex_unlock(&shadows_lock);
    return s;
}

/* The shadow of a path, made when there is none: two threads may open it at once. */
static struct shadow *shadow_get(const char *path, sqlite3_int64 disk)
{
    (void)pthread_mutex_lock(&shadows_lock);
    struct shadow *s = look_up(path);
    if (s == NULL) {
        s = calloc(1, sizeof *s);
        if (s == NULL || (s->path = strdup(path)) == NULL)
            abort();
        (void)pthread_mutex_init(&s->lock, NULL);
        s->size = s->disk = s->intact = disk;
        s->new_name = disk == 0;
        s->next = shadows;
        shadows = s;
    }
    (void)pthread_mutex_unlock(&shadows_lock);
    return s;
}

static void drop_blocks(struct shadow *s, size_t first)
{
    for (size_t i = first; i < s->n_blocks; i++) {
        free(s->blocks[i]);
        s->blocks[i] = NULL;
    }
}

/* Bytes of the disk at `at`, zeros where it has none that count. */
static int read_disk(const struct shadow *s, sqlite3_file *from, unsigned char *out, int n,
                     sqlite3_int64 at)
{
    sqlite3_int64 there = s->intact - at;
    memset(out, 0, (size_t)n);
    if (there <= 0)
        return SQLITE_OK;
    int want = there < n ? (int)there : n;
    int rc = from->pMethods->xRead(from, out, want, at);
    return rc == SQLITE_IOERR_SHORT_READ ? SQLITE_OK : rc;
}

/* The block in memory, read from the disk when it is not there yet. */
static unsigned char *block_of(struct shadow *s, sqlite3_file *from, size_t index)
{
    if (index >= s->n_blocks) {
        size_t n = (index + 64) * 2;
        unsigned char **more = realloc(s->blocks, n * sizeof *more);
        if (more == NULL)
            abort();
        memset(more + s->n_blocks, 0, (n - s->n_blocks) * sizeof *more);
        s->blocks = more;
        s->n_blocks = n;
    }
    if (s->blocks[index] != NULL)
        return s->blocks[index];
    unsigned char *block = malloc(BLOCK);
    if (block == NULL)
        abort();
    if (read_disk(s, from, block, BLOCK, (sqlite3_int64)index * BLOCK) != SQLITE_OK) {
        free(block);
        return NULL;
    }
    s->blocks[index] = block;
    return block;
}

/* ---- files -------------------------------------------------------------------------------- */

static int pc_close(sqlite3_file *f)
{
    return real(f)->pMethods->xClose(real(f));
}

static int shadow_read(struct shadow *s, sqlite3_file *from, unsigned char *out, int n,
                       sqlite3_int64 at)
{
    sqlite3_int64 end = at + n < s->size ? at + n : s->size;
    int rc = SQLITE_OK;
    memset(out, 0, (size_t)n);
    for (sqlite3_int64 p = at; p < end && rc == SQLITE_OK;) {
        size_t index = (size_t)(p / BLOCK), skip = (size_t)(p % BLOCK);
        int take =
            (int)(end - p < (sqlite3_int64)(BLOCK - skip) ? (size_t)(end - p) : BLOCK - skip);
        if (index < s->n_blocks && s->blocks[index] != NULL)
            memcpy(out + (p - at), s->blocks[index] + skip, (size_t)take);
        else
            rc = read_disk(s, from, out + (p - at), take, p);
        p += take;
    }
    return rc != SQLITE_OK ? rc : end < at + n ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

static int pc_read(sqlite3_file *f, void *out, int n, sqlite3_int64 at)
{
    struct shadow *s = ((struct file *)f)->shadow;
    if (s == NULL)
        return real(f)->pMethods->xRead(real(f), out, n, at);
    (void)pthread_mutex_lock(&s->lock);
    int rc = shadow_read(s, real(f), out, n, at);
    (void)pthread_mutex_unlock(&s->lock);
    return rc;
}

/* Whether the fault that is set hits this call. */
static bool fault_hits(unsigned a, unsigned b)
{
    unsigned fault = atomic_load(&control->fault);
    if (fault == POWERCUT_FAULT_NONE || (fault != a && fault != b))
        return false;
    unsigned left = atomic_load(&control->fault_after);
    while (left > 0)
        if (atomic_compare_exchange_weak(&control->fault_after, &left, left - 1))
            return false;
    (void)atomic_fetch_add(&control->faults, 1);
    return true;
}

static int pc_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
    struct shadow *s = ((struct file *)f)->shadow;
    if (s == NULL)
        return real(f)->pMethods->xWrite(real(f), data, n, at);
    if (((struct file *)f)->wal && fault_hits(POWERCUT_FAULT_FULL, POWERCUT_FAULT_WRITE))
        return atomic_load(&control->fault) == POWERCUT_FAULT_FULL ? SQLITE_FULL
                                                                   : SQLITE_IOERR_WRITE;
    int rc = SQLITE_OK;
    const unsigned char *from = data;
    (void)pthread_mutex_lock(&s->lock);
    for (sqlite3_int64 p = at; p < at + n && rc == SQLITE_OK;) {
        size_t index = (size_t)(p / BLOCK), skip = (size_t)(p % BLOCK), left = (size_t)(at + n - p);
        size_t take = left < BLOCK - skip ? left : BLOCK - skip;
        unsigned char *block = block_of(s, real(f), index);
        if (block == NULL)
            rc = SQLITE_IOERR_READ;
        else
            memcpy(block + skip, from + (p - at), take);
        p += (sqlite3_int64)take;
    }
    if (at + n > s->size)
        s->size = at + n;
    s->dirty = true;
    (void)pthread_mutex_unlock(&s->lock);
    return rc;
}

static int pc_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct shadow *s = ((struct file *)f)->shadow;
    if (s == NULL)
        return real(f)->pMethods->xTruncate(real(f), size);
    (void)pthread_mutex_lock(&s->lock);
    size_t keep = (size_t)((size + BLOCK - 1) / BLOCK);
    if (size < s->size) {
        drop_blocks(s, keep);
        if (keep > 0 && size % BLOCK != 0 && keep - 1 < s->n_blocks && s->blocks[keep - 1] != NULL)
            memset(s->blocks[keep - 1] + size % BLOCK, 0, BLOCK - (size_t)(size % BLOCK));
        if (size < s->intact)
            s->intact = size;
    }
    s->size = size;
    s->dirty = true;
    (void)pthread_mutex_unlock(&s->lock);
    return SQLITE_OK;
}

/* ---- syncing ------------------------------------------------------------------------------ */

/* Writes to the real file what is only in memory. With step 2 only every second block:
 * a cut in the middle. */
static int flush_blocks(struct shadow *s, sqlite3_file *to, unsigned step)
{
    int rc = SQLITE_OK;
    if (s->intact < s->disk)
        rc = to->pMethods->xTruncate(to, s->intact);
    for (size_t i = 0; i < s->n_blocks && rc == SQLITE_OK; i += step) {
        sqlite3_int64 at = (sqlite3_int64)i * BLOCK, left = s->size - at;
        if (s->blocks[i] == NULL || left <= 0)
            continue;
        rc = to->pMethods->xWrite(to, s->blocks[i], left < BLOCK ? (int)left : BLOCK, at);
    }
    return rc;
}

static int finish_flush(struct shadow *s, sqlite3_file *to)
{
    int rc = to->pMethods->xTruncate(to, s->size);
    if (rc != SQLITE_OK)
        return rc;
    drop_blocks(s, 0);
    s->disk = s->intact = s->size;
    s->dirty = false;
    return SQLITE_OK;
}

/* What syncing the folder makes durable. */
static void settle_deletions(void)
{
    (void)pthread_mutex_lock(&shadows_lock);
    for (struct shadow *s = shadows; s != NULL; s = s->next)
        if (s->deleted && unlink(s->path) == 0)
            s->disk = s->intact = 0;
    (void)pthread_mutex_unlock(&shadows_lock);
}

static bool gate_opens(void)
{
    unsigned permits = atomic_load(&control->permits);
    while (permits > 0)
        if (atomic_compare_exchange_weak(&control->permits, &permits, permits - 1))
            return true;
    return atomic_load(&control->gate) == 0;
}

static void wait_at_gate(void)
{
    if (atomic_load(&control->gate) == 0)
        return;
    (void)atomic_fetch_add(&control->waiting, 1);
    while (!gate_opens())
        (void)usleep(500);
    (void)atomic_fetch_sub(&control->waiting, 1);
}

static int sync_shadow(struct file *f, int flags)
{
    struct shadow *s = f->shadow;
    bool cut = s->dirty && atomic_load(&control->cut_at) != 0 &&
               atomic_fetch_sub(&control->cut_at, 1) == 1;
    bool lie = f->wal && atomic_load(&control->fault) == POWERCUT_FAULT_SYNC_LIE;
    if (f->wal && fault_hits(POWERCUT_FAULT_SYNC, POWERCUT_FAULT_SYNC_LIE)) {
        if (lie)
            (void)flush_blocks(s, f->real, 2);
        return SQLITE_IOERR_FSYNC;
    }
    int rc = flush_blocks(s, f->real, cut ? 2 : 1);
    if (cut)
        (void)kill(getpid(), SIGKILL);
    if (rc == SQLITE_OK && s->dirty)
        (void)atomic_fetch_add(&control->dirty_syncs, 1);
    if (rc == SQLITE_OK)
        rc = finish_flush(s, f->real);
    return rc == SQLITE_OK ? f->real->pMethods->xSync(f->real, flags) : rc;
}

static int pc_sync(sqlite3_file *f, int flags)
{
    struct shadow *s = ((struct file *)f)->shadow;
    if (s == NULL)
        return real(f)->pMethods->xSync(real(f), flags);
    wait_at_gate();
    (void)pthread_mutex_lock(&s->lock);
    int rc = sync_shadow((struct file *)f, flags);
    bool new_name = s->new_name;
    if (rc == SQLITE_OK)
        s->new_name = false;
    (void)pthread_mutex_unlock(&s->lock);
    if (rc == SQLITE_OK && new_name)
        settle_deletions();
    if (rc == SQLITE_OK)
        (void)atomic_fetch_add(&control->syncs, 1);
    return rc;
}

static int pc_file_size(sqlite3_file *f, sqlite3_int64 *out)
{
    struct shadow *s = ((struct file *)f)->shadow;
    if (s == NULL)
        return real(f)->pMethods->xFileSize(real(f), out);
    (void)pthread_mutex_lock(&s->lock);
    *out = s->size;
    (void)pthread_mutex_unlock(&s->lock);
    return SQLITE_OK;
}

/* ---- passed through ----------------------------------------------------------------------- */

static int pc_lock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xLock(real(f), level);
}

static int pc_unlock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xUnlock(real(f), level);
}

static int pc_check_reserved(sqlite3_file *f, int *out)
{
    return real(f)->pMethods->xCheckReservedLock(real(f), out);
}

static int pc_control(sqlite3_file *f, int op, void *arg)
{
    if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE)
        return SQLITE_OK; /* would grow the real file */
    return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int pc_sector_size(sqlite3_file *f)
{
    return real(f)->pMethods->xSectorSize(real(f));
}

static int pc_characteristics(sqlite3_file *f)
{
    return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static int pc_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}

static int pc_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}

static void pc_shm_barrier(sqlite3_file *f)
{
    real(f)->pMethods->xShmBarrier(real(f));
}

static int pc_shm_unmap(sqlite3_file *f, int unlink_it)
{
    return real(f)->pMethods->xShmUnmap(real(f), unlink_it);
}

/* Version 2: no xFetch, so nothing is mapped past the shadow. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = pc_close,
    .xRead = pc_read,
    .xWrite = pc_write,
    .xTruncate = pc_truncate,
    .xSync = pc_sync,
    .xFileSize = pc_file_size,
    .xLock = pc_lock,
    .xUnlock = pc_unlock,
    .xCheckReservedLock = pc_check_reserved,
    .xFileControl = pc_control,
    .xSectorSize = pc_sector_size,
    .xDeviceCharacteristics = pc_characteristics,
    .xShmMap = pc_shm_map,
    .xShmLock = pc_shm_lock,
    .xShmBarrier = pc_shm_barrier,
    .xShmUnmap = pc_shm_unmap,
};

/* ---- the VFS ------------------------------------------------------------------------------ */

static struct shadow *open_shadow(const char *path, sqlite3_file *opened)
{
    sqlite3_int64 disk = 0;
    if (opened->pMethods->xFileSize(opened, &disk) != SQLITE_OK)
        return NULL;
    struct shadow *s = shadow_get(path, disk);
    (void)pthread_mutex_lock(&s->lock);
    if (s->deleted) { /* a new file of the same name; the old bytes may still come back in a cut */
        drop_blocks(s, 0);
        s->deleted = false;
        s->new_name = s->dirty = true;
        s->disk = disk;
        s->size = s->intact = 0;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return s;
}

static int pc_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out)
{
    (void)vfs;
    struct file *f = (struct file *)file;
    *f = (struct file){.real = (sqlite3_file *)(f + 1), .wal = (flags & SQLITE_OPEN_WAL) != 0};
    int rc = real_vfs->xOpen(real_vfs, path, f->real, flags, out);
    if (rc == SQLITE_OK && path != NULL && (flags & SHADOWED) != 0) {
        f->shadow = open_shadow(path, f->real);
        if (f->shadow == NULL)
            rc = SQLITE_IOERR_FSTAT;
    }
    /* SQLite closes what has methods, even after a failed open. */
    if (f->real->pMethods != NULL)
        f->base.pMethods = &methods;
    return rc;
}

static int pc_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    (void)vfs;
    struct shadow *s = shadow_find(path);
    if (s == NULL)
        return real_vfs->xDelete(real_vfs, path, sync_folder);
    (void)pthread_mutex_lock(&s->lock);
    bool gone = s->deleted;
    drop_blocks(s, 0);
    s->deleted = true;
    s->dirty = false;
    s->size = s->intact = 0;
    (void)pthread_mutex_unlock(&s->lock);
    if (sync_folder)
        settle_deletions();
    return gone ? SQLITE_IOERR_DELETE_NOENT : SQLITE_OK;
}

static int pc_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    (void)vfs;
    struct shadow *s = shadow_find(path);
    if (s == NULL || !s->deleted) {
        /* SQLite takes an empty journal or WAL for none: what counts is our size, not the disk's */
        int rc = real_vfs->xAccess(real_vfs, path, flags, out);
        if (rc == SQLITE_OK && s != NULL && flags == SQLITE_ACCESS_EXISTS)
            *out = s->size > 0;
        return rc;
    }
    *out = 0;
    return SQLITE_OK;
}

/* ---- life --------------------------------------------------------------------------------- */

static sqlite3_vfs vfs;

__attribute__((constructor)) static void install(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    if (real_vfs == NULL)
        abort();
    const char *path = getenv(POWERCUT_ENV);
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *map = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map != MAP_FAILED)
            control = map;
        (void)close(fd);
    }
    vfs = *real_vfs;
    vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
    vfs.zName = "powercut";
    vfs.pNext = NULL;
    vfs.xOpen = pc_open;
    vfs.xDelete = pc_delete;
    vfs.xAccess = pc_access;
    if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
        abort();
    atomic_store(&control->loaded, 1);
}

/* A process that ends by itself leaves its page cache to a machine that goes on. */
static void write_back(struct shadow *s)
{
    if (s->deleted) {
        (void)unlink(s->path);
        return;
    }
    int fd = s->dirty ? open(s->path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    bool ok = s->intact >= s->disk || ftruncate(fd, s->intact) == 0;
    for (size_t i = 0; i < s->n_blocks && ok; i++) {
        sqlite3_int64 at = (sqlite3_int64)i * BLOCK, left = s->size - at;
        if (s->blocks[i] != NULL && left > 0)
            ok = pwrite(fd, s->blocks[i], left < BLOCK ? (size_t)left : BLOCK, at) > 0;
    }
    if (!ok || ftruncate(fd, s->size) != 0)
        perror("powercut: write back");
    (void)close(fd);
}

__attribute__((destructor)) static void leave(void)
{
    for (struct shadow *s = shadows; s != NULL; s = s->next)
        write_back(s);
}
