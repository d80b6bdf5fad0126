/* SPDX-License-Identifier: MIT
 * Owns the in-memory port of the device client. */
#include "support/client_port.h"

#include <string.h>

#include <openssl/evp.h>

/* True when this call is the one that has to fail. */
static bool fault(struct client_port *p)
{
    bool hit = ++p->calls == p->fail_at;
    p->failed = p->failed || hit;
    return hit;
}

static void broke(struct client_port *p, bool bad, const char *what)
{
    if (bad && p->broken == NULL)
        p->broken = what;
}

/* ---- transport ----------------------------------------------------------------------------- */

static int fake_connect(void *ctx, const char *host, uint16_t port)
{
    struct client_port *p = ctx;
    broke(p, p->connects != p->closes, "connects while connected");
    broke(p, host == NULL || port == 0, "connects to nowhere");
    if (fault(p) || p->connection >= p->answers)
        return OTAC_E_CONNECT;
    p->connects++;
    p->at = 0;
    return OTAC_OK;
}

static int fake_send(void *ctx, const void *data, size_t n)
{
    struct client_port *p = ctx;
    broke(p, p->connects == p->closes, "sends while not connected");
    broke(p, n == 0, "sends nothing");
    if (fault(p))
        return OTAC_E_CONN_LOST;
    char *sent = p->sent[p->connection];
    size_t *sent_n = &p->sent_n[p->connection];
    if (*sent_n + n >= CLIENT_PORT_SENT)
        return OTAC_E_CONN_LOST;
    memcpy(sent + *sent_n, data, n);
    *sent_n += n;
    sent[*sent_n] = '\0';
    return OTAC_OK;
}

static int fake_recv(void *ctx, void *buf, size_t n)
{
    struct client_port *p = ctx;
    const struct client_port_answer *answer = &p->answer[p->connection];
    broke(p, p->connects == p->closes, "receives while not connected");
    broke(p, n == 0, "receives into nothing");
    p->now_ms += p->recv_takes_ms;
    if (fault(p))
        return OTAC_E_CONN_LOST;
    if (p->at == answer->n)
        return answer->end;
    size_t left = answer->n - p->at;
    if (p->piece != 0 && n > p->piece)
        n = p->piece;
    if (n > left)
        n = left;
    memcpy(buf, answer->data + p->at, n);
    p->at += n;
    return (int)n;
}

static void fake_close(void *ctx)
{
    struct client_port *p = ctx;
    broke(p, p->connects == p->closes, "closes twice");
    p->closes++;
    p->connection++;
}

/* ---- flash --------------------------------------------------------------------------------- */

static void watch_slot(struct client_port *p, unsigned slot)
{
    broke(p, slot >= OTAC_SLOTS, "no such slot");
    broke(p, p->has_record && p->record[5] == slot, "touches the slot that boots");
    /* known u8 of slot 0 is byte 24 + 108, of slot 1 112 further */
    broke(p, p->has_record && p->record[132 + slot * 112] != 0,
          "erases a slot that the record calls known");
}

static int fake_slot_begin(void *ctx, unsigned slot, uint32_t size)
{
    struct client_port *p = ctx;
    watch_slot(p, slot);
    p->begins++;
    if (size > CLIENT_PORT_SLOT)
        return OTAC_E_NO_SPACE;
    if (fault(p))
        return OTAC_E_FLASH_ERASE;
    memset(p->slot[slot], 0xff, CLIENT_PORT_SLOT);
    p->unsynced[slot] = true;
    return OTAC_OK;
}

static int fake_slot_write(void *ctx, unsigned slot, uint32_t offset, const void *data, size_t n)
{
    struct client_port *p = ctx;
    watch_slot(p, slot);
    broke(p, offset % OTAC_WRITE_ALIGN != 0, "writes at an odd place");
    broke(p, n == 0 || offset + n > CLIENT_PORT_SLOT, "writes outside the slot");
    if (fault(p))
        return OTAC_E_FLASH_WRITE;
    memcpy(p->slot[slot] + offset, data, n);
    if (p->flash_lies)
        p->slot[slot][offset] ^= 1;
    return OTAC_OK;
}

static int fake_slot_finish(void *ctx, unsigned slot)
{
    struct client_port *p = ctx;
    watch_slot(p, slot);
    if (fault(p))
        return OTAC_E_FLASH_WRITE;
    p->unsynced[slot] = false;
    return OTAC_OK;
}

static int fake_slot_read(void *ctx, unsigned slot, uint32_t offset, void *buf, size_t n)
{
    struct client_port *p = ctx;
    broke(p, n == 0 || offset + n > CLIENT_PORT_SLOT, "reads outside the slot");
    if (fault(p))
        return OTAC_E_FLASH_READ;
    memcpy(buf, p->slot[slot] + offset, n);
    return OTAC_OK;
}

static int fake_record_load(void *ctx, void *buf, size_t n)
{
    struct client_port *p = ctx;
    if (fault(p))
        return OTAC_E_RECORD_IO;
    if (!p->has_record)
        return 0;
    memcpy(buf, p->record, n);
    return (int)n;
}

static int fake_record_save(void *ctx, const void *data, size_t n)
{
    struct client_port *p = ctx;
    bool fails = fault(p);
    unsigned boots = ((const uint8_t *)data)[5];
    broke(p, n != OTAC_RECORD_SIZE, "saves a record of another size");
    broke(p, boots < OTAC_SLOTS && p->unsynced[boots], "boots a slot that isn't flushed");
    p->saves++;
    if (!fails || p->save_then_fail) {
        memcpy(p->record, data, n);
        p->has_record = true;
    }
    return fails ? OTAC_E_RECORD_IO : OTAC_OK;
}

/* ---- hash ---------------------------------------------------------------------------------- */

static int fake_hash_begin(void *ctx)
{
    struct client_port *p = ctx;
    p->hashed_n = 0;
    return fault(p) ? OTAC_E_HASH : OTAC_OK;
}

static int fake_hash_update(void *ctx, const void *data, size_t n)
{
    struct client_port *p = ctx;
    if (fault(p) || p->hashed_n + n > sizeof p->hashed)
        return OTAC_E_HASH;
    memcpy(p->hashed + p->hashed_n, data, n);
    p->hashed_n += n;
    return OTAC_OK;
}

static int fake_hash_finish(void *ctx, uint8_t sha256[32], uint8_t md5[16])
{
    struct client_port *p = ctx;
    if (fault(p))
        return OTAC_E_HASH;
    bool ok = EVP_Digest(p->hashed, p->hashed_n, sha256, NULL, EVP_sha256(), NULL) == 1 &&
              EVP_Digest(p->hashed, p->hashed_n, md5, NULL, EVP_md5(), NULL) == 1;
    return ok ? OTAC_OK : OTAC_E_HASH;
}

/* ---- the rest ------------------------------------------------------------------------------ */

static uint32_t fake_clock_ms(void *ctx)
{
    return ((struct client_port *)ctx)->now_ms;
}

static void fake_sleep_ms(void *ctx, uint32_t ms)
{
    ((struct client_port *)ctx)->slept_ms = ms;
}

static uint32_t fake_random(void *ctx)
{
    return ((struct client_port *)ctx)->random;
}

static void fake_log(void *ctx, enum otac_event event, int64_t value)
{
    struct client_port *p = ctx;
    if (p->events_n == sizeof p->events / sizeof p->events[0])
        return;
    p->events[p->events_n].event = event;
    p->events[p->events_n++].value = value;
}

void client_port_init(struct client_port *p)
{
    memset(p, 0, sizeof *p);
    p->port = (struct otac_port){
        .ctx = p,
        .connect = fake_connect,
        .send = fake_send,
        .recv = fake_recv,
        .close = fake_close,
        .slot_begin = fake_slot_begin,
        .slot_write = fake_slot_write,
        .slot_finish = fake_slot_finish,
        .slot_read = fake_slot_read,
        .record_load = fake_record_load,
        .record_save = fake_record_save,
        .hash_begin = fake_hash_begin,
        .hash_update = fake_hash_update,
        .hash_finish = fake_hash_finish,
        .clock_ms = fake_clock_ms,
        .sleep_ms = fake_sleep_ms,
        .random = fake_random,
        .log = fake_log,
    };
}

void client_port_answer(struct client_port *p, const char *data, size_t n, int end)
{
    struct client_port_answer answer = {data, n, end};
    if (p->answers < CLIENT_PORT_ANSWERS)
        p->answer[p->answers++] = answer;
}

void client_port_rewind(struct client_port *p)
{
    p->answers = p->connection = p->at = p->events_n = 0;
    p->connects = p->closes = p->begins = p->saves = 0;
    p->calls = p->fail_at = 0;
    p->failed = false;
    p->slept_ms = 0;
    memset(p->sent, 0, sizeof p->sent);
    memset(p->sent_n, 0, sizeof p->sent_n);
}

bool client_port_saw(const struct client_port *p, enum otac_event event, int64_t value)
{
    for (size_t i = 0; i < p->events_n; i++)
        if (p->events[i].event == event && p->events[i].value == value)
            return true;
    return false;
}
