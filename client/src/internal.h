/* SPDX-License-Identifier: MIT
 * What the core's files share. Not for applications: names and meanings may change. */
#ifndef OTAC_INTERNAL_H
#define OTAC_INTERNAL_H

#include "otad_client.h"

#define OTAC_OFFER 2 /* beside enum otac_result: a 200 whose head is sound; its body follows */
#define OTAC_HEAD_DEADLINE_MS 30000 /* for a whole head, however slowly it drips in */

/* A function that stays one: where a compiler, though told to save space, would copy it into its
 * callers, or its caller's other branches around it. */
#if defined(__GNUC__)
#define OTAC_APART __attribute__((noinline))
#else
#define OTAC_APART
#endif

/* Set it for a big-endian chip whose compiler doesn't tell. */
#ifndef OTAC_BIG_ENDIAN
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define OTAC_BIG_ENDIAN 1
#else
#define OTAC_BIG_ENDIAN 0
#endif
#endif

enum otac_report_kind {
    OTAC_REPORT_NONE,
    OTAC_REPORT_SUCCESS,
    OTAC_REPORT_FAILED,
    OTAC_REPORT_ROLLED_BACK
};

/* ---- answer.c: the HTTP/1.1 response parser ------------------------------------------------ */

/* Numbers of the bits of otac_answer.seen and .have: the headers that are read, and three that are
 * only `seen`. Up to RANGE, what was seen and isn't had is the error OTAC_E_CHUNKED minus the bit.
 */
enum otac_field {
    OTAC_FIELD_TRANSFER,
    OTAC_FIELD_ENCODING,
    OTAC_FIELD_TWICE, /* a header came twice */
    OTAC_FIELD_NO_LENGTH,
    OTAC_FIELD_LENGTH,
    OTAC_FIELD_EMPTY, /* the length is 0 */
    OTAC_FIELD_ETAG,
    OTAC_FIELD_MD5,
    OTAC_FIELD_VERSION,
    OTAC_FIELD_BUILD,
    OTAC_FIELD_REASON,
    OTAC_FIELD_RANGE,
    OTAC_FIELD_RETRY,
    OTAC_FIELD_SIGNATURE,
    OTAC_FIELD_COUNTER
};

/** A number while its digits come: 64-bit multiplication is dear on small chips. */
union otac_number {
    uint64_t whole;
    uint16_t limb[4];
};
#define OTAC_LIMBS 4
#define OTAC_LIMB(i) (OTAC_BIG_ENDIAN ? OTAC_LIMBS - 1 - (i) : (i)) /* 0 is the lowest */

/** Where an answer is read from: the open connection, by way of the work buffer. Start with the
 *  first three set, and the rest 0. */
struct otac_in {
    struct otac *c;
    uint32_t start_ms; /* when the head was asked for */
    size_t room;       /* bytes of the work buffer that may be filled */
    size_t at, n;      /* the next byte in it, and how many are there */
    size_t head_n;     /* bytes of the head so far */
    int ch;            /* the character in hand: '\n' for a line's end, negative for an error */
    int broken;        /* the error of a character that may not stand in this line */
    union otac_number number; /* the last that was read */
    uint32_t first, last;     /* the two before */
    int good;                 /* the value so far is what its header should hold */
};

/** Reads a head into *a, which is all zeros, and leaves what follows it in the work buffer.
 *  @return OTAC_OK, the port's error, or one from OTAC_E_NO_ANSWER to _CUT_HEAD of the table */
int otac_answer_read(struct otac_in *in, struct otac_answer *a) OTAC_MUSTCHECK;

/** Takes the next character in hand, and gives it too. */
int otac_next(struct otac_in *in);

/** Reads decimal digits into in->number; with none, or too many, the value isn't good. */
void otac_get_number(struct otac_in *in);

/** That number; if it is too large UINT32_MAX, and the value isn't good. */
uint32_t otac_number32(struct otac_in *in);

/** What a complete head means to a check-in.
 *  @return OTAC_OFFER (of a whole image, or with status 206 of its rest, with a Content-Range that
 *          fits the length), OTAC_UP_TO_DATE, or an error from REDIRECT to BUSY of the table */
int otac_answer_judge(const struct otac_answer *a) OTAC_MUSTCHECK;

static inline bool otac_is_redirect(uint32_t status)
{
    return status >= 300 && status < 400;
}

/* ---- request.c: what is sent, and the way to an answer's head ------------------------------- */

/** Connects, sends a request, and reads the head of the answer. What came of the body with it is
 *  left at the start of the work buffer, *body_n bytes; the connection, if there is one, stays
 * open. While a download is to go on, *body_n is at most half the work buffer: the other half reads
 * back what is in flash.
 *  @param report  `POST /fw/{product}/{mac}/report` with the record's report, which must have one;
 *                 false: the check-in, `GET /fw/{product}/latest` */
int otac_exchange(struct otac *c, bool report, struct otac_answer *a,
                  size_t *body_n) OTAC_MUSTCHECK;

/** Ends the connection, if there is one. */
void otac_hang_up(struct otac *c);

/* ---- record.c ------------------------------------------------------------------------------- */

/** Reads the stored record; none at all is a factory-fresh device.
 *  @return OTAC_OK, OTAC_E_RECORD, OTAC_E_RECORD_IO; c->record is of no use after a failure */
int otac_record_load(struct otac *c) OTAC_MUSTCHECK;

/** Stores *next, which then becomes c->record (and may be that). What shall change only if it can
 *  be stored is changed in a copy, and the copy stored.
 *  @return OTAC_OK, OTAC_E_RECORD_IO (either the old or the new is stored; c->record is as it was)
 */
int otac_record_store(struct otac *c, struct otac_record *next) OTAC_MUSTCHECK;

/* Less code than an index, whose rows aren't a power of two apart. */
static inline struct otac_image *otac_slot(struct otac_record *r, unsigned slot)
{
    return slot == 0 ? &r->slot[0] : &r->slot[1];
}

/** *to = *from, which may be the same; a call costs less than the assignment. */
void otac_record_copy(struct otac_record *to, const struct otac_record *from);

/** The image in a slot, or NULL when nothing there may boot, or there is no such slot. */
const struct otac_image *otac_known(const struct otac_record *r, unsigned slot);

/** Sets the report that is due. */
void otac_record_report(struct otac_record *r, enum otac_report_kind kind, int code,
                        const struct otac_image *image);

/** The image that boots is final: no trial any more, and the success to be reported. */
void otac_record_settle(struct otac_record *r);

/** Tells one build of the server with one content from all others (as far as 32 bits go). */
uint32_t otac_fingerprint(struct otac_image *image);

/* ---- client.c ------------------------------------------------------------------------------- */

/** Sets *c up around the port and the buffer and loads the record.
 *  @return as otac_init() */
int otac_start(struct otac *c, const struct otac_port *port, void *buf,
               size_t buf_n) OTAC_MUSTCHECK;

/** Tells the port's log, if it has one. value: as int64_t, or an error. */
void otac_log(const struct otac *c, enum otac_event event, uint32_t value);

/* ---- boot.c --------------------------------------------------------------------------------- */

/** Makes the slot before boot again, and the server be told why, in one save.
 *  @return OTAC_OK, OTAC_E_RECORD_IO (c->record is then as before) */
int otac_roll_back(struct otac *c, int reason) OTAC_MUSTCHECK;

/* ---- install.c ------------------------------------------------------------------------------ */

/** Takes the offered image (c->answer) from the open connection into the slot that does not run,
 *  proves it and makes it boot next.
 *  @param body_n  body bytes already in the work buffer
 *  @return OTAC_UPDATED or a negative error; the old slot still boots then */
int otac_install(struct otac *c, size_t body_n) OTAC_MUSTCHECK;

/** What the slot that a new image goes into holds: the slot that doesn't run. */
struct otac_image *otac_free_slot(struct otac *c);

/** Bytes of a broken download that are there, when the port can go on with it; else 0. */
uint32_t otac_progress(struct otac *c);

/** Forgets how far a download has come. Should that not be saved, it is tried once more after the
 *  next start, and fails the same way. */
void otac_drop_progress(struct otac *c);

/* ---- signature.c ---------------------------------------------------------------------------- */

/** The parts of the client that only signatures need. */
struct otac_signing {
    /* Takes its part of the work buffer. @return OTAC_OK, OTAC_E_CONFIG */
    int (*start)(struct otac *c);
    /* Reads the value of one of its headers. */
    void (*get_value)(struct otac_in *in, struct otac_answer *a, unsigned field);
    /* Proves that a configured key signed the offered image, and that its counter is not older than
     * the last one that was installed. Ends a run of the hash.
     * @return OTAC_OK, OTAC_E_NO_SIGNATURE, _BAD_SIGNATURE, _SIGNATURE, _OLD_COUNTER, _HASH */
    int (*check)(struct otac *c);
};

/** What the answer says about a signature and its counter.
 *  @return OTAC_OK, OTAC_E_NO_SIGNATURE, OTAC_E_BAD_SIGNATURE */
int otac_answer_signed(const struct otac_answer *a) OTAC_MUSTCHECK;

#endif
