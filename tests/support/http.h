/* SPDX-License-Identifier: MIT
 * Requests of black-box tests: as curl makes them, and as exact bytes on a socket. What can't
 * even be sent or read as HTTP fails the running test. */
#ifndef OTAD_TESTS_HTTP_H
#define OTAD_TESTS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "support/daemon.h"
#include "support/imgbuild.h"

/** An answer. Freed by reply_free(). */
struct reply {
    long status;  /* 0: no answer at all (refused, reset, or silence) */
    char *head;   /* status line and headers as they came, up to the empty line; NUL behind */
    char *body;   /* NUL behind */
    size_t n;     /* bytes of the body */
    json_t *json; /* the body, when it is JSON, or NULL */
    bool closed;  /* raw only: the server closed the connection behind it */
};

void reply_free(struct reply *r);

/** The value of a header, trimmed, in a static buffer; NULL when absent. Names in any case. */
const char *reply_header(const struct reply *r, const char *name);

/** How often a header is there. */
size_t reply_header_count(const struct reply *r, const char *name);

/** Whether the header line stands there in exactly this spelling. */
bool reply_has_line(const struct reply *r, const char *line);

/** A value inside of the JSON body, e.g. "items.0.update.state"; NULL when there is none. */
json_t *reply_at(const struct reply *r, const char *path);
json_t *json_at(json_t *json, const char *path);

/** The same as text; "(none)" when there is no text there. */
const char *reply_text(const struct reply *r, const char *path);

/** The same as number; INT64_MIN when there is no number there. */
int64_t reply_number(const struct reply *r, const char *path);

/* ---- with libcurl ---- */

/** What a request has besides method and path; {0} is nothing. */
struct call {
    const char *key;  /* sent as a bearer */
    const char *user; /* "name:password" for basic auth */
    const char *json; /* a JSON body */
    const char *type; /* Content-Type of `data`; NULL: what `curl --data-binary` says */
    const void *data; /* a raw body */
    size_t n;
    const char *const *headers; /* further lines, NULL at the end */
    bool expect;                /* Expect: 100-continue, as curl does for large bodies */
};

struct reply call(const struct daemon *d, const char *method, const char *path, struct call c);

/** Short for the three that tests need most. `json` NULL: no body. */
struct reply get(const struct daemon *d, const char *key, const char *path);
struct reply send_json(const struct daemon *d, const char *key, const char *method,
                       const char *path, const char *json);

/** A part of a form; as a file when `filename` is set. `data` NULL: the text. */
struct part {
    const char *name;
    const char *filename;
    const char *text;
    const void *data;
    size_t n;
};

#define FIELD(part_name, value)                                                                    \
    {                                                                                              \
        .name = (part_name), .text = (value)                                                       \
    }
#define AS_FILE(part_name, file_name, value)                                                       \
    {                                                                                              \
        .name = (part_name), .filename = (file_name), .text = (value)                              \
    }

/** Posts a form to /api/v1/products/{product}/builds{query}; parts end at a name NULL. */
struct reply upload(const struct daemon *d, const char *key, const char *product_query,
                    const struct part *parts);

/** Uploads an ESP8266 image of that seed and checks that it became a build (201 or 200).
 *  @param channel  or NULL for the default @param id  the build's id, 32 bytes, or NULL */
void publish(const struct daemon *d, const char *key, const char *product, const char *version,
             const char *channel, uint64_t seed, char *id);

/** Makes a product whose policy stops nobody, so that devices may fetch again and again. */
void make_product(const struct daemon *d, const char *key, const char *slug);

/** The image of publish(); freed with img_free(). */
struct img image_of(const char *chip, uint64_t seed, size_t bytes);

/* ---- bytes ---- */

/** Connects to the daemon. @return a socket with generous time-outs */
int raw_connect(const struct daemon *d);
void raw_send(int fd, const void *data, size_t n);

/** Reads one answer by its Content-Length. @param head_only  of a HEAD: no body follows */
struct reply raw_reply(int fd, bool head_only);

/** Sends exactly these bytes on a new connection and reads until the server closes, or has sent
 *  one whole answer and is silent. */
struct reply raw_exchange(const struct daemon *d, const void *data, size_t n);
struct reply raw_text(const struct daemon *d, const char *text);

/** Whether the peer closes the connection within that time, with nothing more to read. */
bool raw_is_closed(int fd, int64_t within_ms);

/** Checks a status; a failure says what was done and what came. */
#define CK_STATUS(what, reply, want)                                                               \
    ck_assert_msg((reply).status == (want), "%s: got %ld, want %d\n%s\n%.600s", (what),            \
                  (reply).status, (int)(want), (reply).head ? (reply).head : "",                   \
                  (reply).body ? (reply).body : "")

#define CK_TEXT(what, reply, path, want)                                                           \
    ck_assert_msg(strcmp(reply_text(&(reply), (path)), (want)) == 0,                               \
                  "%s: %s is '%s', want '%s'\n%.900s", (what), (path),                             \
                  reply_text(&(reply), (path)), (want), (reply).body ? (reply).body : "")

#endif
