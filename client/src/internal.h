/* SPDX-License-Identifier: MIT
 * What the core's files share. Not for applications: names and meanings may change. */
#ifndef OTAC_INTERNAL_H
#define OTAC_INTERNAL_H

#include "otad_client.h"

#define OTAC_OFFER 2 /* beside enum otac_result: a 200 whose head is sound; its body follows */
#define OTAC_PROGRESS_UNIT 256      /* progress is stored in units of it: 24 bits reach 4 GiB */
#define OTAC_HEAD_DEADLINE_MS 30000 /* for a whole head, however slowly it drips in */

enum otac_report_kind {
    OTAC_REPORT_NONE,
    OTAC_REPORT_SUCCESS,
    OTAC_REPORT_FAILED,
    OTAC_REPORT_ROLLED_BACK
};

/* ---- answer.c: the HTTP/1.1 response parser ------------------------------------------------ */

/** Makes *a ready for a new answer. Only a->signature stays: where a signature goes, or NULL. */
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
 *  @return OTAC_OFFER (of a whole image, or with status 206 of its rest, with a Content-Range that
 *          fits the length), OTAC_UP_TO_DATE, or an error from REDIRECT to BUSY of the table */
int otac_answer_judge(const struct otac_answer *a) OTAC_MUSTCHECK;

/** True when the answer came with a sound x-MD5. */
bool otac_answer_has_md5(const struct otac_answer *a);

/** What the answer says about a signature and its counter.
 *  @return OTAC_OK, OTAC_E_NO_SIGNATURE, OTAC_E_BAD_SIGNATURE */
int otac_answer_signed(const struct otac_answer *a) OTAC_MUSTCHECK;

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
 *  open and the caller closes it; after an error it is closed. While a download is to go on,
 *  *body_n is at most half the work buffer: the other half reads back what is in flash. */
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

/** What stands in a record before its slots: kept aside while a save may still fail. */
struct otac_head {
    uint8_t bytes[offsetof(struct otac_record, slot)];
};

/** Stores c->record; should that fail, all but its slots becomes what it was at `before`. */
int otac_record_change(struct otac *c, const struct otac_head *before) OTAC_MUSTCHECK;
struct otac_head otac_record_head(const struct otac *c);

/** Stores c->record, if that can be; for when the old one does nearly as well. */
void otac_record_try(struct otac *c);

/** Tells one build of the server with one content from all others (as far as 32 bits go). */
uint32_t otac_fingerprint(const struct otac_image *image);

/* ---- client.c ------------------------------------------------------------------------------- */

/** Sets *c up around the port and the buffer and loads the record.
 *  @return as otac_init() */
int otac_start(struct otac *c, const struct otac_port *port, void *buf,
               size_t buf_n) OTAC_MUSTCHECK;

/* ---- boot.c --------------------------------------------------------------------------------- */

/** Makes the slot before boot again, and the server be told why, in one save.
 *  @return OTAC_OK, OTAC_E_RECORD_IO (c->record is then as before) */
int otac_roll_back(struct otac *c, int reason) OTAC_MUSTCHECK;

/* ---- install.c ------------------------------------------------------------------------------ */

/** Takes the offered image (c->answer) from the open connection into the slot that does not run,
 *  proves it and makes it boot next. Leaves the connection open.
 *  @param body_n  body bytes already in the work buffer
 *  @return OTAC_UPDATED or a negative error; the old slot still boots then */
int otac_install(struct otac *c, size_t body_n) OTAC_MUSTCHECK;

/** The slot that a new image goes into: the one that doesn't run. */
unsigned otac_free_slot(const struct otac *c);

/** True when there is a download to go on with, and a port that can. */
bool otac_may_resume(const struct otac *c);

/** Forgets how far a download has come. Should that not be saved, it is tried once more after the
 *  next start, and fails the same way. */
void otac_drop_progress(struct otac *c);

/* ---- signature.c ---------------------------------------------------------------------------- */

/** Proves that a configured key signed the offered image, and that its counter is not older than
 *  the last one that was installed. Without keys everything passes. Ends a run of the hash.
 *  @return OTAC_OK, OTAC_E_NO_SIGNATURE, _BAD_SIGNATURE, _SIGNATURE, _OLD_COUNTER, _HASH */
int otac_check_signature(struct otac *c) OTAC_MUSTCHECK;

/* ---- for all -------------------------------------------------------------------------------- */

/** Tells the port's log, if it has one. */
void otac_log(const struct otac *c, enum otac_event event, int64_t value);

#endif
