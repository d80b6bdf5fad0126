/* SPDX-License-Identifier: MIT
 * Owns the table of options. */
#include "base/config.h"

#include <unistd.h>

static const char *const levels[] = {"err", "warn", "info", "debug", NULL};
static const char *const formats[] = {"text", "json", NULL};

#define AT(field) offsetof(struct config, field)
#define MIB(n) ((int64_t)(n) << 20)

/* clang-format off */
static const struct option_row rows[] = {
    {"server", "data_dir", OPTION_TEXT, AT(data_dir), "/var/lib/otad", 0, 0, "", "data-dir", NULL, false,
     "folder that holds the database, the images in it, and the lock"},
    {"server", "listen", OPTION_LIST, AT(listen), "0.0.0.0:8070", 0, 0, "ADDR:PORT", "listen", NULL, false,
     "ADDR:PORT to listen on, [ADDR]:PORT for IPv6; port 0 takes a free one; several with commas between"},
    {"server", "public_url", OPTION_TEXT, AT(public_url), "", 0, 0, "URL", NULL, NULL, true,
     "how devices reach this server, e.g. http://fw.example.net:8070; empty: the listener's address"},
    {"server", "threads", OPTION_INT, AT(threads), "0", 0, 64, "", NULL, NULL, false,
     "HTTP threads; 0 means one for each core"},
    {"server", "shutdown_grace_s", OPTION_INT, AT(shutdown_grace_s), "30", 0, 3600, "s", NULL, NULL, true,
     "how long running downloads may still finish after SIGTERM"},

    {"http", "connections_max", OPTION_INT, AT(connections_max), "12000", 16, 1000000, "", NULL, NULL, false,
     "open connections, all together; 5 % of them are kept for addresses that use few"},
    {"http", "connections_per_address", OPTION_INT, AT(connections_per_address), "512", 512, 1000000, "", NULL, NULL, true,
     "open connections of one IPv4 address or IPv6 /64"},
    {"http", "connection_memory_bytes", OPTION_SIZE, AT(connection_memory_bytes), "4608", 4096, MIB(1), "bytes", NULL, NULL, false,
     "memory for the head of a request; a longer head is answered 431"},
    {"http", "idle_timeout_s", OPTION_INT, AT(idle_timeout_s), "90", 5, 3600, "s", NULL, NULL, false,
     "a connection on which nothing moves for so long is closed"},
    {"http", "header_timeout_s", OPTION_INT, AT(header_timeout_s), "30", 1, 3600, "s", NULL, NULL, true,
     "a request head must be complete after so long"},
    {"http", "body_timeout_s", OPTION_INT, AT(body_timeout_s), "600", 1, 86400, "s", NULL, NULL, true,
     "an upload must be complete after so long"},
    {"http", "streams_max", OPTION_INT, AT(streams_max), "64", 0, 10000, "", NULL, NULL, true,
     "streaming answers (events, CSV) open at a time; further ones get 503"},
    {"http", "session_lifetime_s", OPTION_INT, AT(session_lifetime_s), "43200", 60, 31536000, "s", NULL, NULL, true,
     "who signs in with a browser must do so again after so long"},
    {"http", "trusted_proxies", OPTION_LIST, AT(trusted_proxies), "", 0, 0, "NET", NULL, NULL, true,
     "addresses or networks of reverse proxies whose X-Forwarded-For, X-Forwarded-Proto and Forwarded are believed"},
    {"http", "allowed_hosts", OPTION_LIST, AT(allowed_hosts), "", 0, 0, "HOST", NULL, NULL, true,
     "further names under which browsers may reach this server; its own name, addresses and public_url's host always may"},
    {"http", "stall_timeout_s", OPTION_INT, AT(stall_timeout_s), "60", 5, 3600, "s", NULL, NULL, true,
     "a download of which nothing arrived for so long is over"},

    {"storage", "image_max_bytes", OPTION_SIZE, AT(image_max_bytes), "16777216", 4096, MIB(1024), "bytes", NULL, NULL, true,
     "largest image that may be uploaded"},
    {"storage", "cache_bytes", OPTION_SIZE, AT(cache_bytes), "67108864", MIB(1), MIB(65536), "bytes", NULL, NULL, true,
     "images kept in memory; those being sent are kept whatever this says"},
    {"storage", "load_timeout_s", OPTION_INT, AT(load_timeout_s), "5", 1, 600, "s", NULL, NULL, true,
     "a request waits so long for an image to be read, then gets 503"},
    {"storage", "write_timeout_s", OPTION_INT, AT(write_timeout_s), "10", 1, 600, "s", NULL, NULL, true,
     "a request waits so long for its change to be durable, then gets 503"},
    {"storage", "upload_timeout_s", OPTION_INT, AT(upload_timeout_s), "120", 1, 3600, "s", NULL, NULL, true,
     "the same for an upload, which may be many megabytes on a slow card"},
    {"storage", "write_queue_max", OPTION_INT, AT(write_queue_max), "4096", 16, 1000000, "", NULL, NULL, false,
     "changes that may wait for the writer; further ones get 503"},
    {"storage", "flush_interval_ms", OPTION_INT, AT(flush_interval_ms), "1000", 10, 60000, "ms", NULL, NULL, true,
     "unacknowledged facts (last seen, byte progress) reach the disk after so long"},

    {"devices", "max_devices", OPTION_INT, AT(max_devices), "10000", 1, 10000000, "", NULL, NULL, true,
     "devices a new product may register by check-in"},
    {"devices", "new_devices_per_hour", OPTION_INT, AT(new_devices_per_hour), "60", 1, 10000000, "", NULL, NULL, true,
     "first check-ins one address may make in an hour; later ones are answered but not registered"},
    {"devices", "url_lifetime_s", OPTION_INT, AT(url_lifetime_s), "604800", 60, 315360000, "s", NULL, NULL, true,
     "how long a tokenized URL works, when its maker doesn't say"},
    {"devices", "resume_s", OPTION_INT, AT(resume_s), "1800", 10, 86400, "s", NULL, NULL, true,
     "how long a broken download of `latest` or `{mac}.bin` may go on where it stopped"},

    {"retention", "history_days", OPTION_INT, AT(history_days), "180", 0, 36500, "days", NULL, NULL, true,
     "how long transfers and reports are kept; those of a device's newest update stay; 0 means for ever"},
    {"retention", "updates_days", OPTION_INT, AT(updates_days), "0", 0, 36500, "days", NULL, NULL, true,
     "how long updates that are over are kept; a device's newest stays; 0 means for ever"},
    {"retention", "audit_days", OPTION_INT, AT(audit_days), "730", 0, 36500, "days", NULL, NULL, true,
     "how long the audit is kept; 0 means for ever"},
    {"retention", "builds_per_product", OPTION_INT, AT(builds_per_product), "0", 0, 100000, "", NULL, NULL, true,
     "images kept for each product and kind besides those still wanted (on a channel or its undo, pinned, in an open update); 0 means all"},
    {"retention", "interval_s", OPTION_INT, AT(retention_interval_s), "3600", 1, 86400, "s", NULL, NULL, true,
     "how long after the end of one search for what is old the next begins"},

    {"push", "concurrent_max", OPTION_INT, AT(pushes_max), "4", 0, 64, "", NULL, NULL, false,
     "pushes (espota) that run at a time, further ones wait; 0 means that none may be made"},
    {"push", "listen_ports", OPTION_TEXT, AT(push_ports), "", 0, 0, "PORTS", NULL, NULL, true,
     "TCP ports that devices connect back to, e.g. 40000-40009, for firewalls; empty: any"},
    {"push", "networks", OPTION_LIST, AT(push_networks), "", 0, 0, "NET", NULL, NULL, true,
     "networks that may be pushed to besides private, link-local and loopback ones"},
    {"push", "discovery", OPTION_BOOL, AT(discovery), "yes", 0, 0, "", NULL, NULL, false,
     "listen for devices that announce ArduinoOTA by mDNS; needs avahi-daemon"},

    {"log", "level", OPTION_CHOICE, AT(log_level), "info", 0, 0, "", NULL, levels, true,
     "what is logged to stderr"},
    {"log", "format", OPTION_CHOICE, AT(log_format), "text", 0, 0, "", NULL, formats, false,
     "one line of key=value, or one JSON object, an event"},
};
/* clang-format on */

const struct option_table config_table = {rows, OTAD_COUNT(rows)};

const char *const config_other_env[] = {"OTAD_CONFIG", "OTAD_KEY", NULL};

enum otad_err config_load(const char *file, struct config *out, struct otad_errinfo *ei)
{
    struct config fresh = {.data_dir = ""};
    enum otad_err err = options_default(&config_table, &fresh, ei);
    if (err == OTAD_E_OK && file != NULL)
        err = options_file(&config_table, file, &fresh, ei);
    if (err == OTAD_E_OK)
        err = options_env(&config_table, environ, config_other_env, &fresh, ei);
    if (err == OTAD_E_OK)
        *out = fresh;
    return err;
}
