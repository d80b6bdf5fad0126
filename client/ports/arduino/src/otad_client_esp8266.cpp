/* SPDX-License-Identifier: MIT
 * Owns the port struct for the ESP8266: each function is one or two calls of its core. */
#if defined(ESP8266)

#include "otad_client_esp8266.h"

#include <Arduino.h>
#include <LittleFS.h>
#include <string.h>

extern "C" {
#include <eboot_command.h>
}

static const uint32_t sector = 4096, resume_step = 16 * sector;
static_assert((resume_step & (resume_step - 1)) == 0, "a power of two");
static const char record_name[] = "/otad.rec", record_temp[] = "/otad.new";

static struct otac_esp8266 *of(void *ctx)
{
    return static_cast<struct otac_esp8266 *>(ctx);
}

static uint32_t round_up(uint32_t n)
{
    return (n + sector - 1) / sector * sector;
}

/* ---- transport ----------------------------------------------------------------------------- */

static int net_connect(void *ctx, const char *host, uint16_t port)
{
    of(ctx)->tcp.setTimeout(of(ctx)->timeout_ms);
    return of(ctx)->tcp.connect(host, port) ? OTAC_OK : OTAC_E_CONNECT;
}

static int net_send(void *ctx, const void *data, size_t n)
{
    return of(ctx)->tcp.write(static_cast<const uint8_t *>(data), n) == n ? OTAC_OK
                                                                          : OTAC_E_CONN_LOST;
}

/* This client doesn't tell a connection that was closed from one that broke: the announced length
 * does. */
static int net_recv(void *ctx, void *buf, size_t n)
{
    struct otac_esp8266 *p = of(ctx);
    const uint32_t since = static_cast<uint32_t>(millis());
    while (p->tcp.available() <= 0) {
        if (!p->tcp.connected())
            return 0;
        if (static_cast<uint32_t>(millis()) - since >= p->timeout_ms)
            return OTAC_E_TIMEOUT;
        delay(1);
    }
    int got = p->tcp.read(static_cast<uint8_t *>(buf), n);
    return got > 0 ? got : static_cast<int>(OTAC_E_CONN_LOST);
}

static void net_close(void *ctx)
{
    of(ctx)->tcp.stop();
}

/* ---- flash --------------------------------------------------------------------------------- */

/* Where the running sketch ends and the file system begins, as the core's own updater has it. */
static int flash_begin(void *ctx, unsigned slot, uint32_t size)
{
    const uint32_t sketch_end = round_up(ESP.getSketchSize());
    const uint32_t end = sketch_end + ESP.getFreeSketchSpace();
    (void)slot;
    if (size > end || end - round_up(size) < sketch_end)
        return OTAC_E_NO_SPACE;
    of(ctx)->start = end - round_up(size);
    of(ctx)->size = size;
    return OTAC_OK;
}

/* An image of the same size waits at the same place. A step is whole sectors, and a sector is
 * erased when its first byte is written. */
static int flash_resume(void *ctx, unsigned slot, uint32_t size, uint32_t offset)
{
    (void)offset;
    return flash_begin(ctx, slot, size);
}

/* Byte 2 is how the flash chip is wired. The boot loader would copy a wrong one too. */
static bool fits_flash(const void *image)
{
    const uint8_t mode = static_cast<const uint8_t *>(image)[2];
    return ESP.magicFlashChipMode(mode) == ESP.getFlashChipMode();
}

static int flash_write(void *ctx, unsigned slot, uint32_t offset, const void *data, size_t n)
{
    const uint32_t start = of(ctx)->start;
    const uint32_t whole = static_cast<uint32_t>(n - n % 4), rest = static_cast<uint32_t>(n % 4);
    uint8_t tail[4] = {0xff, 0xff, 0xff, 0xff};
    const uint8_t *from = static_cast<const uint8_t *>(data);
    (void)slot;
    if (offset == 0 && n > 2 && from[0] == 0xe9 && !fits_flash(data))
        return OTAC_E_FLASH_WRITE;
    if (offset == 0 && from[0] == 0x1f) /* the boot loader unpacks it: what runs isn't what was proved */
        return OTAC_E_FLASH_WRITE;
    for (uint32_t at = round_up(offset); at < offset + n; at += sector)
        if (!ESP.flashEraseSector((start + at) / sector))
            return OTAC_E_FLASH_ERASE;
    if (whole > 0 && !ESP.flashWrite(start + offset, from, whole))
        return OTAC_E_FLASH_WRITE;
    if (rest == 0)
        return OTAC_OK;
    memcpy(tail, from + whole, rest);
    return ESP.flashWrite(start + offset + whole, tail, sizeof tail) ? OTAC_OK : OTAC_E_FLASH_WRITE;
}

/* The core's write returns when the chip has it. */
static int flash_finish(void *ctx, unsigned slot)
{
    (void)ctx;
    (void)slot;
    return OTAC_OK;
}

static int flash_read(void *ctx, unsigned slot, uint32_t offset, void *buf, size_t n)
{
    const uint32_t start = static_cast<int>(slot) == of(ctx)->active ? 0 : of(ctx)->start;
    return ESP.flashRead(start + offset, static_cast<uint8_t *>(buf), n) ? OTAC_OK
                                                                         : OTAC_E_FLASH_READ;
}

/* ---- boot record --------------------------------------------------------------------------- */

enum { AT_ACTIVE = 5 };

static int record_load(void *ctx, void *buf, size_t n)
{
    of(ctx)->active = -1;
    if (!LittleFS.exists(record_name))
        return 0;
    File file = LittleFS.open(record_name, "r");
    if (!file)
        return OTAC_E_RECORD_IO;
    const bool whole =
        file.size() == n && file.read(static_cast<uint8_t *>(buf), n) == static_cast<int>(n);
    file.close();
    if (!whole)
        return 1; /* damage */
    of(ctx)->active = static_cast<const uint8_t *>(buf)[AT_ACTIVE];
    return static_cast<int>(n);
}

/* What the boot loader finds at the next start. */
static void order_copy(const struct otac_esp8266 *p)
{
    struct eboot_command order;
    memset(&order, 0, sizeof order);
    order.action = ACTION_COPY_RAW;
    order.args[0] = p->start;
    order.args[1] = 0;
    order.args[2] = p->size;
    eboot_command_write(&order);
}

static int record_save(void *ctx, const void *data, size_t n)
{
    File file = LittleFS.open(record_temp, "w");
    if (!file)
        return OTAC_E_RECORD_IO;
    const bool whole = file.write(static_cast<const uint8_t *>(data), n) == n;
    file.close();
    if (!whole || !LittleFS.rename(record_temp, record_name))
        return OTAC_E_RECORD_IO;
    const int active = static_cast<const uint8_t *>(data)[AT_ACTIVE];
    if (active < OTAC_SLOTS && active != of(ctx)->active)
        order_copy(of(ctx)); /* `active` stays: until the restart the old sketch is at address 0 */
    return OTAC_OK;
}

/* ---- hash, clock, chance ------------------------------------------------------------------- */

static int hash_begin(void *ctx)
{
    br_sha256_init(&of(ctx)->sha256);
    br_md5_init(&of(ctx)->md5);
    return OTAC_OK;
}

static int hash_update(void *ctx, const void *data, size_t n)
{
    br_sha256_update(&of(ctx)->sha256, data, n);
    br_md5_update(&of(ctx)->md5, data, n);
    return OTAC_OK;
}

static int hash_finish(void *ctx, uint8_t sha256[32], uint8_t md5[16])
{
    br_sha256_out(&of(ctx)->sha256, sha256);
    br_md5_out(&of(ctx)->md5, md5);
    return OTAC_OK;
}

static uint32_t clock_ms(void *ctx)
{
    (void)ctx;
    return static_cast<uint32_t>(millis());
}

static void sleep_ms(void *ctx, uint32_t ms)
{
    (void)ctx;
    delay(ms);
}

static uint32_t random_32(void *ctx)
{
    (void)ctx;
    return ESP.random();
}

/* ---- for the application ------------------------------------------------------------------- */

int otac_esp8266_open(struct otac_esp8266 *p)
{
    p->timeout_ms = 15000;
    p->active = -1;
    return LittleFS.begin() ? OTAC_OK : OTAC_E_RECORD_IO;
}

void otac_esp8266_close(struct otac_esp8266 *p)
{
    p->tcp.stop();
}

struct otac_port otac_esp8266_port(struct otac_esp8266 *p)
{
    struct otac_port port;
    memset(&port, 0, sizeof port);
    port.ctx = p;
    port.connect = net_connect;
    port.send = net_send;
    port.recv = net_recv;
    port.close = net_close;
    port.slot_begin = flash_begin;
    port.slot_resume = flash_resume;
    port.resume_step = resume_step;
    port.slot_write = flash_write;
    port.slot_finish = flash_finish;
    port.slot_read = flash_read;
    port.record_load = record_load;
    port.record_save = record_save;
    port.hash_begin = hash_begin;
    port.hash_update = hash_update;
    port.hash_finish = hash_finish;
    port.clock_ms = clock_ms;
    port.sleep_ms = sleep_ms;
    port.random = random_32;
    return port;
}

void otac_esp8266_identify(struct otac_esp8266 *p, struct otac_config *config)
{
    static const char digits[] = "0123456789ABCDEF";
    uint8_t mac[6];
    WiFi.macAddress(mac);
    for (unsigned i = 0; i < 6; i++) {
        p->mac[3 * i] = digits[mac[i] >> 4];
        p->mac[3 * i + 1] = digits[mac[i] & 15];
        p->mac[3 * i + 2] = i < 5 ? ':' : '\0';
    }
    config->mac = p->mac;
    config->chip = "ESP8266";
    config->family = "ESP8266";
    config->slot_size = ESP.getFreeSketchSpace();
}

int otac_esp8266_init(struct otac *c, const struct otac_config *config,
                      const struct otac_port *port, void *buf, size_t buf_n)
{
    int rc = otac_init(c, config, port, buf, buf_n);
    if (rc == OTAC_OK && otac_active(c) != NULL)
        rc = otac_slot_check(c, c->record.active);
    if (rc == OTAC_E_FLASH_VERIFY)
        rc = otac_start_over(c);
    else if (rc == OTAC_E_RECORD)
        rc = LittleFS.remove(record_name) ? OTAC_OK : OTAC_E_RECORD_IO;
    else
        return rc;
    return rc != OTAC_OK ? rc : otac_init(c, config, port, buf, buf_n);
}

#endif
