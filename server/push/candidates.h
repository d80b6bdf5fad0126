/* SPDX-License-Identifier: MIT
 * Devices of this network that announce ArduinoOTA by mDNS. Not evidence, and nothing of it is
 * stored: anybody in the network may announce anything. */
#ifndef OTAD_PUSH_CANDIDATES_H
#define OTAD_PUSH_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net.h"
#include "otad/err.h"

#define CANDIDATES_MAX 256
#define CANDIDATE_TEXT 64

/** One announcement. Texts are printable ASCII. */
struct candidate {
    char name[CANDIDATE_TEXT]; /* of the service: the sketch's host name */
    char host[CANDIDATE_TEXT]; /* "esp8266-a1b2c3.local" */
    int interface;             /* index of the network interface it was heard on */
    char address[NET_TEXT_MAX];
    uint16_t port;              /* UDP, in spite of the service's name */
    char board[CANDIDATE_TEXT]; /* "ESP8266_NODEMCU_ESP12E", "" = not said */
    bool auth;                  /* asks for a password */
    uint64_t mac;               /* as an ESP32's usual host name tells it, 0 = it doesn't */
    int64_t seen_s;             /* when it was announced */
};

/** Opaque, thread-safe. */
struct candidates;

/** @return NULL when out of memory */
struct candidates *candidates_new(void);
void candidates_free(struct candidates **list);

/** Adds one, or replaces the one of that name and interface. A full list takes no more.
 *  @param txt    "board=…" and the like; read in order
 *  @param name, host  any bytes */
void candidates_put(struct candidates *list, const char *name, const char *host, int interface,
                    const char *address, uint16_t port, const char *const *txt, size_t n_txt,
                    int64_t now_s);

/** It has gone. */
void candidates_remove(struct candidates *list, const char *name, int interface);

/** All have gone: nobody listens for them any more. */
void candidates_clear(struct candidates *list);

/** Copies up to `room` of them, by name. @return how many */
size_t candidates_copy(struct candidates *list, struct candidate *out, size_t room);

/** The address that a device with this MAC announced.
 *  @return false, *out unchanged, when none has or its name doesn't tell */
bool candidates_address(struct candidates *list, uint64_t mac, char out[NET_TEXT_MAX]);

#endif
