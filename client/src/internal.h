/* SPDX-License-Identifier: MIT
 * What the core's files share. Not for applications: names and meanings may change. */
#ifndef OTAC_INTERNAL_H
#define OTAC_INTERNAL_H

#include "otad_client.h"

#define OTAC_OFFER 2 /* beside enum otac_result: a 200 whose head is sound; its body follows */
#define OTAC_HEAD_DEADLINE_MS 30000 /* for a whole head, however slowly it drips in */

enum otac_report_kind { OTAC_REPORT_NONE, OTAC_REPORT_SUCCESS, OTAC_REPORT_FAILED };

/* ---- answer.c: the HTTP/1.1 response parser ------------------------------------------------ */

/** Makes *a ready for a new answer. */
void otac_answer_reset(struct otac_answer *a);

/** Takes the next bytes of an answer, in pieces of any size.
 *  @return how many of the n bytes were head (fewer than n only when the head ended: the rest is
 *          body), or OTAC_E_NOT_HTTP, _BAD_STATUS, _BAD_HEADER, _HEAD_TOO_LONG: *a is then done */
int otac_answer_feed(struct otac_answer *a, const uint8_t *data, size_t n) OTAC_MUSTCHECK;

/** True once the whole head was fed. */
bool otac_answer_complete(const struct otac_answer *a);

/** What it means that the connection ended inside the head: OTAC_E_NO_ANSWER or _CUT_HEAD. */
int otac_answer_eof(const struct otac_answer *a);

/** What a complete head means to a check-in.
 *  @return OTAC_OFFER, OTAC_UP_TO_DATE, or an error from REDIRECT to BUSY of the table */
int otac_answer_judge(const struct otac_answer *a) OTAC_MUSTCHECK;

/** True when the answer came with a sound x-MD5. */
bool otac_answer_has_md5(const struct otac_answer *a);

/* ---- request.c: what is sent, and the way to an answer's head ------------------------------- */

/** Gathers a request in the work buffer and sends it each time that is full. An error sticks and
 *  makes the rest a no-op. While `counting`, nothing is sent and only `total` grows. */
struct otac_out {
    struct otac *c;
    size_t n;
    uint32_t total;
    uint32_t body_n; /* what Content-Length says */
    int err;
    bool counting;
};

/** Connects, sends what `write` writes, and reads the head of the answer. What came of the body
 *  with it is left at the start of the work buffer, *body_n bytes. On OTAC_OK the connection is
 *  open and the caller closes it; after an error it is closed. */
int otac_exchange(struct otac *c, void (*write)(struct otac_out *), struct otac_answer *a,
                  size_t *body_n) OTAC_MUSTCHECK;

/** `GET /fw/{product}/latest`. */
void otac_write_check_in(struct otac_out *o);

/** `POST /fw/{product}/{mac}/report` with the record's report; there must be one. */
void otac_write_report(struct otac_out *o);

/* ---- record.c ------------------------------------------------------------------------------- */

/** Reads the stored record; none at all is a factory-fresh device.
 *  @return OTAC_OK, OTAC_E_RECORD, OTAC_E_RECORD_IO; c->record is unchanged on failure */
int otac_record_load(struct otac *c) OTAC_MUSTCHECK;

/** Stores c->record. @return OTAC_OK, OTAC_E_RECORD_IO (either the old or the new is stored) */
int otac_record_store(struct otac *c) OTAC_MUSTCHECK;

/* ---- install.c ------------------------------------------------------------------------------ */

/** Takes the offered image (c->answer) from the open connection into the slot that does not run,
 *  proves it and makes it boot next. Leaves the connection open.
 *  @param body_n  body bytes already in the work buffer
 *  @return OTAC_UPDATED or a negative error; the old slot still boots then */
int otac_install(struct otac *c, size_t body_n) OTAC_MUSTCHECK;

/* ---- for all -------------------------------------------------------------------------------- */

/** Tells the port's log, if it has one. */
void otac_log(const struct otac *c, enum otac_event event, int64_t value);

#endif
