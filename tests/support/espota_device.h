/* SPDX-License-Identifier: MIT
 * A device with ArduinoOTA, on a thread: what stock cores answer to espota, and how they misbehave.
 * One push after another, one at a time, until it is stopped. */
#ifndef OTAD_TESTS_ESPOTA_DEVICE_H
#define OTAD_TESTS_ESPOTA_DEVICE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum espota_core {
    CORE_ESP8266,      /* answers the first packet's port, OK after a begin that went well */
    CORE_ESP32_MD5,    /* up to 3.3.0 */
    CORE_ESP32_PBKDF2, /* 3.3.1 and later */
};

/** What it does wrong. */
enum espota_fault {
    FAULT_NONE,
    FAULT_SILENT,      /* its socket is there, its sketch never looks */
    FAULT_DELAY,       /* looks only after delay_ms; what came before waits in its queue */
    FAULT_GARBAGE,     /* answers something else */
    FAULT_NO_SPACE,    /* begin fails: an ESP8266 says so, an ESP32 is silent */
    FAULT_NEEDS_RESET, /* ESP8266, after serial flashing */
    FAULT_AUTH_SILENT, /* asks for the password, never answers it */
    FAULT_NO_CONNECT,  /* a firewall: accepts, never connects */
    FAULT_STALL,       /* reads `percent` of the image, then no more */
    FAULT_CLOSE,       /* closes then */
    FAULT_RESET,       /* resets then: it has crashed */
    FAULT_ERROR,       /* says an error then */
    FAULT_END_ERROR,   /* has all of it, and says that its MD5 is wrong */
    FAULT_NO_OK,       /* has all of it, and closes without a word */
    FAULT_GLUED,       /* the OK comes in one segment with the last count */
    FAULT_SPLIT,       /* reads odd pieces; counts come digit by digit, or several glued */
    FAULT_FLOOD,       /* acknowledges without end, `percent` of the image in */
    FAULT_STRANGER     /* another address connects first */
};

struct espota_device {
    /* Set before espota_device_start(). */
    enum espota_core core;
    enum espota_fault fault;
    const char *password; /* NULL = none */
    bool holds_md5;       /* CORE_ESP32_PBKDF2: its sketch knows only the password's MD5 */
    const char *nonce;    /* NULL = random */
    const char *address;  /* NULL = 127.0.0.1 */
    uint16_t port;        /* UDP; 0 = any, readable after the start */
    int percent;
    int delay_ms;
    int write_ms; /* each piece takes so long to be written */

    /* What it has seen; read them when a push is over. */
    atomic_int invitations;
    atomic_int updates; /* that ended well */
    int command;        /* of the last invitation: 0 or 100 */
    size_t received;    /* bytes of the last image */
    char md5[33];       /* of them */
    char said[8][128];  /* the last datagrams it sent */
    int n_said;

    /* Private. */
    pthread_t thread;
    int udp;
    atomic_bool stop;
    struct {
        int port;
        size_t size;
        char md5[33];
    } offer;
};

/** Starts it. Aborts the test when that fails. */
void espota_device_start(struct espota_device *d);

/** Stops it, within a quarter of a second. */
void espota_device_stop(struct espota_device *d);

#endif
