/* SPDX-License-Identifier: MIT
 * Owns /events: what happens now, as server-sent events (WHATWG HTML, section 9.2). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_api/admin_api.h"
#include "admin_api/event_reader.h"
#include "fleet/otad.h"
#include "http/reply.h"
#include "http/stream.h"

#define HEARTBEAT_S 15 /* idle proxies wait for 30 or 60 s */
#define RETRY_MS 2000  /* after which a browser connects again */

/* One client. Of what it has not seen there is only the cursor: no queue. */
struct watch {
    struct http_req *req; /* lives as long as the stream */
    struct event_reader reader;
    uint64_t cursor;
    bool resumes, begun;
    int64_t judged_ms; /* when its key was last looked at */
    char *text;        /* the piece being sent */
};

static void free_watch(void *arg)
{
    struct watch *w = arg;
    free(w->text);
    free(w);
}

/* ---- what is sent ------------------------------------------------------------------------- */

static enum http_stream_next piece(struct watch *w, const char **data, size_t *n)
{
    if (w->text == NULL)
        return HTTP_STREAM_CUT; /* out of memory: the client comes back to where it was */
    *data = w->text;
    *n = strlen(w->text);
    return HTTP_STREAM_DATA;
}

/* The lines of one event. `lost` ones before it are an event of their own:
 *
 *     event: lost
 *     data: {}
 *
 *     id: 1863475199180802
 *     event: update
 *     data: {"kind":"update","at":"2026-11-21T08:00:00Z",…}
 */
static char *frame(struct watch *w, const struct event *event, bool lost)
{
    static const char lost_text[] = "event: lost\ndata: {}\n\n";
    char *text = NULL;
    json_t *shape = event != NULL ? event_reader_shape(&w->reader, event) : NULL;
    char *json = shape != NULL ? json_dumps(shape, JSON_COMPACT) : NULL;
    json_decref(shape);
    int n = -1;
    if (json != NULL)
        n = asprintf(&text, "%sid: %" PRIu64 "\nevent: %s\ndata: %s\n\n", lost ? lost_text : "",
                     event->id, event_kind_name(event->kind), json);
    else if (event == NULL) /* an id without data: the client remembers it and tells nobody */
        n = asprintf(&text, "%s:\nid: %" PRIu64 "\n\n", lost ? lost_text : "", w->cursor);
    free(json);
    return n >= 0 ? text : NULL;
}

static char *greeting(const struct watch *w)
{
    char *text = NULL;
    /* One that resumes keeps its id until it has seen something. */
    int n = w->resumes ? asprintf(&text, "retry: %d\n\n", RETRY_MS)
                       : asprintf(&text, "retry: %d\nid: %" PRIu64 "\n\n", RETRY_MS, w->cursor);
    return n >= 0 ? text : NULL;
}

/* A stream may last for days: a key that was revoked since must not go on seeing. */
static bool still_allowed(struct watch *w)
{
    struct otad_errinfo ei;
    int64_t now_ms = clock_mono_ms(&w->reader.otad->clock);
    if (now_ms - w->judged_ms < HEARTBEAT_S * 1000)
        return true;
    w->judged_ms = now_ms;
    return http_req_authorise_again(w->req, &ei) == OTAD_E_OK;
}

static enum http_stream_next next(void *arg, bool due, const char **data, size_t *n)
{
    struct watch *w = arg;
    struct event event;
    enum events_next found;
    bool lost = false;
    free(w->text);
    w->text = NULL;
    if (!still_allowed(w))
        return HTTP_STREAM_END;
    if (!w->begun) {
        w->text = greeting(w);
        w->begun = true;
        return piece(w, data, n);
    }
    do {
        found = events_after(w->reader.otad->events, &w->cursor, &w->reader.filter, &event, &lost);
    } while (found == EVENTS_MORE);
    if (lost && !w->resumes)
        return HTTP_STREAM_END; /* too slow: it learns what it lost when it comes back */
    w->resumes = false;
    if (found == EVENTS_NONE && !due && !lost)
        return HTTP_STREAM_WAIT;
    w->text = frame(w, found == EVENTS_FOUND ? &event : NULL, lost);
    return piece(w, data, n);
}

/* ---- what is asked for -------------------------------------------------------------------- */

static bool read_id(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
        return false;
    *out = n;
    return true;
}

/* Where to begin: behind what the client saw last, else with what comes. */
static enum otad_err read_cursor(struct http_req *req, struct watch *w, struct otad_errinfo *ei)
{
    const char *header = http_req_header(req, "Last-Event-ID");
    const char *text = header != NULL ? header : http_req_query(req, "after");
    w->cursor = events_newest(w->reader.otad->events);
    w->resumes = text != NULL;
    if (text == NULL || read_id(text, &w->cursor))
        return OTAD_E_OK;
    return otad_fail(ei, OTAD_E_INVALID, "'%.40s' is no id of an event", text);
}

static enum otad_err read_query(struct http_req *req, struct watch *w, struct otad_errinfo *ei)
{
    for (size_t i = 0; i < http_req_query_count(req); i++) {
        const char *key = http_req_query_key(req, i);
        if (strcmp(key, "product") != 0 && strcmp(key, "mac") != 0 && strcmp(key, "after") != 0)
            return otad_fail(ei, OTAD_E_INVALID, "Unknown filter '%.40s'", key);
    }
    enum otad_err err = event_reader_begin(req, &w->reader, ei);
    return err == OTAD_E_OK ? read_cursor(req, w, ei) : err;
}

enum otad_err admin_events(struct http_req *req, struct otad_errinfo *ei)
{
    struct watch *w = calloc(1, sizeof *w);
    struct http_reply *reply;
    if (w == NULL)
        return otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
    w->req = req;
    enum otad_err err = read_query(req, w, ei);
    if (err != OTAD_E_OK) {
        free_watch(w);
        return err;
    }
    w->judged_ms = clock_mono_ms(&w->reader.otad->clock);
    const struct http_stream_source source = {
        .next = next, .free_arg = free_watch, .arg = w, .interval_s = HEARTBEAT_S, .endless = true};
    err = http_stream_reply(req, &source, &reply, ei);
    if (err != OTAD_E_OK)
        return err;
    http_reply_header(reply, "Content-Type", "text/event-stream");
    http_reply_header(reply, "Cache-Control", "no-store");
    http_reply_header(reply, "X-Accel-Buffering", "no"); /* nginx would gather it */
    return http_reply_send(req, reply, 200);
}
