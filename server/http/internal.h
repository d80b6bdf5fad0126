/* SPDX-License-Identifier: MIT
 * Shared by the files of http/ only: the structs behind its opaque types. */
#ifndef OTAD_HTTP_INTERNAL_H
#define OTAD_HTTP_INTERNAL_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>

#include <microhttpd.h>

#include "base/clock.h"
#include "http/conns.h"
#include "http/forwarded.h"
#include "http/host.h"
#include "http/http.h"
#include "http/multipart.h"
#include "http/reply.h"
#include "http/request.h"
#include "http/wait.h"
#include "http/watch.h"

#define HTTP_LOOPS_MAX 64 /* as server.threads, and more than there can be listeners */

enum http_stage {
    STAGE_HEAD,  /* the first callback judges everything but the body */
    STAGE_BODY,  /* the body flows to the buffer or the sink */
    STAGE_DRAIN, /* the body of a refused request flows to nowhere, so that curl sees the answer */
    STAGE_WAIT,  /* suspended; MHD calls again after the resume */
    STAGE_ANSWERED
};

/* What was decided before the body ended. */
struct http_refusal {
    enum otad_err err;
    struct otad_errinfo ei;
};

/* What was asked for. Goes once the answer is under way: thousands may be half-way at a time. */
struct http_asked {
    struct target target;
    struct route_params params;
    char text[]; /* room for the decoded texts of both */
};

struct http_req {
    struct http *http;
    struct MHD_Connection *mhd;
    struct conn *conn;
    const struct http_route *route; /* NULL until matched */
    unsigned method;
    enum http_stage stage;
    bool http10, device_path, target_ok, close_after;
    bool queued, queue_failed;
    bool https;               /* a proxy says so */
    struct http_asked *asked; /* NULL once answered */
    struct http_who *who;     /* NULL on open and device routes */
    char *body;
    size_t body_n;
    uint64_t seen; /* body bytes that have arrived */
    struct multipart *multipart;
    struct http_refusal *refusal;
    struct http_wait *wait;
    void *state;
    void (*free_state)(void *state);
    struct follow *follow; /* NULL: nobody wants to know how the answer ends */
    char address[NET_TEXT_MAX];
    char *proxy; /* NULL: none */
    char *local;
    unsigned status;
    char path[]; /* as it came, without query and product key; two NULs follow */
};

/* One event loop: a thread of MHD's with a listen socket. */
struct http_loop {
    struct MHD_Daemon *daemon;
    int fd; /* MHD's to close */
};

/* An answer whose body belongs to others, kept to be sent again. */
struct http_kept {
    struct MHD_Response *response; /* NULL: a free place */
    const void *data;              /* its body: stays where it is while the response lives */
    size_t n;
    int64_t used_ms;
};

/* Whom to believe; `own` stays as it is, the rest is what a reload may change. */
struct http_trust {
    struct host_names own;
    pthread_rwlock_t lock; /* of the rest; only the main thread writes */
    struct net_list proxies;
    struct host_names allowed;
    atomic_bool any_proxy; /* so that those who have none pay nothing */
};

struct http {
    struct http_settings settings;
    struct http_trust trust;
    struct conns *conns;
    struct watch *watch;
    char addresses[OPTION_LIST_MAX][64];
    size_t n_addresses;
    struct http_loop loops[HTTP_LOOPS_MAX];
    size_t n_loops;
    int silent; /* the other end of what took the listen sockets' place; -1 while listening */
    _Atomic int64_t image_max_bytes;
    pthread_mutex_t kept_lock;
    struct http_kept kept[8]; /* images that are being updated to now, for the kinds of clients */
    pthread_mutex_t waits_lock;
    struct http_wait *waits; /* a list of what is suspended now */
    bool stopping;           /* under waits_lock: nothing is suspended any more */
    pthread_mutex_t streams_lock;
    struct http_stream *streams; /* all open ones, suspended or not */
    size_t n_streams;
    unsigned streams_seen;    /* news passed on: what was read before is out of date */
    bool streams_stopping;    /* nothing is suspended any more, all end */
    atomic_bool streams_news; /* not passed on yet */
    _Atomic int64_t streams_max;
    pthread_t sweeper;
    bool sweeper_runs;
    atomic_bool sweeper_stop;
};

struct http_wait {
    atomic_int refs;  /* the request and the worker */
    atomic_int state; /* enum wait_state in wait.c: the first to change it wins */
    bool optional;    /* see http_wait_optional() */
    struct http *http;
    struct http_req *req;
    struct http_wait *prev, *next;
    int64_t deadline_ms;
    http_resume resume;
    void (*free_work)(void *work);
    alignas(max_align_t) unsigned char work[];
};

/* guard.c: what MHD 0.9.75 lets pass and must not. */
enum otad_err guard_check(struct http_req *req, struct otad_errinfo *ei);
bool header_name_is(const char *key, size_t n, const char *name);

/* trust.c */
void trust_init(struct http_trust *trust); /* of a zeroed one: looks up this machine's names */
void trust_free(struct http_trust *trust);
void trust_set(struct http_trust *trust, const struct http_limits *limits);
/* Takes over what a trusted proxy says about the client; for the first callback. */
void trust_proxy(struct http_req *req);
/* OTAD_E_OK, or OTAD_E_MISDIRECTED when a browser may have been led here by a stranger's name. */
enum otad_err trust_host(struct http_req *req, struct otad_errinfo *ei);

/* body.c */
enum otad_err body_judge(struct http_req *req, struct otad_errinfo *ei);
bool body_announced(const struct http_req *req, uint64_t *length);
enum otad_err body_begin(struct http_req *req, struct otad_errinfo *ei);
enum otad_err body_data(struct http_req *req, const char *data, size_t n, struct otad_errinfo *ei);
enum otad_err body_end(struct http_req *req, struct otad_errinfo *ei);

/* wait.c */
enum otad_err wait_resumed(struct http_req *req, struct otad_errinfo *ei);
void wait_release(struct http_wait *wait);
/* Resumes what has waited too long; INT64_MAX: all, and nothing is suspended any more.
 * Returns how many. */
size_t waits_expire(struct http *http, int64_t now_ms);

/* stream.c: resumes streams that are due, or all when there are news; INT64_MAX: all, and they end.
 * Returns how many. */
size_t streams_wake(struct http *http, int64_t now_ms);

/* reply.c: a reply around a response of one's own; destroys it when out of memory. NULL stays NULL.
 */
struct http_reply *reply_wrap(struct MHD_Response *response, size_t body_bytes);

/* kept.c: queues a fresh response, or the kept one that equals it; takes the fresh one over.
 * @return whether MHD took it */
bool kept_queue(struct http *http, struct MHD_Connection *mhd, unsigned status,
                const struct http_kept *fresh);
void kept_expire(struct http *http, int64_t now_ms); /* INT64_MAX: all */

/* request.c: fills req->address when the request is made. */
void request_set_address(struct http_req *req);

int64_t http_now_ms(void);

#endif
