/* SPDX-License-Identifier: MIT
 * Owns the HTTP/1.1 response parser: incremental, one byte of look-behind, no line buffer. Values
 * are decoded as they come, straight into the answer, so a header of any length costs no memory.
 * Strict where a lenient reading could be two readings (RFC 9112 §2.2, §5.1, §5.2): no folding,
 * no space before the colon, no bare CR, nothing twice. */
#include <string.h>

#include "internal.h"

enum state { STATE_STATUS, STATE_NAME, STATE_VALUE, STATE_COMPLETE };

enum flag {
    FLAG_CR = 1,        /* the last byte was CR: only LF may follow */
    FLAG_BAD = 2,       /* this value is not what its header should hold */
    FLAG_GAP = 4,       /* white space after the value began */
    FLAG_DUPLICATE = 8, /* one of the headers below came twice */
    FLAG_PAD = 16       /* base64 has come to its padding */
};

/* `pos` in a Content-Range: below FIRST inside the unit, then in which number. */
enum range_pos { FIRST = 6, LAST, TOTAL, DONE };

enum field {
    FIELD_LENGTH,
    FIELD_ETAG,
    FIELD_MD5,
    FIELD_VERSION,
    FIELD_BUILD,
    FIELD_REASON,
    FIELD_RETRY,
    FIELD_TRANSFER,
    FIELD_ENCODING,
    FIELD_RANGE,
    FIELD_SIGNATURE,
    FIELD_COUNTER,
    FIELD_OTHER
};

/* In the order of enum field, lower case; text rows, not pointers, so that nothing is relocated. */
static const char field_names[FIELD_OTHER][OTAC_NAME_MAX + 1] = {
    "content-length",
    "etag",
    "x-md5",
    "x-version",
    "x-otad-build",
    "x-otad-reason",
    "retry-after",
    "transfer-encoding",
    "content-encoding",
    "content-range",
    "x-otad-signature",
    "x-otad-counter",
};

void otac_answer_reset(struct otac_answer *a)
{
    uint8_t *signature = a->signature;
    memset(a, 0, sizeof *a);
    a->signature = signature;
}

bool otac_answer_complete(const struct otac_answer *a)
{
    return a->state == STATE_COMPLETE;
}

bool otac_answer_has_md5(const struct otac_answer *a)
{
    return (a->have & (1u << FIELD_MD5)) != 0;
}

/* ---- status line: HTTP/1.1 200 OK ---------------------------------------------------------- */

static bool is_digit(uint8_t ch)
{
    return ch >= '0' && ch <= '9';
}

static int status_char(struct otac_answer *a, uint8_t ch)
{
    static const char shape[] = "HTTP/1.# ### "; /* # is a digit */
    const size_t protocol_n = 5, code_at = 9;
    if (a->pos >= sizeof shape - 1)
        return OTAC_OK; /* the phrase; nobody reads it */
    bool fits = shape[a->pos] == '#' ? is_digit(ch) : ch == (uint8_t)shape[a->pos];
    if (!fits)
        return a->pos < protocol_n ? OTAC_E_NOT_HTTP : OTAC_E_BAD_STATUS;
    if (a->pos >= code_at && ch != ' ')
        a->status = (uint16_t)(a->status * 10 + (ch - '0'));
    a->pos++;
    return OTAC_OK;
}

static int status_end(struct otac_answer *a)
{
    const size_t without_phrase = 12; /* the space before an empty phrase may be missing */
    if (a->pos < without_phrase)
        return a->pos < 5 ? OTAC_E_NOT_HTTP : OTAC_E_BAD_STATUS;
    if (a->status < 100 || a->status > 599)
        return OTAC_E_BAD_STATUS;
    a->state = STATE_NAME;
    a->name_n = 0;
    return OTAC_OK;
}

/* ---- header names -------------------------------------------------------------------------- */

/* A token of RFC 9110 §5.6.2. */
static bool is_token_char(uint8_t ch)
{
    uint8_t lower = ch | 0x20;
    if ((lower >= 'a' && lower <= 'z') || is_digit(ch))
        return true;
    return ch != 0 && strchr("!#$%&'*+-.^_`|~", ch) != NULL;
}

static uint8_t find_field(const struct otac_answer *a)
{
    uint8_t f = 0;
    while (f < FIELD_OTHER && (a->name_n > OTAC_NAME_MAX || field_names[f][a->name_n] != '\0' ||
                               memcmp(field_names[f], a->name, a->name_n) != 0))
        f++;
    return f;
}

static void value_begin(struct otac_answer *a)
{
    a->state = STATE_VALUE;
    a->field = find_field(a);
    a->pos = 0;
    a->number = 0;
    a->flags &= (uint8_t) ~(FLAG_BAD | FLAG_GAP);
    if (a->field == FIELD_OTHER)
        return;
    if (a->seen & (1u << a->field)) {
        a->flags |= FLAG_DUPLICATE;
        a->field = FIELD_OTHER;
        return;
    }
    a->seen |= (uint16_t)(1u << a->field);
    if (a->field == FIELD_SIGNATURE && a->signature == NULL)
        a->field = FIELD_OTHER; /* nobody checks it */
}

static int name_char(struct otac_answer *a, uint8_t ch)
{
    if (ch == ':' && a->name_n > 0) {
        value_begin(a);
        return OTAC_OK;
    }
    if (!is_token_char(ch)) /* covers folding, and a space before the colon */
        return OTAC_E_BAD_HEADER;
    if (a->name_n < OTAC_NAME_MAX)
        a->name[a->name_n] = (char)(ch >= 'A' && ch <= 'Z' ? ch | 0x20 : ch);
    if (a->name_n <= OTAC_NAME_MAX)
        a->name_n++; /* one past the longest: fits no name */
    return OTAC_OK;
}

/* ---- values -------------------------------------------------------------------------------- */

static void add_digit(struct otac_answer *a, uint8_t ch)
{
    const uint64_t tenth = UINT64_MAX / 10;
    uint8_t digit = (uint8_t)(ch - '0');
    if (!is_digit(ch) || a->number > tenth || (a->number == tenth && digit > UINT64_MAX % 10)) {
        a->flags |= FLAG_BAD;
        return;
    }
    a->number = a->number * 10 + digit;
}

static void decimal_char(struct otac_answer *a, uint8_t ch)
{
    add_digit(a, ch);
    a->pos = 1;
}

/* bytes 65536-393215/393216. Only a part that reaches the end is of use, so the total is kept as
 * the last byte. FLAG_GAP says that the number which is read has a digit. */
static void range_char(struct otac_answer *a, uint8_t ch)
{
    static const char unit[] = "bytes ", separators[] = "-/  ";
    if (a->pos < FIRST) {
        uint8_t lower = a->pos == FIRST - 1 ? ch : ch | 0x20;
        if (lower != (uint8_t)unit[a->pos])
            a->flags |= FLAG_BAD;
        a->pos++;
        return;
    }
    if (is_digit(ch) && a->pos != DONE) {
        a->flags |= FLAG_GAP;
        add_digit(a, ch);
        return;
    }
    if (ch != (uint8_t)separators[a->pos - FIRST] || (a->flags & FLAG_GAP) == 0 ||
        a->number > UINT32_MAX)
        a->flags |= FLAG_BAD;
    if (a->pos < TOTAL) { /* the first number moves on when the last one comes */
        a->range_first = a->range_last;
        a->range_last = (uint32_t)a->number;
        a->number = 0;
        a->flags &= (uint8_t)~FLAG_GAP;
    }
    if (a->pos != DONE)
        a->pos++;
}

static bool range_end(const struct otac_answer *a)
{
    return a->pos >= TOTAL && (a->flags & FLAG_GAP) != 0 && a->range_first <= a->range_last &&
           a->number == (uint64_t)a->range_last + 1;
}

static int base64_value(uint8_t ch)
{
    if (ch >= 'A' && ch <= 'Z')
        return ch - 'A';
    if (ch >= 'a' && ch <= 'z')
        return ch - 'a' + 26;
    if (is_digit(ch))
        return ch - '0' + 52;
    return ch == '+' ? 62 : ch == '/' ? 63 : -1;
}

/* RFC 4648 §4, with its padding; `number` gathers the bits of four characters. */
static void base64_char(struct otac_answer *a, uint8_t ch)
{
    int value = base64_value(ch);
    bool pad = ch == '=' && a->pos % 4 >= 2;
    if (!pad && (value < 0 || (a->flags & FLAG_PAD) != 0 || a->signature_n == OTAC_SIGNATURE_MAX)) {
        a->flags |= FLAG_BAD;
        return;
    }
    a->pos++;
    if (pad) {
        a->flags |= FLAG_PAD;
        return;
    }
    a->number = (a->number << 6) | (uint64_t)value;
    if (a->pos % 4 != 1)
        a->signature[a->signature_n++] = (uint8_t)(a->number >> (2 * ((4 - a->pos % 4) % 4)));
}

static int hex_value(uint8_t ch)
{
    if (is_digit(ch))
        return ch - '0';
    ch |= 0x20;
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* Digits at positions first to first + 2n - 1; a quote on either side when first is 1. */
static void hex_char(struct otac_answer *a, uint8_t ch, uint8_t *out, uint8_t n, uint8_t first)
{
    uint8_t at = (uint8_t)(a->pos - first);
    int digit = hex_value(ch);
    if (a->pos >= 2 * n + 2 * first) {
        a->flags |= FLAG_BAD;
        return;
    }
    bool quote = a->pos < first || at >= 2 * n;
    if (quote ? ch != '"' : digit < 0)
        a->flags |= FLAG_BAD;
    else if (!quote)
        out[at / 2] = (uint8_t)((out[at / 2] << 4) | digit);
    a->pos++;
}

static void text_char(struct otac_answer *a, uint8_t ch, char *out, uint8_t max)
{
    if (ch < 0x20 || ch > 0x7e || a->pos >= max)
        a->flags |= FLAG_BAD;
    else
        out[a->pos++] = (char)ch;
}

static void field_char(struct otac_answer *a, uint8_t ch)
{
    switch (a->field) {
    case FIELD_LENGTH:
    case FIELD_BUILD:
    case FIELD_RETRY:
    case FIELD_COUNTER:
        decimal_char(a, ch);
        break;
    case FIELD_RANGE:
        range_char(a, ch);
        break;
    case FIELD_SIGNATURE:
        base64_char(a, ch);
        break;
    case FIELD_ETAG:
        hex_char(a, ch, a->image.sha256, sizeof a->image.sha256, 1);
        break;
    case FIELD_MD5:
        hex_char(a, ch, a->md5, sizeof a->md5, 0);
        break;
    case FIELD_VERSION:
        text_char(a, ch, a->image.version, OTAC_VERSION_MAX);
        break;
    case FIELD_REASON:
        if (a->pos < OTAC_REASON_MAX)
            text_char(a, ch, a->reason, OTAC_REASON_MAX);
        break;
    default:
        break;
    }
}

/* White space belongs to these. */
static bool is_text(uint8_t field)
{
    return field == FIELD_VERSION || field == FIELD_REASON || field == FIELD_RANGE;
}

static int value_char(struct otac_answer *a, uint8_t ch)
{
    bool space = ch == ' ' || ch == '\t';
    if ((ch < 0x20 && !space) || ch == 0x7f)
        return OTAC_E_BAD_HEADER;
    if (space && a->pos == 0)
        return OTAC_OK;
    if (!is_text(a->field)) {
        if (space)
            a->flags |= FLAG_GAP;
        else if (a->flags & FLAG_GAP)
            a->flags |= FLAG_BAD;
        if (space)
            return OTAC_OK;
    }
    field_char(a, ch);
    return OTAC_OK;
}

/* Cuts the white space that ended the line. @return false when nothing is left */
static bool text_end(struct otac_answer *a, char *out)
{
    while (a->pos > 0 && out[a->pos - 1] == ' ')
        a->pos--;
    out[a->pos] = '\0';
    return a->pos > 0;
}

/* @return true when the value is whole and stands in its place */
static bool field_end(struct otac_answer *a)
{
    switch (a->field) {
    case FIELD_LENGTH:
        a->image.size = (uint32_t)a->number;
        return a->pos > 0 && a->number <= UINT32_MAX;
    case FIELD_RETRY:
        a->retry_after_s = a->number <= UINT32_MAX ? (uint32_t)a->number : UINT32_MAX;
        return true;
    case FIELD_BUILD:
        a->image.build = a->number;
        return true;
    case FIELD_ETAG:
        return a->pos == 2 * sizeof a->image.sha256 + 2;
    case FIELD_MD5:
        return a->pos == 2 * sizeof a->md5;
    case FIELD_VERSION:
        return text_end(a, a->image.version);
    case FIELD_REASON:
        return text_end(a, a->reason);
    case FIELD_RANGE:
        return range_end(a);
    case FIELD_SIGNATURE:
        return a->pos > 0 && a->pos % 4 == 0;
    case FIELD_COUNTER:
        a->counter = (uint32_t)a->number;
        return a->pos > 0 && a->number <= UINT32_MAX;
    default:
        return false;
    }
}

static int value_end(struct otac_answer *a)
{
    if ((a->flags & FLAG_BAD) == 0 && field_end(a))
        a->have |= (uint16_t)(1u << a->field);
    else if (a->field == FIELD_VERSION)
        a->image.version[0] = '\0';
    else if (a->field == FIELD_REASON)
        a->reason[0] = '\0';
    a->state = STATE_NAME;
    a->name_n = 0;
    return OTAC_OK;
}

/* ---- the whole head ------------------------------------------------------------------------ */

static int head_end(struct otac_answer *a)
{
    uint16_t head_n = a->head_n;
    if (a->name_n > 0)
        return OTAC_E_BAD_HEADER; /* a line without a colon */
    if (a->status >= 200) {
        a->state = STATE_COMPLETE;
        return OTAC_OK;
    }
    if (a->status == 101)
        return OTAC_E_BAD_STATUS; /* never asked to switch */
    /* An interim answer (RFC 9110 §15.2): the real one follows, within the same limit. */
    otac_answer_reset(a);
    a->head_n = head_n;
    return OTAC_OK;
}

static int line_end(struct otac_answer *a)
{
    if (a->state == STATE_STATUS)
        return status_end(a);
    return a->state == STATE_NAME ? head_end(a) : value_end(a);
}

static int head_char(struct otac_answer *a, uint8_t ch)
{
    if (ch == '\n') { /* a bare LF ends a line too, RFC 9112 §2.2 */
        a->flags &= (uint8_t)~FLAG_CR;
        return line_end(a);
    }
    if (a->flags & FLAG_CR)
        return a->state == STATE_STATUS ? OTAC_E_BAD_STATUS : OTAC_E_BAD_HEADER;
    if (ch == '\r' && a->head_n > 1) {
        a->flags |= FLAG_CR;
        return OTAC_OK;
    }
    if (a->state == STATE_STATUS)
        return status_char(a, ch);
    return a->state == STATE_NAME ? name_char(a, ch) : value_char(a, ch);
}

int otac_answer_feed(struct otac_answer *a, const uint8_t *data, size_t n)
{
    size_t used = 0;
    while (used < n && a->state != STATE_COMPLETE) {
        if (a->head_n >= OTAC_HEAD_MAX)
            return OTAC_E_HEAD_TOO_LONG;
        a->head_n++;
        int err = head_char(a, data[used++]);
        if (err != OTAC_OK)
            return err;
    }
    return (int)used;
}

int otac_answer_eof(const struct otac_answer *a)
{
    return a->head_n == 0 ? OTAC_E_NO_ANSWER : OTAC_E_CUT_HEAD;
}

static int judge_offer(const struct otac_answer *a)
{
    const uint16_t length = 1u << FIELD_LENGTH, etag = 1u << FIELD_ETAG, md5 = 1u << FIELD_MD5;
    if (a->seen & (1u << FIELD_TRANSFER))
        return OTAC_E_CHUNKED;
    if (a->seen & (1u << FIELD_ENCODING))
        return OTAC_E_ENCODED;
    if (a->flags & FLAG_DUPLICATE)
        return OTAC_E_DUPLICATE;
    if ((a->have & length) == 0)
        return a->seen & length ? OTAC_E_BAD_LENGTH : OTAC_E_NO_LENGTH;
    if (a->image.size == 0)
        return OTAC_E_EMPTY;
    if ((a->have & etag) == 0)
        return OTAC_E_NO_SHA256;
    if ((a->seen & md5) != (a->have & md5))
        return OTAC_E_BAD_MD5;
    return OTAC_OFFER;
}

static int judge_part(const struct otac_answer *a)
{
    bool fits =
        (a->have & (1u << FIELD_RANGE)) != 0 && a->image.size == a->range_last - a->range_first + 1;
    int rc = judge_offer(a);
    return rc == OTAC_OFFER && !fits ? OTAC_E_RANGE : rc;
}

int otac_answer_signed(const struct otac_answer *a)
{
    const uint16_t both = (1u << FIELD_SIGNATURE) | (1u << FIELD_COUNTER);
    if ((a->seen & both) != both)
        return OTAC_E_NO_SIGNATURE;
    return (a->have & both) == both ? OTAC_OK : OTAC_E_BAD_SIGNATURE;
}

int otac_answer_judge(const struct otac_answer *a)
{
    switch (a->status) {
    case 200:
        return judge_offer(a);
    case 206:
        return judge_part(a);
    case 304:
        return OTAC_UP_TO_DATE;
    case 401:
        return OTAC_E_UNAUTHORIZED;
    case 403:
        return OTAC_E_REFUSED;
    case 404:
        return OTAC_E_NOT_FOUND;
    case 410:
        return OTAC_E_GONE;
    case 416:
        return OTAC_E_NO_REST;
    case 429:
    case 503:
        return OTAC_E_BUSY;
    default:
        return a->status / 100 == 3 ? OTAC_E_REDIRECT : OTAC_E_STATUS;
    }
}
