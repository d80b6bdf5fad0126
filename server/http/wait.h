/* SPDX-License-Identifier: MIT
 * A request that waits for another thread: suspended with an owner and a deadline. */
#ifndef OTAD_HTTP_WAIT_H
#define OTAD_HTTP_WAIT_H

#include <stddef.h>

#include "http/request.h"

/** Shared by the request and the thread that works for it; the last to leave frees it. Opaque. */
struct http_wait;

/** Answers a request whose work is done. `work` is the memory of http_wait_work(). */
typedef enum otad_err (*http_resume)(struct http_req *req, void *work, struct otad_errinfo *ei);

/** Makes a wait with `size` zeroed bytes for the worker. free_work(work) runs before they go.
 *  @return NULL when out of memory. Belongs to the caller until http_wait_start(). */
struct http_wait *http_wait_new(size_t size, void (*free_work)(void *work));

/** The worker's bytes, aligned for anything. */
void *http_wait_work(struct http_wait *wait);

/** Suspends the request. Afterwards the worker must call http_wait_done() exactly once, even when
 *  queueing the work failed. When the deadline passes first, the request is answered 503 and the
 *  late result is thrown away (but see http_wait_optional()).  @return OTAD_PENDING, for the
 * handler to return. */
enum otad_err http_wait_start(struct http_req *req, struct http_wait *wait, int64_t timeout_s,
                              http_resume resume);

/** For work that makes an answer better and isn't needed for it; before http_wait_start(). When the
 *  deadline passes first, `resume` is called all the same: it must touch nothing of the worker's.
 */
void http_wait_optional(struct http_wait *wait);

/** The worker is done with the work: wakes the request, gives up the worker's share. Thread-safe.
 */
void http_wait_done(struct http_wait *wait);

/** Frees a wait that was never started. */
void http_wait_discard(struct http_wait *wait);

#endif
