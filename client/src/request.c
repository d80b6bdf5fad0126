/* SPDX-License-Identifier: MIT
 * Owns the requests that are sent, byte for byte, and the way from a request to an answer's head.
 * A request is gathered in the work buffer and leaves in as few pieces as that allows. */
#include <string.h>

#include "internal.h"

/* ---- what is sent -------------------------------------------------------------------------- */

/* In these texts '$' and a letter stand for what put_value() writes there. */
#define CRLF "\r\n"

/* After the common headers come the lines that not every device sends:
 * x-ESP8266-STA-MAC: 5C:CF:7F:A1:B2:C3
 * x-ESP8266-mode: sketch
 * x-ESP8266-free-space: 1044464
 * If-None-Match: "<SHA-256 of the image that runs, 64 hex digits>"
 * Range: bytes=65536-
 * If-Range: "<SHA-256 of the image that is half here>" */
static const char check_in_target[] = "GET /fw/$p/latest?mac=$m&version=$v";
static const char chip_field[] = "&chip=$y";
static const char common_headers[] =
    " HTTP/1.1" CRLF "Host: $h" CRLF "User-Agent: " OTAC_USER_AGENT CRLF "Connection: close" CRLF;
static const char key_line[] = "Authorization: Bearer $k" CRLF;
/* By the prefix the server knows the chip family. */
static const char family_lines[] = "x-$f-STA-MAC: $m" CRLF "x-$f-mode: sketch" CRLF;
static const char space_line[] = "x-$f-free-space: $s" CRLF;
static const char content_line[] = "If-None-Match: \"$x\"" CRLF;

static const char rest_lines[] = "Range: bytes=$o-" CRLF "If-Range: \"$z\"" CRLF;

static const char report_target[] = "POST /fw/$p/$m/report";
static const char form_lines[] =
    "Content-Type: application/x-www-form-urlencoded" CRLF "Content-Length: $n" CRLF;
/* result=failed&code=-245&message=what%20happened&version=1.1.0&build=9007199254740993 */
static const char success_form[] = "result=success&code=0";
static const char failed_form[] = "result=failed&code=-$c";
static const char rolled_back_form[] = "result=rolled_back&code=-$c";
static const char message_field[] = "&message=$t";
static const char version_field[] = "&version=$w";
static const char build_field[] = "&build=$b";

/* ---- writing ------------------------------------------------------------------------------- */

static void flush(struct otac_out *o)
{
    const struct otac_port *port = o->c->port;
    if (o->err == OTAC_OK)
        o->err = port->send(port->ctx, o->c->buf, o->n);
    o->n = 0;
}

static void put_char(struct otac_out *o, char ch)
{
    o->total++;
    if (o->counting)
        return;
    if (o->n == o->c->buf_n)
        flush(o);
    o->c->buf[o->n++] = (uint8_t)ch;
}

static void put_text(struct otac_out *o, const char *text)
{
    while (*text != '\0')
        put_char(o, *text++);
}

static void put_number(struct otac_out *o, uint64_t value)
{
    char digits[21]; /* UINT64_MAX has 20 */
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + (char)(value % 10));
        value /= 10;
    } while (value > 0);
    put_text(o, digits + at);
}

/* letter_a: 'a' or 'A' */
static void put_hex(struct otac_out *o, uint8_t byte, char letter_a)
{
    for (unsigned shift = 8; shift > 0;) {
        shift -= 4;
        uint8_t digit = (byte >> shift) & 15;
        put_char(o, (char)(digit < 10 ? '0' + digit : letter_a + digit - 10));
    }
}

/* Percent-encodes all but the unreserved characters of RFC 3986 §2.3. */
static void put_escaped(struct otac_out *o, const char *text)
{
    for (; *text != '\0'; text++) {
        uint8_t ch = (uint8_t)*text, lower = ch | 0x20;
        bool letter = lower >= 'a' && lower <= 'z';
        if (letter || (ch >= '0' && ch <= '9') || strchr("-._~", ch) != NULL) {
            put_char(o, *text);
        } else {
            put_char(o, '%');
            put_hex(o, ch, 'A');
        }
    }
}

/* How the server calls the reported build, as far as this device still knows; "" if it doesn't. */
static const char *report_version(const struct otac *c)
{
    const struct otac_report *report = &c->record.report;
    const struct otac_image *running = otac_active(c);
    if (report->kind == OTAC_REPORT_SUCCESS)
        return running != NULL ? running->version : "";
    for (size_t i = 0; i < OTAC_SLOTS; i++)
        if (report->build != 0 && c->record.slot[i].build == report->build)
            return c->record.slot[i].version;
    return c->answer.image.build == report->build ? c->answer.image.version : "";
}

static void put_host(struct otac_out *o)
{
    const struct otac_config *config = o->c->config;
    bool ipv6 = strchr(config->host, ':') != NULL;
    put_text(o, ipv6 ? "[" : "");
    put_text(o, config->host);
    put_text(o, ipv6 ? "]:" : ":");
    put_number(o, config->port);
}

static void put_sha256(struct otac_out *o, const struct otac_image *image)
{
    for (size_t i = 0; i < sizeof image->sha256; i++)
        put_hex(o, image->sha256[i], 'a');
}

static void put_value(struct otac_out *o, char letter)
{
    const struct otac *c = o->c;
    switch (letter) {
    case 'h':
        put_host(o);
        break;
    case 'p':
        put_text(o, c->config->product);
        break;
    case 'm':
        put_text(o, c->config->mac); /* its colons may stand in a path and in a query */
        break;
    case 'v':
        put_escaped(o, c->config->version);
        break;
    case 'y':
        put_text(o, c->config->chip);
        break;
    case 'k':
        put_text(o, c->config->key);
        break;
    case 'f':
        put_text(o, c->config->family);
        break;
    case 's':
        put_number(o, c->config->slot_size);
        break;
    case 'x':
        put_sha256(o, otac_active(c));
        break;
    case 'z':
        put_sha256(o, &c->record.slot[otac_free_slot(c)]);
        break;
    case 'o':
        put_number(o, c->record.progress);
        break;
    case 'n':
        put_number(o, o->body_n);
        break;
    case 'c':
        put_number(o, (uint32_t)-c->record.report.code);
        break;
    case 't':
        put_escaped(o, c->config->describe(c->record.report.code));
        break;
    case 'w':
        put_escaped(o, report_version(c));
        break;
    default: /* 'b' */
        put_number(o, c->record.report.build);
        break;
    }
}

/* Writes a text from the list above if `wanted`. */
static void put_if(struct otac_out *o, bool wanted, const char *text)
{
    for (; wanted && *text != '\0'; text++) {
        if (*text == '$')
            put_value(o, *++text);
        else
            put_char(o, *text);
    }
}

void otac_write_check_in(struct otac_out *o)
{
    const struct otac_config *config = o->c->config;
    put_if(o, true, check_in_target);
    put_if(o, config->chip != NULL, chip_field);
    put_if(o, true, common_headers);
    put_if(o, config->key != NULL, key_line);
    put_if(o, config->family != NULL, family_lines);
    put_if(o, config->family != NULL && config->slot_size != 0, space_line);
    put_if(o, otac_active(o->c) != NULL, content_line);
    put_if(o, otac_may_resume(o->c), rest_lines);
    put_if(o, true, CRLF);
}

static void put_form(struct otac_out *o)
{
    const struct otac_report *report = &o->c->record.report;
    bool success = report->kind == OTAC_REPORT_SUCCESS;
    bool failed = report->kind == OTAC_REPORT_FAILED;
    put_if(o, true, success ? success_form : failed ? failed_form : rolled_back_form);
    put_if(o, !success && o->c->config->describe != NULL, message_field);
    put_if(o, report_version(o->c)[0] != '\0', version_field);
    put_if(o, report->build != 0, build_field);
}

void otac_write_report(struct otac_out *o)
{
    struct otac_out form = {o->c, 0, 0, 0, OTAC_OK, true};
    put_form(&form);
    o->body_n = form.total;
    put_if(o, true, report_target);
    put_if(o, true, common_headers);
    put_if(o, o->c->config->key != NULL, key_line);
    put_if(o, true, form_lines);
    put_if(o, true, CRLF);
    put_form(o);
}

/* ---- request to answer --------------------------------------------------------------------- */

static int send_request(struct otac *c, void (*write)(struct otac_out *))
{
    struct otac_out o = {c, 0, 0, 0, OTAC_OK, false};
    write(&o);
    flush(&o);
    return o.err;
}

static int read_head(struct otac *c, struct otac_answer *a, size_t *body_n)
{
    const struct otac_port *port = c->port;
    uint32_t start_ms = port->clock_ms(port->ctx);
    const size_t room = otac_may_resume(c) ? c->buf_n / 2 : c->buf_n;
    otac_answer_reset(a);
    for (;;) {
        int got = port->recv(port->ctx, c->buf, room);
        if (got <= 0)
            return got < 0 ? got : otac_answer_eof(a);
        int used = otac_answer_feed(a, c->buf, (size_t)got);
        if (used < 0)
            return used;
        if (otac_answer_complete(a)) {
            *body_n = (size_t)(got - used);
            memmove(c->buf, c->buf + used, *body_n);
            return OTAC_OK;
        }
        if (port->clock_ms(port->ctx) - start_ms > OTAC_HEAD_DEADLINE_MS)
            return OTAC_E_TIMEOUT;
    }
}

int otac_exchange(struct otac *c, void (*write)(struct otac_out *), struct otac_answer *a,
                  size_t *body_n)
{
    const struct otac_port *port = c->port;
    otac_log(c, OTAC_EV_CONNECT, 0);
    otac_answer_reset(a);
    int err = port->connect(port->ctx, c->config->host, c->config->port);
    if (err != OTAC_OK)
        return err;
    err = send_request(c, write);
    if (err == OTAC_OK)
        err = read_head(c, a, body_n);
    if (err != OTAC_OK)
        port->close(port->ctx);
    return err;
}
