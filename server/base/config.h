/* SPDX-License-Identifier: MIT
 * The daemon's options: one table row a key, one struct field a row. */
#ifndef OTAD_BASE_CONFIG_H
#define OTAD_BASE_CONFIG_H

#include "base/options.h"

/** Values as the operator set them. Plain data, written before threads start; a reload makes a
 *  new one (see struct otad). */
struct config {
    char data_dir[OPTION_TEXT_MAX];
    struct option_list listen;
    char public_url[OPTION_TEXT_MAX];
    int64_t threads;          /* 0 = one a core */
    int64_t shutdown_grace_s; /* transfers may still finish for so long */

    int64_t connections_max;
    int64_t connections_per_address;
    int64_t connection_memory_bytes; /* of each connection: request head and response head */
    int64_t idle_timeout_s;
    int64_t header_timeout_s;
    int64_t body_timeout_s;
    int64_t stall_timeout_s;
    int64_t streams_max;
    int64_t session_lifetime_s; /* of who signs in with a browser */
    struct option_list trusted_proxies;
    struct option_list allowed_hosts;

    int64_t image_max_bytes;
    int64_t cache_bytes;
    int64_t load_timeout_s;
    int64_t write_timeout_s;
    int64_t upload_timeout_s;
    int64_t write_queue_max;
    int64_t flush_interval_ms;

    int64_t max_devices; /* a new product's limit */
    int64_t new_devices_per_hour;
    int64_t url_lifetime_s; /* of a tokenized URL */
    int64_t resume_s;       /* of a lease: fleet/lease.h */

    int64_t history_days; /* retention: 0 = for ever, see fleet/retention.h */
    int64_t updates_days;
    int64_t audit_days;
    int64_t builds_per_product;
    int64_t retention_interval_s;

    int64_t pushes_max; /* at a time; 0 = pushing is off */
    char push_ports[OPTION_TEXT_MAX];
    struct option_list push_networks;
    bool discovery; /* of devices to push to, by mDNS */

    int64_t log_level;  /* enum log_level */
    int64_t log_format; /* 0 text, 1 json */
};

/** The rows behind struct config. */
extern const struct option_table config_table;

/** Environment variables of the OTAD_ family that are not options. */
extern const char *const config_other_env[];

/** Defaults, then the file (NULL = none), then the environment. Flags come after.
 *  @return OTAD_E_OK, OTAD_E_NOENT, OTAD_E_INVALID; ei says file, line, what was expected. */
enum otad_err config_load(const char *file, struct config *out,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
