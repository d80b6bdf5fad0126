/* SPDX-License-Identifier: MIT
 * The API of a server, asked from the command line. libcurl is loaded when it is needed: the
 * daemon, which is the same program, does without it. */
#ifndef OTAD_CLI_REMOTE_H
#define OTAD_CLI_REMOTE_H

#include <jansson.h>

#include "otad/err.h"

/** Opaque. */
struct remote;

/** @param base  "http://host:8070" or "https://…"
 *  @param key_file  holds the API key; NULL: OTAD_KEY in the environment
 *  @return OTAD_E_OK (the caller owns *out), OTAD_E_INVALID, OTAD_E_IO, OTAD_E_NOMEM */
enum otad_err remote_open(const char *base, const char *key_file, struct remote **out,
                          struct otad_errinfo *ei) OTAD_MUSTCHECK;

/** Closes *r and sets it to NULL; fit for OTAD_AUTO. */
void remote_close(struct remote **r);

/** One request. The server's own error becomes *ei.
 *  @param body  NULL = GET, else POST; not consumed
 *  @param out   receives the answer's JSON, the caller's; NULL when it has none */
enum otad_err remote_ask(struct remote *r, const char *path, const json_t *body, json_t **out,
                         struct otad_errinfo *ei) OTAD_MUSTCHECK;

#endif
