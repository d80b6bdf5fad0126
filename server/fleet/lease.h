/* SPDX-License-Identifier: MIT
 * Leases: which build a client was last given on a URL that names no build. A Range that starts
 * behind the first byte is answered from it, so that nobody gets two images mixed when the channel
 * moves half-way. In memory only: a lost lease costs a client a start from the first byte. */
#ifndef OTAD_FLEET_LEASE_H
#define OTAD_FLEET_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Who was given something. Compared as a whole; made by lease_key(). */
struct lease_key {
    int64_t product;
    uint64_t mac;    /* 0 = nobody known */
    uint8_t who[16]; /* of an unknown client: digest of its address and User-Agent */
    int64_t fs;      /* 1: filesystem images, which have leases of their own */
};

/** @param address, agent  count only when mac is 0: several devices behind one address may then
 *                         share a lease */
struct lease_key lease_key(int64_t product, uint64_t mac, bool fs, const char *address,
                           const char *agent);

/** Opaque, thread-safe. */
struct leases;

/** @param capacity  leases kept; beyond that the least recently used of a few goes
 *  @return NULL when out of memory */
struct leases *leases_new(size_t capacity);
void leases_free(struct leases **leases);

/** What is about to be given. */
struct lease_gift {
    int64_t build;       /* seq */
    int64_t first, last; /* bytes of its image, inclusive */
    bool head;           /* only told about: no download begins */
    int64_t now_ms;      /* monotonic */
    int64_t life_ms;     /* how long a resume is possible from now on */
};

/** Notes that bytes are on their way. Until leases_taken() says how many arrived, all of them may.
 */
void leases_give(struct leases *leases, const struct lease_key *key, const struct lease_gift *gift);

/** Notes what became of a gift (not of a head).
 *  @param bytes  of it that arrived
 *  @param whole  the image's last byte was among them: that download counts as finished */
void leases_taken(struct leases *leases, const struct lease_key *key, int64_t build, int64_t first,
                  int64_t bytes, bool whole);

/** The build whose bytes from `first` on continue what this client has.
 *  @param first  above 0; -1 for bytes counted from the end, wherever that is
 *  @return its seq; 0 when there is none whose bytes the client may have up to there, or more than
 *          one: it may have begun several and finished none, and devices behind one address share
 *          a lease */
int64_t leases_resume(struct leases *leases, const struct lease_key *key, int64_t first,
                      int64_t now_ms);

#endif
