/* SPDX-License-Identifier: MIT
 * Load that is cut off, and the memory of what was promised: everything a daemon acknowledged
 * before it was killed must be there when it is started again on the same folder. */
#ifndef OTAD_TESTS_CRASHKIT_H
#define OTAD_TESTS_CRASHKIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/daemon.h"
#include "support/imgbuild.h"
#include "support/powercut.h"

#define CRASH_PRODUCTS 2 /* "p0", "p1": one uploader each, so that its channel's order is known */

/** Whether this build can preload powercut.so; says so when not. Sanitizers must come first. */
bool crash_can_preload(void);

/** The control block of a powercut daemon, and its environment. */
struct crash_power {
    struct powercut *control; /* shared with the daemon */
    char path[192];
    char preload[640], file[256];
    const char *env[3];
};

/** Makes the control file beside the data folder; the daemon's next start uses it. */
void crash_power_on(struct crash_power *p, struct daemon *d);
/** Back to a start without the preload. */
void crash_power_off(struct crash_power *p, struct daemon *d);
void crash_power_free(struct crash_power *p);

/** Waits until *counter is at least `want`. @return false after `ms` */
bool crash_wait_count(atomic_uint *counter, unsigned want, int64_t ms);

enum promise_kind { PROMISE_BUILD, PROMISE_REPORT, PROMISE_PRODUCT, PROMISE_KEY };

/** One thing that was answered 2xx. */
struct promise {
    enum promise_kind kind;
    char product[40];
    char id[96];      /* build id, MAC, slug or key */
    char sha256[65];  /* of a build */
    char channel[40]; /* of a build, "" = the default channel */
    char token[64];   /* a report's message, a build's version */
};

struct promises {
    struct promise *items;
    size_t n, room;
};

/** How a round ends. */
struct cut {
    unsigned after_ms;   /* kill after this time, whatever happens */
    unsigned after_acks; /* kill right behind the n-th acknowledgement; 0 = don't */
    bool by_itself;      /* the daemon cuts itself (powercut cut_at); after_ms is only patience */
};

/** A data folder, what was promised about it, and the counters of the test. */
struct crash {
    struct daemon d;
    char key[DAEMON_KEY];
    uint64_t seed;      /* of the next random number */
    atomic_uint serial; /* makes names unique */
    struct promises all, fresh;
    /* what the last round left undecided: acknowledged, and asked for later */
    char stable[CRASH_PRODUCTS][2][64];
    char name[2][64];
    /* counters */
    unsigned kills, aborted_transfers;
    unsigned n_kind[4];
    bool with_cli;       /* `otad key create` beside the daemon is part of the load */
    bool faulty_disk;    /* 5xx are right answers then */
    atomic_uint refused; /* how many there were */
    /* of the round that runs */
    atomic_bool stop;
    atomic_uint acks;
    unsigned kill_at;
    atomic_int pid;
    char trouble[512]; /* what a worker thread found wrong; "" = nothing */
};

uint32_t crash_random(struct crash *c, uint32_t below);

/** Starts a daemon on an empty folder, with key and products. */
void crash_setup(struct crash *c, uint64_t seed, const char *const *flags);
void crash_free(struct crash *c);

/** Puts the running daemon under mixed load until the cut, and reaps it. */
void crash_round(struct crash *c, struct cut cut);

/** Checks a daemon that was started after a cut: all fresh promises (or all there ever were), and
 *  that nothing half-written is there. */
void crash_verify(struct crash *c, bool everything);

/** Integrity, foreign keys, no staged images, no open transfers. The daemon may run or not. */
void crash_check_database(struct crash *c);

/** SHA-256 as hex. */
void crash_sha256(const void *data, size_t n, char out[65]);

/** A default amount, scaled by the environment variable CRASH_ROUNDS (percent; 25 under
 *  sanitizers). */
unsigned crash_rounds(unsigned normal);

/** Runs `work` in `n` child processes side by side; fails the test when one fails. The child's
 *  number and its counters, in shared memory, are passed. */
struct crash_tally {
    unsigned kills, builds, reports, products, keys, aborted_transfers;
};
void crash_side_by_side(unsigned n, void (*work)(unsigned number, struct crash_tally *tally),
                        struct crash_tally *sum);
void crash_tally(const struct crash *c, struct crash_tally *tally);

#endif
