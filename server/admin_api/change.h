/* SPDX-License-Identifier: MIT
 * A change through the API: runs on the writer with its audit row, answered once durable. */
#ifndef OTAD_ADMIN_API_CHANGE_H
#define OTAD_ADMIN_API_CHANGE_H

#include <jansson.h>

#include "fleet/audit.h"
#include "fleet/batch.h"
#include "fleet/otad.h"
#include "fleet/product.h"
#include "fleet/session.h"
#include "http/request.h"

#define SET_COOKIE_MAX 192

struct change;

/** Makes the change, on the writer thread. Sets status and result, and the audit's object and
 *  detail where they say more. May run again when the commit of its group failed. */
typedef enum otad_err (*change_apply)(struct change *c, struct db *db, struct otad_errinfo *ei);

/** What a change may look at. */
struct change {
    struct write_job job; /* first: the writer knows only this */
    struct http_wait *wait;
    struct otad *otad;
    change_apply apply;
    json_t *body;                    /* the request's JSON object, {} when there was none */
    struct audit audit;              /* who, address, action, product are set */
    struct product product;          /* loaded when the route names one */
    char name[OTAD_NAME_MAX + 1];    /* the route's {name}, {build}, {mac} or {key} */
    bool force;                      /* ?force=true */
    enum http_access role;           /* of the key */
    char session[SESSION_TEXT];      /* the cookie that the request came with, "" without one */
    char set_cookie[SET_COOKIE_MAX]; /* for the answer, "" = none */
    bool https;                      /* the client came so */
    char base_url[OPTION_TEXT_MAX];  /* of absolute URLs in the answer */
    int64_t now_s;
    /** Told once, on the writer thread, how it ended, before the answer; NULL = nobody. Must not
     *  block. */
    void (*ended)(struct change *c, bool durable);
    void *extra;        /* the apply's, for ended() */
    struct batch batch; /* states of updates that it changes */
    json_t *result;     /* owned; NULL = 204 */
    unsigned status;
    enum otad_err err;      /* private */
    struct otad_errinfo ei; /* private */
};

/** Queues a change and suspends the request.
 *  @param action      for the audit, e.g. "channel.undo"
 *  @param known_keys  allowed in the body, NULL-terminated
 *  @return OTAD_PENDING, OTAD_E_BAD_REQUEST or OTAD_E_INVALID for the body, OTAD_E_NOMEM */
enum otad_err change_submit(struct http_req *req, const char *action, change_apply apply,
                            const char *const *known_keys, struct otad_errinfo *ei);

/** Publishes a change that is durable. @param product  row id, 0 = it belongs to none */
void change_tell(struct events *events, const struct audit *audit, int64_t product);

/** Answers a read that must see everything noted so far: waits for the writer only when facts
 *  wait to be written. @return what `read` returned, or OTAD_PENDING */
enum otad_err fresh_read(struct http_req *req,
                         enum otad_err (*read)(struct http_req *req, struct otad_errinfo *ei),
                         struct otad_errinfo *ei);

#endif
