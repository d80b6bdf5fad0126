/* SPDX-License-Identifier: MIT
 * Owns signatures: their headers, and the check of an offer; what is signed stands at struct
 * otac_config. Linked only when an application names otac_signing. */
#include "internal.h"

/* The signature goes behind what the client uses of the work buffer. */
static int start(struct otac *c)
{
    if (c->port->verify == NULL || c->config->sign_keys == NULL ||
        c->buf_n < OTAC_BUF_MIN + OTAC_SIGNATURE_MAX)
        return OTAC_E_CONFIG;
    c->buf_n = c->buf_n - OTAC_SIGNATURE_MAX;
    return OTAC_OK;
}

/* ---- headers ------------------------------------------------------------------------------- */

static int base64_value(int ch)
{
    if (ch >= 'A' && ch <= 'Z')
        return ch - 'A';
    if (ch >= 'a' && ch <= 'z')
        return ch - 'a' + 26;
    if (ch >= '0' && ch <= '9')
        return ch - '0' + 52;
    return ch == '+' ? 62 : ch == '/' ? 63 : -1;
}

/* RFC 4648 §4, with its padding. */
static void get_base64(struct otac_in *in, struct otac_answer *a)
{
    uint8_t *out = in->c->buf + in->c->buf_n;
    uint32_t bits = 0;
    unsigned n = 0; /* characters so far */
    int value;
    for (; (value = base64_value(in->ch)) >= 0; (void)otac_next(in)) {
        bits = bits << 6 | (uint32_t)value;
        if (n++ % 4 == 0)
            continue;
        if (a->signature_n == OTAC_SIGNATURE_MAX) {
            in->good = false;
            return;
        }
        out[a->signature_n++] = (uint8_t)(bits >> (2 * ((4 - n % 4) % 4)));
    }
    for (; in->ch == '=' && n % 4 >= 2; n++)
        (void)otac_next(in);
    in->good &= n != 0 && n % 4 == 0;
}

static void get_value(struct otac_in *in, struct otac_answer *a, unsigned field)
{
    if (field == OTAC_FIELD_SIGNATURE) {
        get_base64(in, a);
    } else {
        otac_get_number(in);
        a->counter = otac_number32(in);
    }
}

/* ---- check --------------------------------------------------------------------------------- */

int otac_answer_signed(const struct otac_answer *a)
{
    const uint32_t both = (1u << OTAC_FIELD_SIGNATURE) | (1u << OTAC_FIELD_COUNTER);
    if ((a->seen & both) != both)
        return OTAC_E_NO_SIGNATURE;
    return (a->have & both) == both ? OTAC_OK : OTAC_E_BAD_SIGNATURE;
}

static int hash_signed(const struct otac *c, uint8_t digest[32])
{
    static const char label[] = "otad-image-1";
    const struct otac_port *port = c->port;
    uint8_t counter[8] = {0}, md5[16];
    for (unsigned i = 0; i < 4; i++)
        counter[7 - i] = (uint8_t)(c->answer.counter >> (8 * i));
    int err = port->hash_begin(port->ctx);
    if (err == OTAC_OK)
        err = port->hash_update(port->ctx, label, sizeof label - 1);
    if (err == OTAC_OK)
        err = port->hash_update(port->ctx, c->answer.image.sha256, 32);
    if (err == OTAC_OK)
        err = port->hash_update(port->ctx, counter, sizeof counter);
    return err == OTAC_OK ? port->hash_finish(port->ctx, digest, md5) : err;
}

static int check(struct otac *c)
{
    const struct otac_port *port = c->port;
    const struct otac_answer *a = &c->answer;
    uint8_t digest[32];
    int err = otac_answer_signed(a);
    if (err == OTAC_OK && a->counter < c->record.counter)
        err = OTAC_E_OLD_COUNTER;
    if (err == OTAC_OK)
        err = hash_signed(c, digest);
    if (err != OTAC_OK)
        return err;
    return port->verify(port->ctx, c->config->sign_keys, digest, c->buf + c->buf_n, a->signature_n);
}

const struct otac_signing otac_signing = {start, get_value, check};
