/* SPDX-License-Identifier: MIT
 * What all device paths do first: identify, load the stored facts, decide, note the evidence. */
#ifndef OTAD_DEVICE_API_ASK_H
#define OTAD_DEVICE_API_ASK_H

#include "device_api/identify.h"
#include "fleet/checkin.h"
#include "fleet/otad.h"

/** A check-in with its verdict. */
struct ask {
    struct otad *otad;
    struct checkin in;
    struct checkin_row row;
    struct decision decision;
    char slug[OTAD_SLUG_MAX + 1]; /* of the product */
    bool registered;              /* the device has a row, or will have one */
    bool leased; /* the URL names no build: what is given there must be remembered */
    bool cors;   /* pages of other origins may read the image */
};

/** Runs a check-in. The product comes from the route's {product}; without a right key one that
 *  needs a key is as good as none.
 *  @param path_word  the route's {mac}, or NULL
 *  @param record     whether it counts as a check-in of the device (a sidecar doesn't)
 *  @return OTAD_E_OK, OTAD_E_NOENT (no such product), or a database error */
enum otad_err ask(struct http_req *req, const char *path_word, bool record, struct ask *out,
                  struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Judges the same check-in anew, with the build of that seq as its target whatever its pin and
 *  channel say. a->row.has_target is false when that build was withdrawn or is gone. Notes nothing.
 *  @return OTAD_E_OK, OTAD_E_NOENT (the product is gone), or a database error */
enum otad_err ask_again(struct http_req *req, int64_t build, struct ask *a,
                        struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Whether a word may stand in place of a MAC. Tasmota's probes (`…-minimal`, `…-safeboot`) and
 *  what mac_is_word() refuses may not: they are answered 404 without a look at the database. */
bool ask_is_word(const char *word);

/** Runs a request for one build whose token was checked: the token is the decision, so the verdict
 *  is "serve"; blocked, disabled and withdrawn are the caller's to look at. No product key is
 *  asked for. A token for any device doesn't authenticate on an open product, where anybody gets
 *  one.
 *  @param number     the token's device number, 0 = any: then headers or ?mac= may name the device
 *  @return OTAD_E_OK, OTAD_E_NOENT (no such build), or a database error */
enum otad_err ask_build(struct http_req *req, int64_t build_id, int32_t number, struct ask *out,
                        bool *withdrawn, struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Answers everything but "serve": 304, 403 or 404 as the client understands it. */
enum otad_err ask_refuse(struct http_req *req, const struct ask *a);

#endif
