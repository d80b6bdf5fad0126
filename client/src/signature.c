/* SPDX-License-Identifier: MIT
 * Owns the check of an offer's signature; what is signed stands at struct otac_config. */
#include "internal.h"

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

int otac_check_signature(struct otac *c)
{
    const struct otac_port *port = c->port;
    const struct otac_answer *a = &c->answer;
    uint8_t digest[32];
    if (c->config->sign_keys == NULL)
        return OTAC_OK;
    int err = otac_answer_signed(a);
    if (err == OTAC_OK && a->counter < c->record.counter)
        err = OTAC_E_OLD_COUNTER;
    if (err == OTAC_OK)
        err = hash_signed(c, digest);
    if (err != OTAC_OK)
        return err;
    return port->verify(port->ctx, c->config->sign_keys, digest, a->signature, a->signature_n);
}
