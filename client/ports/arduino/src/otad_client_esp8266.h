/* SPDX-License-Identifier: MIT
 * The client's port to the ESP8266 core for Arduino: WiFiClient, the free flash behind the sketch,
 * and a file of LittleFS for the boot record.
 *
 * This chip has no two slots to choose from: its boot loader copies a new image over the old one
 * at the next start. "The slot that boots" is the sketch at address 0, the other one the free flash
 * where an image waits. All is verified there first; but the order to copy stands in memory that
 * power keeps, and the copying itself, some seconds, can't be resumed: a power cut within it may
 * need the cable. So it is with every updater of this chip. */
#ifndef OTAD_CLIENT_ESP8266_H
#define OTAD_CLIENT_ESP8266_H

#if defined(ESP8266)

#include <ESP8266WiFi.h>
#include <bearssl/bearssl_hash.h>

#include "otad_client.h"

struct otac_esp8266 {
    WiFiClient tcp;
    uint32_t timeout_ms; /* 15000; may be changed */
    uint32_t start;      /* flash address of the image that waits */
    uint32_t size;       /* its bytes */
    int active;          /* byte 5 of the stored record, -1: none is stored */
    br_sha256_context sha256;
    br_md5_context md5;
    char mac[18];
};

/** Mounts LittleFS. @return OTAC_OK; OTAC_E_RECORD_IO: no file system in the flash layout */
int otac_esp8266_open(struct otac_esp8266 *p) OTAC_MUSTCHECK;
void otac_esp8266_close(struct otac_esp8266 *p);

/** The port struct for *p; `log` is NULL and may be set by the caller, its ctx is p. */
struct otac_port otac_esp8266_port(struct otac_esp8266 *p);

/** Fills in MAC, chip, family and the free space, but no version. */
void otac_esp8266_identify(struct otac_esp8266 *p, struct otac_config *config);

/** Takes only images that one of these keys signed; before otac_esp8266_init(). How an image is
 *  signed stands at struct otac_config. A check borrows some 6 KB of heap.
 *  @param keys  one or several, a space between them, each the base64 of a public P-256 key's DER,
 *               124 characters: `openssl ec -in sign.key -pubout -outform DER | base64 -w0`. The
 *               text must stay
 *  @return OTAC_OK, OTAC_E_CONFIG (no key, or one that is none) with nothing changed */
int otac_esp8266_sign_keys(struct otac_port *port, struct otac_config *config,
                           const char *keys) OTAC_MUSTCHECK;

/** otac_init(), and once more without the record if that is about another sketch than the one that
 *  runs: flashed over serial, or the power went before the copying began. */
int otac_esp8266_init(struct otac *c, const struct otac_config *config,
                      const struct otac_port *port, void *buf, size_t buf_n) OTAC_MUSTCHECK;

#endif

#endif
