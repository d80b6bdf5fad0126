/* SPDX-License-Identifier: MIT
 * Owns streaming answers. While one waits, its connection is suspended, so wait.c's rule holds:
 * all are on a list, the sweeper resumes each at its deadline, and the end of the server resumes
 * all before MHD stops. */
#include "http/stream.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "http/internal.h"

#define BLOCK 1024 /* MHD takes what is left of the connection's memory; this is only its hint */

struct http_stream {
    struct http *http;
    struct MHD_Connection *mhd;
    int fd; /* of the connection */
    struct http_stream_source source;
    const char *data; /* of the piece being sent */
    size_t n;
    int64_t sent_ms;                 /* when something was last sent */
    struct http_stream *prev, *next; /* from here on under streams_lock */
    bool suspended;
    int64_t deadline_ms; /* of the suspension */
};

/* Whether another may be open; it then counts. */
static bool link_in(struct http *http, struct http_stream *s)
{
    int64_t max = atomic_load(&http->streams_max);
    (void)pthread_mutex_lock(&http->streams_lock);
    bool ok = !http->streams_stopping && (int64_t)http->n_streams < max;
    if (ok) {
        s->next = http->streams;
        if (s->next != NULL)
            s->next->prev = s;
        http->streams = s;
        http->n_streams++;
    }
    (void)pthread_mutex_unlock(&http->streams_lock);
    return ok;
}

/* MHD's free callback: the connection is done with the response. */
static void end(void *cls)
{
    struct http_stream *s = cls;
    struct http *http = s->http;
    (void)pthread_mutex_lock(&http->streams_lock);
    if (s->prev != NULL)
        s->prev->next = s->next;
    else
        http->streams = s->next;
    if (s->next != NULL)
        s->next->prev = s->prev;
    http->n_streams--;
    (void)pthread_mutex_unlock(&http->streams_lock);
    s->source.free_arg(s->source.arg);
    free(s);
}

/* Suspends, unless there were news since `seen`: then the source must be asked again first.
 * @return false when it didn't */
static bool suspend(struct http_stream *s, unsigned seen)
{
    struct http *http = s->http;
    (void)pthread_mutex_lock(&http->streams_lock);
    bool ok = !http->streams_stopping && http->streams_seen == seen;
    if (ok) {
        s->suspended = true;
        s->deadline_ms = s->sent_ms + s->source.interval_s * 1000;
        /* Inside the lock: nothing may resume it before it is suspended. */
        MHD_suspend_connection(s->mhd);
    }
    (void)pthread_mutex_unlock(&http->streams_lock);
    return ok;
}

/* @return whether the server is ending; *seen counts the news that the sweeper has passed on */
static bool stopping(struct http *http, unsigned *seen)
{
    (void)pthread_mutex_lock(&http->streams_lock);
    bool yes = http->streams_stopping;
    *seen = http->streams_seen;
    (void)pthread_mutex_unlock(&http->streams_lock);
    return yes;
}

/* Gets a piece, or suspends and has none. */
static enum http_stream_next next_piece(struct http_stream *s)
{
    for (unsigned seen;;) {
        bool over = stopping(s->http, &seen);
        if (over && s->source.endless)
            return HTTP_STREAM_END;
        bool due = http_now_ms() - s->sent_ms >= s->source.interval_s * 1000;
        enum http_stream_next next = s->source.next(s->source.arg, due, &s->data, &s->n);
        if (next == HTTP_STREAM_WAIT && due)
            s->sent_ms = http_now_ms(); /* it has nothing to say: the next interval begins */
        if (next != HTTP_STREAM_WAIT || suspend(s, seen))
            return next;
        if (over)
            return HTTP_STREAM_CUT; /* it would have had more */
    }
}

static ssize_t read_stream(void *cls, uint64_t pos, char *out, size_t room)
{
    struct http_stream *s = cls;
    (void)pos;
    if (s->n == 0) {
        switch (next_piece(s)) {
        case HTTP_STREAM_DATA:
            break;
        case HTTP_STREAM_WAIT:
            return 0;
        case HTTP_STREAM_END:
            return MHD_CONTENT_READER_END_OF_STREAM;
        case HTTP_STREAM_CUT: /* MHD 0.9.75 alone would close it at the idle time-out */
            (void)shutdown(s->fd, SHUT_RDWR);
            return MHD_CONTENT_READER_END_WITH_ERROR;
        }
    }
    size_t n = s->n < room ? s->n : room;
    memcpy(out, s->data, n);
    s->data += n;
    s->n -= n;
    s->sent_ms = http_now_ms();
    return (ssize_t)n;
}

static struct http_stream *open_stream(struct http_req *req,
                                       const struct http_stream_source *source)
{
    struct http_stream *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->http = req->http;
    s->mhd = req->mhd;
    s->fd = req->conn->fd;
    s->source = *source;
    s->sent_ms = http_now_ms();
    return s;
}

enum otad_err http_stream_reply(struct http_req *req, const struct http_stream_source *source,
                                struct http_reply **out, struct otad_errinfo *ei)
{
    struct http_stream *s = open_stream(req, source);
    if (s == NULL || !link_in(req->http, s)) {
        enum otad_err err = s == NULL ? OTAD_E_NOMEM : OTAD_E_BUSY;
        source->free_arg(source->arg);
        free(s);
        if (err == OTAD_E_NOMEM)
            return otad_fail(ei, err, "Out of memory");
        (void)otad_fail(ei, err, "Too many streams are open, or otad is shutting down");
        return otad_hint(ei, "Close one, try again later, or raise http.streams_max.");
    }
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_stream, s, end);
    if (response == NULL)
        end(s);
    *out = reply_wrap(response, 0);
    return *out != NULL ? OTAD_E_OK : otad_fail(ei, OTAD_E_NOMEM, "Out of memory");
}

void http_streams_news(struct http *http)
{
    atomic_store(&http->streams_news, true);
}

size_t http_streams(struct http *http)
{
    (void)pthread_mutex_lock(&http->streams_lock);
    size_t n = http->n_streams;
    (void)pthread_mutex_unlock(&http->streams_lock);
    return n;
}

size_t streams_wake(struct http *http, int64_t now_ms)
{
    bool all = now_ms == INT64_MAX, news = atomic_exchange(&http->streams_news, false);
    size_t n = 0;
    (void)pthread_mutex_lock(&http->streams_lock);
    http->streams_stopping |= all;
    http->streams_seen += news;
    for (struct http_stream *s = http->streams; s != NULL; s = s->next)
        if (s->suspended && (all || news || now_ms >= s->deadline_ms)) {
            s->suspended = false;
            MHD_resume_connection(s->mhd);
            n++;
        }
    (void)pthread_mutex_unlock(&http->streams_lock);
    return n;
}
