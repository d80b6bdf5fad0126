/* SPDX-License-Identifier: MIT
 * One device that runs an old image, and a server that has a new one: what the tests of the device
 * client's round start from. Its checks are Check's: a broken promise fails the running test. */
#ifndef OTAD_TESTS_CLIENT_WORLD_H
#define OTAD_TESTS_CLIENT_WORLD_H

#include "support/client_port.h"

enum { CLIENT_WORLD_OLD = 700, CLIENT_WORLD_NEW = 1111, CLIENT_WORLD_HEAD = 768 };

struct client_world {
    struct client_port port;
    struct otac_config config;
    struct otac client;
    uint8_t work[1024];
    size_t work_n; /* of it the client gets */
    uint8_t old_image[CLIENT_WORLD_OLD], new_image[CLIENT_WORLD_NEW];
    char offer[CLIENT_WORLD_HEAD + CLIENT_WORLD_NEW + 16]; /* the answer that offers an image */
    size_t offer_n, head_n;

    /* the server of client_world_serve() */
    char rest[CLIENT_WORLD_HEAD + CLIENT_WORLD_NEW];
    size_t drop_at; /* the next image is cut after so many bytes of its answer; 0: not */
    unsigned successes, failures, rollbacks; /* reports that were taken */
    unsigned wholes, rests;                  /* images sent */
    uint32_t rest_from;                      /* first byte of the last rest */
    char report[512];                        /* query of the last one */
};

/** A 304, and a 204 that takes a report. */
extern const char client_world_nothing_new[], client_world_taken[];

/** A device that runs version 1.0.0, build 41, from slot 0; w->offer has version 1.1.0, build
 *  2^64 - 1. used: slot 1 holds an image too, which the record knows. */
void client_world_make(struct client_world *w, size_t work_n, bool used);

/** A restart of the device. */
void client_world_start(struct client_world *w);

/** Builds w->offer as the daemon sends it. */
void client_world_make_offer(struct client_world *w, const uint8_t *image, size_t n,
                             const char *version, const char *build);

/** The next connection gets this text, or w->offer. */
void client_world_script(struct client_world *w, const char *text);
void client_world_script_offer(struct client_world *w);

/** From now on a server answers that has w->offer, takes every report, and goes on with downloads.
 */
void client_world_serve(struct client_world *w);

/** Starts a second client on the device and checks that it would boot a whole image, and that the
 *  client under test kept its promises. @return true for the new image, false for the old */
bool client_world_boots_new(struct client_world *w, const char *what);

/** SHA-256 in hexadecimal. */
void client_world_sha256(const uint8_t *data, size_t n, char out[65]);

#endif
