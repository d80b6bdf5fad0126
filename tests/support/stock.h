/* SPDX-License-Identifier: MIT
 * Stock update clients, re-enacted: each sends what the real one sends and takes, refuses or
 * flashes the answer as the real one would, with its quirks. What is wrong with an answer shows as
 * the client's own error, not as a failed check. docs/clients.md has a row for each. */
#ifndef OTAD_TESTS_STOCK_H
#define OTAD_TESTS_STOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/daemon.h"
#include "support/http.h"
#include "support/imgbuild.h"

#define STOCK_HEAD_MAX 1024  /* some clients read the header block in one piece */
#define STOCK_AT_ONCE_MS 100 /* what clients grant that don't wait for an answer */

/* ---- requests and answers ----------------------------------------------------------------- */

struct stock_request {
    const char *method;  /* NULL: GET */
    const char *path;    /* with its query */
    const char *version; /* of HTTP: "1.0" or "1.1" */
    const char *before;  /* header lines before Host, each with its CRLF; NULL: none */
    const char *after;   /* and behind it */
    bool bare_host;      /* Host without the port */
    bool dribble;        /* every word is a send() of its own */
};

/** A connection, and the answer on it. {.fd = -1} has none yet. */
struct stock_wire {
    int fd;
    char head[4096]; /* status line and header lines, up to the empty line; NUL behind */
    long status;     /* 0: no answer that is HTTP/1.x */
    int64_t length;  /* of Content-Length in any case; -1: not told */
    bool at_once;    /* the first recv() gave the whole head, and body bytes if there is a body */
    size_t n, used;  /* bytes of `in` that are there, and that were read */
    char in[65536];
};

/** Sends a request, on a new connection when there is none. */
void stock_send(struct stock_wire *w, const struct daemon *d, const struct stock_request *r);

/** Waits for the head of the answer. @return false when none came, or none of HTTP/1.x */
bool stock_head(struct stock_wire *w, bool head_only);

/** Reads the head from what one recv() gives, or not at all.
 *  @param waits  for the first byte; else it must be there already */
bool stock_head_in_one(struct stock_wire *w, bool waits);

/** The value of a header, in a static buffer, NULL when absent. Like ESP8266HTTPClient: names in
 *  any case, values of a header that came twice joined by a comma. */
const char *stock_value(const struct stock_wire *w, const char *name);

/** The same for clients that look for exactly `Name: ` at the start of a line. */
const char *stock_value_exact(const struct stock_wire *w, const char *name);

/** Appends up to n body bytes to *out.
 *  @param piece     most bytes a read, 0 = any @param pause_ms  between reads
 *  @return whether all n came */
bool stock_body(struct stock_wire *w, size_t n, size_t piece, int64_t pause_ms, struct img *out);

/** Whether a body byte can be read now, without waiting; *byte is the first. */
bool stock_peek(struct stock_wire *w, uint8_t *byte);

void stock_close(struct stock_wire *w);

/* ---- digests ------------------------------------------------------------------------------ */

void stock_md5(const struct img *img, char hex[33]);
void stock_sha256(const struct img *img, char hex[65]);
void stock_sha256_base64(const struct img *img, char text[45]);

/* ---- captures ----------------------------------------------------------------------------- */

/** Reads tests/data/captures/{name}.http with the Host of this daemon.
 *  @param path  to ask for instead of the one recorded, or NULL
 *  @return its bytes, without the NUL behind them */
size_t stock_capture(const struct daemon *d, const char *name, const char *path, char *out,
                     size_t room);

/** Checks what every answer on a device path must look like on the wire. */
void stock_check_wire(const char *what, const struct reply *r, bool http10);

/* ---- the clients -------------------------------------------------------------------------- */

/** The numbers of HTTPUpdateResult. */
enum stock_result { STOCK_FAILED, STOCK_NO_UPDATE, STOCK_INSTALLED };

/** How it ended for the device. */
struct stock_done {
    enum stock_result result;
    int error;        /* the client's own number, e.g. -104; 0 = none, 1 = it has no numbers */
    const char *why;  /* in words */
    long status;      /* of the last answer */
    char said[128];   /* version, text of a sidecar; Tasmota: the status of each attempt */
    struct img image; /* what was written to flash, whole or not */
    bool at_once;     /* of the answer with the image */
    unsigned requests;
};

void stock_free(struct stock_done *done);

enum stock_core {
    STOCK_CORE_OLD,    /* ESP8266: without Chip-ID; ESP32: without digests */
    STOCK_CORE_COMMON, /* as captured: ESP8266 of 2026, ESP32 2.0.4 */
    STOCK_CORE_3,      /* ESP32 3.x: BASE-MAC */
    STOCK_CORE_NEWEST  /* ESP32 of 2026: looks at x-SHA256 */
};

/** A device with an updater of Arduino's. {.mac = …} is one with a sketch of its own. */
struct stock_device {
    const char *mac;     /* as its headers spell it: uppercase with colons */
    const char *version; /* what the sketch passes; NULL: nothing */
    const char *mode;    /* NULL: sketch */
    const struct img *running;
    enum stock_core core;
    int64_t free_space; /* 0: plenty */
};

/** ESPhttpUpdate.update(), updateFS() (mode spiffs), getAvailableVersion() (mode version). */
struct stock_done stock_esp8266(const struct daemon *d, const struct stock_device *dev,
                                const char *path);
/** httpUpdate.update() and updateSpiffs(). */
struct stock_done stock_esp32(const struct daemon *d, const struct stock_device *dev,
                              const char *path);

/** Tasmota's `Upgrade 1`, with all its attempts and the names it tries. STOCK_INSTALLED with an
 *  empty image is what it makes of a 304: "Successful. Restarting". */
struct stock_done stock_tasmota_esp8266(const struct daemon *d, const struct stock_device *dev,
                                        const char *path);
struct stock_done stock_tasmota_esp32(const struct daemon *d, const struct stock_device *dev,
                                      const char *path);
/** Its `Upgrade 2`: the safeboot image. */
struct stock_done stock_tasmota_safeboot(const struct daemon *d, const struct stock_device *dev,
                                         const char *path);

/** The self-updating sketch: {base}{word}.version, and {base}{word}.bin if that is larger. */
struct stock_done stock_version_sketch(const struct daemon *d, const struct stock_device *dev,
                                       const char *base, const char *word, long fw_version);

/** A plain HTTPClient of ESP8266 or ESP32 on a connection it keeps: a text of a few bytes. */
bool stock_httpclient_text(struct stock_wire *w, const struct daemon *d, bool esp32,
                           const char *path, char *out, size_t room);
/** Its http.GET() whose body nobody reads, and end(). @return the status */
long stock_httpclient_drop(const struct daemon *d, const char *path);

struct stock_done stock_edgent_esp32(const struct daemon *d, const char *path);
struct stock_done stock_edgent_esp8266(const struct daemon *d, const char *path);
struct stock_done stock_edgent_library(const struct daemon *d, const char *path);

/** esp_https_ota.
 *  @param have     what an earlier run got: sent as a Range (even of 0 bytes); NULL: no resumption
 *  @param stop_at  bytes after which the device loses power; 0: never */
struct stock_done stock_idf(const struct daemon *d, const char *path, const struct img *have,
                            size_t stop_at);
/** Its partial download. @param reconnect  a new connection for each part */
struct stock_done stock_idf_partial(const struct daemon *d, const char *path, size_t part,
                                    bool reconnect);

/** The AWS_S3_OTA_Update sketch of arduino-esp32. */
struct stock_done stock_aws_s3(const struct daemon *d, const char *path);

/** ESPHome's `ota: http_request` with md5_url. */
struct stock_done stock_esphome(const struct daemon *d, bool esp32, const char *md5_path,
                                const char *path);

/** esp32FOTA: manifest, then image. */
struct stock_done stock_esp32fota(const struct daemon *d, const char *path, const char *type,
                                  const char *version);

enum stock_tool { STOCK_CURL, STOCK_WGET };
/** `curl -C - -O` or `wget -c`; have and stop_at as with stock_idf(). */
struct stock_done stock_download(const struct daemon *d, enum stock_tool tool, const char *path,
                                 const struct img *have, size_t stop_at);

#endif
