/* SPDX-License-Identifier: MIT
 * Owns the answers that are followed: which socket, from which byte to which, how far. */
#include "http/watch.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/sock.h"

#define SHARDS 64
#define PROGRESS_MS 1000 /* between two tellings of how far an answer is */
#define HEAD_SLACK 32    /* bytes by which the guessed head may be too long */

struct follow {
    struct follow *prev, *next;
    struct http_follow to;
    int fd;         /* the HTTP server's until it has left, then ours */
    bool left;      /* the HTTP server is done with it */
    bool stalled;   /* we shut it down for that */
    bool told_end;  /* all of it had arrived before the HTTP server was done with it */
    uint64_t begin; /* position of the body's first byte */
    uint64_t body;  /* bytes */
    uint64_t acked; /* of the body */
    int64_t began_ms;
    int64_t moved_ms; /* when `acked` last grew */
    int64_t told_ms;
    uint64_t told;
    struct sock_state state; /* the last look */
};

struct shard {
    pthread_mutex_t lock;
    struct follow *list;
    size_t n_left;
    int64_t looked_ms; /* at those that haven't left */
};

struct watch {
    struct shard shards[SHARDS];
    _Atomic int64_t stall_ms;
};

struct watch *watch_new(int64_t stall_ms)
{
    struct watch *w = calloc(1, sizeof *w);
    if (w == NULL)
        return NULL;
    for (size_t i = 0; i < SHARDS; i++)
        (void)pthread_mutex_init(&w->shards[i].lock, NULL);
    atomic_store(&w->stall_ms, stall_ms);
    return w;
}

void watch_free(struct watch **watch)
{
    if (*watch == NULL)
        return;
    for (size_t i = 0; i < SHARDS; i++)
        (void)pthread_mutex_destroy(&(*watch)->shards[i].lock);
    free(*watch);
    *watch = NULL;
}

void watch_set_stall(struct watch *watch, int64_t stall_ms)
{
    atomic_store(&watch->stall_ms, stall_ms);
}

struct follow *watch_new_follow(const struct http_follow *f)
{
    struct follow *follow = calloc(1, sizeof *follow);
    if (follow == NULL) {
        f->free_arg(f->arg);
        return NULL;
    }
    follow->to = *f;
    follow->fd = -1;
    return follow;
}

static struct shard *shard_of(struct watch *w, uint64_t tag)
{
    return &w->shards[(tag * 0x9E3779B97F4A7C15ULL) >> 58];
}

/* ---- telling ------------------------------------------------------------------------------ */

static void describe(const struct follow *f, enum http_end_how how, int64_t now_ms, char *out,
                     size_t room)
{
    const struct sock_state *s = &f->state;
    int n = snprintf(out, room, "%" PRIu64 " of %" PRIu64 " bytes acknowledged", f->acked, f->body);
    if (how == HTTP_END_PEER_GONE && n > 0 && (size_t)n < room)
        n += snprintf(out + n, room - (size_t)n, ", %s",
                      s->reset ? "reset by the peer" : "closed early by the peer");
    if (how != HTTP_END_SENT && n > 0 && (size_t)n < room)
        n += snprintf(out + n, room - (size_t)n, ", the last byte %.1f s earlier",
                      (double)(now_ms - f->moved_ms) / 1000);
    if (s->retransmits > 0 && n > 0 && (size_t)n < room)
        (void)snprintf(out + n, room - (size_t)n, ", %u retransmits", s->retransmits);
}

static void tell(const struct follow *f, bool final, enum http_end_how how, int64_t now_ms)
{
    struct http_end end = {.final = final,
                           .how = how,
                           .bytes_acked = f->acked,
                           .elapsed_ms = f->began_ms > 0 ? (uint64_t)(now_ms - f->began_ms) : 0};
    describe(f, how, now_ms, end.detail, sizeof end.detail);
    f->to.tell(f->to.arg, &end);
}

/* Under the shard's lock, or whoever settles could find an answer that is no longer followed and
 * not told either. */
static void tell_end(struct follow *f, enum http_end_how how, int64_t now_ms)
{
    if (!f->told_end)
        tell(f, true, how, now_ms);
    f->told_end = true;
}

static void free_follow(struct follow *f)
{
    f->to.free_arg(f->to.arg);
    if (f->left && f->fd >= 0)
        (void)close(f->fd);
    free(f);
}

void watch_drop(struct follow **follow, int64_t now_ms)
{
    if (*follow == NULL)
        return;
    (*follow)->moved_ms = now_ms;
    tell_end(*follow, HTTP_END_PEER_GONE, now_ms);
    free_follow(*follow);
    *follow = NULL;
}

/* ---- lists, under the shard's lock -------------------------------------------------------- */

static void add(struct shard *s, struct follow *f)
{
    f->prev = NULL;
    f->next = s->list;
    if (f->next != NULL)
        f->next->prev = f;
    s->list = f;
}

static void take_out(struct shard *s, struct follow *f)
{
    if (f->prev != NULL)
        f->prev->next = f->next;
    else
        s->list = f->next;
    if (f->next != NULL)
        f->next->prev = f->prev;
    if (f->left)
        s->n_left--;
}

/* Asks the kernel how far it is. */
static void look(struct follow *f, int64_t now_ms)
{
    if (!sock_look(f->fd, &f->state))
        return;
    uint64_t acked = f->state.acked > f->begin ? f->state.acked - f->begin : 0;
    if (acked > f->body)
        acked = f->body; /* what comes behind it: the next answer, a FIN */
    if (acked > f->acked) {
        f->acked = acked;
        f->moved_ms = now_ms;
    }
}

/* Whether a followed answer that left is over, and how. */
static bool is_over(const struct follow *f, int64_t now_ms, int64_t stall_ms,
                    enum http_end_how *how)
{
    *how = f->acked >= f->body ? HTTP_END_SENT : HTTP_END_PEER_GONE;
    if (f->acked >= f->body || f->state.closed)
        return true;
    *how = HTTP_END_STALLED;
    return now_ms - f->moved_ms >= stall_ms;
}

/* ---- the way of one answer ---------------------------------------------------------------- */

void watch_begin(struct watch *w, struct follow *f, int fd, size_t head, uint64_t body,
                 int64_t now_ms)
{
    struct shard *s = shard_of(w, f->to.tag);
    struct sock_state at = {.acked = 0};
    (void)sock_look(fd, &at); /* no TCP: everything counts from 0 */
    f->fd = fd;
    f->begin = at.written + head;
    f->body = body;
    f->began_ms = f->moved_ms = f->told_ms = now_ms;
    (void)pthread_mutex_lock(&s->lock);
    add(s, f);
    (void)pthread_mutex_unlock(&s->lock);
}

/* All of it is the kernel's: the body ends where that stands now, whatever the head took. */
static void hand_over(struct follow *f, int64_t now_ms)
{
    if (sock_look(f->fd, &f->state) && f->state.written >= f->body && !f->state.closed)
        f->begin = f->state.written - f->body;
    look(f, now_ms);
}

bool watch_left(struct watch *w, struct follow *f, enum watch_left left, int64_t now_ms)
{
    static const enum http_end_how ends[] = {HTTP_END_PEER_GONE, HTTP_END_PEER_GONE,
                                             HTTP_END_STALLED, HTTP_END_SHUTDOWN};
    struct shard *s = shard_of(w, f->to.tag);
    enum http_end_how how = f->stalled ? HTTP_END_STALLED : ends[left];
    (void)pthread_mutex_lock(&s->lock);
    bool over = left != WATCH_HANDED_OVER || f->told_end;
    if (left == WATCH_HANDED_OVER)
        hand_over(f, now_ms);
    else
        look(f, now_ms);
    if (!over)
        over = is_over(f, now_ms, INT64_MAX, &how);
    else if (f->body > 0 && f->acked >= f->body)
        how = HTTP_END_SENT; /* it broke after the last byte had arrived */
    int fd = over ? -1 : fcntl(f->fd, F_DUPFD_CLOEXEC, 3);
    if (!over && fd < 0)
        over = true; /* no descriptor left: what is known is all that will be */
    if (over) {
        take_out(s, f);
        tell_end(f, how, now_ms);
    } else {
        f->fd = fd;
        f->left = true;
        s->n_left++;
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (over)
        free_follow(f);
    return !over;
}

/* ---- looking ------------------------------------------------------------------------------ */

/* Tells how those that left and are over have ended; they are freed when the lock is free.
 * @return the list with f in front of it, or as it was */
static struct follow *look_at_left(struct shard *s, struct follow *f, int64_t now_ms,
                                   int64_t stall_ms, struct follow *ended)
{
    enum http_end_how how;
    look(f, now_ms);
    if (!is_over(f, now_ms, stall_ms, &how))
        return ended;
    take_out(s, f);
    tell_end(f, how, now_ms);
    f->next = ended;
    return f;
}

static void free_all(struct follow *list)
{
    for (struct follow *next; list != NULL; list = next) {
        next = list->next;
        free_follow(list);
    }
}

/* One that is still being sent. The HTTP server notices the shutdown and ends it. */
static void look_at_sending(struct follow *f, int64_t now_ms, int64_t stall_ms)
{
    if (f->told_end)
        return;
    look(f, now_ms);
    if (!f->stalled && now_ms - f->moved_ms >= stall_ms) {
        f->stalled = true;
        (void)shutdown(f->fd, SHUT_RDWR);
    }
    if (f->acked == f->told || now_ms - f->told_ms < PROGRESS_MS)
        return;
    f->told = f->acked;
    f->told_ms = now_ms;
    tell(f, false, HTTP_END_SENT, now_ms);
}

static void tick_shard(struct shard *s, int64_t now_ms, int64_t stall_ms)
{
    struct follow *ended = NULL;
    (void)pthread_mutex_lock(&s->lock);
    bool all = now_ms - s->looked_ms >= PROGRESS_MS;
    if (all)
        s->looked_ms = now_ms;
    for (struct follow *next, *f = all || s->n_left > 0 ? s->list : NULL; f != NULL; f = next) {
        next = f->next;
        if (f->left)
            ended = look_at_left(s, f, now_ms, stall_ms, ended);
        else if (all)
            look_at_sending(f, now_ms, stall_ms);
    }
    (void)pthread_mutex_unlock(&s->lock);
    free_all(ended);
}

void watch_tick(struct watch *w, int64_t now_ms)
{
    for (size_t i = 0; i < SHARDS; i++)
        tick_shard(&w->shards[i], now_ms, atomic_load(&w->stall_ms));
}

/* The HTTP server's thread may not have come to notice that the last byte is out, when the client
 * has it all and asks again: then the end is told now, and not again when the answer leaves. */
static void settle_sending(struct follow *f, int64_t now_ms)
{
    if (f->told_end || f->stalled)
        return;
    look(f, now_ms);
    if (f->acked == 0 || f->acked + HEAD_SLACK < f->body)
        return;
    f->acked = f->body;
    tell_end(f, HTTP_END_SENT, now_ms);
}

void watch_settle(struct watch *w, uint64_t tag, int64_t now_ms)
{
    struct shard *s = shard_of(w, tag);
    struct follow *ended = NULL;
    int64_t stall_ms = atomic_load(&w->stall_ms);
    (void)pthread_mutex_lock(&s->lock);
    for (struct follow *next, *f = s->list; f != NULL; f = next) {
        next = f->next;
        if (f->to.tag == tag && f->left)
            ended = look_at_left(s, f, now_ms, stall_ms, ended);
        else if (f->to.tag == tag)
            settle_sending(f, now_ms);
    }
    (void)pthread_mutex_unlock(&s->lock);
    free_all(ended);
}

size_t watch_open(struct watch *w)
{
    size_t n = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &w->shards[i];
        (void)pthread_mutex_lock(&s->lock);
        n += s->n_left;
        (void)pthread_mutex_unlock(&s->lock);
    }
    return n;
}

void watch_stop(struct watch *w, int64_t now_ms)
{
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &w->shards[i];
        (void)pthread_mutex_lock(&s->lock);
        struct follow *list = s->list;
        s->list = NULL;
        s->n_left = 0;
        (void)pthread_mutex_unlock(&s->lock);
        for (struct follow *next, *f = list; f != NULL; f = next) {
            next = f->next;
            look(f, now_ms);
            tell_end(f, f->acked >= f->body ? HTTP_END_SENT : HTTP_END_SHUTDOWN, now_ms);
            free_follow(f);
        }
    }
}
