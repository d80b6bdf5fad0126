/* SPDX-License-Identifier: MIT
 * The words of espota's datagrams: invitations, replies, and answers to a challenge. Pure. */
#ifndef OTAD_PUSH_ESPOTA_H
#define OTAD_PUSH_ESPOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otad/err.h"
#include "otad/limits.h"

#define ESPOTA_DATAGRAM_MAX 160 /* bytes of the longest datagram we send, NUL included */
#define ESPOTA_NONCE_MAX 64     /* hex digits: 32 of cores that hash with MD5, 64 of later ones */
#define ESPOTA_TEXT_MAX 120

enum espota_word {
    ESPOTA_OK,          /* come and connect */
    ESPOTA_CHALLENGE,   /* "AUTH <nonce>" */
    ESPOTA_AUTH_FAILED, /* "Authentication Failed" */
    ESPOTA_ERROR,       /* "ERR: …" */
    ESPOTA_UNKNOWN      /* nothing of the above */
};

struct espota_reply {
    enum espota_word word;
    char nonce[ESPOTA_NONCE_MAX + 1]; /* of a challenge: 32 or 64 hex digits */
    char text[ESPOTA_TEXT_MAX];       /* of errors and unknown words: printable ASCII */
};

/** Reads one datagram of a device. Any bytes, any length. */
void espota_read(const void *data, size_t n, struct espota_reply *out);

/** Copies bytes as printable ASCII, others as '?', without white space at the end; cut to fit. */
void espota_printable(const void *data, size_t n, char *out, size_t room);

/** How the password goes into the answer. The nonce's length tells MD5 from SHA-256; a sketch for
 *  newer cores may still hold only the MD5 of its password. */
enum espota_hash { ESPOTA_MD5, ESPOTA_SHA256, ESPOTA_SHA256_OF_MD5 };

/** What an invitation and the answer to a challenge are made of; md5 is the image's, in hex. */
struct espota_offer {
    bool fs;
    uint16_t port; /* TCP, where the device shall connect to */
    size_t size_bytes;
    char md5[2 * OTAD_MD5_LEN + 1];
};

/** Writes the invitation. @return its length */
size_t espota_invite(const struct espota_offer *offer, char out[ESPOTA_DATAGRAM_MAX]);

/** Writes the answer to a challenge.
 *  @param filename, address  go into the client's nonce, as espota.py has it; any text
 *  @param n  receives its length
 *  @return OTAD_E_OK or OTAD_E_INTERNAL (OpenSSL) */
enum otad_err espota_answer(const struct espota_offer *offer, enum espota_hash hash,
                            const char *nonce, const char *password, const char *filename,
                            const char *address, char out[ESPOTA_DATAGRAM_MAX],
                            size_t *n) OTAD_MUSTCHECK;

#endif
