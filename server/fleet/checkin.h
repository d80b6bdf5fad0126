/* SPDX-License-Identifier: MIT
 * The stored facts of one check-in: product, device and target build in one indexed read. */
#ifndef OTAD_FLEET_CHECKIN_H
#define OTAD_FLEET_CHECKIN_H

#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"
#include "fleet/build.h"
#include "fleet/decide.h"
#include "fleet/device.h"
#include "fleet/update.h"
#include "otad/limits.h"

/** What to look up. */
struct checkin_query {
    const char *slug;
    uint64_t mac;            /* 0 = anonymous */
    const char *channel;     /* asked for by the client, "" = none; the owner's choice wins */
    bool fs;                 /* the target is the channel's filesystem build */
    const uint8_t *key_hash; /* SHA-256 of the presented product key, NULL = none */
    int64_t build;           /* seq: the target whatever pin and channel say; 0 = as they say */
};

struct checkin_row {
    int64_t product;
    bool disabled;
    bool needs_key; /* the product's access is `key` */
    bool key_ok;    /* query.key_hash is a key of the product in force */
    bool tasmota;   /* the product's client is `tasmota` */
    int64_t max_devices, device_count;
    int64_t device; /* 0 = not registered */
    bool blocked, held;
    char version[OTAD_VERSION_MAX + 1]; /* last reported by the device */
    bool paused;
    bool has_target;
    int64_t build; /* seq */
    int64_t build_id;
    char target_version[OTAD_VERSION_MAX + 1];
    int64_t number;
    int64_t image;
    int64_t size_bytes;
    char md5[2 * OTAD_MD5_LEN + 1];
    char sha256[2 * OTAD_SHA256_LEN + 1];
    char also[256]; /* see struct identity */
    enum build_kind kind;
    int64_t flash_bytes; /* what the image's header asks for, 0 = not said */
    char chip[16];       /* of the build */
    /* the newest update of this device to that build */
    bool has_update;
    enum update_state state;
    int64_t attempts;
    char from_version[OTAD_VERSION_MAX + 1];
    char from_md5[2 * OTAD_MD5_LEN + 1];
    int64_t attempts_max; /* of the product */
};

/** What a mode's word means; NULL and "" are a sketch's. */
enum checkin_mode checkin_mode(const char *word);

/** Reads them. Whether a device without a right key is to be answered at all is the caller's.
 *  @return OTAD_E_OK, OTAD_E_NOENT (no such product), or a database error. */
enum otad_err checkin_load(struct db *db, const struct checkin_query *query,
                           struct checkin_row *out, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** A request for one build, whatever channels say. */
struct checkin_build_query {
    int64_t build_id;      /* public */
    int64_t device_number; /* row id, 0 = go by mac */
    uint64_t mac;          /* 0 = anonymous */
};

/** The facts of such a request: the row's target is that build, even a withdrawn one; key_ok is
 *  false.
 *  @param slug       receives the product's slug
 *  @param mac        receives the device's MAC, 0 when the product has no such device
 *  @param withdrawn  receives whether the build was withdrawn
 *  @return OTAD_E_OK, OTAD_E_NOENT (no such build), or a database error */
enum otad_err checkin_load_build(struct db *db, const struct checkin_build_query *query,
                                 struct checkin_row *out, char slug[OTAD_SLUG_MAX + 1],
                                 uint64_t *mac, bool *withdrawn,
                                 struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** The facts the decision goes by: what is stored, and what the device says now. Borrows both. */
struct decide_facts checkin_facts(const struct checkin_row *row, const struct device_facts *said,
                                  enum checkin_mode mode);

/** Whether what a device says is evidence on its update to the target: then the ledger must have
 *  it before the answer is decided. False for the many check-ins that tell nothing new. */
bool checkin_is_evidence(const struct checkin_row *row, const struct device_facts *said,
                         enum checkin_mode mode, bool asks_image);

/** Whether what a device says is what it ran before an update: by its version, else its MD5. */
bool checkin_is_before(const char *from_version, const char *from_md5,
                       const struct device_facts *said);

#endif
