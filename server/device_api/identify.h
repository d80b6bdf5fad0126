/* SPDX-License-Identifier: MIT
 * Who checks in and what it says: stock clients' headers, paths and query parameters become one
 * struct. Facts: protocols of each stock client, restated in docs/clients.md. */
#ifndef OTAD_DEVICE_API_IDENTIFY_H
#define OTAD_DEVICE_API_IDENTIFY_H

#include "fleet/decide.h"
#include "fleet/device.h"
#include "http/request.h"

/** One check-in as the client sent it. */
struct checkin {
    uint64_t mac; /* 0 = anonymous */
    bool updater; /* it can say what it runs, and takes 304 for "nothing to do" */
    bool tasmota; /* takes 304 for success and reboots: refused with 403 instead; ask() adds the
                     product's word */
    enum checkin_mode mode;
    char channel[OTAD_CHANNEL_MAX + 1]; /* asked for, "" = none */
    struct device_facts said;
};

/** Reads the check-in out of a request. Identity: the STA, BASE or AP MAC of the headers, else
 *  path_word, else ?mac=. A word that is no MAC makes the check-in anonymous.
 *  @param path_word  what stands in the path where a MAC may stand, or NULL
 *  @param now_s      unix seconds */
void identify(const struct http_req *req, const char *path_word, int64_t now_s,
              struct checkin *out);

/** Whether If-None-Match names these bytes (SHA-256 in lowercase hex), among others or weakly. */
bool identify_has(const struct http_req *req, const char *sha256);

#endif
