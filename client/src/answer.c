/* SPDX-License-Identifier: MIT
 * Owns the HTTP/1.1 response parser. It reads a character at a time and asks the port for more when
 * it has none; values are decoded as they come, straight into the answer, so a header of any length
 * costs no memory. Strict where a lenient reading could be two readings (RFC 9112 §2.2, §5.1,
 * §5.2): no folding, no space before the colon, no bare CR, nothing twice.
 *
 * The character in hand, in->ch, is an int: a negative one is the error that ends the head. It
 * stays in hand, since nobody takes a character that he didn't wait for. */
#include <string.h>

#include "internal.h"

/* ---- characters ---------------------------------------------------------------------------- */

int otac_next(struct otac_in *in)
{
    const struct otac_port *port = in->c->port;
    int ch = OTAC_E_HEAD_TOO_LONG;
    if (in->at == in->n) {
        int got = OTAC_E_TIMEOUT;
        if (port->clock_ms(port->ctx) - in->start_ms <= OTAC_HEAD_DEADLINE_MS)
            got = port->recv(port->ctx, in->c->buf, in->room);
        if (got == 0)
            got = in->head_n == 0 ? OTAC_E_NO_ANSWER : OTAC_E_CUT_HEAD;
        if (got < 0)
            return in->ch = got;
        in->n = (size_t)got;
        in->at = 0;
    }
    if (in->head_n++ < OTAC_HEAD_MAX) {
        ch = in->c->buf[in->at++];
        /* A bare LF ends a line too, a bare CR doesn't. */
        if (ch == '\0' || (in->ch == '\r' && ch != '\n'))
            ch = in->broken;
    }
    return in->ch = ch;
}

static void fail(struct otac_in *in)
{
    if (in->ch >= 0)
        in->ch = in->broken;
}

static bool is_digit(int ch)
{
    return ch >= '0' && ch <= '9';
}

OTAC_APART static bool is_end(const struct otac_in *in)
{
    return in->ch == '\r' || in->ch == '\n';
}

static bool is_blank(int ch)
{
    switch (ch) { /* on one of the chips less code than || */
    case ' ':
    case '\t':
        return true;
    default:
        return false;
    }
}

static void skip_space(struct otac_in *in)
{
    while (is_blank(in->ch))
        (void)otac_next(in);
}

/* ---- values -------------------------------------------------------------------------------- */

static bool add_digit(union otac_number *number, unsigned carry)
{
    for (size_t i = 0; i < OTAC_LIMBS; i++) {
        uint16_t *limb = &number->limb[OTAC_LIMB(i)];
        carry += *limb * 10u;
        *limb = (uint16_t)carry;
        carry >>= 16;
    }
    return carry == 0;
}

void otac_get_number(struct otac_in *in)
{
    if (!is_digit(in->ch))
        in->good = false;
    for (in->number.whole = 0; is_digit(in->ch); (void)otac_next(in))
        if (!add_digit(&in->number, (unsigned)(in->ch - '0')))
            in->good = false;
}

uint32_t otac_number32(struct otac_in *in)
{
    if (in->number.whole <= UINT32_MAX)
        return (uint32_t)in->number.whole;
    in->good = false;
    return UINT32_MAX;
}

static int hex_value(int ch)
{
    const int lower = ch | 0x20;
    if (is_digit(ch))
        return ch - '0';
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static void get_hex(struct otac_in *in, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < 2 * n; i++, (void)otac_next(in)) {
        const int digit = hex_value(in->ch);
        if (digit < 0) {
            in->good = false;
            return;
        }
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | digit);
    }
}

/* Takes all to the line's end, but for white space there; what is longer than max is cut. */
static void get_text(struct otac_in *in, char *out, size_t max)
{
    size_t n = 0;
    for (; in->ch >= ' '; (void)otac_next(in))
        if (n < max)
            out[n++] = in->ch <= '~' ? (char)in->ch : '?';
    while (n > 0 && out[n - 1] == ' ')
        out[--n] = '\0';
}

#define NUMBER "\1"
#define HEX "\2"
#define TEXT "\3"

/* Reads what has this shape: one of the above, or a character; a lower-case one stands for both. */
static void match(struct otac_in *in, const char *shape, void *out, size_t n)
{
    for (; *shape != '\0' && in->good; shape++) {
        if (*shape == NUMBER[0]) {
            in->first = in->last;
            in->last = otac_number32(in);
            otac_get_number(in);
        } else if (*shape == HEX[0]) {
            get_hex(in, out, n);
        } else if (*shape == TEXT[0]) {
            get_text(in, out, n);
        } else if (in->ch == *shape || (in->ch | 0x20) == *shape) {
            (void)otac_next(in);
        } else {
            in->good = false;
        }
    }
}

/* ---- lines --------------------------------------------------------------------------------- */

/* HTTP/1.1 200 OK: up to the phrase; nobody reads it, and the space before it may be missing. */
static void read_status(struct otac_in *in, struct otac_answer *a)
{
    in->good = true;
    in->number.whole = 0;
    in->broken = OTAC_E_NOT_HTTP;
    (void)otac_next(in);
    match(in, "HTTP/", NULL, 0);
    if (in->good)
        in->broken = OTAC_E_BAD_STATUS;
    match(in, "1." NUMBER " " NUMBER, NULL, 0);
    const uint32_t status = a->status = otac_number32(in);
    if (!in->good || status < 100 || status > 599 || (in->ch != ' ' && !is_end(in)))
        fail(in);
}

/* The values, one behind the other, and where in that text each begins. */
static const char shapes[] = "bytes " NUMBER "-" NUMBER "/" NUMBER "\0"
                             "\"" HEX "\"\0" HEX "\0" TEXT;
enum {
    RANGE = 0,
    PLAIN_NUMBER = 10,
    NOTHING = 11,
    QUOTED_HEX = 12,
    PLAIN_HEX = 16,
    PLAIN_TEXT = 18
};

/* Names are known by a hash of 32 bits (see read_header): they are read without being kept, and
 * cost no text. */
#define AT(member) offsetof(struct otac_answer, member)
/* clang-format off */
static const struct row {
    uint32_t hash;
    uint8_t field, shape, at, n; /* where in the answer, and bytes of it */
} rows[] = {
    {0x096383aa, OTAC_FIELD_LENGTH,     PLAIN_NUMBER, AT(image.size),     4},               /* content-length */
    {0x00395ca1, OTAC_FIELD_ETAG,       QUOTED_HEX,   AT(image.sha256),   32},              /* etag */
    {0x0896064b, OTAC_FIELD_MD5,        PLAIN_HEX,    AT(md5),            16},              /* x-md5 */
    {0x912832eb, OTAC_FIELD_VERSION,    PLAIN_TEXT,   AT(image.version),  OTAC_VERSION_MAX - 1}, /* x-version: an end stays */
    {0xf330a34a, OTAC_FIELD_BUILD,      PLAIN_NUMBER, AT(image.build),    8},               /* x-otad-build */
    {0x7d71cb22, OTAC_FIELD_REASON,     PLAIN_TEXT,   AT(reason),         OTAC_REASON_MAX}, /* x-otad-reason */
    {0xcb7c0795, OTAC_FIELD_RETRY,      PLAIN_NUMBER, AT(retry_after_s),  4},               /* retry-after */
    {0xd9e98475, OTAC_FIELD_RANGE,      RANGE,        0,                  0},               /* content-range */
    {0x935e2b19, OTAC_FIELD_TRANSFER,   NOTHING,      0,                  0},               /* transfer-encoding */
    {0x1631b8af, OTAC_FIELD_ENCODING,   NOTHING,      0,                  0},               /* content-encoding */
    {0xa9f3e9cc, OTAC_FIELD_SIGNATURE,  NOTHING,      0,                  0},               /* x-otad-signature */
    {0xc1bc771a, OTAC_FIELD_COUNTER,    NOTHING,      0,                  0},               /* x-otad-counter */
};
/* clang-format on */

/* A number counts when nothing but white space followed it. */
static void take_value(struct otac_in *in, struct otac_answer *a, unsigned field)
{
    if (field == OTAC_FIELD_BUILD) {
        a->image.build = in->number.whole;
        return;
    }
    const uint32_t number = otac_number32(in);
    if (field == OTAC_FIELD_LENGTH)
        a->image.size = number;
    if (field == OTAC_FIELD_RETRY)
        a->retry_after_s = number;
    if (field == OTAC_FIELD_RANGE) {
        a->range_first = in->first;
        a->range_last = in->last;
        if (in->first > in->last || number == 0 || number - 1 != in->last)
            in->good = false;
    }
}

static void get_value(struct otac_in *in, struct otac_answer *a, const struct row *row)
{
    const struct otac_signing *signing = in->c->config->signing;
    uint8_t *out = (uint8_t *)a + row->at;
    in->good = true;
    in->number.whole = 0;
    match(in, shapes + row->shape, out, row->n);
    if (row->field >= OTAC_FIELD_SIGNATURE && signing != NULL)
        signing->get_value(in, a, row->field);
    skip_space(in);
    if (!is_end(in))
        in->good = false;
    if (in->good)
        take_value(in, a, row->field);
    if (in->good)
        a->have |= 1u << row->field;
}

/* Reads a name, and if it is one of ours its value. */
static void read_header(struct otac_in *in, struct otac_answer *a)
{
    uint32_t hash = 0;
    for (; in->ch > ' ' && in->ch != ':'; (void)otac_next(in))
        hash = hash * 33 + (uint32_t)(in->ch | 0x20);
    if (in->ch != ':' || hash == 0) /* covers folding, and a space before the colon */
        fail(in);
    if (in->ch != ':' || a->status < 200) /* nothing of an interim answer counts */
        return;
    (void)otac_next(in);
    skip_space(in);
    for (const struct row *row = rows; row < rows + sizeof rows / sizeof rows[0]; row++) {
        if (row->hash != hash)
            continue;
        const uint32_t bit = 1u << row->field, seen = a->seen;
        a->seen |= seen & bit ? 1u << OTAC_FIELD_TWICE : bit;
        if ((seen & bit) == 0)
            get_value(in, a, row);
        return;
    }
}

int otac_answer_read(struct otac_in *in, struct otac_answer *a)
{
    do { /* an interim answer (RFC 9110 §15.2): the real one follows, within the same limit */
        read_status(in, a);
        for (;;) {
            while (in->ch >= 0 && in->ch != '\n')
                (void)otac_next(in);
            if (in->ch < 0)
                return in->ch;
            in->broken = OTAC_E_BAD_HEADER;
            if (otac_next(in) == '\r')
                (void)otac_next(in);
            if (in->ch == '\n')
                break;
            read_header(in, a);
        }
        if (a->status == 101)
            return OTAC_E_BAD_STATUS; /* never asked to switch */
    } while (a->status < 200);
    return OTAC_OK;
}

/* ---- what it means ------------------------------------------------------------------------- */

static int judge_offer(const struct otac_answer *a)
{
    const uint32_t offer = (1u << OTAC_FIELD_VERSION) - 1, range = 1u << OTAC_FIELD_RANGE;
    uint32_t faults =
        ((a->seen & offer) | 1u << OTAC_FIELD_LENGTH | 1u << OTAC_FIELD_ETAG) & ~a->have;
    int err = OTAC_E_CHUNKED;
    if ((a->seen >> OTAC_FIELD_LENGTH & 1) == 0)
        faults |= 1u << OTAC_FIELD_NO_LENGTH;
    if (a->image.size == 0)
        faults |= 1u << OTAC_FIELD_EMPTY;
    if (a->status == 206 &&
        ((a->have & range) == 0 || a->image.size != a->range_last - a->range_first + 1))
        faults |= range;
    for (; faults != 0; faults >>= 1, err--)
        if (faults & 1)
            return err;
    return OTAC_OFFER;
}

int otac_answer_judge(const struct otac_answer *a)
{
    static const struct {
        uint16_t status;
        int16_t means;
    } meanings[] = {
        {304, OTAC_UP_TO_DATE    },
        {401, OTAC_E_UNAUTHORIZED},
        {403, OTAC_E_REFUSED     },
        {404, OTAC_E_NOT_FOUND   },
        {410, OTAC_E_GONE        },
        {416, OTAC_E_NO_REST     },
        {429, OTAC_E_BUSY        },
        {503, OTAC_E_BUSY        },
    };
    if (a->status == 200 || a->status == 206)
        return judge_offer(a);
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].status == a->status)
            return meanings[i].means;
    return otac_is_redirect(a->status) ? OTAC_E_REDIRECT : OTAC_E_STATUS;
}
