/* SPDX-License-Identifier: MIT
 * Owns `otad serve`: puts the parts together, runs until a signal, takes them apart in order. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "admin_api/admin_api.h"
#include "cli/cli.h"
#include "cli/datadir.h"
#include "db/migrate.h"
#include "fleet/admission.h"
#include "fleet/answer_cache.h"
#include "fleet/blob.h"
#include "fleet/blob_cache.h"
#include "fleet/events.h"
#include "fleet/lease.h"
#include "fleet/otad.h"
#include "fleet/overlay.h"
#include "fleet/patience.h"
#include "fleet/retention.h"
#include "fleet/worker.h"
#include "http/http.h"
#include "http/stream.h"
#include "push/discovery.h"
#include "push/jobs.h"
#include "routes.h"
#include "version.h"

/* Clients that may resume on a URL that names no build: 4 MiB at most. */
#define LEASES_MAX 16384
#define FACTS_MAX 20000 /* unflushed facts, up to 1 KiB each; transfers may take twice as many */

/* The daemon and what only its start and end care about. */
struct daemon {
    struct otad otad;
    struct log log;
    struct http *http;
    struct retention *retention;
    struct db *db; /* until the writer takes it over */
    struct patience *patience;
    bool left_open; /* the disk was too full to close the downloads of the daemon before */
    int lock_fd;
    int argc;
    char **argv;
};

static void usage(FILE *to)
{
    fputs("Usage: otad serve [--config FILE] [--data-dir DIR] [--listen ADDR:PORT]… [OPTION…]\n\n"
          "Runs the firmware server in the foreground. Port 0 takes a free port; the address is\n"
          "logged and written to DIR/otad.addr. SIGTERM and SIGINT end it after running downloads\n"
          "(or the grace) are over; SIGHUP rereads what can be reread.\n\n"
          "Options (file, then OTAD_SECTION_KEY variables, then flags) [default]:\n",
          to);
    options_help(&config_table, to);
}

/* ---- start -------------------------------------------------------------------------------- */

static void raise_file_limit(struct log *log)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warn(log, "start.files", "error='%s'", strerror(errno));
}

/* What an unclean end left behind. */
static enum otad_err clean_up(struct db *db, int64_t now_s, struct otad_errinfo *ei)
{
    enum otad_err err = db_begin(db, ei);
    if (err == OTAD_E_OK)
        err = blob_unstage(db, 0, ei);
    if (err == OTAD_E_OK)
        err = patience_close(db, INT64_MAX, now_s, ei);
    if (err == OTAD_E_OK)
        err = db_commit(db, ei);
    if (err != OTAD_E_OK)
        db_rollback(db);
    return err;
}

static enum otad_err open_storage(struct daemon *d, struct otad_errinfo *ei)
{
    char path[OPTION_TEXT_MAX + 16];
    struct otad *o = &d->otad;
    (void)snprintf(path, sizeof path, "%s/otad.db", o->config.data_dir);
    enum otad_err err = db_open(path, DB_WRITE, &d->db, ei);
    if (err == OTAD_E_OK)
        err = migrate(d->db, path, o->log, ei);
    /* Devices can be served from a full disk: that must not fail over tidying up. */
    if (err == OTAD_E_OK && datadir_is_full(o->config.data_dir))
        d->left_open = true;
    else if (err == OTAD_E_OK)
        err = clean_up(d->db, clock_wall_s(&o->clock), ei);
    if (err != OTAD_E_OK)
        return err;
    o->readers = db_pool_new(path);
    return o->readers != NULL ? OTAD_E_OK : otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
}

static enum otad_err load_secret(struct otad *o, struct otad_errinfo *ei)
{
    uint8_t secret[SECRET_LEN];
    enum otad_err err = secret_load(o->data_dir, secret, ei);
    if (err == OTAD_E_OK && token_key(secret, o->url_key) != OTAD_E_OK)
        err = otad_fail(ei, OTAD_E_INTERNAL, "Deriving the key of URL tokens failed");
    if (err == OTAD_E_OK && seal_key(secret, o->seal_key) != OTAD_E_OK)
        err = otad_fail(ei, OTAD_E_INTERNAL, "Deriving the key of sealed passwords failed");
    return err;
}

static enum otad_err start_workers(struct daemon *d, struct otad_errinfo *ei)
{
    struct otad *o = &d->otad;
    o->overlay = overlay_new(FACTS_MAX, o->log);
    o->admission = admission_new();
    o->leases = leases_new(LEASES_MAX);
    o->events = events_new(&o->clock);
    o->answers = answer_cache_new();
    if (o->overlay != NULL && o->admission != NULL && o->leases != NULL && o->events != NULL &&
        o->answers != NULL) {
        overlay_set_events(o->overlay, o->events);
        o->writer = writer_new(d->db, overlay_facts(o->overlay), (size_t)o->config.write_queue_max,
                               o->config.flush_interval_ms, o->log);
    }
    if (o->writer != NULL) {
        d->db = NULL; /* the writer's now */
        overlay_set_writer(o->overlay, o->writer);
        o->blobs = blob_cache_new(o->readers, (size_t)o->config.cache_bytes, o->log);
        o->worker = worker_new();
        d->patience = patience_new(o, d->left_open);
    }
    d->retention = retention_new(o);
    if (o->config.pushes_max > 0)
        o->pusher = pusher_new(o);
    if (o->config.discovery)
        o->discovery = discovery_new(o->log);
    if (o->writer == NULL || o->blobs == NULL || o->worker == NULL || d->patience == NULL ||
        d->retention == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory starting the workers");
    return OTAD_E_OK;
}

static struct http_limits http_limits(const struct config *c)
{
    return (struct http_limits){.connections_per_address = c->connections_per_address,
                                .header_timeout_s = c->header_timeout_s,
                                .body_timeout_s = c->body_timeout_s,
                                .stall_timeout_s = c->stall_timeout_s,
                                .image_max_bytes = c->image_max_bytes,
                                .streams_max = c->streams_max,
                                .trusted_proxies = &c->trusted_proxies,
                                .allowed_hosts = &c->allowed_hosts,
                                .public_url = c->public_url};
}

static void on_event(void *http)
{
    http_streams_news(http);
}

static enum otad_err start_http(struct daemon *d, struct otad_errinfo *ei)
{
    const struct config *c = &d->otad.config;
    int fds[OPTION_LIST_MAX];
    size_t n;
    enum otad_err err = http_listen(&c->listen, fds, &n, ei);
    if (err != OTAD_E_OK)
        return err;
    const struct http_settings settings = {
        .routes = routes,
        .app = &d->otad,
        .authorise = admin_authorise,
        .log = &d->log,
        .threads = c->threads,
        .connections_max = c->connections_max,
        .connection_memory_bytes = c->connection_memory_bytes,
        .idle_timeout_s = c->idle_timeout_s,
        .limits = http_limits(c),
    };
    err = http_start(&settings, fds, n, &d->http, ei);
    if (err == OTAD_E_OK)
        events_set_listener(d->otad.events, on_event, d->http);
    return err;
}

static enum otad_err tell_addresses(struct daemon *d, struct otad_errinfo *ei)
{
    char text[OPTION_LIST_MAX * 64] = "";
    size_t used = 0;
    for (size_t i = 0; http_address(d->http, i) != NULL; i++) {
        log_info(&d->log, "listen", "address=%s", http_address(d->http, i));
        used += (size_t)snprintf(text + used, sizeof text - used, "%s\n", http_address(d->http, i));
    }
    enum otad_err err = datadir_write_addresses(d->otad.config.data_dir, text, ei);
    if (err != OTAD_E_NOSPACE)
        return err;
    log_warn(&d->log, "start.address", "error='%s'", ei->msg); /* the log has it too */
    return OTAD_E_OK;
}

static enum otad_err start(struct daemon *d, struct otad_errinfo *ei)
{
    raise_file_limit(&d->log);
    enum otad_err err = datadir_lock(d->otad.config.data_dir, &d->lock_fd, ei);
    if (err == OTAD_E_OK)
        err = open_storage(d, ei);
    if (err == OTAD_E_OK)
        err = load_secret(&d->otad, ei);
    if (err == OTAD_E_OK)
        err = start_workers(d, ei);
    if (err == OTAD_E_OK)
        err = start_http(d, ei);
    if (err == OTAD_E_OK)
        err = tell_addresses(d, ei);
    return err;
}

/* ---- end ---------------------------------------------------------------------------------- */

/* The order matters: no new work, running work ends, what is noted reaches the disk, and only
 * then do the threads and their memory go. */
static void stop(struct daemon *d)
{
    struct otad *o = &d->otad;
    if (d->http != NULL) {
        datadir_remove_addresses(o->config.data_dir);
        http_quiesce(d->http, o->config.shutdown_grace_s);
    }
    if (o->pusher != NULL)
        pusher_stop(o->pusher); /* what they come to is still noted */
    if (o->worker != NULL)
        worker_stop(o->worker); /* HTTP threads may still try to give it jobs */
    if (d->http != NULL)
        http_stop(d->http); /* transfers cut here are still noted */
    worker_free(&o->worker);
    if (o->overlay != NULL)
        overlay_set_writer(o->overlay, NULL);
    writer_free(&o->writer);
    retention_free(&d->retention); /* their last steps have ended with the writer */
    patience_free(&d->patience);
    blob_cache_free(&o->blobs);
    if (o->events != NULL)
        events_set_listener(o->events, NULL, NULL);
    http_free(&d->http); /* writer and loader have told their last wait */
    pusher_free(&o->pusher);
    discovery_free(&o->discovery);
    overlay_free(&o->overlay);
    admission_free(&o->admission);
    leases_free(&o->leases);
    events_free(&o->events);
    answer_cache_free(&o->answers);
    db_close(&d->db);
    db_pool_free(&o->readers);
    if (d->lock_fd >= 0)
        (void)close(d->lock_fd);
}

/* ---- running ------------------------------------------------------------------------------ */

static void reload(struct daemon *d)
{
    struct config fresh;
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    const char *file;
    (void)sd_notify(0, "RELOADING=1");
    if (cli_config(d->argc, d->argv, NULL, NULL, &fresh, &file, &ei) != OTAD_E_OK) {
        log_err(&d->log, "reload.refused", "error='%s'", ei.msg);
    } else {
        struct otad *o = &d->otad;
        (void)pthread_rwlock_wrlock(&o->config_lock);
        size_t stay = options_reload(&config_table, &fresh, &o->config);
        (void)pthread_rwlock_unlock(&o->config_lock);
        atomic_store(&d->log.level, (int)o->config.log_level);
        const struct http_limits limits = http_limits(&o->config);
        http_set_limits(d->http, &limits);
        blob_cache_set_budget(o->blobs, (size_t)o->config.cache_bytes);
        log_info(&d->log, "reload.done", "need_restart=%zu", stay);
    }
    (void)sd_notify(0, "READY=1");
}

static struct timespec timespec_ms(int64_t ms)
{
    return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
}

/* Waits for the signals that were blocked before any thread began, pets the watchdog, and gives
 * what happens by itself its turns. */
static void run(struct daemon *d, const sigset_t *signals)
{
    uint64_t watchdog_us = 0;
    bool watched = sd_watchdog_enabled(0, &watchdog_us) > 0;
    int64_t pet_ms = watched ? (int64_t)(watchdog_us / 2000) : 3600000;
    for (;;) {
        int64_t turn_ms = retention_tick(d->retention), look_ms = patience_tick(d->patience);
        if (look_ms < turn_ms)
            turn_ms = look_ms;
        const struct timespec wait = timespec_ms(turn_ms < pet_ms ? turn_ms : pet_ms);
        int signal = sigtimedwait(signals, NULL, &wait);
        if (signal == SIGHUP)
            reload(d);
        else if (signal == SIGTERM || signal == SIGINT)
            break;
        if (watched)
            (void)sd_notify(0, "WATCHDOG=1");
    }
    log_info(&d->log, "stop", "connections=%zu", http_connections(d->http));
    (void)sd_notify(0, "STOPPING=1");
}

static void block_signals(sigset_t *signals)
{
    (void)sigemptyset(signals);
    (void)sigaddset(signals, SIGTERM);
    (void)sigaddset(signals, SIGINT);
    (void)sigaddset(signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

int cmd_serve(int argc, char **argv)
{
    static struct daemon d; /* large; there is one a process */
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    const char *file;
    sigset_t signals;
    argc--; /* behind the name of the subcommand */
    argv++;
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            usage(stdout);
            return EXIT_SUCCESS;
        }
    d = (struct daemon){.lock_fd = -1, .argc = argc, .argv = argv};
    if (cli_config(argc, argv, NULL, NULL, &d.otad.config, &file, &ei) != OTAD_E_OK) {
        cli_complain(&ei);
        return EXIT_USAGE;
    }
    log_init(&d.log, (enum log_level)d.otad.config.log_level, d.otad.config.log_format == 1);
    d.otad.log = &d.log;
    d.otad.data_dir = d.otad.config.data_dir;
    d.otad.version = OTAD_VERSION;
    d.otad.started_at_s = clock_wall_s(&d.otad.clock);
    (void)pthread_rwlock_init(&d.otad.config_lock, NULL);
    block_signals(&signals);
    enum otad_err err = start(&d, &ei);
    if (err == OTAD_E_OK) {
        (void)sd_notify(0, "READY=1");
        log_info(&d.log, "ready", "data_dir=%s", d.otad.data_dir);
        run(&d, &signals);
    } else {
        cli_complain(&ei);
    }
    stop(&d);
    (void)pthread_rwlock_destroy(&d.otad.config_lock);
    return err == OTAD_E_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
