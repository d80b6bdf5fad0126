/* SPDX-License-Identifier: MIT
 * A server of one image for tests of device clients, over TCP or TLS: it answers as otad does, adds
 * the signature that otad doesn't send yet, and goes wrong on request. One thread, one connection
 * at a time, on 127.0.0.1 and a port that was free. */
#ifndef OTAD_TESTS_IMAGE_SERVER_H
#define OTAD_TESTS_IMAGE_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

/** How the answer that offers the image goes wrong. */
enum image_fault {
    IMAGE_RIGHT,
    IMAGE_UNSIGNED,      /* neither header */
    IMAGE_HALF_SIGNED,   /* no counter */
    IMAGE_NO_BASE64,     /* a signature that is none */
    IMAGE_OTHER_COUNTER, /* one more than what was signed */
    IMAGE_OTHER_IMAGE,   /* the signature is of another one */
    IMAGE_CHANGED,       /* a bit of the body */
    IMAGE_SHORT,         /* the body ends early, and properly */
    IMAGE_LONG,          /* a byte too many */
    IMAGE_CHUNKED,
    IMAGE_REDIRECT,
    IMAGE_NOT_HTTP,
    IMAGE_PORTAL, /* a sign-in page, whatever is asked */
    IMAGE_SILENT, /* takes the request and never answers */
};

/** How the connection ends that is cut. */
enum image_cut {
    IMAGE_WHOLE,  /* it isn't */
    IMAGE_ENDS,   /* as if all had been said */
    IMAGE_BREAKS, /* FIN without TLS's close_notify; over TCP the same as ENDS */
    IMAGE_RESETS, /* RST */
};

/** What it serves. Image and key must stay. */
struct image_offer {
    const uint8_t *image;
    size_t n;
    const char *version;
    uint64_t build;
    EVP_PKEY *key; /* signs */
    uint32_t counter;
    enum image_fault fault;
    enum image_cut cut;
    size_t cut_at; /* bytes of the answer, its head among them, that are sent */
};

/** What has come so far. */
struct image_seen {
    unsigned wholes, rests, nothings, reports; /* 200, 206, 304; POSTs */
    uint32_t rest_from;                        /* first byte of the last rest */
    size_t head_n;                             /* bytes of the last image's head */
    char report[512];                          /* query of the last report */
};

/** The fields are for its own functions, but for port. */
struct image_server {
    uint16_t port;
    int fd;
    SSL_CTX *tls;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    struct image_offer offer;
    struct image_seen seen;
    bool stopping;
};

/** Starts it. tls: NULL, or a context that stays the caller's. */
void image_server_start(struct image_server *s, SSL_CTX *tls);

/** From now on it serves this. */
void image_server_offer(struct image_server *s, const struct image_offer *offer);

struct image_seen image_server_seen(struct image_server *s);

/** Ends the thread. Nothing else may use it meanwhile. */
void image_server_stop(struct image_server *s);

#endif
