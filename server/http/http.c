/* SPDX-License-Identifier: MIT
 * Owns the life of the HTTP server and the way of one request through its stages. */
#include "http/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DRAIN_MAX (1U << 20) /* a refused body up to this is read and thrown away */
#define TICK_MS 50
#define SWEEP_EVERY 20 /* ticks between two looks at all connections */

int64_t http_now_ms(void)
{
    return clock_mono_ms(&(struct clock){0});
}

/* ---- one request -------------------------------------------------------------------------- */

static bool is_device_path(const struct http_req *req)
{
    const char *const *prefix = req->http->settings.routes.device_prefixes;
    const char *path = req->path + strspn(req->path, "/"); /* "//fw/…" is refused, as a device's */
    for (; *prefix != NULL; prefix++) {
        size_t n = strlen(*prefix);
        if (strncmp(path, *prefix, n) == 0 && strchr("/%", path[n]) != NULL)
            return true;
    }
    return false;
}

/* MHD's first word of a request: its raw target, before any decoding. */
static void *on_target(void *cls, const char *as_sent, struct MHD_Connection *mhd)
{
    const char *raw = target_origin_form(as_sent);
    size_t n = strlen(raw), path_n = (size_t)(strchrnul(raw, '?') - raw);
    struct http_req *req = calloc(1, sizeof *req + path_n + 2);
    struct http_asked *asked = malloc(sizeof *asked + 2 * n + 2);
    if (req == NULL || asked == NULL) {
        free(req);
        free(asked);
        return NULL;
    }
    req->http = cls;
    req->mhd = mhd;
    target_copy_loggable(raw, path_n, req->path); /* the query may hold a token: never logged */
    req->asked = asked;
    asked->params.n = 0;
    req->target_ok = target_parse(raw, asked->text, &asked->target);
    req->device_path = is_device_path(req);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    req->conn = info != NULL ? info->socket_context : NULL;
    if (req->conn != NULL) {
        req->conn->request = req;
        conn_set_phase(req->conn, CONN_HEAD, http_now_ms());
    }
    request_set_address(req);
    return req;
}

static enum MHD_Result answered(struct http_req *req)
{
    req->stage = STAGE_ANSWERED;
    free(req->asked);
    req->asked = NULL;
    return req->queue_failed || !req->queued ? MHD_NO : MHD_YES;
}

static enum MHD_Result answer_error(struct http_req *req, enum otad_err err,
                                    const struct otad_errinfo *ei)
{
    (void)http_reply_error(req, err, ei);
    return answered(req);
}

/* Runs a handler or a resume to its end: an answer, a wait, or an error to be told. */
static enum MHD_Result conclude(struct http_req *req, enum otad_err err, struct otad_errinfo *ei)
{
    if (err == OTAD_PENDING)
        return MHD_YES;
    if (err == OTAD_E_OK && !req->queued)
        err = otad_fail(ei, OTAD_E_INTERNAL, "The handler gave no answer");
    if (err != OTAD_E_OK && !req->queued)
        return answer_error(req, err, ei);
    return answered(req);
}

static enum MHD_Result run_handler(struct http_req *req)
{
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    if (req->conn != NULL)
        conn_set_phase(req->conn, CONN_ANSWER, http_now_ms());
    return conclude(req, req->route->handler(req, &ei), &ei);
}

/* Remembers an error until the body has been thrown away. */
static enum MHD_Result drain(struct http_req *req, enum otad_err err, const struct otad_errinfo *ei)
{
    req->refusal = calloc(1, sizeof *req->refusal);
    if (req->refusal == NULL)
        return MHD_NO;
    req->refusal->err = err;
    req->refusal->ei = *ei;
    req->stage = STAGE_DRAIN;
    return MHD_YES;
}

/* Refuses by the head alone. A small body is read and thrown away first, or curl would show a
 * broken pipe instead of the answer; a large one is cut. */
static enum MHD_Result refuse(struct http_req *req, enum otad_err err, struct otad_errinfo *ei)
{
    uint64_t length;
    bool has_body = body_announced(req, &length);
    const char *expect = http_req_header(req, "Expect");
    bool small = length <= DRAIN_MAX && expect == NULL;
    /* Without a body too: MHD closes a connection whose answer comes with the head. */
    if ((!has_body || small) && !req->close_after)
        return drain(req, err, ei);
    if (has_body)
        req->close_after = true;
    return answer_error(req, err, ei);
}

static enum otad_err find_route(struct http_req *req, struct otad_errinfo *ei)
{
    unsigned allow;
    req->route = route_find(&req->http->settings.routes, req->method, &req->asked->target,
                            &req->asked->params, &allow);
    if (req->route != NULL)
        return OTAD_E_OK;
    if (allow == 0) {
        (void)otad_fail(ei, OTAD_E_NOENT, "There is nothing at %.120s", req->path);
        return otad_hint(ei, "GET /api/v1/endpoints lists what there is.");
    }
    (void)otad_fail(ei, OTAD_E_METHOD, "This method is not allowed at %.120s", req->path);
    char methods[64];
    route_methods_text(allow, methods, sizeof methods);
    return otad_hint(ei, "%s", methods);
}

static enum otad_err authorise(struct http_req *req, struct otad_errinfo *ei)
{
    if (req->route->access < HTTP_ACCESS_VIEWER)
        return OTAD_E_OK;
    req->who = calloc(1, sizeof *req->who);
    if (req->who == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    return req->http->settings.authorise(req, req->route->access, req->who, ei);
}

/* The first callback: everything that can be judged before the body. */
static enum MHD_Result on_head(struct http_req *req, const char *method, const char *version)
{
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    req->method = route_method(method);
    req->http10 = strcmp(version, "HTTP/1.1") != 0;
    enum otad_err err = guard_check(req, &ei);
    if (err == OTAD_E_OK) {
        trust_proxy(req);
        err = trust_host(req, &ei);
    }
    if (err == OTAD_E_OK)
        err = find_route(req, &ei);
    if (err == OTAD_E_OK)
        err = authorise(req, &ei);
    if (err == OTAD_E_OK)
        err = body_judge(req, &ei);
    uint64_t length;
    if (err == OTAD_E_OK && body_announced(req, &length))
        err = body_begin(req, &ei);
    if (err != OTAD_E_OK)
        return refuse(req, err, &ei);
    req->stage = STAGE_BODY;
    if (req->conn != NULL)
        conn_set_phase(req->conn, CONN_BODY, http_now_ms());
    return MHD_YES;
}

static enum MHD_Result on_body(struct http_req *req, const char *data, size_t *n)
{
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    if (*n > 0) {
        enum otad_err err = body_data(req, data, *n, &ei);
        *n = 0;
        return err == OTAD_E_OK ? MHD_YES : drain(req, err, &ei);
    }
    enum otad_err err = body_end(req, &ei);
    return err == OTAD_E_OK ? run_handler(req) : answer_error(req, err, &ei);
}

static enum MHD_Result on_drain(struct http_req *req, size_t *n)
{
    req->seen += *n;
    if (*n > 0) {
        *n = 0;
        /* An endless chunked body is cut, everything announced is bounded by its route. */
        uint64_t length;
        (void)body_announced(req, &length);
        return length == UINT64_MAX && req->seen > 64U * DRAIN_MAX ? MHD_NO : MHD_YES;
    }
    return answer_error(req, req->refusal->err, &req->refusal->ei);
}

static enum MHD_Result on_resumed(struct http_req *req)
{
    struct otad_errinfo ei = {.code = OTAD_E_OK};
    return conclude(req, wait_resumed(req, &ei), &ei);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *n, void **req_cls)
{
    struct http_req *req = *req_cls;
    (void)cls;
    (void)mhd;
    (void)url;
    if (req == NULL || req->conn == NULL)
        return MHD_NO; /* out of memory in on_target() or on_connection() */
    switch (req->stage) {
    case STAGE_HEAD:
        return on_head(req, method, version);
    case STAGE_BODY:
        return on_body(req, data, n);
    case STAGE_DRAIN:
        return on_drain(req, n);
    case STAGE_WAIT:
        return on_resumed(req);
    case STAGE_ANSWERED:
        break;
    }
    *n = 0;
    return MHD_YES;
}

/* The answer is out of our hands, or of the client's. */
static void end_follow(struct http_req *req, enum MHD_RequestTerminationCode code)
{
    enum watch_left how = WATCH_BROKEN;
    if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK && req->queued)
        how = WATCH_HANDED_OVER;
    else if (code == MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN)
        how = WATCH_SHUT_DOWN;
    else if (code == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED)
        how = WATCH_TIMED_OUT;
    if (!req->queued)
        watch_drop(&req->follow, http_now_ms());
    else if (watch_left(req->http->watch, OTAD_STEAL(req->follow), how, http_now_ms()))
        req->conn->followed = true;
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **req_cls,
                         enum MHD_RequestTerminationCode code)
{
    struct http_req *req = OTAD_STEAL(*req_cls);
    (void)cls;
    (void)mhd;
    if (req == NULL)
        return;
    if (req->follow != NULL)
        end_follow(req, code);
    log_debug(req->http->settings.log, "request", "status=%u address=%s proxy=%s path=%s",
              req->status, req->address, http_req_proxy(req), req->path);
    if (req->conn != NULL) {
        req->conn->request = NULL;
        conn_set_phase(req->conn, CONN_IDLE, http_now_ms());
    }
    if (req->wait != NULL)
        wait_release(req->wait);
    multipart_free(&req->multipart);
    if (req->free_state != NULL)
        req->free_state(req->state);
    free(req->refusal);
    free(req->who);
    free(req->body);
    free(req->local);
    free(req->proxy);
    free(req->asked);
    free(req);
}

/* ---- connections -------------------------------------------------------------------------- */

static enum MHD_Result may_connect(void *cls, const struct sockaddr *addr, socklen_t len)
{
    struct http *http = cls;
    (void)len;
    return conns_may_accept(http->conns, addr) ? MHD_YES : MHD_NO;
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = cls;
    struct conn *conn = *context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        /* MHD 0.9.75 forgets to complete some requests it refuses, e.g. one with a query of
         * thousands of '&'. */
        if (conn != NULL && conn->request != NULL)
            on_completed(http, mhd, &conn->request, MHD_REQUEST_TERMINATED_WITH_ERROR);
        if (conn != NULL && conn->followed)
            (void)shutdown(conn->fd, SHUT_WR); /* close() won't: the watch holds it too */
        if (conn != NULL)
            conns_remove(http->conns, conn);
        return;
    }
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *addr =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    *context = conns_add(http->conns, fd->connect_fd, addr->client_addr, http_now_ms());
    if (*context == NULL)
        (void)shutdown(fd->connect_fd, SHUT_RDWR); /* out of memory: it can't be watched */
}

static void *sweep(void *cls)
{
    struct http *http = cls;
    const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
    for (unsigned i = 0; !atomic_load(&http->sweeper_stop); i++) {
        (void)nanosleep(&tick, NULL);
        int64_t now = http_now_ms();
        (void)waits_expire(http, now);
        watch_tick(http->watch, now);
        (void)streams_wake(http, now);
        if (i % SWEEP_EVERY == 0) {
            conns_sweep(http->conns, now);
            kept_expire(http, now);
        }
    }
    return NULL;
}

/* ---- start and stop ----------------------------------------------------------------------- */

static size_t no_unescape(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls;
    (void)mhd;
    return strlen(text);
}

static void log_mhd(void *cls, const char *fmt, va_list args) OTAD_PRINTF(2, 0);
static void log_mhd(void *cls, const char *fmt, va_list args)
{
    struct http *http = cls;
    char text[256];
    (void)vsnprintf(text, sizeof text, fmt, args);
    text[strcspn(text, "\n")] = '\0';
    log_debug(http->settings.log, "http", "message='%s'", text);
}

static void note_address(struct http *http, int fd)
{
    struct sockaddr_storage addr = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof addr;
    char host[INET6_ADDRSTRLEN] = "", port[8] = "";
    (void)getsockname(fd, (struct sockaddr *)&addr, &len);
    (void)getnameinfo((struct sockaddr *)&addr, len, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV);
    (void)snprintf(http->addresses[http->n_addresses++], sizeof http->addresses[0],
                   strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static size_t threads_each(const struct http *http, size_t n)
{
    int64_t all = http->settings.threads;
    if (all == 0)
        all = sysconf(_SC_NPROCESSORS_ONLN);
    if (all > HTTP_LOOPS_MAX)
        all = HTTP_LOOPS_MAX;
    return (size_t)all / n < 1 ? 1 : (size_t)all / n;
}

static struct MHD_Daemon *start_daemon(struct http *http, int fd)
{
    const struct http_settings *s = &http->settings;
    /* Turbo: reads a new connection at once, and watches it by epoll only if nothing came yet; four
     * system calls less for a check-in. A shutdown() that close() makes superfluous goes too. */
    const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO |
                           MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    return MHD_start_daemon(
        flags, 0, may_connect, http, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, log_mhd, http,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, on_target, http,
        MHD_OPTION_UNESCAPE_CALLBACK, no_unescape, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        http, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)s->idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)s->connection_memory_bytes,
        /* The connection table has the last word. */
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)(s->connections_max * 2 + 64), MHD_OPTION_END);
}

/* A loop of its own for each thread, instead of MHD's pool, because only so its epoll is within
 * reach: see stop_listening(). Each has a descriptor of its own, because its end closes it. */
static bool start_loop(struct http *http, int listen_fd)
{
    struct http_loop *loop = &http->loops[http->n_loops];
    loop->fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 3);
    if (loop->fd < 0)
        return false;
    loop->daemon = start_daemon(http, loop->fd);
    if (loop->daemon == NULL) {
        (void)close(loop->fd);
        return false;
    }
    http->n_loops++;
    return true;
}

static enum otad_err start_listener(struct http *http, int fd, size_t threads,
                                    struct otad_errinfo *ei)
{
    note_address(http, fd);
    for (size_t i = 0; i < threads; i++)
        if (!start_loop(http, fd))
            return otad_fail(ei, OTAD_E_IO, "Can't start the HTTP server on %s",
                             http->addresses[http->n_addresses - 1]);
    return OTAD_E_OK;
}

static struct conn_limits conn_limits(const struct http *http)
{
    const struct http_settings *s = &http->settings;
    return (struct conn_limits){.max = (size_t)s->connections_max,
                                .per_address = (size_t)s->limits.connections_per_address,
                                .header_timeout_ms = s->limits.header_timeout_s * 1000,
                                .body_timeout_ms = s->limits.body_timeout_s * 1000,
                                .idle_timeout_ms = s->idle_timeout_s * 1000,
                                .exempt = http->trust.proxies};
}

static void set_limits(struct http *http, const struct http_limits *limits)
{
    http->settings.limits = *limits; /* read only by conn_limits(), on the caller's thread */
    http->settings.limits.trusted_proxies = http->settings.limits.allowed_hosts = NULL;
    http->settings.limits.public_url = NULL;
    trust_set(&http->trust, limits);
    atomic_store(&http->image_max_bytes, limits->image_max_bytes);
    atomic_store(&http->streams_max, limits->streams_max);
}

static struct http *make_http(const struct http_settings *settings)
{
    struct http *http = calloc(1, sizeof *http);
    if (http == NULL)
        return NULL;
    http->settings = *settings;
    http->silent = -1;
    (void)pthread_mutex_init(&http->waits_lock, NULL);
    (void)pthread_mutex_init(&http->streams_lock, NULL);
    (void)pthread_mutex_init(&http->kept_lock, NULL);
    trust_init(&http->trust);
    set_limits(http, &settings->limits);
    const struct conn_limits limits = conn_limits(http);
    http->conns = conns_new(&limits);
    http->watch = watch_new(settings->limits.stall_timeout_s * 1000);
    http->sweeper_runs = http->conns != NULL && http->watch != NULL &&
                         pthread_create(&http->sweeper, NULL, sweep, http) == 0;
    if (!http->sweeper_runs)
        http_free(&http);
    return http;
}

enum otad_err http_start(const struct http_settings *settings, const int *fds, size_t n,
                         struct http **out, struct otad_errinfo *ei)
{
    struct http *http = make_http(settings);
    enum otad_err err = OTAD_E_OK;
    if (http == NULL)
        err = otad_fail(ei, OTAD_E_NOMEM, "Out of memory starting the HTTP server");
    for (size_t i = 0; i < n; i++) {
        if (err == OTAD_E_OK)
            err = start_listener(http, fds[i], threads_each(http, n), ei);
        (void)close(fds[i]); /* the loops have theirs */
    }
    if (err != OTAD_E_OK) {
        http_free(&http);
        return err;
    }
    *out = http;
    return OTAD_E_OK;
}

const char *http_address(const struct http *http, size_t i)
{
    return i < http->n_addresses ? http->addresses[i] : NULL;
}

void http_set_limits(struct http *http, const struct http_limits *limits)
{
    set_limits(http, limits);
    const struct conn_limits conn = conn_limits(http);
    conns_set_limits(http->conns, &conn);
    watch_set_stall(http->watch, limits->stall_timeout_s * 1000);
}

/* Closes the listen sockets, else new clients would hang in their backlog. Not with
 * MHD_quiesce_daemon(): that of 0.9.75 races with MHD's own threads over who takes the socket out
 * of epoll, and the loser aborts the process. So it goes without MHD's knowing: out of epoll (one
 * that systemd holds too would stay there), and a socket nobody can connect to in its place. */
static void stop_listening(struct http *http)
{
    int pair[2];
    if (http->silent >= 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return; /* no descriptor left: it listens until MHD's stop */
    http->silent = pair[1];
    for (size_t i = 0; i < http->n_loops; i++) {
        const struct http_loop *loop = &http->loops[i];
        const union MHD_DaemonInfo *epoll =
            MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD);
        if (epoll != NULL) /* it may be out for a moment, at the limit of connections */
            (void)epoll_ctl(epoll->epoll_fd, EPOLL_CTL_DEL, loop->fd, NULL);
        (void)dup3(pair[0], loop->fd, O_CLOEXEC);
    }
    (void)close(pair[0]);
}

void http_quiesce(struct http *http, int64_t grace_s)
{
    stop_listening(http);
    const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
    int64_t deadline = http_now_ms() + grace_s * 1000;
    (void)streams_wake(http, INT64_MAX); /* the endless ones would outlast any grace */
    while (conns_close_idle(http->conns) + watch_open(http->watch) > 0 && http_now_ms() < deadline)
        (void)nanosleep(&tick, NULL);
}

void http_stop(struct http *http)
{
    const struct timespec moment = {.tv_nsec = 2 * TICK_MS * 1000000L};
    if (waits_expire(http, INT64_MAX) + streams_wake(http, INT64_MAX) > 0)
        (void)nanosleep(&moment, NULL); /* their end leaves before MHD cuts the connections */
    for (size_t i = 0; i < http->n_loops; i++)
        MHD_stop_daemon(http->loops[i].daemon); /* closes its fd */
    http->n_loops = 0;
    http->n_addresses = 0;
    if (http->silent >= 0)
        (void)close(http->silent);
    http->silent = -1;
    atomic_store(&http->sweeper_stop, true);
    if (http->sweeper_runs)
        (void)pthread_join(http->sweeper, NULL);
    http->sweeper_runs = false;
    if (http->watch != NULL)
        watch_stop(http->watch, http_now_ms());
    kept_expire(http, INT64_MAX);
}

void http_free(struct http **out)
{
    struct http *http = *out;
    if (http == NULL)
        return;
    http_stop(http);
    conns_free(&http->conns);
    watch_free(&http->watch);
    trust_free(&http->trust);
    (void)pthread_mutex_destroy(&http->waits_lock);
    (void)pthread_mutex_destroy(&http->streams_lock);
    (void)pthread_mutex_destroy(&http->kept_lock);
    free(http);
    *out = NULL;
}

size_t http_connections(struct http *http)
{
    return conns_count(http->conns);
}
