/* SPDX-License-Identifier: MIT
 * A port of the device client that lives in memory: answers from a script or a server, two small
 * slots of NOR flash, a record, a clock that tests move, faults at any call, and a power supply
 * that fails before, during or after any write, erase or save. It also watches the client's
 * promises. */
#ifndef OTAD_TESTS_CLIENT_PORT_H
#define OTAD_TESTS_CLIENT_PORT_H

#include <setjmp.h>

#include "otad_client.h"

enum {
    CLIENT_PORT_ANSWERS = 8,
    CLIENT_PORT_SLOT = 4096,
    CLIENT_PORT_SENT = 2048,
    CLIENT_PORT_BLOCK = 256, /* flash is erased in these */
};

/** What one connection gets to hear. */
struct client_port_answer {
    const char *data;
    size_t n;
    int end; /* after the last byte: 0 = closed properly, else the error recv gives */
};

/** Where in a step of the flash the power goes. */
enum client_port_cut { CLIENT_PORT_BEFORE, CLIENT_PORT_TORN, CLIENT_PORT_AFTER };

/** One of the two places of the boot record: what saves it replaces the older. */
struct client_port_page {
    uint8_t raw[4 + OTAC_RECORD_SIZE + 4]; /* number of the save, record, CRC-32 of both */
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

    jmp_buf *off;       /* where a power cut goes; NULL: the power stays */
    long steps, cut_at; /* of the flash so far; which one is cut, 0: none */
    enum client_port_cut cut;
    bool lazy;                                        /* what isn't synced is lost with the power */
    uint32_t written[OTAC_SLOTS], synced[OTAC_SLOTS]; /* bytes of the slot */
    struct client_port_page page[2];

    /* Answers instead of the script, if set: `out` is empty. */
    void (*serve)(void *arg, const char *request, struct client_port_answer *out);
    void *serve_arg;
    bool served;

    long calls, fail_at; /* the fail_at-th call that can fail does; 0: none */
    bool save_then_fail; /* a failing record_save has stored the record all the same */
    bool failed;         /* fail_at was reached */

    uint32_t now_ms, recv_takes_ms, slept_ms, random;
    struct {
        enum otac_event event;
        uint32_t value;
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

/** Makes the port able to resume, in steps of one block. */
void client_port_resumable(struct client_port *p);

/** From now on the flash counts its steps, and its power goes at p->cut_at. */
void client_port_power(struct client_port *p, jmp_buf *off);

/** After a cut: the power is back, and stays. */
void client_port_power_on(struct client_port *p);

/** Forgets script, requests and events; flash and record stay. */
void client_port_rewind(struct client_port *p);

/** True if an event was logged with this value. */
bool client_port_saw(const struct client_port *p, enum otac_event event, int value);

#endif
