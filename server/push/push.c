/* SPDX-License-Identifier: MIT
 * Owns the order of a push's steps and what is told of them. */
#include "push/push.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/hex.h"
#include "push/run.h"

#define TURN_MS 100 /* a cancelled push ends within */

static const char *const steps[] = {
    [PUSH_RESOLVE] = "resolve",           [PUSH_INVITE] = "invite",
    [PUSH_AUTHENTICATE] = "authenticate", [PUSH_CONNECT_BACK] = "connect_back",
    [PUSH_SENDING] = "sending",           [PUSH_FINISH] = "finish"};
static const char *const outcomes[] = {
    [PUSH_RUNNING] = "running", [PUSH_OK] = "ok", [PUSH_FAILED] = "failed"};
static const char *const causes[] = {
#define X(name, word) word,
    PUSH_CAUSE_TABLE(X)
#undef X
};

const char *push_step_name(enum push_step step)
{
    return steps[step];
}

const char *push_outcome_name(enum push_outcome outcome)
{
    return outcomes[outcome];
}

const char *push_cause_name(enum push_cause cause)
{
    return causes[cause];
}

bool push_may_target(const struct net_addr *address, const struct net_list *networks)
{
    return net_is_own(address) || (networks != NULL && net_list_has(networks, address));
}

/* ---- telling ------------------------------------------------------------------------------ */

int64_t run_ms(const struct run *r)
{
    return clock_mono_ms(&(struct clock){.fixed_mono_ms = 0}) - r->start_ms;
}

int64_t run_patience(const struct run *r, int64_t usual_ms)
{
    int64_t given_ms = r->push->patience_ms;
    return given_ms > 0 && given_ms < usual_ms ? given_ms : usual_ms;
}

static void tell(struct run *r, enum push_outcome outcome)
{
    struct push_result *result = r->result;
    int64_t now_ms = run_ms(r);
    result->took_ms = now_ms;
    if (r->tell == NULL)
        return;
    struct push_news news = {.step = result->step,
                             .outcome = outcome,
                             .at_ms = now_ms,
                             .tries = r->tries,
                             .bytes_acked = result->bytes_acked,
                             .bytes_per_s = result->bytes_per_s};
    if (outcome != PUSH_RUNNING)
        (void)snprintf(news.detail, sizeof news.detail, "%s", result->detail);
    r->tell(r->arg, &news);
}

void run_begin(struct run *r, enum push_step step)
{
    r->result->step = step;
    tell(r, PUSH_RUNNING);
}

void run_acked(struct run *r, int64_t bytes)
{
    int64_t ms = run_ms(r) - r->sending_ms;
    if (bytes <= r->result->bytes_acked)
        return;
    r->result->bytes_acked = bytes;
    r->result->bytes_per_s = bytes * 1000 / (ms > 0 ? ms : 1); /* a stall behind it doesn't count */
}

void run_progress(struct run *r)
{
    tell(r, PUSH_RUNNING);
}

bool run_ok(struct run *r, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(r->result->detail, sizeof r->result->detail, fmt, args);
    va_end(args);
    tell(r, PUSH_OK);
    return true;
}

bool run_fail(struct run *r, enum push_cause cause, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(r->result->detail, sizeof r->result->detail, fmt, args);
    va_end(args);
    r->result->cause = cause;
    run_causes(r, cause, r->result->causes);
    tell(r, PUSH_FAILED);
    return false;
}

bool run_refused(struct run *r, const struct espota_reply *reply)
{
    (void)snprintf(r->seen.words, sizeof r->seen.words, "%s", reply->text);
    if (reply->word == ESPOTA_UNKNOWN)
        return run_fail(r, PUSH_CAUSE_BAD_ANSWER, "it answered something that isn't espota: '%s'",
                        reply->text);
    return run_fail(r, run_cause_of(reply->text), "it refused: %s", reply->text);
}

bool run_wait(struct run *r, struct pollfd *fds, size_t n, int64_t until_ms)
{
    int64_t left_ms = until_ms - run_ms(r);
    if (r->push->cancel != NULL && atomic_load(r->push->cancel))
        return run_fail(r, PUSH_CAUSE_CANCELLED, "it was cancelled");
    for (size_t i = 0; i < n; i++)
        fds[i].revents = 0;
    (void)poll(fds, (nfds_t)n, (int)(left_ms < 0 ? 0 : left_ms < TURN_MS ? left_ms : TURN_MS));
    return true;
}

/* ---- all of it ---------------------------------------------------------------------------- */

static bool set_offer(struct run *r)
{
    uint8_t md5[OTAD_MD5_LEN];
    r->offer.fs = r->push->fs;
    r->offer.size_bytes = r->push->size_bytes;
    if (digest_md5(r->push->image, r->push->size_bytes, md5) != OTAD_E_OK)
        return run_fail(r, PUSH_CAUSE_FAILED, "hashing the image failed");
    hex_encode(md5, sizeof md5, r->offer.md5);
    return true;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

void push_run(const struct push *push, void (*tell_it)(void *arg, const struct push_news *news),
              void *arg, struct push_result *result)
{
    struct run r = {.push = push,
                    .tell = tell_it,
                    .arg = arg,
                    .result = result,
                    .udp = -1,
                    .listener = -1,
                    .conn = -1};
    *result = (struct push_result){.step = PUSH_RESOLVE};
    r.start_ms = run_ms(&r);
    run_begin(&r, PUSH_RESOLVE);
    result->ok = set_offer(&r) && run_resolve(&r) && run_invite(&r) && run_connect_back(&r) &&
                 run_send(&r) && run_finish(&r);
    close_fd(r.conn);
    close_fd(r.listener);
    close_fd(r.udp);
}
