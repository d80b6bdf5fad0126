/* SPDX-License-Identifier: MIT
 * A port of the device client that lives in memory: answers from a script, two small slots, a
 * record, a clock that tests move, and faults at any call. It also watches the client's promises.
 */
#ifndef OTAD_TESTS_CLIENT_PORT_H
#define OTAD_TESTS_CLIENT_PORT_H

#include "otad_client.h"

enum {
    CLIENT_PORT_ANSWERS = 8,
    CLIENT_PORT_SLOT = 4096,
    CLIENT_PORT_SENT = 2048,
};

/** What one connection gets to hear. */
struct client_port_answer {
    const char *data;
    size_t n;
    int end; /* after the last byte: 0 = closed properly, else the error recv gives */
};

struct client_port {
    struct otac_port port;

    struct client_port_answer
        answer[CLIENT_PORT_ANSWERS]; /* one per connection; none left: refused */
    size_t answers, connection, at;
    size_t piece; /* most bytes one recv gives; 0: as many as fit */
    char sent[CLIENT_PORT_ANSWERS][CLIENT_PORT_SENT]; /* requests, NUL-ended */
    size_t sent_n[CLIENT_PORT_ANSWERS];
    unsigned connects, closes;

    uint8_t slot[OTAC_SLOTS][CLIENT_PORT_SLOT];
    uint8_t record[OTAC_RECORD_SIZE];
    bool has_record;
    bool unsynced[OTAC_SLOTS]; /* written since the last slot_finish */
    unsigned begins, saves;
    bool flash_lies; /* one bit of each write arrives wrong */

    long calls, fail_at; /* the fail_at-th call that can fail does; 0: none */
    bool save_then_fail; /* a failing record_save has stored the record all the same */
    bool failed;         /* fail_at was reached */

    uint32_t now_ms, recv_takes_ms, slept_ms, random;
    struct {
        enum otac_event event;
        int64_t value;
    } events[256];
    size_t events_n;

    const char *broken; /* the first promise the client broke, or NULL */

    /* hash state: the bytes themselves */
    uint8_t hashed[CLIENT_PORT_SLOT];
    size_t hashed_n;
};

/** An empty device with nothing scripted. */
void client_port_init(struct client_port *p);

/** Adds the answer to the next connection; `data` is borrowed. */
void client_port_answer(struct client_port *p, const char *data, size_t n, int end);

/** Forgets script, requests and events; flash and record stay. */
void client_port_rewind(struct client_port *p);

/** True if an event was logged with this value. */
bool client_port_saw(const struct client_port *p, enum otac_event event, int64_t value);

#endif
