/* SPDX-License-Identifier: MIT
 * Owns suspension: MHD neither times suspended connections out nor notices that their client
 * left, and aborts the process if one exists at its stop. So every one is on a list. */
#include "http/internal.h"

#include <stdlib.h>

enum wait_state { WAITING, DONE, EXPIRED };

struct http_wait *http_wait_new(size_t size, void (*free_work)(void *work))
{
    struct http_wait *wait = calloc(1, sizeof *wait + size);
    if (wait == NULL)
        return NULL;
    atomic_init(&wait->refs, 1);
    atomic_init(&wait->state, WAITING);
    wait->free_work = free_work;
    return wait;
}

void *http_wait_work(struct http_wait *wait)
{
    return wait->work;
}

void http_wait_optional(struct http_wait *wait)
{
    wait->optional = true;
}

void wait_release(struct http_wait *wait)
{
    if (atomic_fetch_sub(&wait->refs, 1) != 1)
        return;
    if (wait->free_work != NULL)
        wait->free_work(wait->work);
    free(wait);
}

void http_wait_discard(struct http_wait *wait)
{
    wait_release(wait);
}

enum otad_err http_wait_start(struct http_req *req, struct http_wait *wait, int64_t timeout_s,
                              http_resume resume)
{
    struct http *http = req->http;
    wait->http = http;
    wait->req = req;
    wait->resume = resume;
    wait->deadline_ms = http_now_ms() + timeout_s * 1000;
    atomic_store(&wait->refs, 2);
    req->wait = wait;
    req->stage = STAGE_WAIT;
    (void)pthread_mutex_lock(&http->waits_lock);
    if (http->stopping) {
        wait->optional = false;
        atomic_store(&wait->state, EXPIRED); /* MHD calls again by itself: nothing to resume */
    } else {
        wait->next = http->waits;
        if (wait->next != NULL)
            wait->next->prev = wait;
        http->waits = wait;
    }
    /* Inside the lock: nothing may resume it before it is suspended. */
    MHD_suspend_connection(req->mhd);
    if (http->stopping)
        MHD_resume_connection(req->mhd);
    (void)pthread_mutex_unlock(&http->waits_lock);
    return OTAD_PENDING;
}

/* Under the lock. The request lives: only a resume lets it go on. */
static void unlink_and_resume(struct http *http, struct http_wait *wait)
{
    if (wait->prev != NULL)
        wait->prev->next = wait->next;
    else
        http->waits = wait->next;
    if (wait->next != NULL)
        wait->next->prev = wait->prev;
    MHD_resume_connection(wait->req->mhd);
}

static bool win(struct http_wait *wait, int state)
{
    int expected = WAITING;
    return atomic_compare_exchange_strong(&wait->state, &expected, state);
}

void http_wait_done(struct http_wait *wait)
{
    struct http *http = wait->http;
    (void)pthread_mutex_lock(&http->waits_lock);
    if (win(wait, DONE))
        unlink_and_resume(http, wait);
    (void)pthread_mutex_unlock(&http->waits_lock);
    wait_release(wait);
}

size_t waits_expire(struct http *http, int64_t now_ms)
{
    size_t n = 0;
    (void)pthread_mutex_lock(&http->waits_lock);
    if (now_ms == INT64_MAX)
        http->stopping = true;
    for (struct http_wait *next, *wait = http->waits; wait != NULL; wait = next) {
        next = wait->next;
        if (now_ms >= wait->deadline_ms && win(wait, EXPIRED)) {
            wait->optional = wait->optional && !http->stopping;
            unlink_and_resume(http, wait);
            n++;
        }
    }
    (void)pthread_mutex_unlock(&http->waits_lock);
    return n;
}

enum otad_err wait_resumed(struct http_req *req, struct otad_errinfo *ei)
{
    struct http_wait *wait = OTAD_STEAL(req->wait);
    enum otad_err err;
    if (atomic_load(&wait->state) == DONE || wait->optional) {
        err = wait->resume(req, wait->work, ei);
    } else {
        (void)otad_fail(ei, OTAD_E_BUSY, "The storage did not answer in time");
        err = otad_hint(ei, "It may still have worked: look before you try again in a few seconds. "
                            "If it stays so, the disk of the data folder is too slow or failing.");
    }
    wait_release(wait);
    return err;
}
