/* SPDX-License-Identifier: MIT
 * Owns the requests that are sent, byte for byte, and the way from a request to an answer's head.
 * A request is gathered in the work buffer and leaves in as few pieces as that allows. */
#include <string.h>

#include "internal.h"

/* ---- what is sent -------------------------------------------------------------------------- */

/* A text is a list of parts, ended by an empty one. A part is left out when the value it begins
 * with isn't there, and is written without that first byte; further on such a byte stands for the
 * value. Check-ins and reports differ in which values are there. */
enum value {
    KEY = 1,
    FAMILY,
    HOST,
    IPV6, /* there when the host is such an address */
    PORT,
    SPACE,
    PROGRESS,
    CODE,
    BUILD,
    CRLF = '\n',
    REPORT, /* there when one is sent; this and the three after it are no values */
    SUCCESS,
    FAILED,
    ROLLED_BACK,
    PRODUCT, /* from here on percent-encoded */
    MAC,
    CHIP,
    VERSION,
    MESSAGE,
    RUNNING, /* from here on 32 bytes, in hexadecimal */
    BEGUN,
    VALUES
};
#define T_KEY "\1"
#define T_FAMILY "\2"
#define T_HOST "\3"
#define T_IPV6 "\4"
#define T_PORT "\5"
#define T_SPACE "\6"
#define T_PROGRESS "\7"
#define T_CODE "\10"
#define T_BUILD "\11"
#define T_REPORT "\13"
#define T_SUCCESS "\14"
#define T_FAILED "\15"
#define T_ROLLED_BACK "\16"
#define T_PRODUCT "\17"
#define T_MAC "\20"
#define T_CHIP "\21"
#define T_VERSION "\22"
#define T_MESSAGE "\23"
#define T_RUNNING "\24"
#define T_BEGUN "\25"
#define IF(value, text) value text "\0"
#define ALWAYS(text) IF(T_PRODUCT, text)

/* By the prefix of the x- lines the server knows the chip family. The hexadecimal numbers are the
 * SHA-256 of the image that runs, and of the one that is half here. A line here is one there. */
/* clang-format off */
static const char request[] =
    IF(T_VERSION, "GET /fw/" T_PRODUCT "/latest?mac=" T_MAC "&version=" T_VERSION)
    IF(T_CHIP, "&chip=" T_CHIP)
    IF(T_REPORT, "POST /fw/" T_PRODUCT "/" T_MAC "/report?result=")
    IF(T_SUCCESS, "success&code=0")
    IF(T_FAILED, "failed&code=-" T_CODE)
    IF(T_ROLLED_BACK, "rolled_back&code=-" T_CODE)
    IF(T_MESSAGE, "&message=" T_MESSAGE)
    IF(T_BUILD, "&build=" T_BUILD)
    ALWAYS(" HTTP/1.1\n"
    "Host: ") IF(T_IPV6, "[") ALWAYS(T_HOST) IF(T_IPV6, "]") ALWAYS(":" T_PORT "\n"
    "User-Agent: " OTAC_USER_AGENT "\n"
    "Connection: close\n")
    IF(T_KEY, "Authorization: Bearer " T_KEY "\n")
    IF(T_FAMILY, "x-" T_FAMILY "-STA-MAC: " T_MAC "\n"
    "x-" T_FAMILY "-mode: sketch\n")
    IF(T_SPACE, "x-" T_FAMILY "-free-space: " T_SPACE "\n")
    IF(T_RUNNING, "If-None-Match: \"" T_RUNNING "\"\n")
    IF(T_PROGRESS, "Range: bytes=" T_PROGRESS "-\n"
    "If-Range: \"" T_BEGUN "\"\n")
    IF(T_REPORT, "Content-Length: 0\n")
    ALWAYS("\n");
/* clang-format on */

/* ---- writing ------------------------------------------------------------------------------- */

/* Gathers a request in the work buffer and sends it each time that is full. An error sticks and
 * makes the rest a no-op, but for `total`. */
struct out {
    struct otac *c;
    size_t n;
    int err;
    char *digits_at;
    const char *value[VALUES]; /* NULL: not there */
    char digits[72];           /* of all numbers, the first at the end */
};

static void flush(struct out *o)
{
    const struct otac_port *port = o->c->port;
    if (o->err == OTAC_OK)
        o->err = port->send(port->ctx, o->c->buf, o->n);
    o->n = 0;
}

static void put_char(struct out *o, unsigned ch)
{
    if (o->n == o->c->buf_n)
        flush(o);
    o->c->buf[o->n++] = (uint8_t)ch;
}

/* letter_a: 'a' or 'A' */
static void put_digit(struct out *o, unsigned digit, unsigned letter_a)
{
    put_char(o, digit < 10 ? '0' + digit : letter_a - 10 + digit);
}

/* What needs no percent-encoding in a path's segment, nor in a query (RFC 3986 §2.3, §3.3). */
static bool is_plain(unsigned ch)
{
    const unsigned lower = ch | 0x20;
    return (lower >= 'a' && lower <= 'z') || (ch >= '0' && ch <= '9') ||
           strchr("-._~:", (int)ch) != NULL;
}

static void put_value(struct out *o, unsigned value)
{
    const bool is_hex = value >= RUNNING;
    const uint8_t *text = (const uint8_t *)o->value[value];
    for (unsigned i = 0; is_hex ? i < 32 : text[i] != '\0'; i++) {
        const unsigned ch = text[i], letter_a = is_hex ? 'a' : 'A';
        if (!is_hex) {
            const bool plain = value < PRODUCT || is_plain(ch);
            put_char(o, plain ? ch : '%');
            if (plain)
                continue;
        }
        put_digit(o, ch >> 4, letter_a);
        put_digit(o, ch & 15, letter_a);
    }
}

static void put_parts(struct out *o, const char *text)
{
    unsigned ch;
    while ((ch = (uint8_t)*text++) != '\0') {
        const bool wanted = o->value[ch] != NULL;
        while ((ch = (uint8_t)*text++) != '\0') {
            if (wanted && ch < VALUES)
                put_value(o, ch);
            else if (wanted)
                put_char(o, ch);
        }
    }
}

/* ---- values -------------------------------------------------------------------------------- */

/* Zero is not there. */
static void set_number(struct out *o, enum value value, uint64_t number)
{
    if (number == 0)
        return;
    *--o->digits_at = '\0';
    do {
        uint64_t rest = number / 10;
        *--o->digits_at = (char)('0' + ((uint32_t)number - (uint32_t)rest * 10));
        number = rest;
    } while (number > 0);
    o->value[value] = o->digits_at;
}

static void set_report(struct out *o)
{
    const struct otac_record *r = &o->c->record;
    const struct otac_config *config = o->c->config;
    o->value[REPORT] = o->value[REPORT + r->report_kind] = (const char *)r;
    if (r->report_code != 0 && config->describe != NULL)
        o->value[MESSAGE] = config->describe(r->report_code);
    set_number(o, CODE, (uint32_t)-r->report_code);
    set_number(o, BUILD, r->report_build);
}

static void set_check_in(struct out *o)
{
    struct otac *c = o->c;
    const struct otac_config *config = c->config;
    const struct otac_image *running = otac_active(c);
    o->value[VERSION] = config->version;
    o->value[CHIP] = config->chip;
    o->value[FAMILY] = config->family;
    if (config->family != NULL)
        set_number(o, SPACE, config->slot_size);
    set_number(o, PROGRESS, otac_progress(c));
    o->value[BEGUN] = (const char *)otac_free_slot(c)->sha256;
    if (running != NULL)
        o->value[RUNNING] = (const char *)running->sha256;
}

/* ---- request to answer --------------------------------------------------------------------- */

static int send_request(struct otac *c, bool report)
{
    const struct otac_config *config = c->config;
    struct out o;
    memset(&o, 0, sizeof o);
    o.c = c;
    o.digits_at = o.digits + sizeof o.digits;
    o.value[PRODUCT] = config->product;
    o.value[MAC] = config->mac;
    o.value[KEY] = config->key;
    o.value[HOST] = config->host;
    o.value[IPV6] = strchr(config->host, ':');
    o.value[CRLF] = "\r\n";
    set_number(&o, PORT, config->port);
    if (report)
        set_report(&o);
    else
        set_check_in(&o);
    put_parts(&o, request);
    flush(&o);
    return o.err;
}

static int read_answer(struct otac *c, struct otac_answer *a, size_t *body_n)
{
    struct otac_in in;
    in.c = c;
    in.at = in.n = in.head_n = 0;
    in.last = 0;
    in.ch = 0;
    in.room = otac_progress(c) != 0 ? c->buf_n / 2 : c->buf_n;
    in.start_ms = c->port->clock_ms(c->port->ctx);
    int err = otac_answer_read(&in, a);
    *body_n = in.n - in.at;
    memmove(c->buf, c->buf + in.at, *body_n);
    return err;
}

void otac_hang_up(struct otac *c)
{
    if (c->is_open)
        c->port->close(c->port->ctx);
    c->is_open = 0;
}

int otac_exchange(struct otac *c, bool report, struct otac_answer *a, size_t *body_n)
{
    const struct otac_port *port = c->port;
    otac_hang_up(c);
    otac_log(c, OTAC_EV_CONNECT, 0);
    memset(a, 0, sizeof *a);
    int err = port->connect(port->ctx, c->config->host, c->config->port);
    if (err != OTAC_OK)
        return err;
    c->is_open = 1;
    err = send_request(c, report);
    return err == OTAC_OK ? read_answer(c, a, body_n) : err;
}
