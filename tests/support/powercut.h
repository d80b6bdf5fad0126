/* SPDX-License-Identifier: MIT
 * What a test and the preloaded powercut.so share: one mapped file, named in the environment. */
#ifndef OTAD_TESTS_POWERCUT_H
#define OTAD_TESTS_POWERCUT_H

#include <stdatomic.h>
#include <stdint.h>

/** Environment variable: path of a file that holds a struct powercut. Optional. Not OTAD_…: the
 *  daemon refuses names of that kind that it doesn't know. */
#define POWERCUT_ENV "POWERCUT_CONTROL"

enum powercut_fault {
    POWERCUT_FAULT_NONE,
    POWERCUT_FAULT_FULL,     /* writes to the WAL: SQLITE_FULL */
    POWERCUT_FAULT_WRITE,    /* writes to the WAL: SQLITE_IOERR_WRITE */
    POWERCUT_FAULT_SYNC,     /* syncs of the WAL: SQLITE_IOERR_FSYNC, nothing reaches the disk */
    POWERCUT_FAULT_SYNC_LIE, /* the same, but half of the blocks have reached it */
};

/** All fields may be changed while the daemon runs. Zeroes are: no gate, no faults, no cut. */
struct powercut {
    atomic_uint gate;        /* test: not 0 = a sync waits here before it writes anything */
    atomic_uint permits;     /* test: with the gate closed, so many syncs pass; counted down */
    atomic_uint waiting;     /* shim: syncs that wait at the gate now */
    atomic_uint syncs;       /* shim: syncs that have returned */
    atomic_uint dirty_syncs; /* shim: of those, syncs that had something to write */
    atomic_uint fault;       /* test: enum powercut_fault */
    atomic_uint fault_after; /* test: so many WAL writes or syncs still work; counted down */
    atomic_uint faults;      /* shim: faults given so far */
    atomic_uint cut_at;      /* test: the process kills itself in its n-th sync with something to
                                write, after half of the blocks were written; 0 = never */
    atomic_uint loaded;      /* shim: 1 once it is the default VFS */
};

#endif
