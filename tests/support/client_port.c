/* SPDX-License-Identifier: MIT
 * Owns the in-memory port of the device client. */
#include "support/client_port.h"

#include <string.h>

#include <openssl/evp.h>
#include <zlib.h>

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
    if (p->serve != NULL) {
        p->connection %= CLIENT_PORT_ANSWERS;
        p->sent_n[p->connection] = 0;
        memset(&p->answer[p->connection], 0, sizeof p->answer[0]);
    }
    if (fault(p) || (p->serve == NULL && p->connection >= p->answers))
        return OTAC_E_CONNECT;
    p->connects++;
    p->at = 0;
    p->served = false;
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
    struct client_port_answer *answer = &p->answer[p->connection];
    broke(p, p->connects == p->closes, "receives while not connected");
    broke(p, n == 0, "receives into nothing");
    p->now_ms += p->recv_takes_ms;
    if (fault(p))
        return OTAC_E_CONN_LOST;
    if (p->serve != NULL && !p->served)
        p->serve(p->serve_arg, p->sent[p->connection], answer);
    p->served = true;
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

static void power_off(struct client_port *p)
{
    for (unsigned slot = 0; p->lazy && slot < OTAC_SLOTS; slot++)
        if (p->written[slot] > p->synced[slot])
            memset(p->slot[slot] + p->synced[slot], 0, p->written[slot] - p->synced[slot]);
    longjmp(*p->off, 1);
}

/* One step of the flash: programs n bytes, or erases them (from NULL). A torn one does half of
 * them, and leaves neither the old nor the new in the byte at which the power went. */
static void step(struct client_port *p, uint8_t *at, const uint8_t *from, size_t n)
{
    bool cut = p->off != NULL && ++p->steps == p->cut_at;
    if (cut && p->cut == CLIENT_PORT_BEFORE)
        power_off(p);
    bool torn = cut && p->cut == CLIENT_PORT_TORN;
    size_t whole = torn ? n / 2 : n;
    for (size_t i = 0; i < whole; i++) {
        broke(p, from != NULL && at[i] != 0xff, "programs flash that isn't erased");
        at[i] = from != NULL ? at[i] & from[i] : 0xff;
    }
    if (torn && n > 0)
        at[whole] ^= 0x5a;
    if (cut)
        power_off(p);
}

static void erase(struct client_port *p, unsigned slot, uint32_t from, uint32_t to)
{
    for (uint32_t at = from; at < to; at += CLIENT_PORT_BLOCK)
        step(p, p->slot[slot] + at, NULL, CLIENT_PORT_BLOCK);
    p->written[slot] = p->synced[slot] = from;
}

/* What the record has of a slot: its state is 44 bytes into an image, of which the first is at 24,
 * the second 112 further. */
static uint32_t recorded_state(const struct client_port *p, unsigned slot)
{
    const uint8_t *at = p->record + 24 + slot * 112 + 44;
    return p->has_record ? (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                               (uint32_t)at[3] << 24
                         : 0;
}

static void watch_slot(struct client_port *p, unsigned slot)
{
    broke(p, slot >= OTAC_SLOTS, "no such slot");
    broke(p, p->has_record && p->record[5] == slot, "touches the slot that boots");
    broke(p, p->has_record && p->record[7] != 0, "touches the way back from a trial");
    broke(p, recorded_state(p, slot) == OTAC_IMAGE_KNOWN,
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
    broke(p, recorded_state(p, slot) != 0, "erases what the record calls begun");
    erase(p, slot, 0, size);
    p->unsynced[slot] = true;
    return OTAC_OK;
}

static int fake_slot_resume(void *ctx, unsigned slot, uint32_t size, uint32_t offset)
{
    struct client_port *p = ctx;
    watch_slot(p, slot);
    broke(p, offset % CLIENT_PORT_BLOCK != 0 || offset >= size, "resumes at an odd place");
    if (fault(p))
        return OTAC_E_FLASH_ERASE;
    erase(p, slot, offset, size);
    p->unsynced[slot] = true;
    return OTAC_OK;
}

static int fake_slot_sync(void *ctx, unsigned slot)
{
    struct client_port *p = ctx;
    watch_slot(p, slot);
    if (fault(p))
        return OTAC_E_FLASH_WRITE;
    step(p, p->slot[slot], NULL, 0);
    p->synced[slot] = p->written[slot];
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
    p->written[slot] = offset + (uint32_t)n;
    step(p, p->slot[slot] + offset, data, n);
    if (p->flash_lies)
        p->slot[slot][offset] ^= 1;
    return OTAC_OK;
}

static int fake_slot_finish(void *ctx, unsigned slot)
{
    struct client_port *p = ctx;
    int err = fake_slot_sync(ctx, slot);
    p->unsynced[slot] = err != OTAC_OK;
    return err;
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

static bool is_page(const struct client_port_page *page)
{
    uint32_t crc = (uint32_t)crc32(0, page->raw, sizeof page->raw - 4);
    return memcmp(page->raw + sizeof page->raw - 4, &crc, 4) == 0;
}

static uint32_t page_number(const struct client_port_page *page)
{
    uint32_t number = 0;
    if (is_page(page))
        memcpy(&number, page->raw, sizeof number);
    return number;
}

/* Erases and programs the page that isn't the newest: the newest whole one is the record. */
static void save_page(struct client_port *p, const uint8_t *record)
{
    struct client_port_page page;
    uint32_t first = page_number(&p->page[0]), second = page_number(&p->page[1]);
    uint32_t number = (first > second ? first : second) + 1;
    struct client_port_page *at = &p->page[first > second ? 1 : 0];
    memcpy(page.raw, &number, 4);
    memcpy(page.raw + 4, record, OTAC_RECORD_SIZE);
    uint32_t crc = (uint32_t)crc32(0, page.raw, sizeof page.raw - 4);
    memcpy(page.raw + sizeof page.raw - 4, &crc, 4);
    step(p, at->raw, NULL, sizeof at->raw);
    step(p, at->raw, page.raw, sizeof at->raw);
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
        if (p->off != NULL)
            save_page(p, data);
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

static void fake_log(void *ctx, enum otac_event event, uint32_t value)
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

void client_port_resumable(struct client_port *p)
{
    p->port.slot_resume = fake_slot_resume;
    p->port.slot_sync = fake_slot_sync;
    p->port.resume_step = CLIENT_PORT_BLOCK;
}

void client_port_power(struct client_port *p, jmp_buf *off)
{
    p->off = off;
    p->steps = 0;
    memset(p->page, 0xff, sizeof p->page);
    long cut_at = p->cut_at;
    p->cut_at = 0;
    if (p->has_record)
        save_page(p, p->record);
    p->steps = 0;
    p->cut_at = cut_at;
}

void client_port_power_on(struct client_port *p)
{
    uint32_t first = page_number(&p->page[0]), second = page_number(&p->page[1]);
    if (p->connects != p->closes)
        p->connection++;
    p->closes = p->connects;
    p->cut_at = 0;
    p->hashed_n = 0;
    p->has_record = first != 0 || second != 0;
    memcpy(p->record, p->page[first > second ? 0 : 1].raw + 4, OTAC_RECORD_SIZE);
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

bool client_port_saw(const struct client_port *p, enum otac_event event, int value)
{
    for (size_t i = 0; i < p->events_n; i++)
        if (p->events[i].event == event && p->events[i].value == (uint32_t)value)
            return true;
    return false;
}
