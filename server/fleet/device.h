/* SPDX-License-Identifier: MIT
 * Devices: MAC addresses within a product. Owns the table `device`. */
#ifndef OTAD_FLEET_DEVICE_H
#define OTAD_FLEET_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"
#include "otad/limits.h"

/** Which facts one check-in named. What it doesn't name stays as it was said before. */
#define DEVICE_SAID_VERSION 1U
#define DEVICE_SAID_MD5 2U
#define DEVICE_SAID_SHA256 4U
#define DEVICE_SAID_SPACE 8U
#define DEVICE_SAID_CHIP_SIZE 16U
#define DEVICE_SAID_CHIP 32U

/** What a device says in one check-in, and where from. Empty text or -1 = not said. */
struct device_facts {
    char version[OTAD_VERSION_MAX + 1]; /* of the sketch; empty in a filesystem mode */
    char chip[16];
    char md5[2 * OTAD_MD5_LEN + 1];       /* lowercase hex */
    char sha256[2 * OTAD_SHA256_LEN + 1]; /* lowercase hex */
    char address[46];
    char agent[64];
    char mode[12];
    char channel[OTAD_CHANNEL_MAX + 1]; /* asked for */
    int64_t free_space;                 /* bytes */
    int64_t chip_size;                  /* bytes of flash */
    int64_t at_s;
    bool authenticated;
    unsigned said; /* DEVICE_SAID_…, of the last check-in */
};

/** The bits for what these facts name. */
unsigned device_said(const struct device_facts *facts);

/** Empties what the last check-in did not name: the facts it was judged by. */
void device_only_said(struct device_facts *facts);

struct device {
    int64_t id;
    int64_t product;
    uint64_t mac;
    struct device_facts last; /* at_s = last seen */
    int64_t first_seen_s;
    int64_t interval_s;                 /* usual time between two visits; 0 = unknown */
    char channel[OTAD_CHANNEL_MAX + 1]; /* "" = the product's default */
    int64_t pin;                        /* build seq, 0 = none */
    bool held;
    bool blocked;
    char note[OTAD_NOTES_MAX + 1];
};

/** @return OTAD_E_OK, OTAD_E_NOENT (with words), or a database error. */
enum otad_err device_find(struct db *db, int64_t product, uint64_t mac, struct device *out,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Inserts the device or refreshes what it last said; what it didn't say stays.
 *  @param id  the row id
 *  @return OTAD_E_OK, OTAD_E_NOENT (the product is gone or has its max_devices), or a database
 *  error */
enum otad_err device_seen(struct db *db, int64_t product, uint64_t mac,
                          const struct device_facts *facts, int64_t *id,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Inserts a device that has not checked in yet and may never: one that is pushed to. Its last seen
 * is 0; its address is where it was pushed to.
 *  @return OTAD_E_OK, OTAD_E_CONFLICT (the product has its max_devices, or the device is there
 * already), or a database error */
enum otad_err device_register(struct db *db, int64_t product, uint64_t mac, const char *address,
                              int64_t now_s, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Writes channel, pin, held, blocked and note of d->id. */
enum otad_err device_save(struct db *db, const struct device *d,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Forgets a device with its whole history. */
enum otad_err device_delete(struct db *db, int64_t id, struct otad_errinfo *ei) OTAD_MUSTCHECK;

enum device_sort { DEVICE_SEEN_LAST, DEVICE_SEEN_FIRST, DEVICE_BY_MAC, DEVICE_BY_MAC_DOWN };

/** What device_list() may be narrowed to, and its order. */
struct device_filter {
    int64_t product;
    enum device_sort sort;
    const char *state;       /* of its newest update, "" = it has none; NULL = any */
    const char *version;     /* NULL = any */
    const char *q;           /* hex digits anywhere in the MAC, uppercase, or NULL */
    int64_t after, after_id; /* cursor: rows behind the one with this last_seen_s or MAC, and id */
    int64_t limit;
};

/** The cursor from which on everything is behind. */
void device_list_begin(struct device_filter *f);

/** Devices in the filter's order. A state is found by an index; version and q are looked for in
 *  the product's rows until there are `limit`. */
enum otad_err device_list(struct db *db, const struct device_filter *f,
                          enum otad_err (*each)(void *arg, const struct device *d), void *arg,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Every device of a product with what bears on fitting an image: mac, chip, agent, free_space and
 *  chip_size of last count, the rest is empty. Reads the whole product: not for an HTTP thread. */
enum otad_err device_scan_fit(struct db *db, int64_t product,
                              enum otad_err (*each)(void *arg, const struct device *d), void *arg,
                              struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Whether any device is pinned to this build. */
enum otad_err device_any_pinned(struct db *db, int64_t build_seq, bool *out,
                                struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
